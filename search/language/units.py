"""What a span must not be cut in: words, numbers, dates, times, and amounts with their signs and units."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache, lru_cache

from quarry.search.language.particles import is_rest

_MONTHS = (
    "jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|févr?(?:ier)?|mar(?:ch|s)?|märz|apr(?:il)?|avr(?:il)?|ma[iy]|june?|juni|juin|"
    "jul(?:y|i)?|juillet|aug(?:ust)?|août|sept?(?:ember|embre)?|o[ck]t(?:ober|obre)?|nov(?:ember|embre)?|"
    "d[eé][cz](?:ember|embre)?|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th|er|\.)?"
_YEAR = r"(?:,?\s\d{4}\b)"
_NUMBER = r"\d+(?:[.,:/'’．，]\d+)*(?:[\u00a0\u202f ]\d{3}(?![\d.,]\d|\d))*"
_UNITS = (
    r"%|‰|°\s?[CF]\b|°|[€£¥₩]|\$|원|円|元|[kMGTP]i?B\b|[kmcµn]?m[²³]?\b|[kmµ]?g(?:/m²)?\b|[mkMG]?W(?:h)?\b|[kMG]?Hz\b|"
    r"m?l\b|[kK]m/h\b|rpm\b|dpi\b|dB(?:\(A\))?|m?V\b|m?A(?:h)?\b|[kh]?Pa\b|bar\b|kcal\b|"
    r"(?:EUR|USD|GBP|CHF|JPY|KRW|DKK|SEK|NOK|CZK|PLN)\b|Kč|kr\b\.?|zł"
)
# 87만 3,517명, 20만 원, 1400万人: numbers that go on after their ten thousands.
_TEN_THOUSANDS = (
    r"\d[\d.,．]*\s?[천백십千百十]?[만억조万億亿兆萬](?:\s?\d[\d.,]*+\s?[천백십千百十]?[만억万億亿萬]?)*+"
    r"(?:\s?원|[가-힣]+|[円元人名件倍個台本]|公里|美元|日元)?"
)
_LETTERS = r"(?:(?![\u3040-\u30ff\u4e00-\u9fff])\w)+"  # up to a script without spaces
_UNIT = (
    rf"\b{_DAY}\s(?:of\s)?(?:{_MONTHS})\b\.?{_YEAR}?"
    rf"|\b(?:{_MONTHS})\b\.?\s\d{{1,2}}(?:st|nd|rd|th)?\b(?!:\d){_YEAR}?|\b(?:{_MONTHS})\s\d{{4}}\b"
    r"|\d{4}년(?:\s?\d{1,2}월)?(?:\s?\d{1,2}일)?|\d{1,2}월\s?\d{1,2}일|\d{4}年(?:\d{1,2}月)?(?:\d{1,2}日)?|\d{1,2}月\d{1,2}日"
    r"|\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|\b\d{1,2}\.\s\d{1,2}\.(?:\s?\d{4})?|\b\d{4}\.\s?\d{1,2}\.\s?\d{1,2}\."
    r"|\b\d{1,2}(?:[:.]\d\d)?\s?(?:[ap]\.m\.|[ap]m\b|Uhr\b|o['’]clock\b)"
    rf"|(?:[$€£¥₩]\s?)?[-+−]?{_TEN_THOUSANDS}"
    rf"|(?:(?:[$€£¥₩]|\b(?:US|CA|AU)\$|\b(?:EUR|USD|GBP|CHF)\s)\s?)?[-+−]?{_NUMBER}\s?(?-i:{_UNITS})"
    rf"|(?:[$€£¥₩]|\b(?:US|CA|AU)\$|\b(?:EUR|USD|GBP|CHF)\s)\s?{_NUMBER}(?:\s?(?:[mb]illion|bn|[mk])\b)?"
    rf"|\+\d[\d ()/-]{{5,}}\d|{_NUMBER}(?:{_LETTERS})?(?:-(?!\d){_LETTERS})*"
    # A word, with what joins its parts: an option, a path, a name such as C++; "Ann's" is of Ann.
    rf"|(?:(?<!\S)[-~./$@]+)?{_LETTERS}(?:(?:[-_@/+#=&:]|\.(?=(?-i:[\da-z]))|['’](?!s\b)|\\)+{_LETTERS})*[+#]*|\S"
)
_BEFORE, _BEHIND = "\"'“”‘’«»„([{<*`…,;", "\"'“”‘’«»)]}>*`…,;:!?"


_RANGE = re.compile(r"(?P<low>\d+)\s?[-–—~]\s?(?P<high>\d+)")
_UP_TO = re.compile(
    r"\b(?:up to|at most|under|below|bis|unter|jusqu['’]à)\s(?P<high>\d+)|(?P<most>\d+)\s?이하", re.IGNORECASE
)
_FROM = re.compile(
    r"\b(?:over|above|from|more than|at least|über|ab)\s(?P<low>\d+)|(?P<least>\d+)\s?(?:\+|이상)", re.IGNORECASE
)


def holds(text: str, number: int) -> bool:
    """Whether a text is a range that holds a number: "51-200", "up to 50", "over 200"."""
    if between := _RANGE.search(text):
        return int(between["low"]) <= number <= int(between["high"])
    if up_to := _UP_TO.search(text):
        return number <= int(up_to["high"] or up_to["most"])
    over = _FROM.search(text)
    return over is not None and number >= int(over["low"] or over["least"])


def completed(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a span that begins and ends where words, numbers, dates and amounts do, none of which it cut.

    It may end before a Korean particle, which is written as one word with what it follows.
    """
    units = _units(text)
    starts = [first for first, _ in units]
    first = bisect_right(starts, start) - 1
    if first >= 0 and units[first][1] > start:
        start = min(start, units[first][0])
    last = bisect_right(starts, end - 1) - 1
    if last >= 0 and units[last][1] > end - 1 and not is_rest(text, end, units[last][1]):
        end = max(end, units[last][1])
    return start, end


@lru_cache(maxsize=512)
def _units(text: str) -> tuple[tuple[int, int], ...]:
    """Find the units of a text, in order, without quotation marks, brackets and punctuation around them."""
    found = []
    for match in _unit().finditer(text):
        start, end = match.span()
        while start < end and text[start] in _BEFORE:
            start += 1
        while end > start and (_closes(text, start, end) or _is_last_stop(text, start, end)):
            end -= 1
        if start < end:
            found.append((start, end))
    return tuple(found)


@cache
def _unit() -> re.Pattern[str]:
    """Compile what finds units, when something is first answered: a search starts sooner without."""
    return re.compile(_UNIT, re.IGNORECASE)


def _closes(text: str, start: int, end: int) -> bool:
    return text[end - 1] in _BEHIND and not (text[end - 1] == ")" and "(" in text[start:end])


def _is_last_stop(text: str, start: int, end: int) -> bool:
    """Whether a unit ends in a full stop that is the sentence's: not that of "3 p.m." or "U.S."."""
    return text[end - 1] == "." and "." not in text[start : end - 1] and not text[start:end].startswith("..")
