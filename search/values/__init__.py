"""Values that those of `search.types` consist of, and what is said beside them."""
