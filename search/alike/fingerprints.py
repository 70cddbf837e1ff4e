"""Fingerprints of a text: a few of its stretches, by which the same stretch is known in any other text.

They are hashes of its runs of 32 characters, and of these the one in 32 that is smallest (Manber 1994, "Finding similar
files in a large file system"): which are chosen does not depend on what stands around them. Case, white space and
punctuation do not count, so that a licence is the same however it is wrapped and set as a comment.
"""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from quarry.search.language.texts import folded

IDENTITY = "fingerprints 1"
STRETCH = 32  # characters, a power of two: common phrases are shorter
SAMPLED = 32  # one of so many is kept
_BASE = 0x100000001B3
_WORD = re.compile(r"\S{1,24}")
_BETWEEN = re.compile(r"[\W_]+")

Fingerprints = NDArray[np.uint32]


def fingerprints(text: str) -> Fingerprints:
    """Return the (n,) fingerprints of a text in their order, as often as each stands there."""
    return _sampled(_plain(text))[1]


def apart(text: str, known: Fingerprints) -> str:
    """Return what is left of a text without the stretches that have known fingerprints, ascending.

    A word belongs to the nearest fingerprint of the text that is kept, which is known or not; so does a part of what is
    written without spaces.
    """
    words = [(word.start(), word.end(), _plain(word[0])) for word in _WORD.finditer(text)]
    words = [word for word in words if word[2]]
    spaces = [int(follows[0] > word[1]) for word, follows in pairwise([*words, (len(text) + 1, 0, "")])]
    places, own = _sampled("".join(plain + " " * space for (_, _, plain), space in zip(words, spaces, strict=True)))
    if not len(places):
        return text
    lengths = np.array([len(plain) for _, _, plain in words])
    middles = np.cumsum(lengths + spaces) - spaces - lengths / 2
    centres = places + STRETCH / 2
    stays = ~np.isin(own, known)[np.searchsorted((centres[1:] + centres[:-1]) / 2, middles)]
    left: list[str] = []
    for number, ((start, end, _), stay) in enumerate(zip(words, stays.tolist(), strict=True)):
        if stay:
            left.append(text[start:end] + " " * spaces[number])
        elif left and not left[-1].endswith(" "):
            left.append(" ")
    return "".join(left).rstrip()


def _plain(text: str) -> str:
    return _BETWEEN.sub(" ", folded(text)).strip()


def _sampled(plain: str) -> tuple[NDArray[np.int64], Fingerprints]:
    """Return where the runs begin that are kept, ascending, and their hashes."""
    hashes = np.frombuffer(plain.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    if len(hashes) < STRETCH:
        return np.empty(0, np.int64), np.empty(0, np.uint32)
    length, base = 1, _BASE
    while length < STRETCH:  # the hash of twice as many characters, from that of both halves
        hashes = hashes[:-length] * np.uint64(base) + hashes[length:]
        length, base = 2 * length, base * base % (1 << 64)
    hashes ^= hashes >> np.uint64(29)
    hashes *= np.uint64(0xBF58476D1CE4E5B9)
    hashes ^= hashes >> np.uint64(32)
    own = hashes.astype(np.uint32)
    places = np.flatnonzero(own < (1 << 32) // SAMPLED)
    return places, own[places]
