"""Objects that models find in pictures: each once, with its box, as a field and as passages that have a place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quarry.indexer.enrichments.base import Result, Said, WholePicture
from quarry.indexer.enrichments.tasks.base import ModelEnrichment
from quarry.search.types import Pixels
from quarry.search.values.places import Box, Place

OBJECTS = "objects"
_NONE = ("", "n/a", "no-object", "no object", "background")  # labels that mean nothing
_SMALLEST = 0.0005  # of the picture: a dot, which nobody would look for
_DOUBLED = 0.6  # of what two boxes cover together, that both cover
_MOST = 100  # of a picture


@dataclass(frozen=True, slots=True)
class Object:
    """Something that is seen in a picture. `confidence` is 0..1."""

    label: str
    confidence: float
    box: Box


class ObjectEnrichment(ModelEnrichment[Pixels]):
    """An enrichment that finds objects; its field is `objects`, unless it was chosen by a name of its own."""

    rendition = WholePicture()

    @property
    def field(self) -> str:
        """`objects`, or its own name."""
        return OBJECTS if self.name == self.task.name else self.name

    def found(self, objects: Iterable[Object]) -> Result:
        """Return what was found in a picture, of all that a model takes for an object: the surest first."""
        kept = distinct(objects)
        if not kept:
            return Result()
        surest = {one.label: round(one.confidence, 3) for one in reversed(kept)}
        said = (Said(words(one.label), Place(box=one.box), round(one.confidence, 3)) for one in kept)
        return Result({self.field: list(dict.fromkeys(one.label for one in kept))}, tuple(said), {self.field: surest})


def words(label: str) -> str:
    """Return a label as it is said: `traffic_light` in two words."""
    return " ".join(label.replace("_", " ").split())


def distinct(objects: Iterable[Object]) -> list[Object]:
    """Return objects, the surest first, without those that are very small, or the same as a surer one."""
    kept: list[Object] = []
    named = (one for one in objects if one.label.strip().lower() not in _NONE)
    for one in sorted(named, key=lambda one: -one.confidence):
        is_new = all(_overlap(one.box, other.box) < _DOUBLED for other in kept if other.label == one.label)
        if is_new and _area(one.box) >= _SMALLEST:
            kept.append(one)
        if len(kept) == _MOST:
            break
    return kept


def boxes_of(corners: Any, height: int, width: int) -> list[Box | None]:
    """Return boxes as shares of a picture, cut off at its edges, of (n, 4) left, top, right and bottom in pixels; None
    for one that is none.
    """
    shares = np.asarray(corners, np.float64).reshape(-1, 4) / [width, height, width, height]
    return [_box(row) for row in shares]


def _box(row: Sequence[float]) -> Box | None:
    if not np.isfinite(row).all():
        return None
    left, top, right, bottom = (round(min(1.0, max(0.0, float(edge))), 4) for edge in row)
    return (left, top, right, bottom) if left < right and top < bottom else None


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _overlap(one: Box, other: Box) -> float:
    """Return how much of what two boxes cover together both cover (intersection over union), 0..1."""
    both = _area((max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])))
    return both / (_area(one) + _area(other) - both)
