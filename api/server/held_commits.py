"""Commits that are held for who copies them: their files stay, whatever is written, merged or compacted meanwhile."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO

from quarry.api.library import Library
from quarry.indexer.exchange.commit_files import CommitState, newest_state
from quarry.indexer.exchange.sources import HeldFolder, held_commit
from quarry.search.errors import Busy, NotFound
from quarry.search.files.disks import temporary_folder
from quarry.search.requests import deadline
from quarry.search.wiring import open_vectors

MOST = 2  # one that is still being copied, and the newest
COPYING_S = 60.0  # since it last asked for a file: between two, who copies compares what has come with its hash
IDLE_S = 600.0  # after which a commit that nobody asks for is let go


@dataclass(slots=True)
class _Held:
    commit: HeldFolder
    stack: ExitStack
    used: float = field(default_factory=time.monotonic)
    copies: dict[str, float] = field(default_factory=dict)  # when each that is made of it last asked for something

    @property
    def is_copied(self) -> bool:
        """Whether a copy is being made of it."""
        return any(time.monotonic() - asked < COPYING_S for asked in self.copies.values())


class HeldCommits:
    """The commits of one library that are held by this process; each takes a copy of the databases on the disk."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._held: list[_Held] = []
        self._lock = threading.Lock()  # for moments: files are given out while another commit is opened
        self._opening = threading.Lock()
        self._is_closed = False
        self._timer: threading.Timer | None = None

    def newest(self) -> CommitState:
        """Return what a copy that is made now would be of."""
        with self._library.opened.used():
            return newest_state(self._library.catalog())

    def hold(self, copy: str = "") -> HeldFolder:
        """Hold the newest commit, which is shared by all who ask before the next one.

        Of more than `MOST` the one is let go that was not asked for longest, but none that is being copied: while as
        many are, who asks joins those who copy the newest of them. So all come to an end, however many and slow.

        Args:
            copy: tells one copy that is made from another, whose next commit shows that it is done with this one.

        Raises:
            Busy: the server is shutting down.
        """
        with self._opening, deadline.shielded():
            newest = self.newest()
            with self._lock:
                for one in self._held:
                    one.copies.pop(copy, None)
                found = next((one for one in self._held if one.commit.listing.state == newest), self._joined())
                if found is not None:
                    self._use(found, copy)
                    return found.commit
            opened = self._opened()
            with self._lock:
                if self._is_closed:
                    opened.stack.close()
                    raise Busy("The server is shutting down. Try again when it is back.")
                if (found := self._joined()) is not None:  # who asked for nothing for long has gone on meanwhile
                    opened.stack.close()
                else:
                    for old in sorted(self._held, key=lambda one: (one.is_copied, one.used), reverse=True)[MOST - 1 :]:
                        self._let_go(old)
                    self._held.append(found := opened)
                self._use(found, copy)
                return found.commit

    def _joined(self) -> _Held | None:
        """Return what is given to who asks while as many are copied as can be held."""
        return self._held[-1] if len(self._held) >= MOST and all(one.is_copied for one in self._held) else None

    def opened(self, sha256: str, copy: str = "") -> tuple[IO[bytes], int]:
        """Return a stream of a file that is held, to be closed by the caller, and how long the file is.

        Args:
            copy: that of `hold`, whose commit the file is looked for in first.

        Raises:
            NotFound: no file of that hash is held, any more or at all.
        """
        with self._lock:
            for one in sorted(self._held, key=lambda one: copy not in one.copies):
                if (file := one.commit.files.get(sha256)) is not None:
                    self._use(one, copy)
                    return one.commit.opened(file), file.size
        raise NotFound("No file of that hash belongs to a commit that is held here; list the files of the newest.")

    def close(self) -> None:
        """Let go of all, and hold none any more."""
        with self._lock:
            self._is_closed = True
            if self._timer is not None:
                self._timer.cancel()
            for one in list(self._held):
                self._let_go(one)

    def _opened(self) -> _Held:
        stack = ExitStack()
        try:
            scratch = stack.enter_context(temporary_folder("quarry-commit-"))
            with self._library.opened.used():
                vectors = open_vectors(self._library.catalog(), self._library.settings.engines)
                return _Held(stack.enter_context(held_commit(vectors, scratch)), stack)
        except BaseException:
            stack.close()
            raise

    def _use(self, one: _Held, copy: str) -> None:
        one.used = one.copies[copy] = time.monotonic()
        if self._timer is None:
            self._wait(IDLE_S)

    def _wait(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._let_idle_go)
        self._timer.daemon = True
        self._timer.start()

    def _let_idle_go(self) -> None:
        with self._lock:
            self._timer = None
            now = time.monotonic()
            for one in [one for one in self._held if now - one.used >= IDLE_S]:
                self._let_go(one)
            if self._held:
                self._wait(max(1.0, IDLE_S - (now - min(one.used for one in self._held))))

    def _let_go(self, one: _Held) -> None:
        self._held.remove(one)
        one.stack.close()
