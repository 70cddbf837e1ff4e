"""What is written by a model: summaries of passages and answers from them, each tied to the passages it rests on."""
