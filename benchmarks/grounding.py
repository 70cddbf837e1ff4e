"""Where in a picture something is: boxes of the embedded image model, beside those that anybody would guess.

Run: python -m benchmarks.grounding

`boxes.jsonl` has a phrase and a box for each of 150 photos of Flickr8k, drawn at random and then by hand, by looking at
them: 50 of the 91 that are in none of its splits (`extra`), so that the model has not learnt from them, by which what
`search.hits.grounding` and `search.models.image.heat` have for constants was chosen; 50 of the test split, of which the
figures are; and 50 of the train split, which the model has learnt, to see what that makes. They are under this
project's licence; the photos are not part of it. The photos are squashed to a square, and so are the boxes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import corpus, machine
from quarry.search.hits.grounding import box_of, grounding_of
from quarry.search.models.contracts import ImageEncoder
from quarry.search.models.image.heat import PREPROCESSING
from quarry.search.models.image.languages import InEveryLanguage
from quarry.search.models.loading import load_image_encoder, load_text_encoder
from quarry.search.models.names import DEFAULT_TEXT_MODEL, MULTILINGUAL_TEXT_MODEL
from quarry.search.types import Pixels
from quarry.search.values.places import Box, Grounding

BOXES = Path(__file__).with_name("boxes.jsonl")
MIDDLE: Box = (0.15, 0.15, 0.85, 0.85)  # of boxes around the middle, the best on `extra`
OTHERS = 7  # phrases of other photos that each photo is asked for


@dataclass(frozen=True, slots=True)
class Drawn:
    """A photo, what somebody says of a thing in it, and where that is."""

    pixels: Pixels
    small: Pixels
    phrase: str
    korean: str
    box: Box


def drawn(split: str) -> list[Drawn]:
    """Return the photos of a split that boxes were drawn in."""
    rows = [row for row in map(json.loads, BOXES.open("rb")) if row["split"] == split]
    return [_read(row) for row in rows]


def _read(row: dict[str, object]) -> Drawn:
    photo = Image.open(corpus.data_folder() / "flickr8k" / "images" / str(row["image"])).convert("RGB")
    size = PREPROCESSING.width, PREPROCESSING.height
    closer = np.asarray(photo.resize(size, Image.Resampling.BICUBIC))
    left, top, right, bottom = map(float, row["box"])  # type: ignore[call-overload]
    box = left, top, right, bottom
    return Drawn(closer, np.asarray(photo), str(row["phrase"]), str(row.get("korean", "")), box)


def overlap(one: Box, other: Box) -> float:
    """Return the intersection of two boxes as a share of their union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    both = max(width, 0.0) * max(height, 0.0)
    return both / (_area(one) + _area(other) - both)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def peak(found: Grounding) -> tuple[float, float]:
    """Return the middle of the hottest part, from the left and from above."""
    heat = np.asarray(found.heat)
    row, column = divmod(int(heat.argmax()), heat.shape[1])
    return (column + 0.5) / heat.shape[1], (row + 0.5) / heat.shape[0]


def figures(guesses: Iterable[tuple[Box, tuple[float, float]]], boxes: Sequence[Box]) -> tuple[str, str, str]:
    """Return how often the point lies in the box, the mean overlap, and how often it is one half or more."""
    inside, overlaps = [], []
    for (guess, (across, down)), box in zip(guesses, boxes, strict=True):
        inside.append(box[0] <= across <= box[2] and box[1] <= down <= box[3])
        overlaps.append(overlap(guess, box))
    return f"{np.mean(inside):.0%}", f"{np.mean(overlaps):.3f}", f"{np.mean(np.array(overlaps) >= 0.5):.0%}"


def main() -> None:
    """Print a table for each split."""
    own = load_image_encoder()
    english, many = load_text_encoder(DEFAULT_TEXT_MODEL), load_text_encoder(MULTILINGUAL_TEXT_MODEL, prepare=True)
    every = InEveryLanguage(own, lambda: english, lambda: many)
    print(machine.description())
    for split in ("extra", "test", "train"):
        photos = drawn(split)
        boxes = [photo.box for photo in photos]
        table = [
            ("the whole picture, its middle", *figures([((0, 0, 1, 1), (0.5, 0.5))] * len(boxes), boxes), "", ""),
            ("the middle 70%, its middle", *figures([(MIDDLE, (0.5, 0.5))] * len(boxes), boxes), "", ""),
            *_rows("heat map, in English", every, photos, [photo.phrase for photo in photos]),
        ]
        if all(photo.korean for photo in photos):
            table += _rows("heat map, in Korean", every, photos, [photo.korean for photo in photos])
        head = (f"{split}, {len(photos)} photos", "point in the box", "mean overlap", "overlap >= 0.5", "marked")
        print(machine.table((*head, "marked by another's phrase"), table))
    _time(own, drawn("train"))


def _rows(name: str, encoder: ImageEncoder, photos: Sequence[Drawn], phrases: Sequence[str]) -> list[tuple[str, ...]]:
    queries = encoder.encode_queries(phrases)
    found = [grounding_of(encoder.heat_map(photo.pixels, own)) for photo, own in zip(photos, queries, strict=True)]
    guesses = [(box_of(np.asarray(one.heat, np.float32)), peak(one)) for one in found]
    boxes = [photo.box for photo in photos]
    sure = [place for place, one in enumerate(found) if one.box is not None]
    steps = range(7, 7 * (OTHERS + 1), 7)
    others = [
        encoder.heat_map(photo.pixels, queries[(place + step) % len(photos)])
        for place, photo in enumerate(photos)
        for step in steps
    ]
    wrong = np.mean([grounding_of(heat).box is not None for heat in others])
    return [
        (name, *figures(guesses, boxes), "", ""),
        (
            "only what is marked",
            *figures([guesses[place] for place in sure], [boxes[place] for place in sure]),
            f"{len(sure) / len(found):.0%}",
            f"{wrong:.0%}",
        ),
    ]


def _time(encoder: ImageEncoder, photos: Sequence[Drawn]) -> None:
    """Print what a map takes, as times of what embedding the picture does."""
    query = encoder.encode_queries(["a dog"])[0]
    encoder.heat_map(photos[0].pixels, query)
    encoder.encode_pictures([photos[0].small])
    took = []
    for photo in photos:
        started = time.perf_counter()
        encoder.encode_pictures([photo.small])
        between = time.perf_counter()
        grounding_of(encoder.heat_map(photo.pixels, query))
        took.append((between - started, time.perf_counter() - between))
    embedded, mapped = np.median(np.array(took), axis=0) * 1e3
    print(f"a map and its box take {mapped:.0f} ms, {mapped / embedded:.1f} times as long as embedding the picture")


if __name__ == "__main__":
    main()
