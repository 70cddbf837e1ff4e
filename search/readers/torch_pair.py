"""Readers and cross-encoders that can't be exported: transformers itself, slower and larger."""

from __future__ import annotations

import threading

from quarry.search.models.pair_cards import PairCard
from quarry.search.models.pair_export import graph_module, load
from quarry.search.readers.pairs import Logits
from quarry.search.readers.windows import Ids


class TorchPair:
    """What an exported graph would compute, in torch; importing it takes seconds."""

    def __init__(self, card: PairCard) -> None:
        self._module = graph_module(load(card))
        self._lock = threading.Lock()

    def __call__(self, ids: Ids) -> Logits:
        """Return the logits of one window, (1, n) ids -> (n, 2) of a reader or (1,) of a cross-encoder."""
        import torch

        with self._lock, torch.inference_mode():
            logits: Logits = self._module(torch.from_numpy(ids)).numpy()
        return logits
