"""A table of word embeddings on the disk, of which a text reads the rows of its tokens: it is never loaded as a whole.

It is as large as four layers of pages of text, and a query needs a dozen rows. Nothing of it may be taken for good
unseen, either: beside it lies the hash of each stretch of rows, which is checked before a row of it is first used.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import ModelDamaged
from quarry.search.models.blocks import BLOCK, BLOCK_BYTES, unpacked
from quarry.search.models.prepared import AnyCard, Prepared, mend

WORDS, HASHES = "words.bin", "words.sha256"
STRETCH = 64  # rows


def hashes(rows: bytes, width: int) -> bytes:
    """Return the hashes of all stretches of a table whose rows have `width` values, one after the other."""
    size = STRETCH * row_bytes(width)
    return b"".join(hashlib.sha256(rows[start : start + size]).digest() for start in range(0, len(rows), size))


def row_bytes(width: int) -> int:
    """Return how many bytes a row of `width` values takes, in blocks of four bits."""
    return width // BLOCK * BLOCK_BYTES


class WordRows:
    """The table of a prepared model; threads may share one.

    Raises:
        ModelDamaged: a part of it is missing, or is not what was written.
    """

    def __init__(self, ready: Prepared[AnyCard], width: int) -> None:
        self._path, self._mend = ready.folder / WORDS, mend(ready.card)
        hashed = ready.checked(HASHES).read_bytes()
        self._hashes = [hashed[start : start + 32] for start in range(0, len(hashed), 32)]
        try:
            self._rows = np.memmap(self._path, np.uint8, "r").reshape(-1, row_bytes(width))
        except (OSError, ValueError) as error:
            raise ModelDamaged(f"{self._path} can't be read ({error}); {self._mend}.") from error
        if -(-len(self._rows) // STRETCH) != len(self._hashes):
            raise ModelDamaged(f"{self._path} is damaged: it has another length; {self._mend}.")
        self._sound: set[int] = set()

    def of(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the (n, width) embeddings of tokens."""
        for stretch in set((ids // STRETCH).tolist()) - self._sound:
            own = self._rows[stretch * STRETCH : (stretch + 1) * STRETCH]
            if hashlib.sha256(own.tobytes()).digest() != self._hashes[stretch]:
                raise ModelDamaged(f"{self._path} is damaged: a hash is not the one recorded; {self._mend}.")
            self._sound.add(stretch)
        rows = np.asarray(self._rows[ids])
        return unpacked(rows.reshape(len(ids), -1, BLOCK_BYTES))
