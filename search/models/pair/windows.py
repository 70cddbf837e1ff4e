"""Windows: a question and a passage as the token ids that a model takes, however long the passage is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import InvalidRequest
from quarry.search.models.text.tokens import Tokens
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

    Args:
        tokens: takes special tokens that stand in a text as plain characters: a passage that mentions [SEP] ends where
            it ends.
        max_tokens: longest window that the model takes.
    """

    def __init__(self, tokens: Tokens, max_tokens: int) -> None:
        self._tokens = tokens
        self._max_tokens = max_tokens
        self.before, self.between, self.after = tokens.frame

    def windows(self, question: str, passage: str) -> list[Window]:
        """Return the windows of a passage, from its start to its end; several are all of the same length.

        Raises:
            InvalidRequest: the question leaves no room for a passage.
        """
        words, _ = self._tokens.plain(encodable(question))
        taken = len(self.before) + len(words) + len(self.between) + len(self.after)
        room = min(self._max_tokens, max(LONGEST, taken + _OVERLAP)) - taken
        if room < _LEAST:
            raise InvalidRequest(
                f"the question is too long for the model: of its {self._max_tokens} tokens, "
                f"{max(room, 0)} are left for a passage. Ask in fewer words."
            )
        ids, offsets = self._tokens.plain(encodable(passage))
        head = np.asarray([*self.before, *words, *self.between], np.int64)
        tail = np.asarray(self.after, np.int64)
        last = max(0, len(ids) - room)
        made = []
        for start in (*range(0, last, room - min(_OVERLAP, room // 2)), last):
            part = ids[start : start + room]
            within = (len(head), len(head) + len(part))
            made.append(Window(np.concatenate([head, part, tail]), within, offsets[start : start + room]))
        return made
