"""Turn text into the terms of the lexical index, and find again where a query's terms stand in a passage.

One analysis serves passages, queries and highlights:

- words are runs of Unicode letters, marks and digits, normalised (NFKC, casefolded, without what is invisible) and
  stemmed by Snowball's English stemmer, which is light enough to leave other languages findable because both sides are
  stemmed alike;
- every spelling of a word is a term of its own: the word as written, what `letters` makes of its letters, the parts of
  an identifier (`snake_case`, `CamelCase`, `10kg`) beside the whole;
- words that a hyphen, a dot, a slash or the like joins are parts and one whole: `Wi-Fi` is wi, fi and wifi, `HER-102`
  is her, 102 and her102, a telephone number its groups and all its digits. Between digits the mark is kept (`3.14`,
  `192.168.0.1`, `10-20`), but for thousands separators and in numbers of `WHOLE_DIGITS` or more, which are written
  with one mark or another;
- symbols that make a name are part of it (`C++`, `C#`, `A*`, `.NET`), and emoji are words;
- scripts written without spaces, and Hangul, whose words carry their particles, become overlapping pairs of
  characters, so that a word of two characters is found wherever it stands; passages also have every single character
  for queries that are one.

Stop words, English ones and those of the language that a query is told to be in, and Korean words that only ask are
left out of queries only: a query of nothing else ("to be or not to be") keeps them, and still finds its passage.
Particles and endings of Korean words count for less. A change of what `terms` returns must raise `VERSION`: an
index built by another version is rebuilt.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise
from typing import NamedTuple

import Stemmer

from quarry.search.language import korean
from quarry.search.language.function_words import STOP_WORDS, function_words
from quarry.search.language.letters import INVISIBLE, NON_JOINER, folded, normal
from quarry.search.language.pairs import matched, matched_as_written, pairs_of
from quarry.search.language.tokens import GOES_ON, ONE, RUN, TOKEN, TONES

VERSION = 2
MAX_TERM_CHARACTERS = 64
MAX_JOINED_WORDS = 16  # of a query, beyond which neighbours are not looked for as one word: it has enough to go by
MAX_VALUE_WORDS = 8
WHOLE_DIGITS = 7
MAX_PARTS = 4


class Spelling(NamedTuple):
    """One way in which a word of a query may stand in a passage: by any of these terms, or only by all of them."""

    terms: tuple[str, ...]
    together: bool = False


Word = tuple[Spelling, ...]


@dataclass(frozen=True, slots=True)
class AnalyzedQuery:
    """What a query comes to.

    Args:
        words: its words.
        joined: its neighbouring words written as one.
        value: the term of a field that is it.
        light: words that are but particles or endings of Korean ones.
    """

    words: tuple[Word, ...]
    joined: tuple[str, ...]
    value: str
    light: frozenset[Word] = frozenset()


_PHONE = re.compile(r"[+(0][-+()/ \d\u00a0\u202f]{6,}")
_HIDDEN = re.compile(f"[{INVISIBLE}]")
_CASES = re.compile(r"_+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_DIGITS_END = re.compile(r"(?<=\d)(?=[^\W\d_])|(?<=[^\W\d_])(?=\d)")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th|s)", re.IGNORECASE)
_MEASURE = re.compile(r"(\d+)([^\W\d_]+)")
_NAME = re.compile(r"(?P<name>.*?\w)(?P<symbol>[+#*]+)(?P<version>\d*)")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_MARKS_ALIKE = str.maketrans({"‐": "-", "‑": "-", "⁄": "/", "’": "'", "♯": "#", "\u00a0": " ", "\u202f": " "})
_ELISIONS = frozenset(["c", "d", "j", "l", "m", "n", "s", "t", "qu"])
_ARABIC = re.compile("[\u0600-\u06ff]")

# Without its own cache a stemmer keeps no state between calls, so that threads can share it.
_STEMMER = Stemmer.Stemmer("english", 0)


def terms(text: str) -> list[str]:
    """List the terms of a passage in order, every form of every word, stop words and single characters included."""
    found: list[str] = []
    begun: list[str] = []
    # Most of what stands between spaces was met before, so that it need not be taken apart again.
    for piece in text.split(" "):
        known = _known(piece) if len(piece) <= MAX_TERM_CHARACTERS else _complete(piece)
        if known is None:
            begun.append(piece)
        elif begun:
            found.extend(_terms(" ".join([*begun, piece])))
            begun.clear()
        else:
            found.extend(known)
    return [*found, *_terms(" ".join(begun))]


def query_terms(text: str) -> list[str]:
    """List the terms to look for, in order, repeated where the query repeats them.

    Stop words are left out unless the query has nothing else. A word of one unspaced character stands for itself.
    """
    return [term for word in query_words(text) for spelling in word for term in spelling.terms]


def query_words(text: str) -> list[Word]:
    """List the words to look for, each as the spellings that it may stand in; `query_terms` has all their terms."""
    return _words(TOKEN.finditer(text), function_words(text))


def written(text: str) -> dict[Word, str]:
    """Return how the words of a query are written in it."""
    return {
        word: match[0] for match in TOKEN.finditer(text) if match.lastgroup != "unspaced" for word in _words([match])
    }


@lru_cache(maxsize=256)
def asked(text: str) -> AnalyzedQuery:
    """Tell all that a query asks for, which is looked at more than once."""
    tokens = list(TOKEN.finditer(text))
    words = tuple(_words(tokens, function_words(text)))
    value = _value(match[0] for match in tokens)
    endings = korean.endings(normal(match[0]) for match in tokens if match.lastgroup == "unspaced")
    light = frozenset(map(_alone, endings)).intersection(words)
    return AnalyzedQuery(words, tuple(_joined_words(text, tokens)), value, light)


def value_term(text: str) -> str:
    """Return the term that stands for a short text as a whole, whatever its accents; "" for one that is not short.

    No word has it: it begins with "=".
    """
    return _value(match[0] for match in TOKEN.finditer(text))


def joined_terms(text: str) -> list[str]:
    """List the terms of a query's neighbouring words written as one: `data base` may stand as `database`."""
    return list(asked(text).joined)


