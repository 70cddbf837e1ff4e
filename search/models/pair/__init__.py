"""Models of two texts: readers find the answer to a question in a passage, cross-encoders score query and passage."""
