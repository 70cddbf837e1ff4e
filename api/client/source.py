"""A library that another Quarry serves, as what a replica is copied from."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import httpx

from quarry.api.client.call import Call
from quarry.api.client.clients import Client
from quarry.api.client.problems import HTTPProblem
from quarry.api.routes.commit import COPY, CommitBody, CommitFiles
from quarry.indexer.exchange.commit_files import CommitState
from quarry.indexer.exchange.listing import CommitListing, ListedFile, read_state
from quarry.search.errors import InvalidRequest, LibraryError, NotFound

T = TypeVar("T")
_ADDRESS = re.compile(r"(https?://[^/?#\s@]+)(?:/v1/libraries/([A-Za-z0-9][\w.-]{0,62}))?/?", re.ASCII)
_LISTED_S = 600.0  # for the server to copy its databases
_TRANSFER_S = 60.0
_NEWEST = Call("GET", "/commit", CommitBody.model_validate_json)


class ServerSource:
    """A library behind an address: `https://host`, or `https://host/v1/libraries/NAME` for one of several.

    Args:
        key: one that may copy the library, None where the server asks for none.
    """

    def __init__(self, address: str, key: str | None = None, transport: httpx.BaseTransport | None = None) -> None:
        found = _ADDRESS.fullmatch(address)
        if found is None:
            raise InvalidRequest(f"{address} is no address: https://HOST[:PORT], or with /v1/libraries/NAME.")
        self._address = address.rstrip("/")
        self._url, self._library = found.groups()
        self._key = key
        self._transport = transport

    @property
    def name(self) -> str:
        """The address."""
        return self._address

    def check(self, target: Path) -> None:
        """Any folder will do: it is another machine's, for all that is known."""

    def newest(self) -> CommitState:
        """Ask the server."""
        with self._client(_TRANSFER_S) as client:
            return read_state(self.asked(client, _NEWEST).model_dump(), self.name)

    @contextmanager
    def held(self, scratch: Path) -> Iterator[HeldByServer]:
        """Have the server hold its newest commit."""
        with self._client(_LISTED_S) as client:
            headers = {COPY: _name(scratch)}
            files = Call("GET", "/commit/files", CommitFiles.model_validate_json, headers=headers)
            listing = CommitListing.read(self.asked(client, files).model_dump(), self.name)
            yield HeldByServer(listing, client, self, headers)

    def asked(self, client: Client, call: Call[T]) -> T:
        """Return what is answered; say of a server that is away, or is no Quarry, what it is."""
        try:
            return client.send(call)
        except httpx.HTTPError as error:
            raise LibraryError(f"{self.name} can't be reached: {error or type(error).__name__}.") from error
        except HTTPProblem as error:
            if error.status in (401, 403):
                raise LibraryError(f"{self.name} refuses: {error}") from error
            raise LibraryError(f"{self.name} answers otherwise than a Quarry of this version: {error}") from error
        except ValueError as error:  # a body that is none of ours
            raise LibraryError(f"{self.name} answers otherwise than a Quarry of this version.") from error

    def _client(self, timeout_s: float) -> Client:
        return Client(self._url, library=self._library, key=self._key, timeout_s=timeout_s, transport=self._transport)


def _name(place: Path) -> str:
    """Return what tells a copy from others, the same whenever it is brought up to date."""
    return hashlib.sha256(
        f"{socket.gethostname()}:{os.fsdecode(place.absolute())}".encode("utf-8", "replace")
    ).hexdigest()


class HeldByServer:
    """A commit that a server holds for those who copy it."""

    def __init__(
        self, listing: CommitListing, client: Client, source: ServerSource, headers: Mapping[str, str]
    ) -> None:
        self.listing = listing
        self._client = client
        self._source = source
        self._headers = headers

    def read(self, file: ListedFile, start: int, end: int) -> bytes:
        """Ask for a range of a file."""
        try:
            headers = {**self._headers, "Range": f"bytes={start}-{end - 1}"}
            call = Call("GET", f"/commit/files/{file.sha256}", bytes, headers=headers)
            return self._source.asked(self._client, call)[: end - start]
        except NotFound as error:
            raise LibraryError(
                f"{self._source.name} does not hold the commit any more that was being copied: it took too long, or "
                "the server was started again. Try again; what has come is kept."
            ) from error
