"""What models of transformers find out about documents: a task each, with the row that tells how it is asked for."""
