"""Where in a picture the embedded model sees what is asked for: a heat map, for which it was never trained.

Its vector of a picture adds up from what it makes of 7 x 7 parts. Of a picture twice as wide and high it makes 14 x
14 such parts, and of each part by itself come two terms of that sum, those that are not worked out from all parts at
once: the linear layer of the head, and what the part's likeliest classes are called. Their product with the query's
vector is the heat of a part. The classes count twice as much as in the vector: the layer knows the photos that it has
learnt from best, and what stands in a corner was seldom what they were told by. What lies on a thing's edge or back
is often nothing that it is told by; so each part takes on the mean heat of the parts that look like it, by their
features, as in Ahn and Kwak 2018, "Learning Pixel-level Semantic Affinity with Image-level Supervision", where the
likeness is learnt.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quarry.search.models.graphs.cutting import constants, cut
from quarry.search.models.graphs.efficientnet import CONCEPTS, LIKELIEST
from quarry.search.models.runtime import open_session
from quarry.search.types import Pixels, Preprocessing, Vectors

PREPROCESSING = Preprocessing(448, 448, "squash", "bicubic")  # what a map is made of: twice what the model takes
_CLASSES = 2.0  # what the classes of a part count for, beside what they do in the vector of a picture
# As `graphs.efficientnet` names them.
_FEATURES = ("tuned.features", "own.features")
_WEIGHTS = ("straight.weights", "straight.bias", "logits.weights", "logits.bias", "concepts")


class HeatMaps:
    """The embedded image model up to its features, and the layers that are applied to each part by itself.

    Args:
        graph: the serialized graph of its image tower.
    """

    def __init__(self, graph: bytes) -> None:
        size = (1, PREPROCESSING.height, PREPROCESSING.width, 3)
        self._session = open_session(cut(graph, _FEATURES, "pixels", size), convolutions=True)
        self._weights = constants(graph, _WEIGHTS)

    def of(self, pixels: Pixels, query: Vectors) -> NDArray[np.float32]:
        """Return the (14, 14) heat of a picture, `PREPROCESSING`'s pixels, for a (d + 2,) query."""
        tuned, own = self._session.run(None, {"pixels": pixels[None]})
        sides = tuned.shape[2:]
        features, classes = (one[0].reshape(one.shape[1], -1).T for one in (tuned, own))
        heat = self._seen(features, query) + self._called(classes, query)
        return np.asarray(_alike(features) @ heat, np.float32).reshape(sides)

    def _seen(self, features: NDArray[np.float32], query: Vectors) -> NDArray[np.float32]:
        weights, bias = self._weights["straight.weights"], self._weights["straight.bias"]
        asked = _asked(query, len(bias))
        length = float(np.linalg.norm(features.mean(0) @ weights + bias))
        return np.asarray(features @ (weights @ asked) / max(length, 1e-12), np.float32)

    def _called(self, features: NDArray[np.float32], query: Vectors) -> NDArray[np.float32]:
        logits = features @ self._weights["logits.weights"] + self._weights["logits.bias"]
        likely = np.exp(logits - logits.max(1, keepdims=True))
        likely /= likely.sum(1, keepdims=True)
        concepts = self._weights["concepts"]
        named = concepts @ _asked(query, concepts.shape[1])
        first = np.argpartition(-likely, LIKELIEST, axis=1)[:, :LIKELIEST]
        total = (np.take_along_axis(likely, first, 1) * named[first]).sum(1)
        return np.asarray(_CLASSES * CONCEPTS * total, np.float32)


def _asked(query: Vectors, dimension: int) -> Vectors:
    """Return a query without what meets the bias of pictures, at length 1."""
    asked = query[:dimension]
    return np.asarray(asked / max(float(np.linalg.norm(asked)), 1e-12), np.float32)


def _alike(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much each part, (n, channels), is like each, (n, n), with rows that sum to 1."""
    even = features - features.mean(0)
    even /= np.maximum(np.linalg.norm(even, axis=1, keepdims=True), 1e-12)
    likeness = np.maximum(even @ even.T, 0)
    rows = likeness.sum(1, keepdims=True)
    # A picture of one colour has parts that differ by nothing: each is then like itself.
    return np.asarray(np.where(rows > 0, likeness / np.maximum(rows, 1e-12), np.eye(len(rows))), np.float32)
