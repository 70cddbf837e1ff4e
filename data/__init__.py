"""What ships with Quarry: a sample library, judged questions about it, and the models that this project trained."""
