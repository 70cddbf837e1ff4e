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

from quarry.search.access import OWNER, Access, open_kept
from quarry.search.errors import LibraryLocked, LibraryReadOnly, NoLibrary
from quarry.search.stores import disks

_POLL_S = 0.02
_LONGEST_PID = 32  # bytes


class WriterLock:
    """An exclusive `flock` held for one batch, by one thread at a time; the same thread may take it again.

    The PID in the file is only for the message of those that wait too long. `access` is for whom the file is made.
    """

    def __init__(self, path: Path, wait_s: float = 30.0, access: Access = OWNER) -> None:
        self._path = path
        self._access = access
        self.wait_s = wait_s
        self._thread = threading.RLock()
        self._depth = 0
        self._descriptor = -1

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; raise `LibraryLocked` after `wait_s` seconds."""
        wait_s = min(max(self.wait_s, 0.0), threading.TIMEOUT_MAX)
        deadline = time.monotonic() + wait_s
        if not self._thread.acquire(timeout=wait_s):
            raise self._locked(os.getpid())
        try:
            if self._depth == 0:
                self._descriptor = self._acquire(deadline)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    os.close(self._descriptor)
        finally:
            self._thread.release()

    def _acquire(self, deadline: float) -> int:
        descriptor = self._open(self._path)
        try:
            # Who waits has the turn: the last holder, which is quicker than any that polls, lines up behind it.
            turn = self._open(self._path.with_suffix(".turn"))
            try:
                for each in (turn, descriptor):
                    while not _try_lock(each):
                        if time.monotonic() >= deadline:
                            raise self._locked(_holder(descriptor))
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


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, _LONGEST_PID, 0).decode("ascii", "replace").strip() or "unknown"
