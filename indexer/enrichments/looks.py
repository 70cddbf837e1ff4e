"""What copies of a picture are told by: a perceptual hash, brightness and colours, whatever its size and quality.

The hash is that of imagehash and others (`phash`): the signs of the lowest frequencies of the picture's brightness.
That package asks for SciPy and PyWavelets, 60 MB, for what are two products of matrices here. Frequencies that a
picture hardly has count as zero: otherwise the noise of a JPEG would be all that the hash of a plain one says.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quarry.indexer.enrichments.base import Enrichment, Look, Result
from quarry.search.alike.sketches import IDENTITIES, written
from quarry.search.types import LOOK

_LOWEST = 8  # frequencies each way
_FAINT = 8.0  # levels of brightness, of which a frequency must have more
_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as JPEG has it


class Looks(Enrichment):
    """Keeps the sketch of each picture."""

    name = "looks"
    rendition = Look()

    identity = IDENTITIES["image"]

    def enrich(self, items: Sequence[bytes]) -> list[Result]:
        """Sketch pictures."""
        return [Result(sketch=written(_sketch(look))) for look in items]


def _sketch(look: bytes) -> bytes:
    pixels = np.frombuffer(look, np.uint8).reshape(LOOK, LOOK, 3).astype(np.float32)
    grey = pixels @ _GREY
    lowest = _COSINES @ grey @ _COSINES.T
    lowest[0, 0] = 0  # how bright it is as a whole, the colours tell
    bits = np.packbits(lowest.ravel() > _FAINT)
    colours = pixels.reshape(4, LOOK // 4, 4, LOOK // 4, 3).mean(axis=(1, 3))
    return b"".join(np.rint(levels).astype(np.uint8).tobytes() for levels in (bits, grey, colours))


def _cosines() -> NDArray[np.float32]:
    """Return the first rows of the orthonormal discrete cosine transform."""
    frequency, place = np.arange(_LOWEST)[:, None], np.arange(LOOK)[None, :]
    rows = np.cos(np.pi * frequency * (2 * place + 1) / (2 * LOOK)) * np.sqrt(2 / LOOK)
    rows[0] /= np.sqrt(2)
    return np.asarray(rows, np.float32)


_COSINES = _cosines()
