"""What picture formats hold that Pillow alone does not read, or refuses to."""
