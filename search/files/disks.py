"""Why nothing can be written somewhere, where that is the disk's doing: it is full, or mounted read-only."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quarry.search.errors import LibraryError, LibraryReadOnly, StorageFull

_ROOM = 64 << 10  # bytes: with less, SQLite has no place for its shared memory, of 32 KiB

_SHARED_MEMORY = "/dev/shm"


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

    Raises:
        StorageFull, LibraryError: there is no room, or no such place.
    """
    places = [_SHARED_MEMORY]
    try:
        places.insert(0, tempfile.gettempdir())  # the first that takes a file, of those that Python knows
    except FileNotFoundError as error:
        if not os.access(_SHARED_MEMORY, os.W_OK):
            raise LibraryError(f"{error.strerror}: all are full or unwritable; name another in TMPDIR.") from error
    usable = (place for place in places if os.access(place, os.W_OK) and why_not(Path(place)) is None)
    place = next(usable, places[0])
    try:
        folder = tempfile.TemporaryDirectory(prefix=prefix, dir=place, ignore_cleanup_errors=True)
    except OSError as error:
        raise translated(error, Path(place)) from error
    with folder as name:
        yield Path(name)


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
