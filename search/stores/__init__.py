"""The catalog of a library, and what is kept beside it. Its file, its rows and lookups in them have rooms."""
