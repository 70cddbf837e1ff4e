"""Writing the lexical index."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tantivy

from quarry.search.errors import LibraryError
from quarry.search.stores.lexical_files import State, configure, schema, translated
from quarry.search.stores.lexical_rows import LexicalRow

HEAP_BYTES = 64 << 20


class LexicalWriter:
    """Writes the index. One at a time: the caller holds the library's lock.

    Args:
        directory: made where it is missing.
        rebuild: begin an empty index, which takes the place of the old one with the first commit.

    Raises:
        IndexDamaged: what is there can't be written on; rebuild it from the catalog.
        LibraryReadOnly, LibraryLocked, StorageFull: it can't be written at all.
    """

    def __init__(self, directory: Path, *, rebuild: bool = False) -> None:
        self.directory = directory
        with translated(directory):
            directory.mkdir(parents=True, exist_ok=True)
        state = None if rebuild else State.read(directory)
        self._state = state or State(_unused(directory), -1)
        folder = directory / self._state.folder
        with translated(folder):
            folder.mkdir(exist_ok=state is not None)
            self._index = tantivy.Index.open(str(folder)) if state else tantivy.Index(schema(), str(folder))
            configure(self._index)
            self._writer = self._index.writer(HEAP_BYTES, 1)
            self._highest = _highest_id(self._index.searcher())

    @property
    def generation(self) -> int:
        """The generation of the last commit, -1 for a new index."""
        return self._state.generation

    def add(self, rows: Iterable[LexicalRow]) -> None:
        """Add rows, each in place of what its id had."""
        for row in rows:
            with translated(self.directory):
                if row.id <= self._highest:
                    self._writer.delete_documents_by_term("id", row.id)
                self._highest = max(self._highest, row.id)
                document = tantivy.Document()
                document.add_integer("id", row.id)
                document.add_text("terms", " ".join(row.terms()))
                if fields := row.field_terms():
                    document.add_text("fields" if row.first else "inherited", " ".join(fields))
                self._writer.add_document(document)

    def delete(self, ids: Iterable[int]) -> None:
        """Forget ids; unknown ones are ignored."""
        for id_ in ids:
            with translated(self.directory):
                self._writer.delete_documents_by_term("id", int(id_))

    def commit(self, generation: int) -> None:
        """Make everything so far durable and visible as `generation`."""
        with translated(self.directory):
            self._writer.commit()
            self._state = State(self._state.folder, generation)
            self._state.write(self.directory)
        for stale in self.directory.iterdir():
            if stale.is_dir() and stale.name != self._state.folder:
                shutil.rmtree(stale, ignore_errors=True)

    def close(self) -> None:
        """Finish merges under way and let go of the index; what was not committed is dropped."""
        # Without a rollback first, which lets go of merges that still run: they end over what is written next, and
        # deletions are lost, or files.
        with translated(self.directory):
            self._writer.wait_merging_threads()

    def __enter__(self) -> LexicalWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except LibraryError:
            if kind is None:  # what went wrong first says more
                raise


def _highest_id(searcher: Any) -> int:
    hits = searcher.search(tantivy.Query.all_query(), 1, count=False, order_by_field="id").hits
    return int(hits[0][0]) if hits else 0


def _unused(directory: Path) -> str:
    taken = [int(p.name[6:]) for p in directory.glob("index-*") if p.name[6:].isdigit()]
    return f"index-{max(taken, default=0) + 1}"
