"""The writer's lock: one OS lock per library, freed by the kernel when its holder dies."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quarry.search.errors import LibraryClosed, LibraryLocked, LibraryReadOnly, NoLibrary
from quarry.search.files import disks
from quarry.search.files.access import OWNER, Access, open_kept
from quarry.search.requests import deadline

_POLL_S = 0.02
_LONGEST_PID = 32  # bytes


class WriterLock:
    """An exclusive `flock` held for one batch, by one thread at a time; the same thread may take it again.

    The PID in the file is only for the message of those that wait too long. `access` is for whom the file is made.
    With a `refusal` it is never held: it says why.
    """

    def __init__(self, path: Path, wait_s: float = 30.0, access: Access = OWNER, refusal: str = "") -> None:
        self._path = path
        self._refusal = refusal
        self._access = access
        self.wait_s = wait_s
        self._thread = threading.RLock()
        self._depth = 0
        self._descriptor = -1

    def require(self) -> None:
        """Raise `LibraryReadOnly` where it can never be held."""
        if self._refusal:
            raise LibraryReadOnly(self._refusal)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; raise `LibraryLocked` after `wait_s` seconds, `LibraryReadOnly` where it never can be."""
        self.require()
        wait_s = min(max(self.wait_s, 0.0), threading.TIMEOUT_MAX)
        end = time.monotonic() + wait_s
        if not self._thread.acquire(timeout=deadline.left(wait_s)):
            deadline.check()
            raise self._locked(os.getpid())
        try:
            if self._depth == 0:
                self._descriptor = self._acquire(end)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    _release(self._descriptor)
        finally:
            self._thread.release()

    @contextmanager
    def between(self) -> Iterator[None]:
        """Wait until no thread of this process holds the lock, and let none take it in the block.

        Raises:
            LibraryClosed: this thread holds it.
        """
        with self._thread:
            if self._depth:
                raise LibraryClosed(f"The library at {self._path.parent} can't be closed while this thread writes.")
            yield

    def _acquire(self, end: float) -> int:
        descriptor = self._open(self._path)
        try:
            # Who waits has the turn: the last holder, which is quicker than any that polls, lines up behind it.
            turn = self._open(self._path.with_suffix(".turn"))
            try:
                for each in (turn, descriptor):
                    while not _try_lock(each):
                        if time.monotonic() >= end:
                            raise self._locked(_holder(descriptor))
                        deadline.check()
                        time.sleep(_POLL_S)
            finally:
                os.close(turn)
            try:
                if os.fstat(descriptor).st_size <= _LONGEST_PID:  # else it is not ours, but some file linked to here
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            except OSError:
                pass  # the PID is a courtesy; a full disk must not stop a delete
        except BaseException:
            os.close(descriptor)
            raise
        _held.add(descriptor)
        return descriptor

    def _open(self, path: Path) -> int:
        try:
            return open_kept(path, path.parent, os.O_RDWR | os.O_CREAT, self._access)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> Exception:
        place = self._path.parent
        match error.errno:
            case errno.EACCES | errno.EPERM:
                return LibraryReadOnly(f"The library at {place} can't be written by this user; it can be searched.")
            case errno.EROFS | errno.ENOSPC | errno.EDQUOT:
                return disks.translated(error, place)
            case errno.ENOENT:
                return NoLibrary(f"The library at {place} is gone. Make one with `quarry index PATH`.")
        return error

    def _locked(self, pid: int | str) -> LibraryLocked:
        return LibraryLocked(
            f"The library at {self._path.parent} is locked by PID {pid}, which is writing; "
            f"waited {self.wait_s:g} s. Try again later, or wait longer with --wait SECONDS."
        )


def _release(descriptor: int) -> None:
    _held.discard(descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_UN)  # a process that was forked meanwhile holds the same lock
    os.close(descriptor)


def _after_fork() -> None:
    """Let go of the parent's locks: a copy of a descriptor would hold them for as long as this process lives."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


_held: set[int] = set()
os.register_at_fork(after_in_child=_after_fork)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, _LONGEST_PID, 0).decode("ascii", "replace").strip() or "unknown"
