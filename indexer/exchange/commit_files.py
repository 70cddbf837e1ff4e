"""The files that belong to one commit of a library, opened: what backups and replicas are copies of.

Under the writer's lock a snapshot is begun and every derived file that belongs to it is opened, which takes a moment.
Then writing goes on: what is open stays what it is, whatever is merged or taken away, and the databases are copied as
the snapshot sees them. What was opened is compared with its checksums before anybody gets it.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from quarry.indexer.report import Progress
from quarry.search.engines.opened import OpenedVectors
from quarry.search.errors import IndexDamaged, LibraryDamaged, LibraryReadOnly, StorageFull
from quarry.search.lexical import files as lexical_files
from quarry.search.stores import thumbnails
from quarry.search.stores.catalog import FILE, Catalog, Snapshot
from quarry.search.stores.database import checksums, sqlite
from quarry.search.stores.database.sqlite import Connection, DatabaseError
from quarry.search.stores.lineage import Commit
from quarry.search.stores.lookups import filtered
from quarry.search.stores.rows.segment_rows import listed_files
from quarry.search.stores.spaces import every_space

_PAGES = 2048  # of SQLite, between two looks at the progress
_PIECE = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class CommitFile:
    """A file of a commit.

    Args:
        name: in the library's folder.
        stream: from its beginning.
        sha256: of what is derived, known already; "" of a database.
    """

    name: str
    stream: BinaryIO
    size: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class CommitState:
    """A commit, and what is derived from it: a merge of segments changes that without another commit.

    Args:
        derived: tells one state of what is derived from another.
    """

    commit: Commit
    derived: str


@dataclass(frozen=True, slots=True)
class OpenedCommit:
    """A commit whose files are open.

    Args:
        documents: how many it has.
        files: the databases first.
        left_out: derived files that are damaged, and why; whoever takes the copy makes them anew, or does without.
    """

    state: CommitState
    documents: int
    files: tuple[CommitFile, ...]
    left_out: tuple[str, ...]


def newest_state(catalog: Catalog) -> CommitState:
    """Return what a copy that is made now would be of."""
    with catalog.snapshot() as snapshot:
        return _state(catalog, snapshot)


@contextmanager
def opened_commit(vectors: OpenedVectors, scratch: Path, progress: Progress) -> Iterator[OpenedCommit]:
    """Open the files of the newest commit, until the block ends.

    Args:
        scratch: a folder for copies of the databases, which are taken away again.
        progress: is told of these copies; there is as much to do again for the caller, with all files.

    Raises:
        LibraryDamaged: a row of the catalog is not what was written; nothing may keep that.
        StorageFull, LibraryError: the databases can't be copied.
    """
    catalog, left_out = vectors.catalog, list[str]()
    with ExitStack() as stack:
        with ExitStack() as reading:  # ends with the copies: it holds up who writes thumbnails, and checkpoints
            with _settled(catalog):
                snapshot = reading.enter_context(catalog.snapshot())
                state = _state(catalog, snapshot)
                listed = [*_segments(vectors, snapshot, stack), *_lexical(catalog.directory, snapshot, stack, left_out)]
                pictures = _thumbnails(catalog.directory, reading, left_out)
            documents = filtered.count(snapshot.connection)
            databases = {FILE: snapshot.connection} | ({thumbnails.FILE: pictures} if pictures else {})
            copying = sum(map(sqlite.size_of, databases.values()))
            progress.start(len(databases) + len(listed), 2 * copying + sum(one.size for one in listed))
            copies = [stack.enter_context(_copied(one, scratch / name, progress)) for name, one in databases.items()]
        _require_whole(scratch / FILE)
        for copy in copies:  # open, and nameless from here on: whoever is killed leaves nothing on the disk
            (scratch / copy.name).unlink()
        yield OpenedCommit(state, documents, (*copies, *_sound(listed, left_out)), tuple(left_out))


def _state(catalog: Catalog, snapshot: Snapshot) -> CommitState:
    told = hashlib.sha256()
    stamp = lexical_files.state_stamp(catalog.directory / "lexical")
    for part in (snapshot.commit, sorted(listed_files(snapshot.connection)), stamp):
        told.update(f"{part}\n".encode())
    return CommitState(snapshot.commit, told.hexdigest())


@contextmanager
def _settled(catalog: Catalog) -> Iterator[None]:
    """Keep writers out, so that what is derived is what belongs to the newest commit."""
    with ExitStack() as stack:
        with suppress(LibraryReadOnly, StorageFull):  # no lock can be taken there, by nobody who writes
            stack.enter_context(catalog.lock.held())
        yield


@dataclass(frozen=True, slots=True)
class _Derived:
    """A derived file and what it must be.

    Args:
        stream: None where it is not there.
        crc: of a file of the lexical index; None for a segment, of which the SHA-256 is known.
        part: what is left out with it.
    """

    name: str
    stream: BinaryIO | None
    size: int
    part: str
    sha256: str = ""
    crc: int | None = None


def _segments(vectors: OpenedVectors, snapshot: Snapshot, stack: ExitStack) -> Iterator[_Derived]:
    for file in [file for space in every_space(snapshot.connection) for file in vectors.of(space).files(snapshot)]:
        stream = next((one for place in file.places if (one := _open(place, stack))), None)
        yield _Derived(file.name, stream, file.bytes, f"the vector segment {Path(file.name).name}", file.sha256)


def _lexical(directory: Path, snapshot: Snapshot, stack: ExitStack, left_out: list[str]) -> Iterator[_Derived]:
    place = directory / "lexical"
    try:
        state = lexical_files.State.read(place)
    except IndexDamaged as error:
        left_out.append(f"the lexical index: {error}")
        return
    if state is None or state.covers != snapshot.commit or state.files is None:
        if snapshot.generation > 0:
            left_out.append("the lexical index: it is not what belongs to the catalog")
        return
    told = place / "state.json"
    sums = {"state.json": (told.stat().st_size, zlib.crc32(told.read_bytes()))}
    sums |= {f"{state.folder}/{name}": one for name, one in state.files.items()}
    for name, (size, crc) in sums.items():
        yield _Derived(f"lexical/{name}", _open(place / name, stack), size, "the lexical index", crc=crc)


def _sound(listed: Iterable[_Derived], left_out: list[str]) -> list[CommitFile]:
    """Compare derived files with their checksums; leave out what is damaged, and what is nothing without it."""
    found, damaged = list[tuple[str, CommitFile]](), set[str]()
    for one in listed:
        if one.part in damaged:
            continue
        sha256, crc, size = _sums(one.stream) if one.stream else ("", 0, -1)
        if one.stream is None or size != one.size or (crc != one.crc if one.sha256 == "" else sha256 != one.sha256):
            damaged.add(one.part)
            left_out.append(f"{one.part}: {Path(one.name).name} is missing or damaged")
        else:
            found.append((one.part, CommitFile(one.name, one.stream, size, sha256)))
    return [file for part, file in found if part not in damaged]


def _sums(stream: BinaryIO) -> tuple[str, int, int]:
    """Return the SHA-256, the CRC-32 and the length of a file, and go back to its beginning."""
    digest, crc, size = hashlib.sha256(), 0, 0
    while piece := stream.read(_PIECE):
        digest.update(piece)
        crc, size = zlib.crc32(piece, crc), size + len(piece)
    stream.seek(0)
    return digest.hexdigest(), crc, size


def _open(path: Path, stack: ExitStack) -> BinaryIO | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    stream = stack.enter_context(os.fdopen(descriptor, "rb"))
    return stream if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


def _thumbnails(directory: Path, stack: ExitStack, left_out: list[str]) -> Connection | None:
    """Begin to read the thumbnails; nobody drops any until that ends."""
    path = directory / thumbnails.FILE
    if not path.exists():
        return None
    try:
        connection = stack.enter_context(closing(sqlite.open_reader(path)))
        sqlite.begin(connection)
        if sqlite.problems_of(connection):
            raise DatabaseError("it is damaged")
    except DatabaseError as error:
        left_out.append(f"the thumbnails: {error}")
        return None
    return connection


@contextmanager
def _copied(connection: Connection, to: Path, progress: Progress) -> Iterator[CommitFile]:
    """Copy a database as the connection's read transaction sees it."""
    try:
        os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        sqlite.copy(connection, to, _PAGES, lambda size: progress.advance(0, size, 0))
        with to.open("rb") as stream:
            yield CommitFile(to.name, stream, os.fstat(stream.fileno()).st_size)
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            to.with_name(to.name + suffix).unlink(missing_ok=True)


def _require_whole(path: Path) -> None:
    """Make sure that a copied catalog is what was written: a copy that keeps damage replaces one that has none."""
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
            f"No copy was made, since it would keep the damage: {damage[0]}. {checksums.ADVICE} "
            "To keep it as it is, copy the library's folder while nobody writes."
        )
