"""Which documents of a library are like nothing else in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quarry.api.opened import OpenLibrary
from quarry.search.alike.neighbours import FEWEST, belonging
from quarry.search.errors import InvalidRequest, ModelError
from quarry.search.fields.filters import compile_filter
from quarry.search.queries import arguments
from quarry.search.stores.lookups import filtered
from quarry.search.stores.lookups.document_vectors import document_vectors
from quarry.search.stores.spaces import Space, active_spaces
from quarry.search.types import KINDS, Document, Kind, Vectors

LEAST = 3.0  # spreads from which a document is an outlier
MAX_OUTLIERS = 1_000


@dataclass(frozen=True, slots=True)
class Outlier:
    """A document that is like nothing else in the library.

    Args:
        spreads: how much further from its fifth nearest neighbour it is than documents of its kind usually are.
        distance: to that neighbour, 1 - cosine.
        nearest: the document that it is the least unlike.
    """

    document: Document
    spreads: float
    distance: float
    nearest: Document


@dataclass(frozen=True, slots=True)
class Outliers:
    """Documents, the strangest first.

    Args:
        total: how many there are in all.
        compared: how many documents were compared with others.
        left_out: how many were not: those without a vector, and of each space with fewer than twenty, all.
    """

    outliers: tuple[Outlier, ...]
    total: int
    compared: int
    left_out: int


@dataclass(frozen=True, slots=True)
class _Found:
    """An outlier and its nearest by row ids."""

    row: int
    spreads: float
    distance: float
    nearest: int


def outliers(
    library: OpenLibrary,
    *,
    filter: Mapping[str, Any] | None = None,
    kind: Kind | None = None,
    least: float = LEAST,
    limit: int = 20,
    offset: int = 0,
) -> Outliers:
    """Return documents that are like nothing else in the library, per kind, by the vectors that are stored.

    A document is as strange as it is far from its fifth nearest neighbour, against what is usual among those of its
    kind and space. So up to four strangers of one sort are found together.

    Args:
        filter: only among documents that match, as in `search`: what fits nowhere in a folder.
        kind: `text` or `image` alone.
        least: how many spreads further than usual; 0 for all that are further than most.
        limit, offset: of documents; at most 1,000 at once.

    Raises:
        InvalidRequest: one of these is out of bounds.
    """
    least = arguments.number(least, "least")
    limit, offset = arguments.whole(limit, "limit"), arguments.whole(offset, "offset")
    if not 0 <= least <= 1_000:
        raise InvalidRequest(f"least is {least}; it can be 0 to 1,000 spreads.")
    if not 0 <= limit <= MAX_OUTLIERS or offset < 0:
        raise InvalidRequest(f"limit must be 0 to {MAX_OUTLIERS:,} and offset 0 or more.")
    if kind is not None and kind not in KINDS:
        raise InvalidRequest(f"kind is {kind!r}; it can be {' or '.join(KINDS)}.")
    where, params = compile_filter(filter) if filter is not None else (filtered.ALL, [])
    with library.catalog().snapshot() as snapshot:
        connection = snapshot.connection
        best: dict[int, _Found] = {}  # by document: where it is in several spaces, it fits if it fits in one
        for space in active_spaces(connection):
            if kind in (None, space.medium):
                rows, vectors = document_vectors(connection, space, where, params)
                for found in _in(space, rows.tolist(), _shown(library, space, vectors)):
                    if found.row not in best or found.spreads < best[found.row].spreads:
                        best[found.row] = found
        ranked = sorted((one for one in best.values() if one.spreads >= least), key=lambda one: (-one.spreads, one.row))
        shown = ranked[offset : offset + limit]
        ids = list({row for one in shown for row in (one.row, one.nearest)})
        documents = dict(zip(ids, filtered.listing(connection, ids), strict=True))
        kinds = f"({where})" + ("" if kind is None else " AND d.kind = ?")
        there = filtered.count(connection, kinds, params if kind is None else [*params, kind])
    return Outliers(
        tuple(Outlier(documents[one.row], one.spreads, one.distance, documents[one.nearest]) for one in shown),
        len(ranked),
        len(best),
        there - len(best),
    )


def _in(space: Space, rows: Sequence[int], vectors: Vectors) -> list[_Found]:
    """Return how strange each document of a space is; nothing of one with too few to tell."""
    if len(rows) < FEWEST:
        return []
    found = belonging(vectors)
    return [
        _Found(row, spreads, distance, rows[near])
        for row, spreads, distance, near in zip(
            rows, found.spreads.tolist(), found.distances.tolist(), found.nearest.tolist(), strict=True
        )
    ]


def _shown(library: OpenLibrary, space: Space, vectors: Vectors) -> Vectors:
    """Return vectors as what is like something is found by: of a picture, without what holds hubs back."""
    try:
        encoder = library.searcher.encoder(space.name)
    except ModelError:  # what is stored can be compared without its model
        return vectors
    return np.stack([encoder.as_query(vector) for vector in vectors]) if len(vectors) else vectors
