"""Exact search that works filters out by itself, as an engine on another machine would."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from quarry.search.engines.exact import ExactVectors, ExactView
from quarry.search.fields.filters import EVERYTHING, Allowed, allowed_chunks
from quarry.search.stores.catalog import Catalog, Snapshot
from quarry.search.types import Candidates, Vectors


class Elsewhere(ExactVectors):
    """A `VectorEngine` whose views open the catalog anew for each filter."""

    def view(self, snapshot: Snapshot) -> ExactView:
        """Return the vectors of the generation that is seen."""
        view = super().view(snapshot)
        return ElsewhereView(view.generation, view.ids, view.values, view.notes, self.catalog.directory)


@dataclass(frozen=True, eq=False)
class ElsewhereView(ExactView):
    """The vectors of one generation, and where their library is."""

    directory: Path = Path()

    def search(self, query: Vectors, k: int, allowed: Allowed = EVERYTHING) -> Candidates:
        """Find the k nearest among what the compiled filter allows."""
        if allowed.filter is not None:
            assert allowed.where is not None
            with closing(Catalog(self.directory)) as other, other.snapshot() as snapshot:
                allowed = Allowed(allowed_chunks(snapshot.connection, allowed.filter))
        return ExactView.search(self, query, k, allowed)
