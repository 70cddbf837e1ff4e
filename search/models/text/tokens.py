"""Tokens: what models cut texts into, by one contract, whatever cuts them."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

WithOffsets = tuple[NDArray[np.int64], NDArray[np.int64]]
Frame = tuple[list[int], list[int], list[int]]


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

    def plain(self, text: str) -> WithOffsets:
        """Return the (n,) tokens that are a text's own, and (n, 2) where they stand, of a text of any length."""
        ...

    @property
    def frame(self) -> Frame:
        """The tokens that are put before, between and after the two texts of a pair."""
        ...


class LibraryTokens(Tokens):
    """Cuts by a tokenizer of the tokenizers library, which is changed."""

    def __init__(self, tokenizer: Any, *, literally: bool = False) -> None:
        self._tokenizer = tokenizer
        tokenizer.no_truncation()
        tokenizer.no_padding()
        if literally:
            tokenizer.encode_special_tokens = True
        self.added = tokenizer.num_special_tokens_to_add(False)

    def ids(self, text: str, room: int) -> NDArray[np.int64]:
        """Cut, and add what the tokenizer adds."""
        return np.asarray(self._encoded(text, room).ids, np.int64)

    def with_offsets(self, text: str, room: int) -> WithOffsets:
        """Cut, and add what the tokenizer adds."""
        encoding = self._encoded(text, room)
        return np.asarray(encoding.ids, np.int64), np.asarray(encoding.offsets, np.int64).reshape(-1, 2)

    def plain(self, text: str) -> WithOffsets:
        """Cut, and add nothing."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return np.asarray(encoding.ids, np.int64), np.asarray(encoding.offsets, np.int64).reshape(-1, 2)

    @cached_property
    def frame(self) -> Frame:
        """Look at what the tokenizer makes of a pair."""
        text = self._tokenizer.encode("a", add_special_tokens=False)
        pair = self._tokenizer.post_process(text, text)
        content = np.flatnonzero(np.asarray(pair.special_tokens_mask) == 0).tolist()
        half = len(content) // 2
        edges = content[0], content[half - 1] + 1, content[half], content[-1] + 1
        return pair.ids[: edges[0]], pair.ids[edges[1] : edges[2]], pair.ids[edges[3] :]

    def _encoded(self, text: str, room: int) -> Any:
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        encoding.truncate(room)
        return self._tokenizer.post_process(encoding)
