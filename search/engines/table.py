"""The vector engines there are, by name. Another one is a file and a row, or handed in: `Library(engines=...)`."""

from __future__ import annotations

from collections.abc import Mapping

from quarry.search.engines.base import OpenEngine
from quarry.search.engines.exact import ExactVectors
from quarry.search.engines.faiss.segments import SegmentedVectors
from quarry.search.engines.milvus import milvus_vectors
from quarry.search.engines.qdrant import qdrant_vectors
from quarry.search.errors import InvalidRequest
from quarry.search.stores.spaces import Space

ENGINES: Mapping[str, OpenEngine] = {
    "faiss": SegmentedVectors,
    "exact": ExactVectors,
    "milvus": milvus_vectors,
    "qdrant": qdrant_vectors,
}
DEFAULT_ENGINE = "faiss"

Engines = Mapping[str, str | OpenEngine]  # by the name of a space: that of an engine, or an engine itself


def engine_of(engines: Engines, space: Space) -> OpenEngine:
    """Return what opens the engine of a space: that which is given for it, else that which its library has chosen.

    Raises:
        InvalidRequest: there is none of that name.
    """
    given = engines.get(space.name, space.engine.name or DEFAULT_ENGINE)
    return engine_named(given) if isinstance(given, str) else given


def engine_named(name: str) -> OpenEngine:
    """Return what opens an engine by its name; InvalidRequest where there is none of that name."""
    if name not in ENGINES:
        raise InvalidRequest(f"There is no vector engine {name!r}; there are {', '.join(ENGINES)}.")
    return ENGINES[name]
