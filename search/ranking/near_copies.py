"""Which passages are nearly the same: copies with a few words changed, added or left out.

Two passages are compared by their *shingles*, all runs of three words (Broder 1997, "On the resemblance and containment
of documents"): a copy shares at least `RESEMBLES` of those that either has. How many are shared is counted exactly, by
an index of the shingles of what was kept, and not guessed as MinHash or simhash do: there are few passages here.

Rows of a table and entries of a list resemble each other that much, too, and are no copies: they say the same *of
something else*. So two passages are not folded where one has a number or a name in the place of another one of the
other passage, nor where one denies more often than the other. Korean has no capitals: there a word may be a name that
stands in the place of another one as long, or with the same particle, which does not begin like it. Vectors can't tell
that: two rows are nearer to each other than two editions of a text.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache

from quarry.search.language.texts import folded

RESEMBLES = 0.7
LEAST = 8  # words, below which passages are the same or they are not
_SHINGLE = 3
_DENIAL = re.compile(r"(?:not?|never|nor|neither|without|cannot|t|안|못)\Z|.*(?:않|없|아니)")  # don't is two words
_HANGUL = re.compile(r"[\uac00-\ud7a3]+")
_PARTICLES = "은는이가을를의에와과로도"
# Han and kana put no spaces between words.
_UNSPACED = r"\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORDS = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+(?:[.,:]\d+)*")
_COMMON = 50  # kept passages that have a shingle, from which on it leads to no further ones: a header, a form
_HELD = 1_024  # passages whose shingles are at hand, 10 kB each: who types a question finds much the same again

_Shingles = frozenset[int]  # by their hashes: Python keeps none of a tuple, and each is looked up often


def near_copies(texts: Iterable[tuple[int, str]]) -> dict[int, int]:
    """Return, by its id, the first of passages that one is nearly the same as, for those that have one before them.

    Two passages that share `RESEMBLES` of what either has share one of the first of each, in any order that is the same
    for both: one more than the other may lack (Chaudhuri et al. 2006, prefix filtering). Only those are looked up.

    Args:
        texts: passages with their ids, best first. What comes later does not change what was found before.
    """
    found: dict[int, int] = {}
    kept: list[tuple[int, str, _Shingles]] = []
    holders: dict[int, list[int]] = {}  # shingle -> places among those kept
    for id, text in texts:
        shingles = _shingles(text)
        if shingles is None:
            continue
        few = sorted(shingles)[: int((1 - RESEMBLES) * len(shingles)) + 1]
        places = sorted({place for shingle in few for place in holders.get(shingle, ())})
        first = next((kept[place][0] for place in places if _is_copy(text, shingles, *kept[place][1:])), None)
        if first is not None:
            found[id] = first
            continue
        for shingle in few:
            having = holders.setdefault(shingle, [])
            if len(having) < _COMMON:
                having.append(len(kept))
        kept.append((id, text, shingles))
    return found


def _is_copy(one: str, shingles: _Shingles, other: str, others: _Shingles) -> bool:
    if not RESEMBLES <= len(shingles) / len(others) <= 1 / RESEMBLES:  # which is told without counting
        return False
    shared = len(shingles & others)
    either = len(shingles) + len(others) - shared
    return shared >= RESEMBLES * either and not _tells_of_another(_WORDS.findall(other), _WORDS.findall(one))


@lru_cache(_HELD)
def _shingles(text: str) -> _Shingles | None:
    """Return the shingles of a passage, None where it has too few words."""
    words = _WORDS.findall(text)
    if len(words) < LEAST:
        return None
    plain = folded("\n".join(words)).split("\n")
    return frozenset(map(hash, zip(*(plain[start:] for start in range(_SHINGLE)), strict=False)))


def _tells_of_another(one: list[str], other: list[str]) -> bool:
    """Whether a number or a name stands in one passage where another one does in the other, or one denies."""
    a, b = ([folded(word) for word in words] for words in (one, other))
    if sum(map(_denies, a)) != sum(map(_denies, b)):
        return True
    for kind, start, end, begin, stop in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind != "replace":
            continue
        if _has_name(one[start:end]) and _has_name(other[begin:stop]):
            return True
        if any(map(_may_be_names, a[start:end], b[begin:stop])):
            return True
    return False


def _has_name(words: list[str]) -> bool:
    """Whether one of some words is a number, or is written as a name."""
    return any(word[0].isupper() or any(map(str.isdigit, word)) for word in words)


def _may_be_names(one: str, other: str) -> bool:
    """Whether two words of Hangul, of which one stands in the place of the other, may be names."""
    if one[0] == other[0] or not (_HANGUL.fullmatch(one) and _HANGUL.fullmatch(other)):
        return False
    return len(one) == len(other) or (one[-1] == other[-1] and one[-1] in _PARTICLES)


def _denies(word: str) -> bool:
    return _DENIAL.match(word) is not None
