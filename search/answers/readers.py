"""Readers: which one reads what, and what their scores mean beside each other.

The default reader reads what is in its own script and language, and the multilingual one all else: a question in
another one, whatever it is asked about, and passages in one. Their scores are logits of two models. Those of the second
are brought to the scale of the first, on which all that weighs spans was fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from quarry.search.language.across import is_not_english
from quarry.search.language.scripts import is_foreign
from quarry.search.models.contracts import Reader
from quarry.search.models.names import MULTILINGUAL_READER
from quarry.search.types import Reading


@dataclass(frozen=True, slots=True)
class ReaderScale:
    """What a reader's score is on the scale of the default one.

    Args:
        factor, shift: what it is multiplied by, and what is added.
    """

    factor: float = 1.0
    shift: float = 0.0


# Fitted on Korean questions that nothing was trained on (`python -m benchmarks.readers --fit`).
SCALES: Mapping[str, ReaderScale] = {MULTILINGUAL_READER: ReaderScale(factor=0.818, shift=2.315)}


class ScaledReader:
    """A reader whose scores are on the scale of the default one; see `Reader`."""

    def __init__(self, reader: Reader, scale: ReaderScale) -> None:
        self.card = reader.card
        self._reader, self._scale = reader, scale

    def read(self, question: str, passages: Sequence[str], count: int = 1) -> list[list[Reading]]:
        """Read, and scale."""
        scale = self._scale
        return [
            [replace(one, score=scale.factor * one.score + scale.shift) for one in found]
            for found in self._reader.read(question, passages, count)
        ]


class ReaderByScript:
    """A reader of English, and another for questions and passages in other scripts and languages; see `Reader`.

    Args:
        reader: reads what it knows.
        scripts: that the other one knows.
        other: returns it; called when it is first needed.
    """

    def __init__(self, reader: Reader, scripts: Sequence[str], other: Callable[[], Reader]) -> None:
        self.card = replace(reader.card, scripts=tuple(sorted({*reader.card.scripts, *scripts})))
        self._reader, self._other = reader, other

    def read(self, question: str, passages: Sequence[str], count: int = 1) -> list[list[Reading]]:
        """Read each passage by the one of both that knows it and the question."""
        foreign = [self._is_foreign(question, passage) for passage in passages]
        found: list[list[Reading]] = [[] for _ in passages]
        for is_other in set(foreign):
            places = [place for place, one in enumerate(foreign) if one == is_other]
            reader = self._other() if is_other else self._reader
            read = reader.read(question, [passages[place] for place in places], count)
            for place, readings in zip(places, read, strict=True):
                found[place] = readings
        return found

    def _is_foreign(self, question: str, passage: str) -> bool:
        return any(is_foreign(self._reader.card, text) or is_not_english(text) for text in (question, passage))
