"""Writing the lexical index."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import tantivy

from quarry.search.errors import IndexDamaged, LibraryError
from quarry.search.files.access import access_of, make_folder, settle
from quarry.search.lexical.files import FORMAT, MEND, State, configure, require_plain, schema, translated
from quarry.search.lexical.rows import LexicalRow
from quarry.search.lexical.sums import check_files, take_sums
from quarry.search.stores.lineage import Commit

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
            self._access = access_of(directory.parent)
            make_folder(directory, self._access)
        state = None if rebuild else State.read(directory)
        if state is not None and not state.has_sums:
            raise IndexDamaged(f"the lexical index in {directory} was made by another version; {MEND}")
        self._state = replace(state, format=FORMAT) if state is not None else State(_unused(directory), -1)
        self._folder = folder = directory / self._state.folder
        if state is not None:
            check_files(folder, state)  # what is damaged must not be merged into files that are whole
        with translated(folder):
            make_folder(folder, self._access)
            require_plain(folder)
            self._index = tantivy.Index.open(str(folder)) if state else tantivy.Index(schema(), str(folder))
            configure(self._index)
            self._writer = self._index.writer(HEAP_BYTES, 1)
            self._highest = _highest_id(self._index.searcher())
            settle(folder, self._access)  # tantivy makes some of its files by the umask, others for their owner alone
        self._known: Mapping[str, tuple[int, int]] | None = None  # checksums of files that may still be there
        self._is_open = False

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
                if row.first:
                    document.add_bytes("uri", row.path.encode("utf-8", "surrogatepass"))
                self._writer.add_document(document)

    def delete(self, ids: Iterable[int]) -> None:
        """Forget ids; unknown ones are ignored."""
        for id_ in ids:
            with translated(self.directory):
                self._writer.delete_documents_by_term("id", int(id_))

    def commit(self, generation: int, of: Commit | None = None) -> None:
        """Make everything so far durable and visible as `generation`, that of the commit `of` where it is given."""
        covered = of or Commit("", generation)
        with translated(self.directory):
            if self._state.files is not None:  # a reader is told before the files change
                self._known, self._state = self._state.files, replace(self._state, files=None)
                self._state.write(self.directory, durable=False)
            self._writer.commit()
            settle(self._folder, self._access)
            self._state = replace(
                self._state, generation=generation, library=covered.library, commit=covered.id, files=None
            )
            self._state.write(self.directory)
            self._is_open = True
        for stale in self.directory.iterdir():
            if stale.is_dir() and stale.name != self._state.folder:
                shutil.rmtree(stale, ignore_errors=True)

    def close(self) -> None:
        """Finish merges under way and let go of the index; what was not committed is dropped."""
        # Without a rollback first, which lets go of merges that still run: they end over what is written next, and
        # deletions are lost, or files.
        with translated(self.directory):
            self._writer.wait_merging_threads()
            settle(self._folder, self._access)
            if self._is_open:
                self._state = take_sums(self._folder, replace(self._state, files=self._known))
                self._state.write(self.directory, durable=False)
                self._is_open = False

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
