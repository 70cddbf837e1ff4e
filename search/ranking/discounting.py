"""What boilerplate counts for less: factors of what speaks for passages, and a head of a ranking that it does not fill.

A passage that holds none has the factor 1, so that of a library without any nothing is other than it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quarry.search.alike.boilerplate import Boilerplate
from quarry.search.ranking.fusion import DEPTH
from quarry.search.ranking.retrievers import Dense
from quarry.search.types import Candidates, Ids

LESS = 0.3  # of what speaks for a passage that is nothing else
CROWD = 0.3  # of a head, from which on it is looked for what boilerplate keeps out of it
WIDER = 5  # times as far down

Search = Callable[[int], Candidates]
Factors = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Discount:
    """What boilerplate takes from the passages of one library."""

    boilerplate: Boilerplate

    @property
    def is_none(self) -> bool:
        """Whether no passage holds any."""
        return not len(self.boilerplate.ids)

    def factors(self, ids: Ids) -> Factors:
        """Return what (n,) passages count for, 0..1."""
        return np.where(self.boilerplate.is_whole(ids), 1 - LESS, 1.0)

    def head(self, search: Search, depth: int) -> Candidates:
        """Return the `depth` best by what they count for, with the scores and in the order that `search` gives."""
        found = search(depth)
        if self.is_none or len(found) < depth or depth > DEPTH:
            return found
        if self.boilerplate.is_whole(found.ids).mean() <= CROWD:
            return found
        wider = search(WIDER * depth)
        kept = np.sort(np.argsort(-wider.scores * self.factors(wider.ids), kind="stable")[:depth])
        return Candidates(wider.ids[kept], wider.scores[kept])

    def nearest(self, retriever: Dense, depth: int) -> Candidates:
        """Return the `depth` nearest by what is their own, with scores as they count, best first."""
        found = self.head(retriever.nearest, depth)
        if self.boilerplate.frame_of(found.ids).any():
            found = Candidates(found.ids, retriever.scores(retriever.stored(found.ids)))
        elif self.is_none:
            return found
        return self._counting(found, retriever.null.mean)

    def ranked(self, search: Search, depth: int) -> Candidates:
        """Return the `depth` best with scores as they count, best first; 0 is the score of what says nothing."""
        found = self.head(search, depth)
        return found if self.is_none else self._counting(found, 0.0)

    def _counting(self, found: Candidates, least: float) -> Candidates:
        above = found.scores.astype(np.float64) - least
        scores = np.where(above > 0, least + above * self.factors(found.ids), found.scores).astype(np.float32)
        order = np.lexsort((found.ids, -scores))
        return Candidates(found.ids[order], scores[order])
