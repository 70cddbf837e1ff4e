"""Where sentences begin: one small rule for English and its like, Korean, Japanese and Chinese."""

from __future__ import annotations

import re

_END = re.compile(
    r"[。！？｡︒]+[」』）】〉》〕］”’\"')\]]*\s*"  # East Asian: no space need follow
    r"|(?<![.!?…])[.!?…]++[\"'”’»)\]」』）]*+\s+"
    r"|\n[^\S\n]*\n\s*"
)
_ABBREVIATED = (
    "adm al approx apr art assn ave aug ca capt cf ch col corp dec dept dr ed eds eq eqs est et etc feb fig figs gen "
    "gov hon inc ino jan jr jul jun lt ltd mar messrs mr mrs ms mt nos nov oct op pp prof pt ref refs rep rev sec sen "
    "sep sept sgt sr st tab univ viz vol vols vs e.g i.e a.m p.m u.s u.k ph.d no p"
)
_ABBREVIATIONS = frozenset(_ABBREVIATED.split())
_NEEDS_NUMBER = frozenset({"no", "p", "mar", "sec", "fig", "art"})  # words too: abbreviations before a number only


def sentence_starts(text: str) -> list[int]:
    """Find the offsets at which sentences begin; a blank line ends one too, a single newline doesn't.

    A full stop ends none after an abbreviation, an initial or a number at the beginning of a line, nor before a
    lower-case letter.
    """
    length = len(text)
    first = length - len(text.lstrip())
    starts = [first] if first < length else []
    for match in _END.finditer(text, first):
        start, end = match.span()
        if end < length and (text[start] not in ".!?…" or _ends(text, start, end)):
            starts.append(end)
    return starts


def _ends(text: str, mark: int, following: int) -> bool:
    after = text[following].lstrip("\"'“‘«([")
    if after.islower():
        return False
    if text[mark] != "." or text[mark + 1] == ".":
        return True
    start = mark
    while start and mark - start < 12 and not text[start - 1].isspace():
        start -= 1
    word = text[start:mark].lstrip("\"'“‘«([")
    if len(word) == 1 and word.isupper() and word.isascii():
        return False  # an initial
    if word.isdecimal() and len(word) < 4 and (start == 0 or text[start - 1] == "\n"):
        return False  # a list's number
    lower = word.lower()
    if lower not in _ABBREVIATIONS:
        return True
    return lower in _NEEDS_NUMBER and not after.isdecimal()
