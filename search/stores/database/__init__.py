"""The catalog as an SQLite file: opened, locked, checked, brought to this format, and saved where it is damaged."""
