"""The map of a library: a sample of its passages and pictures, with vectors small enough to be laid out elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from quarry.api.opened import OpenLibrary
from quarry.search.alike.principal import principal, quantized
from quarry.search.errors import InvalidRequest
from quarry.search.fields.filters import compile_filter
from quarry.search.queries import arguments
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lookups import filtered, sampled
from quarry.search.stores.spaces import active_spaces
from quarry.search.types import Document, Ids, Kind

MOST = 10_000  # points
DIMENSIONS = 24
_KEPT = 4  # maps of a library that are kept, of its last generation

_kept: WeakKeyDictionary[Catalog, dict[str, LibraryMap]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class MapPart:
    """The points of one medium; only points of one part can be compared.

    Args:
        space: whose vectors they are.
        ids: (n,) of passages or pictures.
        documents: (n,) which of the map's documents each is of.
        spans: (n, 2) its characters in the document.
        vectors: (n, k) int8, principal components of the vectors.
        scale: what one step of `vectors` is worth.
    """

    medium: Kind
    space: str
    ids: Ids
    documents: Ids
    spans: Ids
    vectors: NDArray[np.int8]
    scale: float


@dataclass(frozen=True, slots=True)
class LibraryMap:
    """A sample of a library. `total` is how many passages and pictures there are to sample from."""

    generation: int
    total: int
    documents: tuple[Document, ...]
    parts: tuple[MapPart, ...]


def map_of(library: OpenLibrary, *, filter: Mapping[str, Any] | None = None, limit: int = MOST) -> LibraryMap:
    """Return a sample of the passages and pictures, with their vectors in 24 dimensions: what a map is drawn from.

    It is the same for the same generation, and changes little from one to the next.

    Args:
        filter: only documents that match, as in `search`.
        limit: how many points, 1 to 10,000.

    Raises:
        InvalidRequest: the limit is out of bounds.
    """
    limit = arguments.whole(limit, "limit")
    if not 1 <= limit <= MOST:
        raise InvalidRequest(f"limit is {limit}; it can be 1 to {MOST:,}.")
    where, params = compile_filter(filter) if filter is not None else (filtered.ALL, [])
    catalog = library.catalog()
    with catalog.snapshot() as snapshot:
        maps = _kept.setdefault(catalog, {})
        key = json.dumps([snapshot.generation, limit, filter], sort_keys=True, default=str)
        found = maps.get(key)
        if found is None:
            found = _drawn(snapshot.connection, snapshot.generation, where, params, limit)
            for old in [name for name, one in maps.items() if one.generation != found.generation] or [*maps][
                : 1 - _KEPT
            ]:
                maps.pop(old, None)
            maps[key] = found
        return found


def _drawn(connection: Connection, generation: int, where: str, params: list[Any], limit: int) -> LibraryMap:
    spaces = active_spaces(connection)
    mediums = dict.fromkeys(space.medium for space in spaces)
    counts = {medium: sampled.count(connection, medium, where, params) for medium in mediums}
    parts: list[MapPart] = []
    numbers: dict[int, int] = {}  # of documents, by row id
    for medium in counts:
        most = round(limit * counts[medium] / max(sum(counts.values()), limit)) or 1
        rows = sampled.sample(connection, medium, where, params, most)
        for space in (space for space in spaces if space.medium == medium):
            vectors, has = sampled.vectors(connection, space.id, [row.key for row in rows], space.dimension)
            shown = [rows[at] for at in has]
            if not shown:
                continue
            placed = set(has.tolist())
            rows = [row for at, row in enumerate(rows) if at not in placed]  # another space may have them
            codes, scale = quantized(principal(vectors, DIMENSIONS))
            parts.append(
                MapPart(
                    medium,
                    space.name,
                    np.array([row.id for row in shown], np.int64),
                    np.array([numbers.setdefault(row.document, len(numbers)) for row in shown], np.int64),
                    np.array([(row.start, row.end) for row in shown], np.int64),
                    codes,
                    scale,
                )
            )
    found = sampled.documents(connection, list(numbers))
    return LibraryMap(generation, sum(counts.values()), tuple(found[row_id] for row_id in numbers), tuple(parts))
