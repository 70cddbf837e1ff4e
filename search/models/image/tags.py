"""What a picture shows, in words: the classes of ImageNet that the embedded image model is sure enough of.

The model weighs its thousand classes for each picture that it embeds (ConSE, see `search.models.image.embedded`), so
that they cost nothing more. Many are finer than it can tell: kinds add up what it gives those of them that are one
thing to most people, such as the 118 breeds of dogs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from quarry.search.models.graphs.drawn import shipped_part
from quarry.search.models.image.embedded import CARD, CLASSES, model_folder

# Probability from which a tag is given. Of those of Flickr8k's train photos, four in five are words of the five
# captions of a picture (`benchmarks/tags.py`); most of the others are there, and nobody mentioned them.
SURE = 0.6
MOST = 5  # tags of a picture

# Places of classes, in the order of the classifier.
KINDS: Mapping[str, tuple[int, ...]] = {
    "fish": (*range(7), *range(389, 398)),
    "bird": (*range(7, 25), *range(80, 101), *range(127, 147)),
    "frog": (30, 31, 32),
    "turtle": tuple(range(33, 38)),
    "lizard": tuple(range(38, 49)),
    "snake": tuple(range(52, 69)),
    "spider": tuple(range(72, 78)),
    "dog": tuple(range(151, 269)),
    "wolf": tuple(range(269, 273)),
    "fox": tuple(range(277, 281)),
    "cat": tuple(range(281, 286)),
    "bear": tuple(range(294, 298)),
    "beetle": tuple(range(300, 308)),
    "butterfly": tuple(range(321, 327)),
    "rabbit": tuple(range(330, 333)),
    "monkey": tuple(range(365, 383)),
    "elephant": (385, 386),
    "car": (436, 468, 511, 609, 627, 656, 661, 751, 817),
    "bus": (654, 779, 874),
    "truck": (555, 569, 675, 717, 864, 867),
    "train": (466, 547, 820),
    "boat": (472, 484, 510, 554, 576, 625, 628, 724, 780, 814, 871, 914),
    "bicycle": (444, 671),
    "ball": (430, 522, 574, 722, 768, 805, 852, 890),
    "guitar": (402, 546),
    "piano": (579, 881),
    "mushroom": (947, 991, 992, 994, 995, 996, 997),
    "church": (497,),
}


def tags(probabilities: NDArray[np.float32]) -> dict[str, float]:
    """Return the tags of a picture with how sure they are, the surest first, by its (1000,) shares of classes."""
    found = {kind: float(probabilities[list(places)].sum()) for kind, places in KINDS.items()}
    for place in np.flatnonzero(probabilities >= SURE).tolist():
        name = names()[place]
        found[name] = max(found.get(name, 0.0), float(probabilities[place]))
    sure = {name: min(1.0, share) for name, share in found.items() if share >= SURE}
    return dict(sorted(sure.items(), key=lambda one: (-one[1], one[0]))[:MOST])


@lru_cache(1)
def names() -> tuple[str, ...]:
    """Return what the classes are called, in their order; raise as `embedded.draw` does."""
    path = shipped_part(model_folder() / CLASSES, CARD.name, CARD.config_sha256)
    return tuple(_names(path.read_text(encoding="utf-8")))


def _names(lines: str) -> Iterator[str]:
    for line in lines.splitlines():
        yield line.split(" | ")[0].split(" (")[0]
