"""Who uses an object of many threads: closing it waits for them, and nothing uses it afterwards, or in a fork."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from quarry.search.errors import LibraryClosed


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
    def one(self) -> Iterator[bool]:
        """Use the object in the block; give whether no use of this thread is around this one.

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
            yield not depth
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
