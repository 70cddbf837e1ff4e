"""Cuts texts into the pieces of a unigram vocabulary (Kudo 2018), as SentencePiece does, from arrays that load at once.

A vocabulary of 250,000 pieces takes the tokenizers library half a second and 300 MB to open. Here it is a trie of
letters in four arrays, the children of a node side by side and in order: 6 MB that are read as they are. A text is
normalized letter by letter, and each of its words cut into the pieces with the highest sum of scores.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.models.text.tokens import Frame, Tokens, WithOffsets

SPACE = "\u2581"  # what stands before each word
_NONE = -1  # of a node where no piece ends
_UNKNOWN_BY = 10.0  # how much less than the worst piece a letter scores that is in none
_KEPT = 65_536  # words whose pieces are remembered
_LONGEST = 32  # letters of those

Cut = tuple[int, int, int]  # its number, and from where to where in the word


def packed(
    pieces: Sequence[str], scores: NDArray[np.float32], changes: Mapping[str, str], special: Sequence[int]
) -> bytes:
    """Return a vocabulary as `UnigramPieces` reads it, the same bytes each time.

    Args:
        pieces, scores: by their numbers.
        changes: what stands for a letter.
        special: the numbers of pieces that no text is cut into: those that a text is put between, that of letters which
            are in none, and others.
    """
    from safetensors.numpy import save

    numbers = np.setdiff1d(np.arange(len(pieces)), special)
    lengths = np.array([len(pieces[number]) for number in numbers], np.int32)
    letters = np.zeros((len(numbers), int(lengths.max())), np.int64)
    for row, number in enumerate(numbers):
        letters[row, : lengths[row]] = [ord(letter) for letter in pieces[number]]
    # Level by level: nodes are numbered in the order of their parents, and of their letters.
    nodes = np.zeros(len(numbers), np.int64)
    parents, signs, ends, made = [], [], [np.array([_NONE])], 0
    for depth in range(letters.shape[1]):
        longer = np.flatnonzero(lengths > depth)
        found, own = np.unique(nodes[longer] << 21 | letters[longer, depth], return_inverse=True)
        nodes[longer] = own + made + 1
        made += len(found)
        parents.append(found >> 21)
        signs.append(found & 0x1FFFFF)
        here = np.full(len(found), _NONE)
        over = longer[lengths[longer] == depth + 1]
        here[nodes[over] - (made - len(found)) - 1] = numbers[over]
        ends.append(here)
    first = np.searchsorted(np.concatenate(parents), np.arange(made + 2))
    stand_for = [changes[letter] for letter in sorted(changes)]
    return save(
        {
            "first": first.astype(np.uint32),
            "letters": np.concatenate(signs).astype(np.uint32),
            "pieces": np.concatenate(ends).astype(np.int32),
            "scores": np.ascontiguousarray(scores, np.float32),
            "special": np.array(special, np.uint32),
            "changed": np.array([ord(letter) for letter in sorted(changes)], np.uint32),
            "lengths": np.array([len(text) for text in stand_for], np.uint32),
            "changes": np.frombuffer("".join(stand_for).encode("utf-32-le"), np.uint32),
        }
    )


class UnigramPieces(Tokens):
    """A vocabulary that was `packed`; threads may share one. Of several unknown letters in a row one token is made."""

    added = 2

    def __init__(self, path: Path) -> None:
        from safetensors.numpy import load_file

        arrays: dict[str, Any] = load_file(path)
        # Views give plain numbers, several times as fast as arrays do.
        self._first, self._letters = memoryview(arrays["first"]), memoryview(arrays["letters"])
        self._pieces, self._scores = memoryview(arrays["pieces"]), memoryview(arrays["scores"])
        self._unknown_score = float(arrays["scores"].min()) - _UNKNOWN_BY
        self._begin, self._end, self._unknown = arrays["special"][:3].tolist()
        stand_for, at = arrays["changes"].tobytes().decode("utf-32-le"), 0
        self._changes: dict[int, str] = {}
        for letter, length in zip(arrays["changed"].tolist(), arrays["lengths"].tolist(), strict=True):
            self._changes[letter] = stand_for[at : at + length]
            at += length
        self._remembered = lru_cache(_KEPT)(self._cut)

    def ids(self, text: str, room: int) -> NDArray[np.int64]:
        """Return the (n,) tokens of a text, of which `room` at most are its own, between those that are added."""
        found: list[int] = []
        for word in self._normalized(text).split():
            found += [number for number, _, _ in self._of(word)]
            if len(found) >= room:
                break
        return np.array([self._begin, *found[:room], self._end], np.int64)

    def with_offsets(self, text: str, room: int) -> WithOffsets:
        """Return the (n,) tokens that `ids` does, and (n, 2) where they stand in the text."""
        numbers, places = self.plain(text)
        nowhere = np.zeros((1, 2), np.int64)
        ends = np.array([self._begin]), np.array([self._end])
        return np.concatenate([ends[0], numbers[:room], ends[1]]), np.concatenate([nowhere, places[:room], nowhere])

    def plain(self, text: str) -> WithOffsets:
        """Return the (n,) tokens of a text of any length, and (n, 2) where they stand in it."""
        cut = np.array(list(self._placed(text)), np.int64).reshape(-1, 3)
        return cut[:, 0], cut[:, 1:]

    @property
    def frame(self) -> Frame:
        """Return the tokens around a pair, as the reader was trained on them."""
        return [self._begin], [self._end], [self._end]

    def _placed(self, text: str) -> Iterator[Cut]:
        """Yield the pieces of a text with their places in it; the sign before a word takes none."""
        letters, starts, ends = self._aligned(text)
        at = 0
        for word in letters.split():
            at = letters.index(word, at)
            for number, start, end in self._of(word):
                low, high = at + max(start - 1, 0), at + max(end - 1, 0)
                yield number, starts[low], ends[high - 1] if high > low else starts[low]
            at += len(word)

    def _of(self, word: str) -> tuple[Cut, ...]:
        return self._remembered(word) if len(word) <= _LONGEST else self._cut(word)

    def _cut(self, word: str) -> tuple[Cut, ...]:
        """Return the best pieces of a word, by the letters of it and of the sign before it."""
        codes = [ord(SPACE), *map(ord, word)]
        first, letters, pieces, scores = self._first, self._letters, self._pieces, self._scores
        length = len(codes)
        best = [0.0, *([-np.inf] * length)]
        by, since = [self._unknown] * (length + 1), [0] * (length + 1)
        for start in range(length):
            so_far, node = best[start], 0
            for end in range(start, length):
                code, last = codes[end], first[node + 1]
                child = bisect_left(letters, code, first[node], last)
                if child == last or letters[child] != code:
                    break
                node = child + 1
                if (number := pieces[node]) != _NONE and (score := so_far + scores[number]) > best[end + 1]:
                    best[end + 1], by[end + 1], since[end + 1] = score, number, start
            if (score := so_far + self._unknown_score) > best[start + 1]:
                best[start + 1], by[start + 1], since[start + 1] = score, self._unknown, start
        found: list[Cut] = []
        end = length
        while end:
            start = since[end]
            if by[end] == self._unknown and found and found[-1][0] == self._unknown:
                found[-1] = (self._unknown, start, found[-1][2])
            else:
                found.append((by[end], start, end))
            end = start
        return tuple(reversed(found))

    def _normalized(self, text: str) -> str:
        if not unicodedata.is_normalized("NFC", text):  # the map knows no letter together with its accents
            return self._aligned(text)[0]
        return text.translate(self._changes)

    def _aligned(self, text: str) -> tuple[str, list[int], list[int]]:
        """Return a text as it is cut, and for each letter from where to where that stands in the text."""
        made: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        for start, end in _clusters(text):
            letters = unicodedata.normalize("NFC", text[start:end]).translate(self._changes)
            made.append(letters)
            starts += [start] * len(letters)
            ends += [end] * len(letters)
        return "".join(made), starts, ends


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Yield where letters stand, each with the marks and vowels that are put together with it."""
    if unicodedata.is_normalized("NFC", text):
        yield from zip(range(len(text)), range(1, len(text) + 1), strict=True)
        return
    start = 0
    for at in range(1, len(text)):
        letter = text[at]
        if letter < "\u0300" or not ("\u1160" <= letter <= "\u11ff" or unicodedata.category(letter)[0] == "M"):
            yield start, at
            start = at
    if text:
        yield start, len(text)
