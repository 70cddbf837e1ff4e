"""Several libraries as one: each is asked, here or on another server, and what they answer is merged by relevance."""
