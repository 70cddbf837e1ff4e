"""What derived files still know of commits that their catalog lost: the only evidence there is, told before it goes.

The lexical index knows which commit it covers, its passages and, by their URIs, its documents; a segment file knows
the commit it was built at. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from quarry.search.errors import IndexDamaged, LibraryError
from quarry.search.lexical.files import State
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lineage import Commit, has_had, newest
from quarry.search.stores.rows.segment_rows import listed_files
from quarry.search.stores.segment_trailer import described
from quarry.search.stores.thumbnails import Thumbnails

NAMED = 20  # documents, by their URIs


@dataclass(frozen=True, slots=True)
class Lost:
    """A commit that the catalog has not had; `witness` is the derived file that knows it, `text` what it knows."""

    commit: Commit
    witness: str
    text: str


def find_remains(directory: Path) -> str:
    """Say what is left of a library whose catalog is gone, "" where there never was anything to lose."""
    found = [*_lexical_remains(directory), *_segment_remains(directory), *_other_remains(directory)]
    return "; ".join(found)


def find_lost(connection: Connection, directory: Path) -> list[Lost]:
    """Return which commits derived files know that the catalog has not had, and what they know of them."""
    return [*_lost_by_lexical(connection, directory / "lexical"), *_lost_by_segments(connection, directory)]


def _lexical_remains(directory: Path) -> Iterator[str]:
    from quarry.search.lexical.index import LexicalReader

    place = directory / "lexical"
    if not (place / "state.json").exists() and not any(place.glob("index-*/meta.json")):
        return
    try:
        view = LexicalReader(place).view()
        uris = [uri for uri in view.uris().values() if uri]
    except LibraryError:
        yield "what its lexical index was made of, which is damaged too"
        return
    if view.count or view.generation > 1:  # it is made with the catalog, before there is anything to acknowledge
        yield f"commits up to {view.generation}; the lexical index still lists {view.count:,} passages{_of(uris)}"


def _segment_remains(directory: Path) -> Iterator[str]:
    found = [described(path) for path in _segment_files(directory)]
    if found:
        vectors = sum(description.count for description in found)
        yield f"what has {vectors:,} vectors in {len(found):,} segment files"


def _other_remains(directory: Path) -> Iterator[str]:
    if count := Thumbnails(directory).count():
        yield f"the pictures of {count:,} thumbnails"
    catalog, log = directory / "catalog.db", directory / "catalog.db-wal"
    is_empty = not catalog.exists() or not catalog.stat().st_size  # a first run that is killed has its first page
    if is_empty and log.exists() and log.stat().st_size:
        yield f"what its log holds ({log}, which may help to restore it: keep it)"


def _lost_by_lexical(connection: Connection, place: Path) -> Iterator[Lost]:
    from quarry.search.lexical.index import LexicalReader

    try:
        state = State.read(place)
    except IndexDamaged:
        return
    if state is None or has_had(connection, state.covers):
        return
    try:
        indexed = LexicalReader(place).view().uris()
    except LibraryError:
        known = "the lexical index, which is damaged, has no more to tell"
    else:
        known = _told(connection, indexed)
    yield Lost(state.covers, "lexical", f"{_commits(connection, state.covers)}: {known}")


def _told(connection: Connection, indexed: dict[int, str]) -> str:
    """Say what an index lists that the catalog does not have, and the other way round."""
    held = dict(connection.execute("SELECT c.id, d.uri FROM chunks c JOIN documents d ON d.id = c.document_id"))
    gone = {id: uri for id, uri in indexed.items() if id not in held or (uri and held[id] != uri)}
    back = held.keys() - indexed.keys()
    told = f"the lexical index still lists {len(gone):,} passages of them{_of(list(filter(None, gone.values())))}"
    if not gone:
        told = "the lexical index lists no passage that the catalog has not"
    return told + (f"; {len(back):,} passages that they removed or replaced are there again" if back else "")


def _lost_by_segments(connection: Connection, directory: Path) -> Iterator[Lost]:
    listed = listed_files(connection)
    for path in _segment_files(directory):
        if path.name in listed:
            continue
        description = described(path)
        if not has_had(connection, description.built):
            known = f"the segment file {path.name} has {description.count:,} vectors as of the last of them"
            yield Lost(description.built, path.name, f"{_commits(connection, description.built)}: {known}")


def _commits(connection: Connection, known: Commit) -> str:
    now = newest(connection)
    if known.library and known.library != now.library:
        return (
            f"commits up to {known.generation} of another library are known to a derived file here, none of which are "
            "in the catalog: either one was put in the other's place, and where it was the catalog, they are lost"
        )
    first = now.generation + 1
    if first > known.generation:
        return (
            f"commits up to {known.generation} are lost in part: an older catalog was put back, and others were made "
            "in their place"
        )
    which = f"commit {first} is" if first == known.generation else f"commits {first} to {known.generation} are"
    return f"{which} lost, which the catalog once had"


def _segment_files(directory: Path) -> Iterator[Path]:
    for folder in (directory / "segments", directory / "segments" / "retired"):
        yield from sorted(folder.glob("*.faiss"))


def _of(uris: Collection[str]) -> str:
    if not uris:
        return ""
    named = ", ".join(sorted(uris)[:NAMED]) + (", ..." if len(uris) > NAMED else "")
    return f" of {len(uris):,} document{'' if len(uris) == 1 else 's'} ({named})"
