"""The rows of the catalog's tables: a file for each matter, with what writes them."""
