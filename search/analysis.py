"""Turn text into the terms of the lexical index, and find again where a query's terms stand in a passage.

One analysis serves passages, queries and highlights:

- words are runs of Unicode letters, marks and digits, normalised (NFKC, casefolded) and stemmed by Snowball's English
  stemmer, which is light enough to leave other languages findable because both sides are stemmed alike;
- an accented word has its unaccented form as a second term, an identifier (`snake_case`, `CamelCase`) its parts, a
  dotted number (`3.14`, `192.168.0.1`) its groups, each beside the whole; thousands separators are dropped;
- scripts written without spaces, and Hangul, whose words carry their particles, become overlapping pairs of
  characters, so that a word of two characters is found wherever it stands; passages also have every single character
  for queries that are one.

English stop words are left out of queries only: a query of nothing else ("to be or not to be") keeps them, and still
finds its passage. A change of what `terms` returns must raise `VERSION`: an index built by another version is rebuilt.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

import Stemmer

VERSION = 1
MAX_TERM_CHARACTERS = 64

# Han, Hangul, kana with their marks, and the scripts of South-East Asia that put no spaces between words.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3041-\u3096\u3099-\u309a\u309d-\u309f"
    "\u30a1-\u30fa\u30fc-\u318e\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    "\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
# Marks that `\w` leaves out and without which words of Indic and Semitic scripts, and decomposed Latin, would break.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06ea-\u06ed\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963\u0981-\u0983"
    "\u09bc-\u09cd\u0a01-\u0a03\u0a3c-\u0a4d\u0a81-\u0a83\u0abc-\u0acd\u0b01-\u0b03\u0b3c-\u0b4d\u0b82\u0bbe-\u0bcd"
    "\u0c00-\u0c04\u0c3e-\u0c4d\u0c81-\u0c83\u0cbc-\u0ccd\u0d00-\u0d03\u0d3b-\u0d4d\u0d81-\u0d83\u0dca-\u0ddf"
)
_TOKEN = re.compile(
    rf"(?P<unspaced>[{_UNSPACED}]+)"
    r"|(?P<number>\d+(?:[.,]\d+)+)"
    rf"|(?:(?![{_UNSPACED}])[\w{_MARKS}])+(?:['’](?:s|t|re|ve|ll|d|m)\b)?",
    re.IGNORECASE,
)
_RUN = re.compile(rf"[{_UNSPACED}]+")
_PARTS = re.compile(r"_+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")

# The list of the Snowball project, without the words that also name things ("will", "can", "own", "second").
_STOPS = """
a about above after again against all am an and any are aren't as at be because been before being below between
both but by can't cannot could couldn't did didn't do does doesn't doing don't down during each few for from
further had hadn't has hasn't have haven't having he he'd he'll he's her here here's hers herself him himself his
how how's i i'd i'll i'm i've if in into is isn't it it's its itself let's me more most mustn't my myself no nor
not of off on once only or other ought our ours ourselves out over same shan't she she'd she'll she's should
shouldn't so some such than that that's the their theirs them themselves then there there's these they they'd
they'll they're they've this those through to too under until up very was wasn't we we'd we'll we're we've were
weren't what what's when when's where where's which while who who's whom why why's with won't would wouldn't you
you'd you'll you're you've your yours yourself yourselves
"""
STOP_WORDS = frozenset(_STOPS.split())

# Without its own cache a stemmer keeps no state between calls, so that threads can share it.
_STEMMER = Stemmer.Stemmer("english", 0)


def terms(text: str) -> list[str]:
    """List the terms of a passage in order, every form of every word, stop words and single characters included."""
    found: list[str] = []
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "unspaced":
            characters = _normal(match[0])
            found.extend(_pairs(characters))
            if len(characters) > 1:
                found.extend(characters)
        else:
            found.extend(_forms(match[0]))
    return found


def query_terms(text: str) -> list[str]:
    """List the terms to look for, in order, repeated where the query repeats them.

    Stop words are left out unless the query has nothing else. A word of one unspaced character stands for itself.
    """
    found: list[str] = []
    stops: list[str] = []
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "unspaced":
            found.extend(_pairs(_normal(match[0])))
        else:
            (stops if _is_stop(match[0]) else found).extend(_forms(match[0]))
    return found or stops


def spans(text: str, query: str) -> list[tuple[int, int]]:
    """Find the (start, end) spans of `text` that match a term of `query`, in order, apart from each other.

    Words match as a whole, whichever of their forms is meant; in unspaced scripts matching pairs that overlap are
    joined. Offsets are of the text as given, whatever its normal form.
    """
    words, pairs = _wanted(query)
    found: list[tuple[int, int]] = []
    if pairs and unicodedata.is_normalized("NFKC", text):
        found = _joined(sorted(place for pair in pairs for place in _occurrences(text, pair)))
    elif pairs:
        for run in _RUN.finditer(text):
            found.extend(_matching_pairs(run[0], run.start(), pairs))
    if words:
        for match in _TOKEN.finditer(text):
            if match.lastgroup != "unspaced" and not words.isdisjoint(_forms(match[0])):
                found.append(match.span())
        found.sort()
    return found


@lru_cache(maxsize=256)
def _wanted(query: str) -> tuple[frozenset[str], frozenset[str]]:
    """The words to mark, and the pairs or single characters of unspaced scripts."""
    terms = frozenset(query_terms(query))
    pairs = frozenset(term for term in terms if _RUN.fullmatch(term))
    return terms - pairs, pairs


def _occurrences(text: str, part: str) -> Iterator[tuple[int, int]]:
    start = text.find(part)
    while start >= 0:
        yield start, start + len(part)
        start = text.find(part, start + 1)


def _matching_pairs(run: str, offset: int, pairs: frozenset[str]) -> list[tuple[int, int]]:
    # A character may normalise to several, or several to one, so offsets go by the characters as written.
    pieces = [(_normal(cluster[0]), cluster.start()) for cluster in _CLUSTER.finditer(run)]
    characters = "".join(piece for piece, _ in pieces)
    starts = [offset + start for piece, start in pieces for _ in piece]
    starts.append(offset + len(run))
    places = [place for pair in pairs for place in _occurrences(characters, pair)]
    return _joined(sorted((starts[start], starts[end]) for start, end in places))


# A base character with what composes with it: combining kana marks, and the medial and final parts of a syllable.
_CLUSTER = re.compile(
    "[\u1100-\u115f\ua960-\ua97f][\u1160-\u11a7\ud7b0-\ud7c6]*[\u11a8-\u11ff\ud7cb-\ud7ff]*|.[\u3099\u309a\uff9e\uff9f]*",
    re.S,
)


def _joined(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in found:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _normal(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _pairs(characters: str) -> list[str]:
    if len(characters) == 1:
        return [characters]
    return [characters[i : i + 2] for i in range(len(characters) - 1)]


@lru_cache(maxsize=1 << 16)
def _is_stop(word: str) -> bool:
    return word.casefold().replace("’", "'") in STOP_WORDS


@lru_cache(maxsize=1 << 16)
def _forms(word: str) -> tuple[str, ...]:
    """Every term that one word stands for, the whole first, none twice."""
    if _THOUSANDS.fullmatch(word):
        word = word.replace(",", "")
    if word[0].isdigit() and not word.isalnum():
        numbers = _normal(word)
        return tuple(dict.fromkeys([numbers, *re.split("[.,]", numbers)]))
    written = [_normal(word)]
    parts = [part for part in _PARTS.split(written[0]) if part]
    if len(parts) > 1:
        written += parts
    elif parts:
        written = parts
    forms: dict[str, None] = {}
    for form in written:
        folded = form.casefold().replace("’", "'")
        forms[_stem(folded)] = None
        if not folded.isascii():
            forms[_stem(_unaccented(folded))] = None
    return tuple(form for form in forms if form)


def _stem(word: str) -> str:
    stem: str = _STEMMER.stemWord(word[:MAX_TERM_CHARACTERS])
    return stem


def _unaccented(word: str) -> str:
    # Only marks over Latin, Greek and Cyrillic letters: in other scripts they carry the vowels.
    decomposed = unicodedata.normalize("NFKD", word)
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if not "\u0300" <= c <= "\u036f"))
