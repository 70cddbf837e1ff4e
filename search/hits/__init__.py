"""What comes of a ranking: hits that are read, explained and cited, and the models that look at them."""
