"""Vectors of pictures whose classes were asked for first, until they are asked for themselves: one pass gives both."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

import numpy as np

from quarry.search.types import Pixels, Vectors

_MOST = 1_024  # pictures, 1.5 KB each


class Seen:
    """The vectors of the last pictures, by their pixels; each is given once."""

    def __init__(self) -> None:
        self._vectors: OrderedDict[bytes, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, pixels: Pixels, vector: Vectors) -> None:
        """Keep the (d,) vector of a picture."""
        with self._lock:
            self._vectors[_digest(pixels)] = vector
            while len(self._vectors) > _MOST:
                self._vectors.popitem(last=False)

    def take(self, pixels: Pixels) -> Vectors | None:
        """Return the (d,) vector of a picture, and keep it no longer; None where there is none."""
        if not self._vectors:
            return None
        digest = _digest(pixels)
        with self._lock:
            return self._vectors.pop(digest, None)


def _digest(pixels: Pixels) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16).digest()
