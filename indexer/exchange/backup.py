"""A library -> one file, while others go on reading and writing (`indexer.exchange.archive` has the format).

What is copied is one commit: under the writer's lock a snapshot is begun and every derived file that belongs to it is
opened, which takes a moment; copying takes as long as it takes. What is derived goes along, so that a restored library
ranks as this one does, to the last digit; where it is damaged it is left out, and made anew by whoever restores.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from quarry.indexer.exchange.archive import ArchiveWriter
from quarry.indexer.report import Progress
from quarry.search.engines.opened import OpenedVectors
from quarry.search.errors import InvalidRequest, LibraryDamaged, LibraryReadOnly, StorageFull
from quarry.search.stores import checksums, filtered, lexical_files, lexical_sums, sqlite, thumbnails
from quarry.search.stores.catalog import FILE, Catalog, Snapshot
from quarry.search.stores.spaces import every_space
from quarry.search.stores.sqlite import Connection, DatabaseError
from quarry.search.stores.whole import whole_file

_PAGES = 2048  # of SQLite, between two looks at the progress


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds.

    Args:
        documents, generation: of the commit that it is.
        bytes: how long it is.
        left_out: derived files that were damaged, and why; a restore makes them anew.
    """

    documents: int
    generation: int
    bytes: int
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Opened:
    name: str
    stream: BufferedReader
    size: int


def back_up(vectors: OpenedVectors, file: Path, progress: Progress) -> Backup:
    """Write a backup to a file, which appears when it is whole and takes the place of one of that name.

    Raises:
        InvalidRequest: it would lie within the library.
        LibraryDamaged: a row of the catalog is not what was written; nothing was made that would keep that.
        StorageFull, LibraryError: it can't be written there.
    """
    if file.is_dir() or file.resolve().is_relative_to(vectors.catalog.directory.resolve()):
        raise InvalidRequest(f"{file} is a folder, or within the library; name a file elsewhere.")
    with whole_file(file) as stream:
        scratch = file.with_name(f".{file.name}.{secrets.token_hex(4)}.catalog")
        return stream_backup(vectors, stream, scratch, progress)


def stream_backup(vectors: OpenedVectors, stream: BinaryIO, scratch: Path, progress: Progress) -> Backup:
    """Write a backup to a stream; the catalog is copied to `scratch` first, which is taken away again."""
    catalog, left_out = vectors.catalog, list[str]()
    with ExitStack() as stack:
        with _settled(catalog):
            snapshot = stack.enter_context(catalog.snapshot())
            opened = [
                *_vectors(vectors, snapshot, stack, left_out),
                *_lexical(catalog.directory, snapshot, stack, left_out),
            ]
            pictures = stack.enter_context(_thumbnails(catalog.directory, left_out))
        documents = filtered.count(snapshot.connection)
        sizes = [
            sqlite.size_of(snapshot.connection),
            *(one.size for one in opened),
            sqlite.size_of(pictures) if pictures else 0,
        ]
        progress.start(len(sizes), 2 * (sizes[0] + sizes[-1]) + sum(sizes[1:-1]))
        writer = ArchiveWriter(stream, lambda size: progress.advance(0, size, 0))
        with _copied(snapshot.connection, scratch, progress) as copy:
            _require_whole(copy.path)
            writer.add(FILE, copy.stream, copy.size)
        if pictures:
            with _copied(pictures, scratch, progress) as copy:
                writer.add(thumbnails.FILE, copy.stream, copy.size)
        for one in opened:
            writer.add(one.name, one.stream, one.size)
        commit = snapshot.commit
        writer.close(
            {
                "library": commit.library,
                "generation": commit.generation,
                "commit": commit.id,
                "documents": documents,
                "made": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )
    return Backup(documents, snapshot.generation, writer.size, tuple(left_out))


@contextmanager
def _settled(catalog: Catalog) -> Iterator[None]:
    """Keep writers out, so that what is derived is what belongs to the newest commit."""
    try:
        with catalog.lock.held():
            yield
    except (LibraryReadOnly, StorageFull):  # no lock can be taken there, by nobody who writes
        yield


def _vectors(vectors: OpenedVectors, snapshot: Snapshot, stack: ExitStack, left_out: list[str]) -> Iterator[_Opened]:
    for file in [file for space in every_space(snapshot.connection) for file in vectors.of(space).files(snapshot)]:
        opened = next((one for place in file.places if (one := _open(place, file.name, stack))), None)
        if (
            opened is None
            or opened.size != file.bytes
            or hashlib.file_digest(opened.stream, "sha256").hexdigest() != file.sha256
        ):
            left_out.append(f"the vector segment {Path(file.name).name} is missing or damaged")
            continue
        opened.stream.seek(0)
        yield opened


def _lexical(directory: Path, snapshot: Snapshot, stack: ExitStack, left_out: list[str]) -> Iterator[_Opened]:
    place = directory / "lexical"
    problems = lexical_sums.verify(place)
    state = None if problems else lexical_files.State.read(place)
    if state is None or state.generation != snapshot.generation:
        if snapshot.generation > 0:
            left_out.append(f"the lexical index: {'; '.join(problems) or 'it is behind the catalog'}")
        return
    names = ["state.json", *(f"{state.folder}/{path.name}" for path in sorted((place / state.folder).iterdir()))]
    for name in names:
        if not name.endswith(".lock") and (opened := _open(place / name, f"lexical/{name}", stack)):
            yield opened


def _open(path: Path, name: str, stack: ExitStack) -> _Opened | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    stream = stack.enter_context(os.fdopen(descriptor, "rb"))
    status = os.fstat(descriptor)
    return _Opened(name, stream, status.st_size) if stat.S_ISREG(status.st_mode) else None


@contextmanager
def _thumbnails(directory: Path, left_out: list[str]) -> Iterator[Connection | None]:
    """Begin to read the thumbnails; nobody drops any until that ends."""
    path = directory / thumbnails.FILE
    with ExitStack() as stack:
        connection = None
        if path.exists():
            try:
                connection = stack.enter_context(closing(sqlite.open_reader(path)))
                sqlite.begin(connection)
                if sqlite.problems_of(connection):
                    raise DatabaseError("it is damaged")
            except DatabaseError as error:
                connection = None
                left_out.append(f"the thumbnails: {error}")
        yield connection


@dataclass(frozen=True, slots=True)
class _Copy:
    path: Path
    stream: BinaryIO
    size: int


@contextmanager
def _copied(connection: Connection, scratch: Path, progress: Progress) -> Iterator[_Copy]:
    """Copy a database as the connection's read transaction sees it."""
    try:
        os.close(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        sqlite.copy(connection, scratch, _PAGES, lambda size: progress.advance(0, size, 0))
        with scratch.open("rb") as stream:
            yield _Copy(scratch, stream, os.fstat(stream.fileno()).st_size)
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            scratch.with_name(scratch.name + suffix).unlink(missing_ok=True)


def _require_whole(path: Path) -> None:
    """Make sure that a copied catalog is what was written: a backup that keeps damage replaces one that has none."""
    try:
        with closing(sqlite.open_reader(path)) as connection:
            damage = sqlite.problems_of(connection)
            row = None if damage else checksums.first_damaged(connection, float("inf"))
            if row is not None:
                damage.append(f"{checksums.named(row)} is not what was written")
    except (DatabaseError, UnicodeDecodeError) as error:
        damage = [str(error)]
    if damage:
        raise LibraryDamaged(
            f"No backup was made, since it would keep the damage: {damage[0]}. {checksums.ADVICE} "
            "To keep it as it is, copy the library's folder while nobody writes."
        )
