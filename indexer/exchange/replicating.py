"""A library -> a replica of it (`search.stores.replicas` has the layout): the newest generation, whole or not at all.

What the last generation has is linked, what is new is fetched into `incoming/` under its SHA-256, where a run that was
killed left it, and everything is compared with its SHA-256. The generation is put together beside the others, and
`current` is replaced by a rename: whoever looks finds the old one or the new one.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from quarry.indexer.exchange.commit_files import CommitState
from quarry.indexer.exchange.fetching import Fetched, Incoming
from quarry.indexer.exchange.listing import CommitListing
from quarry.indexer.exchange.sources import HeldCommit, LibrarySource
from quarry.indexer.prepared import timestamp
from quarry.indexer.report import Progress
from quarry.indexer.writer import catch_up
from quarry.search.errors import FileMalformed, InvalidRequest, StorageFull
from quarry.search.files import disks
from quarry.search.files.access import make_file, make_folder
from quarry.search.files.whole import sync
from quarry.search.lexical import files as lexical_files
from quarry.search.stores import lineage
from quarry.search.stores.catalog import FILE, Catalog
from quarry.search.stores.database import migrations, sqlite
from quarry.search.stores.database.lock import WriterLock
from quarry.search.stores.database.sqlite import DatabaseError
from quarry.search.stores.lookups import filtered
from quarry.search.stores.replicas import CURRENT, GENERATIONS, IN_USE, INCOMING, LOCK, Replica, SourceSeen, unread

_UNFINISHED, _SCRATCH = "generation", "databases"  # in `incoming/`: what is put together, and copies at the source
_REMOVED = ".removed"
_DERIVED = 16  # characters at least of what tells states of one commit apart


@dataclass(frozen=True, slots=True)
class Replicated:
    """What a run did.

    Args:
        generation, documents: of the commit that the replica is of now.
        is_new: whether it was there already.
        files, bytes: what that consists of.
        fetched: what came from the source.
        left_out: derived files that are damaged at the source, and why.
        behind: commits that came since at the source, which it gives out when others have copied those before.
    """

    source: str
    target: Path
    generation: int
    documents: int
    is_new: bool
    files: int = 0
    bytes: int = 0
    fetched: Fetched = field(default_factory=Fetched)
    left_out: tuple[str, ...] = ()
    behind: int = 0


def replicate(source: LibrarySource, target: Path, progress: Progress, wait_s: float = 30.0) -> Replicated:
    """Bring the newest generation of a source to a replica, which is made where there is none.

    Raises:
        InvalidRequest: there is something else at that place, or the replica of another library.
        LibraryLocked: another process replicates to it.
        LibraryFormat: a newer version of Quarry made the library.
        FileMalformed: a file that came is not what the source lists.
        StorageFull, LibraryError: it can't be written there, or the source can't be read.
    """
    source.check(target)
    require_target(target)
    newest = source.newest()
    with disks.writing(target):
        make_folder(target)
        with WriterLock(target / LOCK, wait_s).held():
            replica = _replica(source, target, newest.commit.library)
            replica.tell(SourceSeen(newest.commit.generation, timestamp(time.time())))
            if (documents := _documents_of(replica.current(), newest)) is not None:
                _clean(replica)
                return Replicated(source.name, target, newest.commit.generation, documents, False)
            try:
                with disks.writing(target), source.held(_scratch(target)) as held:
                    state = held.listing.state  # the newest, or an older one, of which others make copies, too
                    if (documents := _documents_of(replica.current(), state)) is not None:
                        _clean(replica)
                        generation = state.commit.generation
                        behind = max(0, newest.commit.generation - generation)
                        return Replicated(source.name, target, generation, documents, False, behind=behind)
                    return _bring(held, source.name, replica, progress)
            except StorageFull:  # what else is on the disk needs the room
                shutil.rmtree(target / INCOMING, ignore_errors=True)
                raise


def require_target(target: Path) -> None:
    """Refuse a place that is no replica, and holds something; raise `InvalidRequest`."""
    try:
        if Replica.find(target) is not None or next(target.iterdir(), None) is None:
            return
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        raise InvalidRequest(f"{target} is a file; name a folder that is not there yet.") from error
    what = "a library of its own" if (target / FILE).exists() else "other files than a replica"
    left = {CURRENT, GENERATIONS, INCOMING, LOCK, "replica.turn"}
    if any(path.name not in left and not path.name.endswith(".tmp") for path in target.iterdir()):
        raise InvalidRequest(f"{target} holds {what}; name a folder that is not there yet.")


def _replica(source: LibrarySource, target: Path, library: str) -> Replica:
    """Return the replica at a place, which is made or told of another place of the same library."""
    found, own = Replica.find(target), Replica(target, source.name, library)
    if found is not None and found.library not in ("", library):
        raise InvalidRequest(
            f"{target} is a replica of another library, that of {found.source}; name another folder for {source.name}."
        )
    if found != own:
        own.write()
    return own


def _bring(held: HeldCommit, source: str, replica: Replica, progress: Progress) -> Replicated:
    listing, target = held.listing, replica.directory
    commit = listing.state.commit
    if commit.library != replica.library and replica.library:
        raise FileMalformed(f"Another library is at {source} since it was looked at; nothing was copied. Try again.")
    incoming = Incoming(target / INCOMING, replica.current(), source)
    place = _put_together(incoming, held, listing, progress)
    _check(place, listing, source)
    _switch(replica, place, listing.state)
    _clean(replica)
    return Replicated(
        source,
        target,
        commit.generation,
        listing.documents,
        True,
        len(listing.files),
        sum(one.size for one in listing.files),
        incoming.fetched,
        listing.left_out,
    )


def _put_together(incoming: Incoming, held: HeldCommit, listing: CommitListing, progress: Progress) -> Path:
    """Bring every file, and link all into a folder as a library has them."""
    progress.start(len(listing.files), sum(one.size for one in listing.files))
    place = incoming.directory / _UNFINISHED
    shutil.rmtree(place, ignore_errors=True)
    incoming.require_room(listing.files)
    for file in listing.files:
        progress.note(file.name)
        found = incoming.bring(file, held, lambda size: progress.advance(0, size, 0))
        to = place / file.name  # a name that `listing` let through: none that leads out
        make_folder(to.parent)
        _link(found, to)
        progress.advance(1, 0, 0)
    make_file(place / IN_USE).close()
    for words in place.glob("lexical/index-*"):
        make_file(words / lexical_files.LOCK).close()  # tantivy, which reads it, would make it for everybody
    return place


def _link(found: Path, to: Path) -> None:
    try:
        os.link(found, to, follow_symlinks=False)
    except OSError:  # too many links, or a file system that has none
        with make_file(to) as stream, found.open("rb") as source:
            shutil.copyfileobj(source, stream)
            stream.flush()
            os.fsync(stream.fileno())


def _check(place: Path, listing: CommitListing, source: str) -> None:
    """Make sure that the catalog is the one that is listed, and bring one of an older version up to this one."""
    path = place / FILE
    try:
        with closing(sqlite.open_reader(path)) as connection:
            version = migrations.check_format(connection, Path(source) / FILE)
            commit = lineage.newest(connection)
    except (DatabaseError, TypeError, ValueError) as error:
        raise FileMalformed(f"The catalog that came from {source} can't be read ({error}).") from error
    if commit != listing.state.commit:
        raise FileMalformed(f"The catalog that came from {source} is that of another commit than it says.")
    has_words = any(one.name == "lexical/state.json" for one in listing.files)
    if version == len(migrations.STEPS) and (has_words or not commit.generation):
        return
    own = path.with_name("catalog.own")  # what is fetched, and the last generation, keep theirs
    shutil.copyfile(path, own)
    own.chmod(0o600)
    own.replace(path)
    with closing(Catalog(place, writable=True)) as catalog:
        catch_up(catalog)
    for backup in place.glob(f"{FILE}.format-*.bak"):
        backup.unlink()


def _documents_of(place: Path | None, state: CommitState) -> int | None:
    """Return how many documents a generation has, None where it is not that of a state, or of another version."""
    if place is None or not state.derived.startswith(place.name.partition("-")[2]) or not _is_usable(place):
        return None
    return _documents(place)


def _is_usable(place: Path) -> bool:
    """Whether a generation is of the format of this version."""
    try:
        with closing(sqlite.open_reader(place / FILE)) as connection:
            return migrations.check_format(connection, place / FILE) == len(migrations.STEPS)
    except DatabaseError:
        return False


def _documents(place: Path) -> int:
    with closing(sqlite.open_reader(place / FILE)) as connection:
        return filtered.count(connection)


def _switch(replica: Replica, place: Path, state: CommitState) -> None:
    """Make a generation that is put together the one that is read."""
    generations = replica.directory / GENERATIONS
    make_folder(generations)
    _sync_all(place)
    names = (f"{state.commit.generation}-{state.derived[:length]}" for length in range(_DERIVED, len(state.derived)))
    # One of that name may be there: of another version's format, and read, or of a run that was killed.
    to = next(path for name in names if not (path := generations / name).exists())
    place.rename(to)
    sync(generations)
    link = replica.directory / f"{CURRENT}.tmp"
    link.unlink(missing_ok=True)
    link.symlink_to(f"{GENERATIONS}/{to.name}")
    link.replace(replica.directory / CURRENT)
    sync(replica.directory)


def _sync_all(place: Path) -> None:
    for folder in (*(path for path in place.rglob("*") if path.is_dir()), place):
        sync(folder)


def _scratch(target: Path) -> Path:
    """Return an empty folder for what a source needs room for: on this disk, where the next run finds it again."""
    place = target / INCOMING / _SCRATCH
    shutil.rmtree(place, ignore_errors=True)
    make_folder(place)
    return place


def _clean(replica: Replica) -> None:
    """Take away what was brought, what runs left that were killed, and generations but the newest, if nobody reads."""
    shutil.rmtree(replica.directory / INCOMING, ignore_errors=True)
    for left in replica.directory.glob(".*.tmp"):
        left.unlink(missing_ok=True)
    current = replica.current()
    for place in (replica.directory / GENERATIONS).iterdir():
        if place != current:
            with unread(place) as is_unread:
                if is_unread:
                    _remove(place)


def _remove(place: Path) -> None:
    away = place if place.name.startswith(_REMOVED) else place.with_name(f"{_REMOVED}-{place.name}")
    if away != place:
        shutil.rmtree(away, ignore_errors=True)
        place.rename(away)
    shutil.rmtree(away, ignore_errors=True)
