"""Measuring: rankings, answers, captions and summaries, against what people judged."""
