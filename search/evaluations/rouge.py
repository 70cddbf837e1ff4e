"""How much of a reference a summary says: ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004), as F1.

Words are counted as the package rouge-score counts them: lowercased runs of letters and digits. Beyond it, letters with
accents belong to their words, and scripts written without spaces are compared by characters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from quarry.search.evaluations.squad import units

ROUGE_METRICS = ("rouge1", "rouge2", "rougeL")
_WORD = re.compile(r"[^\W_]+")


def rouge(summary: str, references: Sequence[str], *, stem: bool = False) -> dict[str, float]:
    """Return the F1 of each metric, 0..1; of several references the best one counts, for each metric by itself.

    Args:
        stem: compare Porter's stems of words of more than three letters.
    """
    given = rouge_words(summary, stem=stem)
    values = [_f1s(given, rouge_words(reference, stem=stem)) for reference in references]
    return {name: max((value[i] for value in values), default=0.0) for i, name in enumerate(ROUGE_METRICS)}


def rouge_words(text: str, *, stem: bool = False) -> list[str]:
    """List the words, in order, that summaries are compared by."""
    words = [unit for word in _WORD.findall(text.lower()) for unit in units(word)]
    return [_porter().stemWord(word) if len(word) > 3 else word for word in words] if stem else words


def _f1s(given: list[str], expected: list[str]) -> tuple[float, float, float]:
    pairs = list(pairwise(given)), list(pairwise(expected))
    return (
        _f1((Counter(given) & Counter(expected)).total(), len(given), len(expected)),
        _f1((Counter(pairs[0]) & Counter(pairs[1])).total(), len(pairs[0]), len(pairs[1])),
        _f1(_common_subsequence(given, expected), len(given), len(expected)),
    )


def _f1(common: int, given: int, expected: int) -> float:
    return 2 * common / (given + expected) if common else 0.0


def _common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest common subsequence: a row of the table is the bits of one integer.

    Hyyrö 2004, "Bit-parallel LCS-length computation revisited".
    """
    places: dict[str, int] = {}
    for i, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << i
    full = (1 << len(first)) - 1
    row = full
    for word in second:
        matches = row & places.get(word, 0)
        row = ((row + matches) | (row - matches)) & full
    return len(first) - row.bit_count()


@cache
def _porter() -> Any:
    import Stemmer

    return Stemmer.Stemmer("porter", 0)  # without a cache it keeps no state, so that threads can share it
