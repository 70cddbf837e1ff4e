"""Scripts: the writing systems of a text, and whether a model was made for them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

_KNOWN_SHARE = 0.5  # of the letters of a query

# Signs that count as letters and are at home in any script, by the first word of their Unicode names.
_LETTERLIKE = {"MODIFIER", "FEMININE", "MASCULINE", "MICRO", "SCRIPT", "DOUBLE-STRUCK", "MATHEMATICAL", "SUPERSCRIPT"}
# Scripts by the first word of the Unicode names of their letters.
_SCRIPTS = {
    "LATIN": "Latin",
    "FULLWIDTH": "Latin",
    "GREEK": "Greek",
    "CYRILLIC": "Cyrillic",
    "ARMENIAN": "Armenian",
    "GEORGIAN": "Georgian",
    "HEBREW": "Hebrew",
    "ARABIC": "Arabic",
    "DEVANAGARI": "Devanagari",
    "BENGALI": "Bengali",
    "GURMUKHI": "Gurmukhi",
    "GUJARATI": "Gujarati",
    "TAMIL": "Tamil",
    "TELUGU": "Telugu",
    "KANNADA": "Kannada",
    "MALAYALAM": "Malayalam",
    "SINHALA": "Sinhala",
    "THAI": "Thai",
    "LAO": "Lao",
    "MYANMAR": "Myanmar",
    "KHMER": "Khmer",
    "TIBETAN": "Tibetan",
    "ETHIOPIC": "Ethiopic",
    "HANGUL": "Hangul",
    "HIRAGANA": "Kana",
    "KATAKANA": "Kana",
    "KATAKANA-HIRAGANA": "Kana",
    "HALFWIDTH": "Kana",
    "CJK": "Han",
    "IDEOGRAPHIC": "Han",
}


@lru_cache(maxsize=65_536)
def script_of(character: str) -> str:
    """Name the script of a letter (`Latin`, `Hangul`, `Han`, `Kana`, ...), "" for what is not a letter.

    A letter of a script that this module has no word for is called by the first word of its Unicode name.
    """
    if not character.isalpha():
        return ""
    words = unicodedata.name(character, "").split()
    if not words:
        return "Unknown"
    if words[0] in _LETTERLIKE:
        return ""
    if words[0] == "HALFWIDTH" and "HANGUL" in words:
        return "Hangul"
    return _SCRIPTS.get(words[0], words[0].title())


def scripts_in(text: str) -> tuple[str, ...]:
    """Name the scripts of the letters of `text`, the most frequent first."""
    counts: dict[str, int] = {}
    for character in text:
        if script := script_of(character):
            counts[script] = counts.get(script, 0) + 1
    return tuple(sorted(counts, key=lambda script: (-counts[script], script)))


class HasScripts(Protocol):
    """A card that says which writing systems its model was made for."""

    @property
    def scripts(self) -> tuple[str, ...]:
        """Their names, () where nobody knows."""
        ...


def knows(card: HasScripts, text: str) -> float:
    """Return the share, 0..1, of the letters of `text` in scripts that the model was made for; 1 without letters."""
    if not card.scripts or (text.isascii() and "Latin" in card.scripts):
        return 1.0
    known = letters = 0
    for character in text:
        if script := script_of(character):
            letters += 1
            known += script in card.scripts
    return known / letters if letters else 1.0


def is_foreign(card: HasScripts, text: str) -> bool:
    """Whether most letters of `text` are in scripts that the model was not made for."""
    return knows(card, text) < _KNOWN_SHARE


def admits(rules: Mapping[str, Any], text: str, language: str | None) -> bool:
    """Whether a space with such rules takes a text: one mostly in its `scripts`, of a document in its `languages`.

    With `beyond` it takes a text that is mostly in other scripts than these, with `other_languages` what is in other
    languages than these, with `not` what other rules would not take.

    What a rule does not name is not asked for; a language that nobody knows is none of those that are named.
    """
    if rules.get("not"):
        return not admits(rules["not"], text, language)
    if rules.get("languages") and language not in rules["languages"]:
        return False
    if language is not None and language in rules.get("other_languages", ()):
        return False
    if rules.get("beyond") and not is_foreign(Scripts(tuple(rules["beyond"])), text):
        return False
    return not is_foreign(Scripts(tuple(rules.get("scripts", ()))), text)


@dataclass(frozen=True, slots=True)
class Scripts:
    """Writing systems alone, for what asks a card of them."""

    scripts: tuple[str, ...]


def scripts_of_vocabulary(pieces: Iterable[str]) -> tuple[str, ...]:
    """Tell from a tokenizer's pieces which scripts its model was made for.

    An alphabet is known when there are words of it: 200 pieces of two letters or more (a vocabulary that holds just
    the single letters can spell but not mean). Han is known from 2,000 characters on, of which Chinese words are made.
    """
    words: dict[str, int] = {}
    han = 0
    for piece in pieces:
        letters = [script for script in map(script_of, piece) if script]
        if not letters:
            continue
        if letters[0] == "Han":
            han += 1
        if len(letters) >= 2:
            words[letters[0]] = words.get(letters[0], 0) + 1
    known = [script for script, count in words.items() if count >= 200 and script != "Han"]
    if han >= 2_000:
        known.append("Han")
    return tuple(sorted(known))
