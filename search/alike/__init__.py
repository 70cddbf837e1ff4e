"""What is alike and what repeats: copies of a document, texts that mean the same, boilerplate, labels by nearness."""
