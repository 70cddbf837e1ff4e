"""Clients of a server, one that waits and one that awaits: lists of what can be asked (`api.client.calls`)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypedDict, TypeVar

import anyio
import httpx

from quarry.api.client import calls
from quarry.api.client.call import Call
from quarry.api.client.problems import error_of, wait_of
from quarry.api.routes.jobs import JobBody

P = ParamSpec("P")
R = TypeVar("R")
DEFAULT_URL = "http://127.0.0.1:7700"
TIMEOUT_S = 60.0
_WATCHED_S = 60.0  # without a word from a job that is watched
RETRIES = 4


class _Settings(TypedDict):
    base_url: str
    headers: dict[str, str]
    timeout: float
    trust_env: bool


def _settings(url: str, library: str | None, key: str | None, timeout_s: float) -> _Settings:
    return {
        "base_url": url.rstrip("/") + (f"/v1/libraries/{library}" if library else "/v1"),
        "headers": {"Authorization": f"Bearer {key}"} if key else {},
        "timeout": timeout_s,
        "trust_env": False,  # what is asked goes to this server alone, through no proxy that the machine names
    }


def _asked(call: Callable[P, Call[R]]) -> Callable[Concatenate[Client, P], R]:
    """Make a method of a call, which waits for the answer."""

    @wraps(call)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.send(call(*args, **kwargs))

    return method


def _awaited(call: Callable[P, Call[R]]) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, R]]:
    """Make a method of a call, whose answer is awaited."""

    @wraps(call)
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await self.send(call(*args, **kwargs))

    return method


class Client:
    """A client: `with Client() as client: client.search("how do stars form").hits`.

    What is refused raises the error of `quarry.search.errors` that it is, else `HTTPProblem`; a server that can't be
    reached, httpx's own. Where a server is too busy (429, 503) and says when to come back, it is asked again then.

    Args:
        url: of the server.
        library: the name of one of several that it serves; None for the default one.
        key: where it asks for one.
        timeout_s: for an answer to come.
        retries: how often it is asked again.
        transport: what requests are sent by, in place of the network.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        library: str | None = None,
        key: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(transport=transport, **_settings(url, library, key, timeout_s))
        self._retries = retries

    search = _asked(calls.search)
    search_batch = _asked(calls.search_batch)
    search_by_picture = _asked(calls.search_by_picture)
    similar = _asked(calls.similar)
    answer = _asked(calls.answer)
    check = _asked(calls.check)
    ask_picture = _asked(calls.ask_picture)
    ask_document = _asked(calls.ask_document)
    verify = _asked(calls.verify)

    documents = _asked(calls.documents)
    duplicates = _asked(calls.duplicates)
    outliers = _asked(calls.outliers)
    get = _asked(calls.get)
    content = _asked(calls.content)
    passages = _asked(calls.passages)
    thumbnail = _asked(calls.thumbnail)
    original = _asked(calls.original)
    add = _asked(calls.add)
    add_file = _asked(calls.add_file)
    put = _asked(calls.put)
    put_file = _asked(calls.put_file)
    delete = _asked(calls.delete)
    delete_matching = _asked(calls.delete_matching)
    undelete = _asked(calls.undelete)

    roots = _asked(calls.roots)
    add_root = _asked(calls.add_root)
    sync = _asked(calls.sync)
    forget = _asked(calls.forget)
    enrichments = _asked(calls.enrichments)
    label_sets = _asked(calls.label_sets)
    label = _asked(calls.label)
    enrich = _asked(calls.enrich)
    jobs = _asked(calls.jobs)
    job = _asked(calls.job)
    cancel = _asked(calls.cancel)

    embed = _asked(calls.embed)
    models = _asked(calls.models)
    fields = _asked(calls.fields)
    facets = _asked(calls.facets)
    map = _asked(calls.library_map)
    status = _asked(calls.status)
    libraries = _asked(calls.libraries)

    def send(self, call: Call[R]) -> R:
        """Ask the server, again where it says so, and return what it answers."""
        for left in reversed(range(self._retries + 1)):
            response = self._http.request(call.method, call.path, **call.sent)
            if response.is_success:
                break
            if not left or (wait := wait_of(response)) is None:
                raise error_of(response)
            time.sleep(wait)
        return call.result(response.content)

    def watch(self, id: str) -> Iterator[JobBody]:
        """Yield a job whenever it has changed, until it is over."""
        with self._http.stream("GET", f"/jobs/{id}/events", timeout=_WATCHED_S) as response:
            if not response.is_success:
                response.read()
                raise error_of(response)
            for line in response.iter_lines():
                if line.startswith("data:"):
                    yield JobBody.model_validate_json(line.removeprefix("data:"))

    def wait(self, id: str) -> JobBody:
        """Return a job when it is over."""
        return list(self.watch(id))[-1]

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient:
    """As `Client`, for programs that await: `async with AsyncClient() as client: await client.search("stars")`."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        library: str | None = None,
        key: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(transport=transport, **_settings(url, library, key, timeout_s))
        self._retries = retries

    search = _awaited(calls.search)
    search_batch = _awaited(calls.search_batch)
    search_by_picture = _awaited(calls.search_by_picture)
    similar = _awaited(calls.similar)
    answer = _awaited(calls.answer)
    check = _awaited(calls.check)
    ask_picture = _awaited(calls.ask_picture)
    ask_document = _awaited(calls.ask_document)
    verify = _awaited(calls.verify)

    documents = _awaited(calls.documents)
    duplicates = _awaited(calls.duplicates)
    outliers = _awaited(calls.outliers)
    get = _awaited(calls.get)
    content = _awaited(calls.content)
    passages = _awaited(calls.passages)
    thumbnail = _awaited(calls.thumbnail)
    original = _awaited(calls.original)
    add = _awaited(calls.add)
    add_file = _awaited(calls.add_file)
    put = _awaited(calls.put)
    put_file = _awaited(calls.put_file)
    delete = _awaited(calls.delete)
    delete_matching = _awaited(calls.delete_matching)
    undelete = _awaited(calls.undelete)

    roots = _awaited(calls.roots)
    add_root = _awaited(calls.add_root)
    sync = _awaited(calls.sync)
    forget = _awaited(calls.forget)
    enrichments = _awaited(calls.enrichments)
    label_sets = _awaited(calls.label_sets)
    label = _awaited(calls.label)
    enrich = _awaited(calls.enrich)
    jobs = _awaited(calls.jobs)
    job = _awaited(calls.job)
    cancel = _awaited(calls.cancel)

    embed = _awaited(calls.embed)
    models = _awaited(calls.models)
    fields = _awaited(calls.fields)
    facets = _awaited(calls.facets)
    map = _awaited(calls.library_map)
    status = _awaited(calls.status)
    libraries = _awaited(calls.libraries)

    async def send(self, call: Call[R]) -> R:
        """Ask the server, again where it says so, and return what it answers."""
        for left in reversed(range(self._retries + 1)):
            response = await self._http.request(call.method, call.path, **call.sent)
            if response.is_success:
                break
            if not left or (wait := wait_of(response)) is None:
                raise error_of(response)
            await anyio.sleep(wait)
        return call.result(response.content)

    async def watch(self, id: str) -> AsyncIterator[JobBody]:
        """Yield a job whenever it has changed, until it is over."""
        async with self._http.stream("GET", f"/jobs/{id}/events", timeout=_WATCHED_S) as response:
            if not response.is_success:
                await response.aread()
                raise error_of(response)
            async for line in response.aiter_lines():
                if line.startswith("data:"):
                    yield JobBody.model_validate_json(line.removeprefix("data:"))

    async def wait(self, id: str) -> JobBody:
        """Return a job when it is over."""
        return [one async for one in self.watch(id)][-1]

    async def close(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
