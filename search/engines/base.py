"""What a vector engine is: it follows the vectors of one space of a catalog, and finds the nearest of one generation.

Scores are inner products of unit vectors: float16(v) . q in float32, so that every engine gives a pair the same score.
What an engine must do is held by `search.engines.contract`, which anybody can run on an engine of their own; the
smallest one is `search.engines.exact`; `search.engines.table` has a row for each, and says which one is the default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quarry.search.fields.filters import EVERYTHING, Allowed
from quarry.search.stores.catalog import Catalog, Snapshot
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.spaces import Space
from quarry.search.types import Candidates, Ids, Vectors


class Unreached(str):
    """What a view notes where nothing is damaged: its engine can't be reached, or not be used as it is."""

    __slots__ = ()


class VectorView(Protocol):
    """The vectors of one space at one generation: a value that any number of threads may search."""

    @property
    def count(self) -> int:
        """How many vectors there are."""
        ...

    @property
    def tail(self) -> int:
        """How many of them are in no index yet, and scored one by one."""
        ...

    @property
    def segments(self) -> int:
        """How many indexes hold the others."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What is damaged or unreached and what that costs, in words; () in health. A search may add to them."""
        ...

    def search(self, query: Vectors, k: int, allowed: Allowed = EVERYTHING) -> Candidates:
        """Find the k nearest to one (d,) query among what is allowed: if there are k of them, k come back.

        Raises:
            ValueError: the query has another dimension or is not finite.
        """
        ...

    def vectors(self, ids: Ids) -> Vectors:
        """Return the (n, d) float32 vectors of (n,) ids, in their order; zeros where there is none."""
        ...

    def sample(self, about: int) -> Vectors:
        """Return (n, d) float32 vectors spread evenly over all: all of them, or from `about` to twice as many."""
        ...


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with something that an engine keeps, by its name."""

    file: str
    what: str


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that an engine keeps.

    Args:
        name: in the library's folder: `segments/` and a name of its own.
        places: where it may be, the likeliest first.
        bytes, sha256: what it must be.
    """

    name: str
    places: tuple[Path, ...]
    bytes: int
    sha256: str


class VectorEngine(Protocol):
    """The vectors of one space of a library, for many threads.

    The catalog has them all, and what is lost is replayed: `search.stores.rows.segment_rows.read_vectors` reads those
    of a range of generations, `search.stores.rows.documents.deleted_since` what is gone since one. Ids are never used
    again.
    """

    def view(self, snapshot: Snapshot) -> VectorView:
        """Return the vectors of the generation that is seen, however far the engine has followed the catalog.

        What is damaged is no error: it is searched in the catalog instead, and `notes` says so.
        """
        ...

    def count(self, snapshot: Snapshot) -> int:
        """Return how many vectors `view` would have, without opening what is not open yet."""
        ...

    def catch_up(self) -> None:
        """Take in what the catalog has had since, where that is worth while; outside the writer's lock."""

    def compact(self) -> int:
        """Take in all that the catalog has, and nothing else; return the generation up to which that is so.

        What was deleted up to then, the engine need not be told of again; `search.stores.lineage.forgotten` says up to
        when nobody can tell it, such as after another engine was used.
        """
        ...

    def fill(self, progress: Told) -> None:
        """Take in all that the catalog has, for a library that is to use this engine from then on.

        Args:
            progress: is told how many passages are taken in, of how many.

        Raises:
            EngineUnavailable, MissingExtra: it can't be used.
            ModelMismatch: what it keeps there is another model's.
        """

    def leave(self) -> None:
        """Let go of all that is kept: the library uses another engine."""

    def release(self, *, is_read: bool) -> int:
        """Let go of what was replaced, unless readers of older generations may use it; return how many bytes stay."""
        ...

    def verify(self) -> Sequence[Damage]:
        """Compare everything that is kept with the catalog; return what is wrong."""
        ...

    def repair(self) -> Sequence[Damage]:
        """Make what is wrong anew from the catalog; return what was."""
        ...

    def files(self, snapshot: Snapshot) -> Sequence[KeptFile]:
        """Return the files that a copy of the library, as it is seen, can go on from; () where nothing is kept."""
        ...

    def kept(self, connection: Connection, ids: Ids) -> Mapping[int, NDArray[np.float16]]:
        """Return what is kept, and surely right, of the vectors of chunks, by chunk id, to mend a catalog by.

        Args:
            connection: to the catalog that is being mended, which has all but these vectors.
        """
        ...


Told = Callable[[int, int], None]
OpenEngine = Callable[[Catalog, Space], VectorEngine]
