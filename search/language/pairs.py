"""Pairs of neighbouring characters, by which texts are found that are written without spaces, and Hangul."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator

from quarry.search.language.letters import normal

# A base character with what composes with it: combining kana marks, and the medial and final parts of a syllable.
_CLUSTER = re.compile(
    "[\u1100-\u115f\ua960-\ua97f][\u1160-\u11a7\ud7b0-\ud7c6]*[\u11a8-\u11ff\ud7cb-\ud7ff]*|.[\u3099\u309a\uff9e\uff9f]*",
    re.S,
)


def pairs_of(characters: str) -> list[str]:
    """List the pairs of normal characters, each with the next; of a single one itself."""
    if len(characters) == 1:
        return [characters]
    return [characters[i : i + 2] for i in range(len(characters) - 1)]


def matched(text: str, pairs: Collection[str], light: Collection[str] = ()) -> list[tuple[int, int]]:
    """Find the (start, end) spans of a text in normal form where pairs stand, those that touch or overlap as one.

    Args:
        light: pairs that stand for something only beside the others.
    """
    heavy = sorted(place for pair in pairs for place in _occurrences(text, pair))
    if not light or not heavy:
        return _merged(heavy)
    starts = [start for start, _ in heavy]
    every = _merged(sorted([*heavy, *(place for pair in light for place in _occurrences(text, pair))]))
    return [(start, end) for start, end in every if bisect_left(starts, start) < bisect_left(starts, end)]


def matched_as_written(
    run: str, offset: int, pairs: Collection[str], light: Collection[str] = ()
) -> list[tuple[int, int]]:
    """Find what `matched` does in a run of any normal form that begins at `offset`; spans are of it as written."""
    # A character may normalise to several, or several to one, so offsets go by the characters as written.
    pieces = [(normal(cluster[0]), cluster.start()) for cluster in _CLUSTER.finditer(run)]
    characters = "".join(piece for piece, _ in pieces)
    starts = [offset + start for piece, start in pieces for _ in piece]
    starts.append(offset + len(run))
    return _merged([(starts[start], starts[end]) for start, end in matched(characters, pairs, light)])


def _occurrences(text: str, part: str) -> Iterator[tuple[int, int]]:
    start = text.find(part)
    while start >= 0:
        yield start, start + len(part)
        start = text.find(part, start + 1)


def _merged(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans, in order, that touch or overlap."""
    joined: list[tuple[int, int]] = []
    for start, end in found:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
