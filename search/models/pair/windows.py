"""Windows: a question and a passage as the token ids that a model takes, however long the passage is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import InvalidRequest
from quarry.search.models.tokenizing import encodable

LONGEST = 384  # tokens of a window: the time for attention grows with their square
_OVERLAP = 128  # tokens that neighbours share, so that an answer at the edge of one stands well within the other
_LEAST = 32  # tokens of a passage that a window must have room for

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Window:
    """A question with a passage, or with a part of it.

    Args:
        ids: (n,) what the model takes.
        passage: the positions in `ids` that are the passage's, end-exclusive.
        offsets: (stop - first, 2) characters of the passage that these stand for.
    """

    ids: Ids
    passage: tuple[int, int]
    offsets: Ids


class PairTokenizer:
    """Cuts pairs into windows; threads may share it.

    Special tokens that stand in a text are taken as plain characters: a passage that mentions [SEP] ends where it ends.

    Args:
        tokenizer: of the tokenizers library. It is changed.
        max_tokens: longest window that the model takes.
    """

    def __init__(self, tokenizer: Any, max_tokens: int) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self.before, self.between, self.after = _frame(tokenizer)

    def windows(self, question: str, passage: str) -> list[Window]:
        """Return the windows of a passage, from its start to its end; several are all of the same length.

        Raises:
            InvalidRequest: the question leaves no room for a passage.
        """
        words = self._encoded(question).ids
        taken = len(self.before) + len(words) + len(self.between) + len(self.after)
        room = min(self._max_tokens, max(LONGEST, taken + _OVERLAP)) - taken
        if room < _LEAST:
            raise InvalidRequest(
                f"the question is too long for the model: of its {self._max_tokens} tokens, "
                f"{max(room, 0)} are left for a passage. Ask in fewer words."
            )
        encoding = self._encoded(passage)
        ids, offsets = np.asarray(encoding.ids, np.int64), np.asarray(encoding.offsets, np.int64).reshape(-1, 2)
        head = np.asarray([*self.before, *words, *self.between], np.int64)
        tail = np.asarray(self.after, np.int64)
        last = max(0, len(ids) - room)
        made = []
        for start in (*range(0, last, room - min(_OVERLAP, room // 2)), last):
            part = ids[start : start + room]
            within = (len(head), len(head) + len(part))
            made.append(Window(np.concatenate([head, part, tail]), within, offsets[start : start + room]))
        return made

    def _encoded(self, text: str) -> Any:
        return self._tokenizer.encode(encodable(text), add_special_tokens=False)


def _frame(tokenizer: Any) -> tuple[list[int], list[int], list[int]]:
    """Return the special tokens before, between and after the two texts of a pair."""
    text = tokenizer.encode("a", add_special_tokens=False)
    pair = tokenizer.post_process(text, text)
    content = np.flatnonzero(np.asarray(pair.special_tokens_mask) == 0).tolist()
    half = len(content) // 2
    edges = content[0], content[half - 1] + 1, content[half], content[-1] + 1
    return pair.ids[: edges[0]], pair.ids[edges[1] : edges[2]], pair.ids[edges[3] :]
