"""What the retrievers of one medium come to for one query: a list by relevance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.relevance import Null
from quarry.search.types import Candidates, Ids
from quarry.search.values.notes import Note

if TYPE_CHECKING:
    from quarry.search.ranking.retrievers import Dense

ONLY_THE_PICTURE = Note(
    "script_unknown_picture_only", "The script of the words is not known; only the picture counted."
)


@dataclass(frozen=True, slots=True)
class RankedList:
    """Chunks, best first: (n,) ids, scores and relevance, the last never rising.

    `explain` tells of a hit, by its place, what speaks for it; `notes` what was not weighed. `meant` is (n,),
    whether it is likely to be meant; None for all of them. `dense` is what found by meaning, if anything did.
    """

    ids: Ids
    scores: NDArray[np.float32]
    relevance: NDArray[np.float32]
    explain: Callable[[int], Mapping[str, Any]]
    notes: tuple[Note, ...] = ()
    meant: NDArray[np.bool_] | None = None
    dense: Dense | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, places: NDArray[np.int64], *notes: Note) -> RankedList:
        """Return the list of some of its places, with further notes."""
        meant = None if self.meant is None else self.meant[places]
        return RankedList(
            self.ids[places],
            self.scores[places],
            self.relevance[places],
            lambda place: self.explain(int(places[place])),
            (*self.notes, *notes),
            meant,
            self.dense,
        )

    @classmethod
    def empty(cls, *notes: Note) -> RankedList:
        """Return nothing, and why."""
        nothing = np.empty(0, np.float32)
        return cls(np.empty(0, np.int64), nothing, nothing, lambda place: {}, notes)


def told(
    name: str, found: Candidates, null: Null | None = None, distance: NDArray[np.float64] | None = None
) -> Callable[[int], Mapping[str, Any]]:
    """Explain hits that one retriever alone found.

    Args:
        null: what its scores are by chance, where they are cosines.
        distance: (n,), from chance, where it is not by the null alone.
    """

    def explain(place: int) -> Mapping[str, Any]:
        own = {name: {"rank": place + 1, "score": rounded(found.scores[place])}}
        if null is None:
            return own
        far = None if distance is None else float(distance[place])
        return {**own, "calibration": calibration(null, float(found.scores[place]), far)}

    return explain


def calibration(null: Null, score: float, distance: float | None = None) -> dict[str, float | None]:
    """Tell what a cosine means: how many spreads it lies above chance; of what has no vector, nothing is known."""
    far = float(null.distance(np.float32(score))) if distance is None else distance
    spreads = round(far, 4) if score else None
    return {"chance": round(null.mean, 4), "spread": round(null.spread, 4), "spreads_above_chance": spreads}


def rounded(value: np.floating[Any]) -> float:
    """Return a number as explanations show it."""
    return round(float(value), 4)
