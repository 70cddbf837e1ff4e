"""A backup -> a library, which takes its place when all of it was checked, and not a moment before."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import Any, BinaryIO

from quarry.indexer.exchange.archive import ArchiveReader, Put
from quarry.indexer.report import Progress
from quarry.indexer.writer import catch_up
from quarry.search.errors import FileMalformed, InvalidRequest, LibraryError
from quarry.search.files import disks
from quarry.search.files.whole import sync
from quarry.search.stores import lineage
from quarry.search.stores.catalog import FILE, Catalog
from quarry.search.stores.database import sqlite
from quarry.search.stores.database.lock import WriterLock
from quarry.search.stores.database.migrations import check_format
from quarry.search.stores.database.sqlite import DatabaseError


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored, as the backup says: when it was made, of which commit, and how many documents it has."""

    library: Path
    made: str
    generation: int
    documents: int


def restore_from(
    stream: BinaryIO, name: str, size: int, library: Path, *, replace: bool, wait_s: float, progress: Progress
) -> Restored:
    """Restore a library from a stream of `size` bytes (0 where that is not known), called `name` in messages.

    Raises:
        InvalidRequest: there is something at that place already.
        FileMalformed: the backup is damaged, or none; the member is named.
        LibraryFormat: it holds a library that a newer version made.
        StorageFull, LibraryError: it can't be written there.
    """
    _require_free(library, replace=replace)
    progress.start(1, size)
    place = library.with_name(f".{library.name}.restoring-{secrets.token_hex(4)}")
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir(0o700)
        try:
            about = _unpack(stream, name, place, progress)
            _check(place, name, about)
            with closing(Catalog(place, writable=True)) as catalog:
                catch_up(catalog)  # where the lexical index was left out, or is older
            _put(place, library, replace=replace, wait_s=wait_s)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    except OSError as error:
        raise disks.translated(error, library.parent) from error
    return Restored(library, str(about.get("made", "")), int(about["generation"]), int(about.get("documents", 0)))


def _require_free(library: Path, *, replace: bool) -> None:
    try:
        taken = next(library.iterdir(), None) is not None
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        raise InvalidRequest(f"{library} is a file; name a folder that is not there yet with --library.") from error
    except OSError as error:
        raise LibraryError(f"{library} can't be looked at: {error.strerror}.") from error
    if not taken:
        return
    if library.is_symlink() or not (library / FILE).is_file():
        raise InvalidRequest(f"{library} holds other files than a library; name a folder that is not there yet.")
    if not replace:
        raise InvalidRequest(
            f"There is a library at {library}. Restore elsewhere with --library, or put the backup in its place "
            "with --replace, which drops what is there."
        )


def _unpack(stream: BinaryIO, name: str, place: Path, progress: Progress) -> dict[str, Any]:
    with ExitStack() as stack:
        open_now: list[BufferedWriter] = []

        def begin(member: str) -> Put:
            while open_now:
                _finish(open_now.pop())
            path = place / member  # a name that `archive` let through: no link, and none that leads out
            path.parent.mkdir(0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            file = stack.enter_context(os.fdopen(descriptor, "wb"))
            open_now.append(file)
            return file.write

        about = ArchiveReader(stream, name).read(begin, lambda size: progress.advance(0, size, 0))
        while open_now:
            _finish(open_now.pop())
    for folder in (*(path for path in place.rglob("*") if path.is_dir()), place):
        sync(folder)
    return about


def _finish(file: BufferedWriter) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def _check(place: Path, name: str, about: dict[str, Any]) -> None:
    """Make sure that the catalog is one, of a format that is known, and the one that the manifest tells of."""
    path = place / FILE
    try:
        with closing(sqlite.open_reader(path)) as connection:
            check_format(connection, Path(name) / FILE)
            generation = lineage.newest(connection).generation
    except (DatabaseError, TypeError, ValueError) as error:
        raise FileMalformed(f"The backup {name} holds a catalog that can't be read ({error}).") from error
    if str(about.get("generation")) != str(generation):
        raise FileMalformed(f"The backup {name} holds the catalog of another commit than it says.")


def _put(place: Path, library: Path, *, replace: bool, wait_s: float) -> None:
    """Move the restored library to its place by renaming, and drop what was there once that has succeeded."""
    with _still(library, wait_s) if replace and (library / FILE).exists() else contextlib.nullcontext():
        _require_free(library, replace=replace)
        old = library.with_name(f".{library.name}.replaced-{secrets.token_hex(4)}")
        if library.exists():
            library.rename(old)
        try:
            place.rename(library)
        except BaseException:
            if old.exists():
                old.rename(library)
            raise
        sync(library.parent)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _still(library: Path, wait_s: float) -> Iterator[None]:
    """Keep writers out of the library that gives way: what they commit meanwhile would be gone with it."""
    with WriterLock(library / "writer.lock", wait_s).held():
        yield
