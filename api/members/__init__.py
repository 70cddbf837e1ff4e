"""What a library can do, a file for each matter; `Library` (`api/library.py`) lists it."""
