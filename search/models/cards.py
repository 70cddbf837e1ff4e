"""Cards: what Quarry knows of a text model, and the identity of the vectors that it makes."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Protocol

DEFAULT_TEXT_MODEL = "all-MiniLM-L6-v2"
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


@dataclass(frozen=True, slots=True)
class Card:
    """A text model.

    Args:
        name: what the user calls it: a short name, a hub name or the path of a folder.
        family: the architecture, as the model's own configuration names it (`bert`, `xlm-roberta`).
        source: the folder that holds the weights, "" for the embedded model (found when it is needed).
        sha256: of the weights; of one file its own, of several that of their sorted `name digest` lines.
        config_sha256: of what else in the model's configuration changes a vector, "" where that is pinned by `sha256`.
        tokenizer_sha256: of the tokenizer's file or files.
        dimension: length of a vector.
        query_prefix: put before every query.
        document_prefix: put before every document.
        max_tokens: longest input in tokens, special ones and prefix included.
        pooling: how token vectors become one: `mean`, `cls`, `max`, `lasttoken`, ..., several joined by "+".
        dense: number of linear layers after pooling.
        normalize: whether the model itself ends in vectors of length 1 (Quarry's always do).
        lower_case: whether text is lowercased before it reaches the tokenizer.
        scripts: the writing systems that it was made for, () where nobody knows (then every script counts as known).
        licence: as the model states it, "" if it does not.
    """

    name: str
    family: str
    source: str
    sha256: str
    tokenizer_sha256: str
    dimension: int
    max_tokens: int
    pooling: str = "mean"
    config_sha256: str = ""
    query_prefix: str = ""
    document_prefix: str = ""
    dense: int = 0
    normalize: bool = True
    lower_case: bool = False
    scripts: tuple[str, ...] = ()
    licence: str = ""

    @property
    def identity(self) -> str:
        """Name all that changes a vector; the same wherever the model lies and whatever it is called."""
        decisive = {
            key: value for key, value in asdict(self).items() if key not in ("name", "source", "scripts", "licence")
        }
        digest = hashlib.sha256(json.dumps(decisive, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
        return f"{self.family}-{self.pooling}-{self.dimension}-{digest[:24]}"

    def to_json(self) -> dict[str, Any]:
        """Return the card as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Card:
        """Read `to_json`'s values; KeyError, TypeError or ValueError where they are not those."""
        return cls(**{**values, "scripts": tuple(values["scripts"])})


EMBEDDED = Card(
    name=DEFAULT_TEXT_MODEL,
    family="bert",
    source="",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    tokenizer_sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    dimension=384,
    max_tokens=256,
    # Its vocabulary has 26,482 Latin pieces of two letters or more, and single letters only of every other script.
    scripts=("Latin",),
    licence="Apache-2.0",
)
EMBEDDED_NAMES = (DEFAULT_TEXT_MODEL, f"sentence-transformers/{DEFAULT_TEXT_MODEL}")


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
