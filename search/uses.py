"""Who uses an object of many threads: closing it waits for them, and nothing uses it afterwards, or in a fork."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from quarry.search import deadline
from quarry.search.errors import LibraryClosed

P = ParamSpec("P")
R = TypeVar("R")


class Uses:
    """The uses of one object, in the process that made it.

    Args:
        what: names the object in messages.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._running = 0
        self._closed = False
        self._inside = threading.local()  # how deep a thread is in uses

    @contextmanager
    def one(self) -> Iterator[None]:
        """Use the object in the block.

        Raises:
            LibraryClosed: it was closed, or opened by the process that this one was forked from.
        """
        self.check_process()
        depth = getattr(self._inside, "depth", 0)
        if not depth:
            with self._changed:
                if self._closed:
                    raise LibraryClosed(f"{self._what} was closed; open it anew.")
                self._running += 1
        self._inside.depth = depth + 1
        try:
            yield
        finally:
            self._inside.depth = depth
            if not depth:
                with self._changed:
                    self._running -= 1
                    self._changed.notify_all()

    def end(self) -> bool:
        """Let no use begin, and wait for those that run; return whether this was the first to ask for it.

        Raises:
            LibraryClosed: a use that runs in this thread asks for it, and can't be waited for.
        """
        if os.getpid() != self._process:
            return False  # the parent's, which goes on with it
        if getattr(self._inside, "depth", 0):
            raise LibraryClosed(f"{self._what} can't be closed by what it runs, such as a progress callback.")
        with self._changed:
            first, self._closed = not self._closed, True
            self._changed.wait_for(lambda: not self._running)
        return first

    def check_process(self) -> None:
        """Raise `LibraryClosed` in a process that was forked from the one that made the object."""
        if os.getpid() != self._process:
            raise LibraryClosed(
                f"{self._what} was opened by process {self._process}, which this one was forked from: open it anew."
            )


class Used(Protocol):
    """An object whose uses are counted, and end with a deadline."""

    @property
    def uses(self) -> Uses:
        """Its uses."""
        ...

    @property
    def deadline_s(self) -> float | None:
        """How long one may take."""
        ...


S = TypeVar("S", bound=Used)


def used(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Count a method's calls as uses of its object, and end them with its deadline."""
    return _counted(method, 1)


def used_to_write(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Do as `used`, for a method that may take longer."""
    return _counted(method, deadline.WRITING)


def used_for_any_time(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Count a method's calls as uses of its object, however long they take: a run over folders is stopped by hand."""
    return _counted(method, 0)


def _counted(method: Callable[Concatenate[S, P], R], times: int) -> Callable[Concatenate[S, P], R]:
    @wraps(method)
    def counted(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.uses.one(), deadline.within(self.deadline_s if times else None, times):
            return method(self, *args, **kwargs)

    return counted
