"""What follows the catalog by replay, and can be made anew from it: one module for each, one contract."""
