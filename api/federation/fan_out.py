"""The libraries of a federation, all asked at once: those of this machine in threads, others by their servers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, Unpack

from quarry.api.federation.likeness import Holds
from quarry.api.library import Library
from quarry.search.errors import InvalidRequest, LibraryError, LibraryUnreachable, NotFound, QuarryError
from quarry.search.fields.held import Field
from quarry.search.queries.query import Response, SearchOptions
from quarry.search.requests import deadline
from quarry.search.types import Facet
from quarry.search.values.notes import Note

ASKED = 64  # libraries at once, by all searches

R = TypeVar("R")


class ServedElsewhere(Holds, Protocol):
    """A library of another server, which raises `LibraryUnreachable` where it can't do what it is asked."""

    @property
    def base(self) -> str:
        """What its routes begin with, such as `http://host:7700/v1`."""
        ...

    @property
    def key(self) -> str | None:
        """What opens it there."""
        ...

    @property
    def timeout_s(self) -> float:
        """How long an answer is waited for."""
        ...

    def search(self, query: str, **options: Unpack[SearchOptions]) -> Response:
        """Find passages and pictures."""
        ...

    def facets(
        self, fields: Sequence[str], *, query: str = "", filter: Mapping[str, Any] | None = None
    ) -> dict[str, Facet]:
        """Count values of fields."""
        ...

    def fields(self) -> list[Field]:
        """Return what filters can name."""
        ...


Searched = Library | ServedElsewhere


@dataclass(frozen=True, slots=True)
class Gathered(Generic[R]):
    """What libraries said, by their names, and notes on those that did not."""

    given: Mapping[str, R]
    notes: tuple[Note, ...]


class FanOut:
    """The libraries, by their names. Thread-safe.

    Args:
        libraries: in the order in which they answer.
    """

    def __init__(self, libraries: Mapping[str, Searched]) -> None:
        self._libraries = dict(libraries)
        self.here = [one for one in self._libraries.values() if isinstance(one, Library)]
        self.elsewhere = {name: one for name, one in libraries.items() if not isinstance(one, Library)}
        self._threads = ThreadPoolExecutor(ASKED, "quarry-library")
        self._waiting = ThreadPoolExecutor(ASKED, "quarry-remote")  # what hangs there holds up nothing here

    def each(self, ask: Callable[[str, Searched], R], names: Mapping[str, object] | None = None) -> Gathered[R]:
        """Ask all libraries at once.

        Raises:
            InvalidRequest, NotFound: what a library of this machine says, which has nothing to do with the library.
            LibraryError: none answers; the message says why the first does not.
        """
        asked: dict[str, Future[R]] = {}
        ends = {}
        for name in self._libraries if names is None else names:
            library = self._libraries[name]
            threads = self._threads if isinstance(library, Library) else self._waiting
            asked[name] = threads.submit(copy_context().run, ask, name, library)
            if not isinstance(library, Library):
                ends[name] = time.monotonic() + library.timeout_s
        given: dict[str, R] = {}
        errors: dict[str, QuarryError] = {}
        for name, future in asked.items():
            try:
                left = None if name not in ends else max(0.0, min(ends[name] - time.monotonic(), deadline.left()))
                given[name] = future.result(left)
            except Late:
                future.cancel()
                errors[name] = LibraryUnreachable("it did not answer in time")
            except (InvalidRequest, NotFound):
                for other in asked.values():
                    other.cancel()
                raise
            except QuarryError as error:
                errors[name] = error
        deadline.check()
        if not given and errors:
            name, cause = next(iter(errors.items()))
            raise LibraryError(f"No library can be searched. {name}: {cause}") from cause
        return Gathered(given, tuple(_left_out(name, error) for name, error in errors.items()))

    def close(self) -> None:
        """Ask no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._waiting.shutdown(wait=False, cancel_futures=True)


def _left_out(name: str, error: QuarryError) -> Note:
    values = {"library": name, "cause": type(error).__name__, "reason": str(error)}
    return Note("library_left_out", f"{name} is left out: {error}", values)
