"""Tokens: what a text encoder cuts texts into, by one contract, whatever cuts them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

WithOffsets = tuple[NDArray[np.int64], NDArray[np.int64]]


class Tokens(Protocol):
    """Cuts texts into tokens. Threads may share one.

    Attributes:
        added: how many tokens a text gets beside its own.
    """

    added: int

    def ids(self, text: str, room: int) -> NDArray[np.int64]:
        """Return the (n,) tokens of a text, of which `room` at most are its own, with those that are added."""
        ...

    def with_offsets(self, text: str, room: int) -> WithOffsets:
        """Return the (n,) tokens that `ids` does, and (n, 2) where they stand in the text; added ones nowhere."""
        ...

    def offsets(self, text: str) -> NDArray[np.int64]:
        """Return (n, 2) where a text's own tokens stand, of a text of any length."""
        ...


class LibraryTokens(Tokens):
    """Cuts by a tokenizer of the tokenizers library."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.added = tokenizer.num_special_tokens_to_add(False)

    def ids(self, text: str, room: int) -> NDArray[np.int64]:
        """Cut, and add what the tokenizer adds."""
        return np.asarray(self._encoded(text, room).ids, np.int64)

    def with_offsets(self, text: str, room: int) -> WithOffsets:
        """Cut, and add what the tokenizer adds."""
        encoding = self._encoded(text, room)
        return np.asarray(encoding.ids, np.int64), np.asarray(encoding.offsets, np.int64).reshape(-1, 2)

    def offsets(self, text: str) -> NDArray[np.int64]:
        """Cut, and add nothing."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return np.asarray(encoding.offsets, np.int64).reshape(-1, 2)

    def _encoded(self, text: str, room: int) -> Any:
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        encoding.truncate(room)
        return self._tokenizer.post_process(encoding)
