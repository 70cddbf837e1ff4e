"""What an engine that keeps its vectors elsewhere must be able to do: a few primitives, by ids of chunks.

All else that the contract of vector engines asks for is made of them once, in `search.engines.following.vectors`. A
store is one collection: the vectors of one space of one library.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Set
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quarry.search.stores.lineage import Commit
from quarry.search.stores.spaces import Space
from quarry.search.types import Ids, Vectors


@dataclass(frozen=True, slots=True)
class Mark:
    """What a collection holds: the vectors of a space up to a commit. It is written when they are safely there."""

    commit: Commit
    identity: str
    model: str
    dimension: int
    activation: str

    @classmethod
    def of(cls, space: Space, commit: Commit) -> Mark:
        """Return the mark of a space whose vectors are there up to a commit."""
        return cls(commit, space.identity, space.model, space.dimension, space.activation)

    @classmethod
    def read(cls, text: str) -> Mark:
        """Return the mark that `text` says; ValueError where it says none."""
        try:
            found = json.loads(text)
            return cls(**found | {"commit": Commit(**found["commit"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"no mark of a collection: {text[:60]!r}") from error

    def __str__(self) -> str:
        return json.dumps(asdict(self))


class VectorStore(Protocol):
    """One collection of an engine, for many threads. It exists once something was put in.

    Every method raises `EngineUnavailable`, in words, where the engine can't be reached, answers too late, refuses
    who asks, or has damaged what it keeps.
    """

    @property
    def most(self) -> int:
        """How many nearest it can be asked for at once."""
        ...

    def mark(self) -> Mark | None:
        """Return what the collection holds, None where nobody has said so; ValueError where that can't be read."""
        ...

    def settle(self, mark: Mark) -> None:
        """Make safe what was put and removed before, have it indexed, and then say what the collection holds."""

    def put(self, ids: Ids, vectors: NDArray[np.float16]) -> None:
        """Store (n, d) vectors under (n,) ids; what is there under an id is replaced."""

    def remove(self, ids: Ids) -> None:
        """Remove vectors; what is not there is no error."""

    def nearest(self, query: Vectors, k: int, among: Ids | None) -> Ids:
        """Return the ids of about the k largest inner products with a (d,) query, of all or of those among some ids.

        Fewer than k come back where there are no more, as far as the engine finds them.
        """
        ...

    def read(self, ids: Ids) -> tuple[Ids, NDArray[np.float16]]:
        """Return the ids of those that are there, in any order, and their (n, d) vectors."""
        ...

    def count(self) -> int:
        """Return how many vectors there are."""
        ...

    def clear(self) -> None:
        """Remove the collection, whatever state it is in."""

    def clear_others(self, prefix: str, kept: Set[str]) -> None:
        """Remove the collections whose names begin so, but for some."""


OpenStore = Callable[[str, int], VectorStore]  # of a collection's name and the dimension of its vectors
