"""Answers in hits: reading, weighing, choosing, reranking."""
