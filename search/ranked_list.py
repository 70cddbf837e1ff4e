"""What the retrievers of one medium come to for one query: a list by relevance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.types import Candidates, Ids

ONLY_THE_PICTURE = "The script of the words is not known; only the picture counted."


@dataclass(frozen=True, slots=True)
class RankedList:
    """Chunks, best first: (n,) ids, scores and relevance, the last never rising.

    `explain` tells of a hit, by its place, what speaks for it; `notes` what was not weighed. `meant` is (n,),
    whether it is likely to be meant; None for all of them.
    """

    ids: Ids
    scores: NDArray[np.float32]
    relevance: NDArray[np.float32]
    explain: Callable[[int], Mapping[str, Any]]
    notes: tuple[str, ...] = ()
    meant: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def empty(cls, *notes: str) -> RankedList:
        """Return nothing, and why."""
        nothing = np.empty(0, np.float32)
        return cls(np.empty(0, np.int64), nothing, nothing, lambda place: {}, notes)


def told(name: str, found: Candidates) -> Callable[[int], Mapping[str, Any]]:
    """Explain hits that one retriever alone found."""
    return lambda place: {name: {"rank": place + 1, "score": rounded(found.scores[place])}}


def rounded(value: np.floating[Any]) -> float:
    """Return a number as explanations show it."""
    return round(float(value), 4)
