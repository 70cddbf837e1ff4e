"""What stands around a request: how long it may take, how long its stages do, who watches, and what ends with it."""
