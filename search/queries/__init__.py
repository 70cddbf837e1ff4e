"""What is asked: a query and what it came to, its arguments checked, and what it leaves out."""
