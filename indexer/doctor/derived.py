"""Whether what is derived from the catalog is whole, and agrees with it."""

from __future__ import annotations

from collections.abc import Iterator

from quarry.indexer.doctor.findings import MEND, Finding
from quarry.indexer.thumbnails import without_thumbnail
from quarry.search.errors import LibraryError
from quarry.search.stores import documents, filtered, lexical_files, lexical_sums
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.lexical import LexicalReader
from quarry.search.stores.lineage import has_had
from quarry.search.wiring import open_vectors


def look_at_derived(catalog: Catalog) -> Iterator[Finding]:
    """Yield how the segments, the lexical index and the thumbnails are."""
    spaces = catalog.spaces()
    if not spaces:
        yield Finding("ok", "indexes", "nothing is indexed yet")
        return
    for space in spaces:
        problems = open_vectors(catalog, space).verify(catalog)
        for problem in problems:
            yield Finding("damage", "segments", f"{problem.file}: {problem.what}; {MEND}")
        if not problems:
            with catalog.snapshot() as snapshot:
                view = open_vectors(catalog, space).view(snapshot.connection, snapshot.generation)
            text = f"{space.name}: {view.count:,} vectors, {view.tail:,} of them not yet in a segment"
            yield Finding("ok", "segments", text)
    yield from look_at_lexical(catalog)
    yield from _thumbnails(catalog)


def _thumbnails(catalog: Catalog) -> Iterator[Finding]:
    lacking = list(without_thumbnail(catalog))
    mendable = sum(path is not None for _, path in lacking)
    if mendable:
        yield Finding("damage", "thumbnails", f"{mendable:,} are missing or damaged; {MEND}")
    elif lacking:
        yield Finding("warning", "thumbnails", f"{len(lacking):,} are gone, and so are the pictures' files")
    else:
        yield Finding("ok", "thumbnails", "every picture has one")


def look_at_lexical(catalog: Catalog) -> Iterator[Finding]:
    """Yield how the lexical index is."""
    directory = catalog.directory / "lexical"
    with catalog.snapshot() as snapshot:
        is_empty = not documents.has_passages(snapshot.connection)
    if is_empty and lexical_files.state_stamp(directory) is None:
        yield Finding("ok", "lexical", "no passages yet")  # it is made before the first
        return
    problems = lexical_sums.verify(directory)
    if not problems:
        try:
            view = LexicalReader(directory).view()
        except LibraryError as error:
            problems = [str(error)]
    if not problems:
        with catalog.snapshot() as snapshot:
            expected = filtered.chunk_count(snapshot.connection)
            behind = snapshot.generation - view.generation
            is_known = has_had(snapshot.connection, view.covers)
        if not is_known:
            problems = [f"it covers commits up to {view.generation} that the catalog does not have"]
        elif behind == 0 and view.count != expected:
            problems = [f"it holds {view.count:,} passages, the catalog {expected:,}"]
        elif behind:
            yield Finding("warning", "lexical", f"it is {behind:,} commits behind; the next `quarry index` catches up")
        else:
            yield Finding("ok", "lexical", f"{view.count:,} passages, generation {view.generation}")
    for problem in problems:
        yield Finding("damage", "lexical", f"{problem.removesuffix('; ' + lexical_files.MEND)}; {MEND}")
