"""The lexical index, brought up to the catalog by replay.

It has one way in, whether it is after a batch, after a run that died half-way or from nothing: what the catalog holds
beyond the generation that the index covers is replayed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from quarry.indexer.doctor.findings import MEND, Finding
from quarry.indexer.doctor.loss import record_losses
from quarry.search.errors import IndexDamaged, LibraryError
from quarry.search.lexical import files as lexical_files
from quarry.search.lexical import sums as lexical_sums
from quarry.search.lexical.files import State
from quarry.search.lexical.index import LexicalReader
from quarry.search.lexical.rows import LexicalRow
from quarry.search.lexical.writer import LexicalWriter
from quarry.search.stores.catalog import Catalog, Snapshot
from quarry.search.stores.lineage import Commit, compacted, has_had
from quarry.search.stores.lookups import filtered
from quarry.search.stores.rows import boilerplate, documents


class DerivedWords:
    """The `Derived` lexical index."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._directory = catalog.directory / "lexical"

    def catch_up(self) -> None:
        """Replay what the catalog holds beyond the index; build it anew where it is damaged."""
        if self._is_current():
            return
        with self._catalog.lock.held():
            record_losses(self._catalog)
            try:
                self._replay()
            except IndexDamaged:
                self._replay(rebuild=True)

    def rebuild(self) -> None:
        """Build it from nothing."""
        with self._catalog.lock.held():
            record_losses(self._catalog)
            self._replay(rebuild=True)

    def compact(self) -> int:
        """Catch up; tantivy merges by itself. Return the generation that is covered."""
        self.catch_up()
        return self._covered().generation

    def release(self, *, is_read: bool) -> int:
        """Return 0: a folder that another has taken the place of goes with its commit."""
        return 0

    def verify(self) -> Iterator[Finding]:
        """Check every file, and compare what the index covers with the catalog."""
        with self._catalog.snapshot() as snapshot:
            is_empty = not documents.has_passages(snapshot.connection)
        if is_empty and lexical_files.state_stamp(self._directory) is None:
            yield Finding("ok", "lexical", "no passages yet")  # it is made before the first
            return
        problems = lexical_sums.verify(self._directory)
        if not problems:
            try:
                view = LexicalReader(self._directory).view()
            except LibraryError as error:
                problems = [str(error)]
        if not problems:
            with self._catalog.snapshot() as snapshot:
                expected = filtered.chunk_count(snapshot.connection)
                behind = snapshot.generation - view.generation
                is_known = has_had(snapshot.connection, view.covers)
            if not is_known:
                problems = [f"it covers commits up to {view.generation} that the catalog does not have"]
            elif behind == 0 and view.count != expected:
                problems = [f"it holds {view.count:,} passages, the catalog {expected:,}"]
            elif behind:
                yield Finding(
                    "warning", "lexical", f"it is {behind:,} commits behind; the next `quarry index` catches up"
                )
            else:
                yield Finding("ok", "lexical", f"{view.count:,} passages, generation {view.generation}")
        for problem in problems:
            yield Finding("damage", "lexical", f"{problem.removesuffix('; ' + lexical_files.MEND)}; {MEND}")

    def repair(self) -> None:
        """Build it anew where it is damaged; catch up where it is not."""
        if any(finding.level == "damage" for finding in self.verify()):
            self.rebuild()
        else:
            self.catch_up()

    def status(self, snapshot: Snapshot) -> dict[str, Any]:
        """Return how many passages it has, and what it covers."""
        try:
            view = LexicalReader(self._directory).view()
        except LibraryError as error:
            return {"lexical": {"passages": 0, "generation": None, "degraded": [str(error)]}}
        return {"lexical": {"passages": view.count, "generation": view.generation, "degraded": []}}

    def _replay(self, *, rebuild: bool = False) -> None:
        with self._catalog.snapshot() as snapshot:
            connection, generation = snapshot.connection, snapshot.generation
            covered = Commit() if rebuild else self._covered()
            # An index from another time than the catalog's: one of them was restored from a copy.
            rebuild |= not has_had(connection, covered) or covered.generation < compacted(connection)
            with LexicalWriter(self._directory, rebuild=rebuild) as lexical:
                lexical.delete(documents.deleted_since(connection, lexical.generation))
                known = boilerplate.read(connection).found
                lexical.add(LexicalRow.of(row, known) for row in documents.chunks_since(connection, lexical.generation))
                self._catalog.place.require()  # once more: the index is found by its path
                lexical.commit(generation, snapshot.commit)

    def _is_current(self) -> bool:
        with self._catalog.snapshot() as snapshot:
            try:
                return self._covered() == snapshot.commit
            except IndexDamaged:
                return False

    def _covered(self) -> Commit:
        state = State.read(self._directory)
        return Commit() if state is None else state.covers
