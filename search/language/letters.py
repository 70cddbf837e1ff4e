"""Fold the letters of a word: what is written with other marks or letter forms is one word to whoever looks for it.

Folding gives further forms beside the word as written, never instead of it, so that the exact spelling still tells:

- letters lose their marks in every script: what Unicode decomposes (é, й, ά, क़), what it names as a letter *with*
  something (ø ł đ ħ, ғ, أ) and ligatures (æ œ þ); vowel points of Hebrew and Arabic, tatweel and Indic nuktas vanish;
- letter forms that writers take for each other are one: alef maqsura and yaa, taa marbuta and haa, keheh and kaf, a
  nasal before a consonant and anusvara (हिन्दी, हिंदी);
- digits of any script are 0 to 9;
- ä ö ü ø å are also ae oe ue oe aa, as they are written where there is no key for them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Invisible: soft hyphen, grapheme joiner, Arabic letter mark, Mongolian vowel separator, zero-width space, joiner and
# non-joiner, marks and isolates of direction, word joiner, byte order mark, and what chooses a glyph's style.
INVISIBLE = (
    "\u00ad\u034f\u061c\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff"
    "\U000e0100-\U000e01ef"
)
NON_JOINER = "\u200c"  # in Arabic script it parts a word from its ending

_INVISIBLE = re.compile(f"[{INVISIBLE}]+")
# Marks without which the words that bear them are still read: above and below letters of Latin, Greek and Cyrillic,
# Hebrew points, Arabic vowels and Quranic signs, Syriac points, and the nukta of each Indic script. Never vowels that
# are part of the spelling, nor the virama.
_DROPPED = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0730-\u074a\u08d3-\u08e1\u08e3-\u08ff\u093c\u09bc\u0a3c\u0abc"
    "\u0b3c\u0cbc\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f]"
)
_FORMS = {
    "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ß": "ss", "ı": "i", "ȷ": "j", "ĸ": "k", "ŋ": "n", "ə": "a", "ɛ": "e",
    "ɔ": "o", "ƿ": "w", "ʒ": "z", "ȣ": "ou",
    "ґ": "г", "є": "е", "ѣ": "е", "ѳ": "ф", "ѵ": "и",
    "ٱ": "ا", "ٲ": "ا", "ٳ": "ا", "ٵ": "ا", "ة": "ه", "ۀ": "ه", "ہ": "ه", "ۂ": "ه", "ۃ": "ه", "ە": "ه", "ھ": "ه",
    "ى": "ي", "ی": "ي", "ې": "ي", "ے": "ي", "ۓ": "ي", "ک": "ك", "ڪ": "ك", "ٶ": "و", "ٷ": "و",
    "ך": "כ", "ם": "מ", "ן": "נ", "ף": "פ", "ץ": "צ", "װ": "וו", "ױ": "וי", "ײ": "יי",
    "ँ": "ं", "ঁ": "ং", "ੰ": "ਂ", "ઁ": "ં",
}  # fmt: skip
_NASAL = re.compile("[ङञणनम]्(?=[क-ह])")
_SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})


def normal(text: str) -> str:
    """Return text in normal form (NFKC: full-width as half-width, ligatures as letters) without what is invisible."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))


def border(text: str, at: int, least: int = 0) -> int:
    """Return the last place up to `at`, and after `least`, that parts no character from its marks; else `at`.

    Vowels and finals of Hangul that are written apart belong to their syllable, and so do voiced marks and emoji that
    are joined.
    """
    place = at
    while least < place < len(text) and parts(text, place):
        place -= 1
    return place if place > least else at


def cut(text: str, least: int, most: int) -> int:
    """Return where to cut a long text roughly: before a heading, after a blank line, else after a newline or space."""
    for mark in ("\n# ", "\n## ", "\n\n", "\n", " "):
        place = text.rfind(mark, least, most)
        if place != -1:
            return place + 1
    return border(text, most, least)


def parts(text: str, at: int) -> bool:
    """Whether a place parts a character from what belongs to it."""
    letter = text[at]
    return (at > 0 and text[at - 1] == "\u200d") or (
        letter >= "\u0300"
        and (
            letter in "\u200d\uff9e\uff9f"
            or "\u1160" <= letter <= "\u11ff"
            or "\ud7b0" <= letter <= "\ud7fb"
            or "\U0001f3fb" <= letter <= "\U0001f3ff"
            or unicodedata.category(letter)[0] == "M"
        )
    )


def folded(word: str) -> tuple[str, ...]:
    """List the other forms of a casefolded word in normal form, none twice; the word itself is not among them."""
    if word.isascii():
        return ()
    decomposed = unicodedata.normalize("NFKD", _NASAL.sub("ं", word))
    bare = "".join(map(_plain, _DROPPED.sub("", decomposed)))
    forms = [unicodedata.normalize("NFC", bare)]
    spelt = word.translate(_SPELT_OUT)
    if spelt != word:
        forms += [spelt] if spelt.isascii() else folded(spelt)
    return tuple(form for form in dict.fromkeys(forms) if form and form != word)


@lru_cache(maxsize=4096)
def _plain(letter: str) -> str:
    """Return what a letter is without what its name says it bears: ø is LATIN SMALL LETTER O WITH STROKE."""
    if letter.isascii():
        return letter
    if letter in _FORMS:
        return _FORMS[letter]
    digit = unicodedata.decimal(letter, None)
    if digit is not None:
        return str(digit)
    if unicodedata.category(letter) == "Lm" and "\u02b0" <= letter <= "\u02ff":  # ʻ and ʼ of Hawaiʻi and Qurʼan
        return ""
    name, bears, _ = unicodedata.name(letter, "").partition(" WITH ")
    try:
        base = unicodedata.lookup(name) if bears else letter
    except KeyError:
        return letter
    return _FORMS.get(base, base)