def spans(text: str, query: str) -> list[tuple[int, int]]:
    """Find the (start, end) spans of `text` that match a term of `query`, in order, apart from each other.

    Words match as a whole, whichever of their forms is meant, but for what a hyphen or the like joins, of which a part
    may be meant; in unspaced scripts matching pairs that overlap are joined, and a Korean ending matches where what it
    ends does. Offsets are of the text as given, whatever
    its normal form.
    """
    words, pairs, light = _wanted(query)
    found: list[tuple[int, int]] = []
    if pairs and unicodedata.is_normalized("NFKC", text) and not _HIDDEN.search(text):
        found = matched(text, pairs, light)
    elif pairs:
        for run in RUN.finditer(text):
            found.extend(matched_as_written(run[0], run.start(), pairs, light))
    if words:
        for match in TOKEN.finditer(text):
            if match.lastgroup != "unspaced" and not words.isdisjoint(_forms(match[0])):
                found.extend((match.start() + start, match.start() + end) for start, end in _places(match[0], words))
        found.sort()
    return found


def _terms(text: str) -> list[str]:
    found: list[str] = []
    for match in TOKEN.finditer(text):
        if match.lastgroup == "unspaced":
            characters = normal(match[0])
            found.extend(pairs_of(characters))
            if len(characters) > 1:
                found.extend(characters)
        else:
            found.extend(_forms(match[0]))
    return found


def _complete(piece: str) -> tuple[str, ...] | None:
    """The terms of what stands between two spaces, None where it may go on after the second."""
    return None if GOES_ON.search(piece) else tuple(_terms(piece))


