"""How long a request may take, and how what runs for it is stopped when that is over.

A deadline belongs to one request, and follows it through calls and into threads (a context variable). Work in Python
asks `check` between its steps. SQLite is interrupted by a thread that watches over the connections that are in use:
unlike a progress handler it costs nothing while nothing is late, and takes no turn of the interpreter's lock.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from quarry.search.errors import DeadlineExceeded

WRITING = 20  # times as long for what writes: documents are read, cut and embedded
_LOOK_S = 0.25
_AGAIN_S = 0.02  # an interrupt that comes between two statements stops neither


class Deadline:
    """The end of a request's time.

    Args:
        seconds: how long it may take from now.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.began: float | None = None  # when it was first worked for
        self._from = time.monotonic()
        self._shields = 0
        self._stopped = ""

    def restart(self) -> None:
        """Count from now: what came before was the client's."""
        self._from = time.monotonic()

    def lift(self) -> None:
        """Let what is left be finished."""
        self._shields += 1

    def lengthen(self, seconds: float) -> None:
        """Allow as long as that from the beginning, if it is longer."""
        self.seconds = max(self.seconds, seconds)

    def stop(self, why: str) -> None:
        """End it now."""
        self._stopped = why
        _watch.look()

    @property
    def left(self) -> float:
        """Seconds that are left, 0 when it has passed."""
        if self._shields:
            return threading.TIMEOUT_MAX
        return 0.0 if self._stopped else max(0.0, self._from + self.seconds - time.monotonic())

    @property
    def error(self) -> DeadlineExceeded:
        """What is raised when it has passed."""
        if self._stopped:
            return DeadlineExceeded(f"This was stopped: {self._stopped}. It changed nothing; try again later.")
        return DeadlineExceeded(
            f"This took longer than the {self.seconds:g} s that a request may take, and was stopped. Ask for less, "
            "such as with a shorter filter, or allow more with --deadline or QUARRY_DEADLINE."
        )

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make it that of what is called in the block."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Let what is done in the block be finished."""
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def within(seconds: float | None, times: int = 1) -> Iterator[None]:
    """Allow the block so many times `seconds`, None for any time; within a request, the request's own seconds."""
    outer = _current.get()
    if outer is not None:
        if seconds is not None:
            outer.lengthen(times * seconds)
        check()
        yield
    elif seconds is None:
        yield
    else:
        with Deadline(times * seconds).current():
            check()
            yield


def check() -> None:
    """Raise `DeadlineExceeded` where the time of the request that this is done for is over."""
    deadline = _current.get()
    if deadline is not None:
        if deadline.began is None:
            deadline.began = time.monotonic()
        if not deadline.left:
            raise deadline.error


def checking() -> Callable[[], None]:
    """Return a `check` for the threads that are to work for this request."""
    deadline = _current.get()

    def check_here() -> None:
        if deadline is not None and not deadline.left:
            raise deadline.error

    return check_here


def left(most: float = threading.TIMEOUT_MAX) -> float:
    """Return the seconds that are left, `most` at most."""
    deadline = _current.get()
    return most if deadline is None else min(most, deadline.left)


def lift() -> None:
    """Let all that is left of the request be finished: what it was to change is changed."""
    deadline = _current.get()
    if deadline is not None:
        deadline.lift()


@contextmanager
def shielded() -> Iterator[None]:
    """Let what is done in the block be finished: it is for all that come after, or is committed already."""
    deadline = _current.get()
    if deadline is None:
        yield
    else:
        with deadline.shielded():
            yield


class Lock(Protocol):
    """A lock of `threading`."""

    def acquire(self, blocking: bool = ..., timeout: float = ...) -> bool:
        """Take it."""
        ...

    def release(self) -> None:
        """Give it back."""
        ...


@contextmanager
def holding(lock: Lock) -> Iterator[None]:
    """Hold a lock; raise `DeadlineExceeded` where it is not to be had in time."""
    check()
    while not lock.acquire(timeout=left(_LOOK_S)):
        check()
    try:
        yield
    finally:
        lock.release()


class Interruptible(Protocol):
    """A connection to a database."""

    def interrupt(self) -> None:
        """Stop what it runs."""
        ...


@contextmanager
def interrupting(connection: Interruptible) -> Iterator[None]:
    """Interrupt what a connection runs in the block when the time is over; raise `DeadlineExceeded` then."""
    deadline = _current.get()
    if deadline is None:
        yield
        return
    check()
    _watch.add(connection, deadline)
    try:
        yield
    finally:
        _watch.remove(connection)


def passed() -> DeadlineExceeded | None:
    """Return the error where the time is over: an interrupted statement says only that it was interrupted."""
    deadline = _current.get()
    return None if deadline is None or deadline.left else deadline.error


class _Watch:
    """A thread that interrupts connections whose time is over, begun when the first one is watched."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: dict[int, tuple[Interruptible, Deadline]] = {}
        self._thread: threading.Thread | None = None
        self._looks = math.inf  # when the thread looks next, by the monotonic clock

    def add(self, connection: Interruptible, deadline: Deadline) -> None:
        with self._changed:
            self._watched[id(connection)] = (connection, deadline)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="quarry-deadlines", daemon=True)
                self._thread.start()
            # Waking it for each request would have it contend for the interpreter with the request itself.
            elif time.monotonic() + self._wait(deadline) < self._looks:
                self._changed.notify()

    def remove(self, connection: Interruptible) -> None:
        """After this no interrupt of the request that had it reaches the connection, which serves the next."""
        with self._changed:
            self._watched.pop(id(connection), None)

    def look(self) -> None:
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while True:
                for connection, deadline in self._watched.values():
                    if not deadline.left:
                        connection.interrupt()
                wait = min((self._wait(deadline) for _, deadline in self._watched.values()), default=None)
                self._looks = math.inf if wait is None else time.monotonic() + wait
                self._changed.wait(wait)

    @staticmethod
    def _wait(deadline: Deadline) -> float:
        """Return after how many seconds a deadline should be looked at, again where it has passed."""
        left = deadline.left
        return min(left, 3600.0) if 0 < left < threading.TIMEOUT_MAX else _AGAIN_S


_watch = _Watch()


def _after_fork() -> None:
    global _watch
    _watch = _Watch()  # the thread is the parent's


os.register_at_fork(after_in_child=_after_fork)
