"""What is looked up in the catalog, over several tables at once. Nothing here writes."""