_known = lru_cache(maxsize=1 << 15)(_complete)


def _words(tokens: Iterable[re.Match[str]], others: frozenset[str] = frozenset()) -> list[Word]:
    """List words but for stop words, English ones and `others`; these where there is nothing else."""
    found: list[Word] = []
    stops: list[Word] = []
    for match in tokens:
        if match.lastgroup == "unspaced":
            characters = normal(match[0])
            (stops if korean.only_asks(characters) else found).extend(map(_alone, pairs_of(characters)))
        elif _is_stop(match[0]) or match[0].casefold() in others:
            stops.append(tuple(Spelling((form,)) for form in _forms(match[0])))
        else:
            found.append(_asked(match[0]))
    return found or stops


def _alone(term: str) -> Word:
    return (Spelling((term,)),)


def _joined_words(text: str, tokens: Iterable[re.Match[str]]) -> list[str]:
    words = [match for match in tokens if match.lastgroup != "unspaced" and match[0].isalnum()]
    if len(words) > MAX_JOINED_WORDS:
        return []
    places = [(match[0], *match.span(), _is_stop(match[0])) for match in words]
    return [
        form
        for (one, _, end, stop), (other, start, _, stops) in pairwise(places)
        if not stop and not stops and text[end:start] == " "
        for form in _stems([one + other])
    ]


def _value(tokens: Iterable[str]) -> str:
    few = list(islice(tokens, MAX_VALUE_WORDS + 1))
    return "=" + "_".join(map(_of_value, few)) if 0 < len(few) <= MAX_VALUE_WORDS else ""


@lru_cache(maxsize=1 << 12)
def _of_value(token: str) -> str:
    return stem(token.casefold()) if _is_plain(token) else _stems(_whole(token) or [normal(token)])[:2][-1]


