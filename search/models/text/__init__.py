"""Text models: text -> a vector, of sentence-transformers."""
