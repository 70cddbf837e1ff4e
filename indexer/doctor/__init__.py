"""`quarry doctor`: looks at everything a library consists of, and mends what can be made again."""
