"""A library of another server, asked by the client: in time, with its own key, and never for a third server."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields as fields_of
from typing import Any, TypeVar, Unpack
from urllib.parse import urlsplit

from quarry.api.federation.circuit import Circuit
from quarry.api.federation.federation import TOGETHER
from quarry.search.errors import InvalidRequest, LibraryUnreachable, MissingExtra, NotFound, QuarryError
from quarry.search.fields.held import Field
from quarry.search.queries.query import Query, Response, SearchOptions
from quarry.search.requests import deadline
from quarry.search.types import Document, Facet

try:
    import httpx
    from pydantic import ValidationError

    from quarry.api.client.clients import Client
    from quarry.api.client.problems import HTTPProblem
    from quarry.api.federation import received
except ModuleNotFoundError as error:
    raise MissingExtra("Libraries of other servers need httpx: pip install 'quarry-search[client]'.") from error

R = TypeVar("R")
TIMEOUT_S = 10.0  # for all of an answer
MOST = 32 << 20  # bytes of an answer
_PATH = re.compile(r"(?:/v1(?:/libraries/([A-Za-z0-9][A-Za-z0-9._-]{0,62}))?)?/?")
_DEFAULTS: Mapping[str, Any] = {one.name: one.default for one in fields_of(Query)}


class Remote:
    """A library of another server, which does what several libraries are asked for together. Many threads may use it.

    What it can't do raises `LibraryUnreachable`, which tells why and no key. Where it did not answer, it is asked
    nothing for a while (`Circuit`).

    Args:
        url: where the server's routes of that library begin: `http://host:7700`, or `.../v1/libraries/NAME`.
        key: where it asks for one.
        timeout_s: for all of an answer.
        transport: what requests are sent by, in place of the network.
        circuit: when it is asked again.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.BaseTransport | None = None,
        circuit: Circuit | None = None,
    ) -> None:
        server, library = parted(url)
        self.base = f"{server}/v1/libraries/{library}" if library else f"{server}/v1"
        self.key = key
        self.timeout_s = timeout_s
        self.circuit = circuit or Circuit()
        sending = _InTime(transport or httpx.HTTPTransport(trust_env=False), timeout_s)
        self._client = Client(server, library=library, key=key, timeout_s=timeout_s, retries=0, transport=sending)

    def search(self, query: str, **options: Unpack[SearchOptions]) -> Response:
        """Find passages and pictures, as a library does."""
        given = {name: value for name, value in options.items() if value != _DEFAULTS[name]}
        asked = Query(query, **options)
        return self._asked(lambda: received.response_of(asked, self._client.search(query, **given)))  # type: ignore[arg-type]

    def facets(
        self, fields: Sequence[str], *, query: str = "", filter: Mapping[str, Any] | None = None
    ) -> dict[str, Facet]:
        """Count values of fields, as a library does."""
        found = self._asked(lambda: self._client.facets(fields, query=query, filter=filter))
        return {name: received.facet_of(facet) for name, facet in found.facets.items()}

    def fields(self) -> list[Field]:
        """Return what filters can name, as a library does."""
        found = self._asked(self._client.fields).fields
        return [
            Field(
                one.name,
                one.documents,
                one.types,
                tuple((value.value, value.count) for value in one.values),
                one.distinct,
                tuple(one.unclear),
            )
            for one in found
        ]

    def get(self, id: str) -> Document:
        """Return a document; raise `NotFound` where there is none."""
        found = self._asked(lambda: self._client.get(id))
        return Document(found.id, found.uri, found.title, found.type, found.metadata, found.kind)

    def text(self, id: str) -> str:
        """Return the text of a document; raise as `get` does."""
        return self._asked(lambda: self._client.get(id)).text

    def thumbnail(self, id: str) -> bytes:
        """Return the small picture of a document; raise as `get` does."""
        return self._asked(lambda: self._client.thumbnail(id))

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _asked(self, ask: Callable[[], R]) -> R:
        if not self.circuit.closed():
            raise LibraryUnreachable("it did not answer lately, and is not asked now")
        try:
            found = ask()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self.circuit.failed()
            late = isinstance(error, httpx.TimeoutException)
            why = f"it did not answer within {self.timeout_s:g} s" if late else "it can't be reached"
            raise LibraryUnreachable(why) from error
        except (ValidationError, ValueError, TypeError, RecursionError) as error:
            self.circuit.failed()
            raise LibraryUnreachable("it answers as no library does that this version knows") from error
        except HTTPProblem as error:
            if error.status in (401, 403):
                self.circuit.succeeded()
                raise LibraryUnreachable("it needs another key") from error
            self.circuit.failed()
            raise LibraryUnreachable(f"it answered {error.status}") from error
        except NotFound:
            self.circuit.succeeded()
            raise
        except LibraryUnreachable:
            self.circuit.failed()
            raise
        except (
            QuarryError
        ) as error:  # what is asked is right here: it is of a version that does not know it, or is busy
            self.circuit.succeeded()
            raise LibraryUnreachable(f"it answered: {error}") from error
        self.circuit.succeeded()
        return found


class _InTime(httpx.BaseTransport):
    """Sends requests that say whom they are for, and takes answers whole in time, and of no more than a size."""

    def __init__(self, transport: httpx.BaseTransport, timeout_s: float) -> None:
        self._transport = transport
        self._timeout_s = timeout_s

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        ends = time.monotonic() + min(self._timeout_s, deadline.left(self._timeout_s))
        request.headers[TOGETHER] = "1"
        request.headers["Accept-Encoding"] = "identity"  # what is packed says nothing of its size
        response = self._transport.handle_request(request)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise LibraryUnreachable("it packs what it answers, which it was not asked to")
        assert isinstance(response.stream, httpx.SyncByteStream)
        return httpx.Response(response.status_code, headers=response.headers, stream=_Bounded(response.stream, ends))

    def close(self) -> None:
        self._transport.close()


class _Bounded(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, ends: float) -> None:
        self._stream = stream
        self._ends = ends

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for block in self._stream:
            size += len(block)
            if size > MOST:
                raise LibraryUnreachable(f"it answers with more than {MOST >> 20} MB")
            if time.monotonic() > self._ends:
                raise httpx.ReadTimeout("An answer took too long to come.")
            yield block

    def close(self) -> None:
        self._stream.close()


def parted(url: str) -> tuple[str, str | None]:
    """Return the server of a library's URL, and the library's name there, None for the server's first.

    Raises:
        InvalidRequest: it is none.
    """
    try:
        found = urlsplit(url)
        path = _PATH.fullmatch(found.path)
        is_whole = found.scheme in ("http", "https") and found.hostname and found.port != 0
    except ValueError:
        path, is_whole = None, False
    if path is None or not is_whole or found.query or found.fragment or "@" in found.netloc:
        raise InvalidRequest(
            f"{url} is no library of a server: give http://HOST:PORT, or http://HOST:PORT/v1/libraries/NAME."
            if "@" not in url
            else "The address of a library holds no name and no key: its key stands in a file or the environment."
        )
    return f"{found.scheme}://{found.netloc}", path[1]
