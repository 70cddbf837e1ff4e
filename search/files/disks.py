"""Disks: why nothing can be written somewhere, where that is their doing, and folders for temporary files."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from quarry.search.errors import LibraryError, LibraryReadOnly, StorageFull

_ROOM = 64 << 10  # bytes: with less, SQLite has no place for its shared memory, of 32 KiB

_SHARED_MEMORY = "/dev/shm"
_LOCKED = ".locked"  # how temporary folders end, so that none is taken for one that a version made which locked none
_swept: set[tuple[str, str]] = set()  # places and prefixes that this process has looked at


def full(place: Path) -> StorageFull:
    """Say that the disk of a place is full."""
    return StorageFull(
        f"The disk that holds {place} is full: no space is left on it. "
        "Free space and run again; what was committed stays, and can be searched."
    )


def read_only(place: Path) -> LibraryReadOnly:
    """Say that the disk of a place can't be written."""
    return LibraryReadOnly(f"{place} is on a read-only file system; the library can be searched, not written.")


def why_not(place: Path) -> StorageFull | LibraryReadOnly | None:
    """Say why the disk of a place takes nothing more; None where it would, so that the cause is another.

    Of SQLite's errors and of tantivy's, some tell of a full disk as of a file that can't be opened.
    """
    try:
        disk = os.statvfs(place if place.exists() else place.parent)
    except OSError:
        return None
    if disk.f_flag & os.ST_RDONLY:
        return read_only(place)
    blocks = disk.f_bfree if os.geteuid() == 0 else disk.f_bavail
    has_room = blocks * disk.f_frsize >= _ROOM or not disk.f_blocks
    has_names = disk.f_ffree > 0 or not disk.f_files  # some file systems count none
    return None if has_room and has_names else full(place)


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Make a folder where temporary files go, and take it away at the end.

    It is locked until then. Those that are not, of the same prefix, were left by processes that were killed: they are
    taken away when a process makes its first one.

    Raises:
        StorageFull, LibraryError: there is no room, or no such place.
    """
    places = [_SHARED_MEMORY]
    try:
        places.insert(0, tempfile.gettempdir())  # the first that takes a file, of those that Python knows
    except FileNotFoundError as error:
        if not os.access(_SHARED_MEMORY, os.W_OK):
            raise LibraryError(f"{error.strerror}: all are full or unwritable; name another in TMPDIR.") from error
    for one in places:
        if (one, prefix) not in _swept:
            _swept.add((one, prefix))
            _sweep(one, prefix)
    usable = (place for place in places if os.access(place, os.W_OK) and why_not(Path(place)) is None)
    place = next(usable, places[0])
    with ExitStack() as stack:
        while True:
            try:
                made = tempfile.TemporaryDirectory(_LOCKED, prefix, place, ignore_cleanup_errors=True)
            except OSError as error:
                raise translated(error, Path(place)) from error
            folder = Path(stack.enter_context(made))
            try:
                held = _lock(folder)
            except OSError:  # nothing can be locked there, so that nobody sweeps it away either
                break
            if held is not None:
                stack.callback(os.close, held)
                break
        yield folder


def _lock(folder: Path) -> int | None:
    """Return what holds the lock of a folder until it is closed, None where another process has it, or swept it away.

    Raises:
        OSError: nothing can be locked there.
    """
    with suppress(FileNotFoundError, BlockingIOError), ExitStack() as stack:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        stack.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(folder.stat(), os.fstat(descriptor)):
            stack.pop_all()
            return descriptor
    return None


def _sweep(place: str, prefix: str) -> None:
    """Take away the folders of this user that nobody has locked."""
    name = re.compile(re.escape(prefix) + "[a-z0-9_]{8}" + re.escape(_LOCKED))
    with suppress(OSError):
        for folder in [Path(one.path) for one in os.scandir(place) if name.fullmatch(one.name)]:
            with suppress(OSError):  # it is gone meanwhile, or no folder: the others are looked at all the same
                if folder.lstat().st_uid == os.geteuid() and (held := _lock(folder)) is not None:
                    shutil.rmtree(folder, ignore_errors=True)
                    os.close(held)


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Translate what the system says of writing to a place."""
    try:
        yield
    except OSError as error:
        raise translated(error, place) from error


def translated(error: OSError, place: Path) -> LibraryError:
    """Turn what the system says of writing to a place into an error of ours."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return full(place)
    if error.errno == errno.EROFS:
        return read_only(place)
    return LibraryError(f"{place} can't be written: {error.strerror or error}.")


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last; OSError where they can't."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
