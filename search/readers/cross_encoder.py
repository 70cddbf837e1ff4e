"""Cross-encoders on ONNX Runtime: query and passages -> how well each fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from quarry.search.readers.base import CrossEncoder
from quarry.search.readers.pairs import PairModel, load_pair


def load_cross_encoder(
    name: str,
    *,
    prepare: bool = False,
    progress: Callable[[str], None] | None = None,
    threads: int | None = None,
) -> CrossEncoder:
    """Load the cross-encoder called `name`, a folder of a sentence-transformers CrossEncoder or a hub name.

    Args and errors are those of `search.readers.reader.load_reader`.
    """
    return OnnxCrossEncoder(load_pair(name, "cross-encoder", prepare, progress), threads=threads)


class OnnxCrossEncoder(PairModel):
    """A prepared model as a `CrossEncoder`. One that can't be exported is run by torch; `notice` then says why."""

    def score(self, query: str, passages: Sequence[str]) -> NDArray[np.float32]:
        """Return (n,) logits, higher is better; a passage that is too long counts by the best of its windows.

        Raises:
            InvalidRequest: the query is longer than the model's input leaves room for.
            ModelError: the model gives no usable numbers.
        """
        windows = self.logits(query, passages)
        return np.asarray([max(float(logits[0]) for _, logits in part) for part in windows], np.float32)
