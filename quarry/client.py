"""A client of `quarry serve`: `Client` and `AsyncClient`. It needs httpx: `pip install quarry-search[client]`."""

from quarry.api.client.clients import AsyncClient, Client
from quarry.api.client.problems import HTTPProblem

__all__ = ["AsyncClient", "Client", "HTTPProblem"]
