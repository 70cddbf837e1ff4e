"""The vector engines there are, by name. Another one is a file and a row, or handed in: `Library(engines=...)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from quarry.search.engines.base import OpenEngine
from quarry.search.engines.exact import ExactVectors
from quarry.search.engines.faiss.segments import SegmentedVectors
from quarry.search.engines.milvus import checked_uri, milvus_vectors
from quarry.search.engines.qdrant import checked_folder, qdrant_vectors
from quarry.search.errors import InvalidRequest
from quarry.search.stores.chosen_engine import ChosenEngine
from quarry.search.stores.spaces import Space

ENGINES: Mapping[str, OpenEngine] = {
    "faiss": SegmentedVectors,
    "exact": ExactVectors,
    "milvus": milvus_vectors,
    "qdrant": qdrant_vectors,
}
DEFAULT_ENGINE = "faiss"
_PLACES: Mapping[str, Callable[[str], str]] = {"milvus": checked_uri, "qdrant": checked_folder}

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


def placed(name: str, uri: str) -> ChosenEngine:
    """Return an engine at a place, "" for its own in the library.

    Raises:
        InvalidRequest: there is no such engine, or it can't be there.
    """
    engine_named(name)
    if uri and name not in _PLACES:
        raise InvalidRequest(f"{name} keeps all in the library; only {' and '.join(_PLACES)} can be elsewhere.")
    return ChosenEngine(name, _PLACES[name](uri) if uri else "")
