"""The libraries that one server serves, each by its name, and what is done for them in the background."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from quarry.api.federation.federation import Federation
from quarry.api.library import Library
from quarry.api.server.errors import problem_response
from quarry.api.server.held_commits import HeldCommits
from quarry.api.server.jobs import Jobs
from quarry.search.errors import NotFound

DEFAULT = "default"  # what a library is called that was given no name
PREFIX = "/v1/libraries/"
_KEY = "quarry.library"  # in a request's scope


@dataclass(frozen=True, slots=True)
class NamedLibrary:
    """A library that is served.

    Args:
        path: what its routes begin with.
    """

    name: str
    library: Library
    path: str
    jobs: Jobs
    commits: HeldCommits


class Libraries:
    """The libraries of a server; requests that name none are about the first.

    Args:
        folders: below which roots can be added over HTTP, as URIs; none elsewhere.
        together: what searches that name none are about, in place of the first: all, and those of other servers.
    """

    def __init__(
        self, libraries: Mapping[str, Library], folders: Sequence[str] = (), together: Federation | None = None
    ) -> None:
        first = next(iter(libraries))
        self._named = {
            name: NamedLibrary(
                name,
                library,
                "/v1" if name == first and together is None else f"{PREFIX}{name}",
                Jobs(library.settings.library),
                HeldCommits(library),
            )
            for name, library in libraries.items()
        }
        self.folders = tuple(folders)
        self.together = together
        self.stopping = threading.Event()

    def __iter__(self) -> Iterator[NamedLibrary]:
        return iter(self._named.values())

    @property
    def default(self) -> NamedLibrary:
        """The one that requests are about which name none."""
        return next(iter(self))

    def named(self, name: str) -> NamedLibrary:
        """Return the library of that name; raise `NotFound` where none is served under it."""
        if name not in self._named:
            raise NotFound(f"No library {name!r} is served here; GET /v1/libraries lists those that are.")
        return self._named[name]

    def of(self, scope: Scope) -> NamedLibrary:
        """Return the library that a request is about."""
        found: NamedLibrary = scope.get(_KEY, self.default)
        return found

    def searched_together(self, scope: Scope) -> Federation | None:
        """Return all libraries as one where a request names none of them, None where it is about one."""
        return None if _KEY in scope else self.together

    def stop(self) -> None:
        """Cancel what is done in the background."""
        self.stopping.set()
        for one in self:
            one.jobs.stop()
            one.commits.close()


class ByName:
    """ASGI middleware: `/v1/libraries/NAME/...` is what `/v1/...` is, of another library."""

    def __init__(self, app: ASGIApp, libraries: Libraries) -> None:
        self._app = app
        self._libraries = libraries

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, to the library that it names."""
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            name, slash, rest = scope["path"].removeprefix(PREFIX).partition("/")
            if slash and rest:
                try:
                    named = self._libraries.named(name)
                except NotFound as error:
                    await problem_response(error)(scope, receive, send)
                    return
                raw = scope.get("raw_path") or scope["path"].encode()
                raw = b"/v1/" + b"".join(raw.split(b"/", 4)[4:])  # as it was sent: see `OwnSlashes`
                scope = {**scope, "path": f"/v1/{rest}", "raw_path": raw, _KEY: named}
        await self._app(scope, receive, send)
