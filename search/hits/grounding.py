"""Where in a picture that was found it shows what is asked for: a box, and the heat map that it is drawn around.

It is worked out for the first `MOST` pictures of a page where it is asked for, from their thumbnails, and kept nowhere.
No detector is asked: see `search.models.image.heat`. So it is a box around where the words fit best, and one only: of
three dogs the one that is most a dog, or all of them where they stand together.

The hottest part of the map decides whether there is a box at all: how hot it is where a phrase describes something in
a picture, and where it was written for another, was measured on photos, and `confidence` weighs the two (a logistic
regression in which both count the same). Below one half, nothing is marked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import LibraryDamaged, ModelError, NotFound
from quarry.search.language.scripts import is_foreign
from quarry.search.models.contracts import HeatMap, ImageEncoder
from quarry.search.models.runtime import available_cores, each
from quarry.search.types import Hit, Pixels, Vectors
from quarry.search.values.notes import Note
from quarry.search.values.places import Box, Grounding
from quarry.search.views import SpaceView

MEDIUM = "image"
MOST = 50
LEAST = 0.5  # confidence of what is marked

# Chosen on 50 photos that the model had not learnt from, with boxes drawn by hand: benchmarks/grounding.py.
_FINER = 2  # how many times, in both directions, a map is drawn out before a box is put around its peak
_EDGE = 0.35  # of the way from the coolest part of a map to its peak: what is hotter belongs to the box
_SLOPE, _EVEN = 6.18, 0.499  # of the logistic regression: the heat at which it is one half
COST = "Where pictures show what is asked for is not told."


def ground(
    text: str, hits: Sequence[Hit], spaces: Sequence[SpaceView], thumbnail: Callable[[str], bytes]
) -> tuple[list[Hit], tuple[Note, ...]]:
    """Return hits that say where in their pictures `text` is shown, or notes on why they don't.

    Args:
        text: what was asked, in words.
        spaces: those of pictures; the model of the first that knows the words, and tells where it sees something, does.
        thumbnail: gives that of a picture, by its document's id; raises `NotFound` or `LibraryDamaged`.

    Raises:
        ModelError: the words can't be encoded.
    """
    if not any(hit.kind == MEDIUM for hit in hits):
        return list(hits), ()
    usable = [(space, space.encoder) for space in spaces if space.encoder is not None]
    able = [(space, encoder) for space, encoder in usable if encoder.map_preprocessing is not None]  # type: ignore[attr-defined]
    if not able:
        missing = next((space.missing for space in spaces if space.missing), None)
        if missing is not None and not usable:
            raise missing
        names = ", ".join(sorted({space.model for space, _ in usable}))
        said = f"{f'{names} does not tell' if names else 'No model tells'} where in a picture something is. {COST}"
        return list(hits), (Note("grounding_unknown", said, {"model": names}),)
    for space, encoder in able:
        if text and not is_foreign(space, text):
            return _grounded(hits, encoder, space.encoded(text), thumbnail), ()  # type: ignore[arg-type]
    return list(hits), (Note("grounding_needs_words", f"It takes words that a model of pictures knows. {COST}"),)


def _grounded(
    hits: Sequence[Hit], encoder: ImageEncoder, query: Vectors, thumbnail: Callable[[str], bytes]
) -> list[Hit]:
    found = list(hits)
    places = [place for place, hit in enumerate(hits) if hit.kind == MEDIUM][:MOST]

    def look(at: int) -> None:
        hit = found[places[at]]
        pixels = _pixels(hit.document.id, encoder, thumbnail)
        if pixels is not None:
            found[places[at]] = replace(hit, grounding=grounding_of(encoder.heat_map(pixels, query)))

    each(len(places), available_cores(), look)
    return found


def _pixels(document: str, encoder: ImageEncoder, thumbnail: Callable[[str], bytes]) -> Pixels | None:
    from quarry.search.formats.pixels import enlarged  # Pillow, which a search needs for nothing else

    assert encoder.map_preprocessing is not None
    try:
        return enlarged(thumbnail(document), encoder.map_preprocessing)
    except (NotFound, LibraryDamaged, OSError):  # `quarry doctor` says so
        return None


def grounding_of(heat: HeatMap) -> Grounding:
    """Return the box around the hottest part of a map, none where it is not hot enough, and the map as shares of 0..1.

    Raises:
        ModelError: the map is not finite.
    """
    if not np.isfinite(heat).all():
        raise ModelError("the image model gives no usable heat map for a picture.")
    peak, coolest = float(heat.max()), float(heat.min())
    confidence = 1 / (1 + math.exp(min(_SLOPE * (_EVEN - peak), 700.0)))
    shares = (heat - coolest) / max(peak - coolest, 1e-9)
    rows = tuple(tuple(round(share, 3) for share in row) for row in shares.tolist())
    return Grounding(box_of(shares) if confidence >= LEAST else None, confidence, rows)


def box_of(shares: NDArray[np.float32]) -> Box:
    """Return the box around the hottest part of a map, (rows, columns) of 0..1, however sure that is."""
    fine = _drawn_out(_drawn_out(shares).T).T
    rows, columns = fine.shape
    start = divmod(int(fine.argmax()), columns)
    own = around(fine >= _EDGE, start)
    above, before = np.nonzero(own.any(axis=1))[0], np.nonzero(own.any(axis=0))[0]
    return (
        round(float(before[0]) / columns, 4),
        round(float(above[0]) / rows, 4),
        round(float(before[-1] + 1) / columns, 4),
        round(float(above[-1] + 1) / rows, 4),
    )


def _drawn_out(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `_FINER` times as many rows, between those there are in a straight line."""
    count = len(values)
    places = np.clip((np.arange(count * _FINER) + 0.5) / _FINER - 0.5, 0, count - 1)
    first = np.minimum(places.astype(int), max(count - 2, 0))
    share = (places - first)[:, None]
    return np.asarray(values[first] * (1 - share) + values[np.minimum(first + 1, count - 1)] * share, np.float32)


def around(is_in: NDArray[np.bool_], start: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which of the places that are in are connected with one of them, side by side."""
    found = np.zeros_like(is_in)
    found[start] = True
    while True:
        wider = found.copy()
        wider[1:] |= found[:-1]
        wider[:-1] |= found[1:]
        wider[:, 1:] |= found[:, :-1]
        wider[:, :-1] |= found[:, 1:]
        wider &= is_in
        if (wider == found).all():
            return found
        found = wider
