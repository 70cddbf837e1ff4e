"""The vectors of every active space, as far as its engine has taken them in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from quarry.indexer.doctor.findings import MEND, Finding
from quarry.search.engines.opened import OpenedVectors
from quarry.search.errors import QuarryError
from quarry.search.stores.catalog import Snapshot
from quarry.search.stores.spaces import Space, active_spaces, named_spaces


class DerivedVectors:
    """The `Derived` vectors. What an engine has not taken in is searched in the catalog."""

    def __init__(self, vectors: OpenedVectors) -> None:
        self._vectors = vectors
        self._catalog = vectors.catalog

    def catch_up(self) -> None:
        """Index vectors where many are in no index yet, and join indexes where they pile up."""
        for space in self._catalog.spaces():
            self._vectors.of(space).catch_up()

    def compact(self) -> int:
        """Bring the vectors of each space into one index; return the generation up to which all are in theirs."""
        with self._catalog.snapshot() as snapshot:
            newest = snapshot.generation
            staged = named_spaces(snapshot.connection, "staged").values()  # what they hold is found again one day
        return min([newest, *(self._vectors.of(space).compact() for space in (*staged, *self._catalog.spaces()))])

    def release(self, *, is_read: bool) -> int:
        """Let go of indexes that others have taken the place of."""
        return sum(self._vectors.of(space).release(is_read=is_read) for space in self._catalog.spaces())

    def verify(self) -> Iterator[Finding]:
        """Compare every index with the catalog, value by value."""
        for space in self._catalog.spaces():
            engine = self._vectors.of(space)
            problems = engine.verify()
            for problem in problems:
                yield Finding("damage", "segments", f"{problem.file}: {problem.what}; {MEND}")
            if not problems:
                with self._catalog.snapshot() as snapshot:
                    view = engine.view(snapshot)
                text = f"{space.name}: {view.count:,} vectors, {view.tail:,} of them not yet in a segment"
                yield Finding("ok", "segments", text)

    def repair(self) -> None:
        """Build damaged indexes anew from the catalog."""
        for space in self._catalog.spaces():
            self._vectors.of(space).repair()

    def status(self, snapshot: Snapshot) -> dict[str, Any]:
        """Return the spaces, with the vectors of each."""
        return {"spaces": [self._of(space, snapshot) for space in active_spaces(snapshot.connection)]}

    def _of(self, space: Space, snapshot: Snapshot) -> dict[str, Any]:
        body = {"name": space.name, "medium": space.medium, "model": space.model, "dimension": space.dimension}
        try:
            view = self._vectors.of(space).view(snapshot)
        except QuarryError as error:
            return {**body, "vectors": 0, "segments": 0, "tail": 0, "degraded": [str(error)]}
        return {
            **body,
            "vectors": view.count,
            "segments": view.segments,
            "tail": view.tail,
            "degraded": list(view.notes),
        }
