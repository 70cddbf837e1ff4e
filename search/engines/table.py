"""The vector engines there are, by name. Another one is a file and a row, or handed in: `Library(engines=...)`."""

from __future__ import annotations

from collections.abc import Mapping

from quarry.search.engines.base import OpenEngine
from quarry.search.engines.exact import ExactVectors
from quarry.search.engines.faiss.segments import SegmentedVectors
from quarry.search.errors import InvalidRequest

ENGINES: Mapping[str, OpenEngine] = {
    "faiss": SegmentedVectors,
    "exact": ExactVectors,
}
DEFAULT_ENGINE = "faiss"

Engines = Mapping[str, str | OpenEngine]  # by the name of a space: that of an engine, or an engine itself


def engine_of(engines: Engines, space: str) -> OpenEngine:
    """Return what opens the engine that is chosen for a space; InvalidRequest where there is none of that name."""
    chosen = engines.get(space, DEFAULT_ENGINE)
    if not isinstance(chosen, str):
        return chosen
    if chosen not in ENGINES:
        raise InvalidRequest(f"There is no vector engine {chosen!r}; there are {' and '.join(ENGINES)}.")
    return ENGINES[chosen]