@lru_cache(maxsize=256)
def _wanted(query: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """The words to mark, the pairs or single characters of unspaced scripts, and those that are but endings."""
    terms = frozenset(query_terms(query))
    pairs = frozenset(term for term in terms if RUN.fullmatch(term))
    light = frozenset(word[0].terms[0] for word in asked(query).light)
    return (terms - pairs).union(joined_terms(query)), pairs - light, light


def _places(token: str, words: frozenset[str]) -> list[tuple[int, int]]:
    """Where a token that matches does so: as a whole, or in some of the words that it joins."""
    pieces = list(ONE.finditer(token))
    if len(pieces) < 2 or not words.isdisjoint(_stems(_whole(token))):
        return [(0, len(token))]
    return [piece.span() for piece in pieces if not words.isdisjoint(_forms(piece[0]))] or [(0, len(token))]


@lru_cache(maxsize=1 << 16)
def _is_stop(word: str) -> bool:
    return word.casefold().replace("’", "'") in STOP_WORDS


@lru_cache(maxsize=1 << 16)
def _forms(token: str) -> tuple[str, ...]:
    """Every term that a token stands for, the whole first, none twice."""
    if _is_plain(token):
        return _stems([token])
    return _stems([*_whole(token), *(word for part in _parts(token) for word in part)])


@lru_cache(maxsize=1 << 12)
def _asked(token: str) -> Word:
    """The spellings of a token of a query: each form as a whole, then all its parts but for stop words."""
    if _is_plain(token):
        return (Spelling(_stems([token])),)
    whole, parts = _whole(token), _parts(token, of_digits=False)
    digits: list[str] = []
    if not whole and len(parts) == 1:
        digits = [part for part in _parts(token)[0] if part not in parts[0]]
        if len(digits) != 2 or (len(digits[0]) == 1 and not digits[0].isdecimal()):  # letters of H2O tell nothing
            digits = []
        whole, parts = parts[0][:1], [parts[0][1:]]
    wholes = _stems(whole)
    rest = _stems(word for part in parts if part and not _is_stop(part[0]) for word in part)
    apart = tuple(term for term in rest if term not in wholes)
    spellings = [Spelling((term,)) for term in wholes]
    if apart:
        spellings.append(Spelling(apart))
    if digits:  # the number or the unit of "10kg" alone is something else
        spellings.append(Spelling(_stems(digits), together=True))
    return tuple(spellings)


def _is_plain(token: str) -> bool:
    """Whether a token is a word of ASCII letters that no change of case parts."""
    return token.isascii() and token.isalpha() and (token[1:].islower() or token.isupper() or token.islower())


def _whole(token: str) -> list[str]:
    """The spellings of a token as one word."""
    if _PHONE.fullmatch(token):
        digits = re.sub(r"\D", "", token.replace("(0)", "") if token[0] == "+" else token).removeprefix("00")
        return [digits] if WHOLE_DIGITS <= len(digits) <= 15 else []
    text = normal(token).translate(_MARKS_ALIKE)
    pieces = list(ONE.finditer(text))
    if len(pieces) < 2:
        return [text] if text[0] == "." or not pieces or NON_JOINER in token else []
    if _THOUSANDS.fullmatch(text):
        return [text.replace(",", "")]
    if text[pieces[0].end()] == "'" and pieces[0][0].casefold() in _ELISIONS:
        return _whole(text[pieces[1].start() :]) or [pieces[1][0]]
    kept = ".,:" if sum(map(str.isdigit, text)) >= WHOLE_DIGITS else ".,:-/"
    whole = pieces[0][0]
    for one, other in pairwise(pieces):
        mark = text[one.end() : other.start()]
        between_digits = one[0][-1].isdigit() and other[0][0].isdigit() and mark in kept
        whole += (mark if between_digits else "") + other[0]
    return [whole]


def _parts(token: str, *, of_digits: bool = True) -> list[list[str]]:
    """The spellings of each of the words that a token joins, as a whole first, then what it is made of."""
    text = token.replace(NON_JOINER, " ") if NON_JOINER in token and _ARABIC.search(token) else token
    pieces = [piece.translate(_MARKS_ALIKE) for piece in ONE.findall(normal(text))]
    if not pieces:
        return [[re.sub(TONES, "", picture)] for picture in token.split("\u200d")]
    return [_spellings(piece, of_digits=of_digits and len(pieces) < 4) for piece in pieces]


def _spellings(word: str, *, of_digits: bool) -> list[str]:
    name = _NAME.fullmatch(word)
    if name is not None:
        symbol, version = name["symbol"], [name["name"] + name["symbol"], name["version"]] if name["version"] else []
        only = len(name["name"]) == 1 and symbol in ("++", "#")  # C++ is no C
        return [word, *version, *([] if only else _spellings(name["name"], of_digits=of_digits))]
    if ordinal := _ORDINAL.fullmatch(word):
        return [word, ordinal[1]]
    word = word.strip("_") or word
    if measure := _MEASURE.fullmatch(word):  # kW and MHz are no two words
        return [word, *measure.groups()] if of_digits else [word]
    parts = [part for part in _CASES.split(word) if part]
    if of_digits:
        apart = [piece for part in parts for piece in _DIGITS_END.split(part)]
        if len(parts) < len(apart) <= MAX_PARTS:  # more are a hash, of which each alone tells nothing
            parts += apart
    return [word, *parts] if len(parts) > 1 else parts or [word]


def _stems(words: Iterable[str]) -> tuple[str, ...]:
    """The terms of words as they are written, and as they may be spelt."""
    forms: dict[str, None] = {}
    for word in words:
        plain = word.casefold()
        forms[stem(plain)] = None
        for other in folded(plain):
            forms[stem(other)] = None
    return tuple(form for form in forms if form)


def stem(word: str) -> str:
    """Return what a casefolded word has in common with its other forms."""
    stem: str = _STEMMER.stemWord(word[:MAX_TERM_CHARACTERS])
    return stem
