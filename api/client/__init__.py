"""A client of the HTTP server, for programs that are not where the library is: `from quarry.client import Client`."""
