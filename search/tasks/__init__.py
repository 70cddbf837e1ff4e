"""Tasks on the hits: what a model is asked about what was found, one file each, when a query asks for it."""
