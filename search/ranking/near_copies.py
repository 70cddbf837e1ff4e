"""Which passages are nearly the same: copies with a few words changed, added or left out.

Two passages are compared by their *shingles*, all runs of three words (Broder 1997, "On the resemblance and containment
of documents"): a copy shares at least `RESEMBLES` of those that either has. How many are shared is counted exactly, by
an index of the shingles of what was kept, and not guessed as MinHash or simhash do: there are few passages here.

Rows of a table and entries of a list resemble each other that much, too, and are no copies: they say the same *of
something else*. So two passages are not folded where one has a number or a name in the place of another one of the
other passage. Vectors can't tell that: two rows are nearer to each other than two editions of a text.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from quarry.search.language.texts import folded

RESEMBLES = 0.7
LEAST = 8  # words, below which passages are the same or they are not
_SHINGLE = 3
# Han and kana put no spaces between words.
_UNSPACED = r"\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORDS = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+(?:[.,:]\d+)*")
_COMMON = 50  # kept passages that have a shingle, from which on it tells nothing: a header, a form

_Shingles = frozenset[tuple[str, ...]]


def near_copies(texts: Iterable[tuple[int, str]]) -> dict[int, int]:
    """Return, by its id, the first of passages that one is nearly the same as, for those that have one before them.

    Args:
        texts: passages with their ids, best first. What comes later does not change what was found before.
    """
    found: dict[int, int] = {}
    kept: dict[int, tuple[list[str], _Shingles]] = {}
    holders: dict[tuple[str, ...], list[int]] = {}
    for id, text in texts:
        words = _WORDS.findall(text)
        if len(words) < LEAST:
            continue
        shingles = _shingles(words)
        shared = Counter(holder for shingle in shingles for holder in holders.get(shingle, ()))
        first = _first(words, shingles, shared, kept)
        if first is not None:
            found[id] = first
            continue
        kept[id] = words, shingles
        for shingle in shingles:
            having = holders.setdefault(shingle, [])
            if len(having) < _COMMON:
                having.append(id)
    return found


def _first(
    words: list[str], shingles: _Shingles, shared: Mapping[int, int], kept: Mapping[int, tuple[list[str], _Shingles]]
) -> int | None:
    """Return the first passage of those kept that one is nearly the same as."""
    for id, (others, own) in ((id, kept[id]) for id in kept if id in shared):
        if shared[id] >= RESEMBLES * len(shingles | own) and not _tells_of_another(others, words):
            return id
    return None


def _shingles(words: list[str]) -> _Shingles:
    plain = [folded(word) for word in words]
    return frozenset(zip(*(plain[start:] for start in range(_SHINGLE)), strict=False))


def _tells_of_another(one: list[str], other: list[str]) -> bool:
    """Whether a number or a name stands in one passage where another one stands in the other."""
    a, b = ([folded(word) for word in words] for words in (one, other))
    for kind, start, end, begin, stop in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "replace" and _has_name(one[start:end]) and _has_name(other[begin:stop]):
            return True
    return False


def _has_name(words: list[str]) -> bool:
    """Whether one of some words is a number, or is written as a name."""
    return any(word[0].isupper() or any(map(str.isdigit, word)) for word in words)
