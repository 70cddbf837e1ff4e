"""How right an answer is: exact match and F1 of words, as SQuAD measures them (Rajpurkar et al. 2016).

Both compare normalized texts: lowercased, without punctuation, articles and extra white space. Scripts written without
spaces are compared by characters, as KorQuAD does for Hangul (Lim et al. 2019); else every answer would be one word.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

from quarry.search.language.scripts import script_of

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_BY_CHARACTERS = {"Hangul", "Han", "Kana", "Thai", "Lao", "Khmer", "Myanmar"}


def normalized(text: str) -> str:
    """Return what two answers are compared by."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, reference: str) -> float:
    """Return 1 where both are the same once normalized, else 0."""
    return float(normalized(answer) == normalized(reference))


def f1(answer: str, reference: str) -> float:
    """Return the harmonic mean of precision and recall over the words of both; two empty answers agree."""
    given, expected = _words(answer), _words(reference)
    if not given or not expected:
        return float(given == expected)
    common = sum((Counter(given) & Counter(expected)).values())
    return 2 * common / (len(given) + len(expected))


def best(measure: Callable[[str, str], float], answer: str, references: Sequence[str]) -> float:
    """Return the largest value over the references; where there are none, "" is the right answer."""
    return max(measure(answer, reference) for reference in references or ("",))


def units(word: str) -> list[str]:
    """Return what a word is compared by: itself, or its characters in a script without spaces between words."""
    if not word.isascii() and any(script_of(character) in _BY_CHARACTERS for character in word):
        return list(word)
    return [word]


def _words(text: str) -> list[str]:
    return [unit for word in normalized(text).split() for unit in units(word)]
