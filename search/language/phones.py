"""Telephone numbers in running text -> E.164 (`+82212345678`): international ones, Korean and North American ones.

A number without a country code is taken for Korean or American where it is written as those are: their plans of numbers
say so by the first digits, by how many there are and by how they are grouped. Others are left, rather than guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Country codes by their first digits, ITU-T E.164 (assigned ones): those of one and two digits; all else have three.
_ONE = ("1", "7")
_TWO_DIGITS = """
    20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91
    92 93 94 95 98
"""
_TWO = frozenset(_TWO_DIGITS.split())
_UNASSIGNED = re.compile(r"21[0459]|28\d|80[1-79]|83|89|97[89]|99[079]|25[9]|38[48]|42[245-9]|69[3-9]|67[18]")
_GAP = r"(?:[ \u00a0.‑-]|\)\s?|\s?\(|/)"
# No part gives back what it took: otherwise digits could be divided into parts in any number of ways.
_PLUS = re.compile(rf"(?<![\w+])\+\s?\(?\d{{1,15}}+(?:{_GAP}{{1,2}}+\d{{1,14}}+){{0,7}}+(?!\w)")
_KOREAN = re.compile(
    r"(?<![\d.,+\w-])\(?(?P<area>02|0[3-6][1-5]|0(?:10|11|16|17|18|19|70|80)|050\d?)\)?[ .)–-]{0,2}"
    r"(?P<middle>\d{3,4})[ .–-]?(?P<last>\d{4})(?![\d.,]?\d|-\d|[A-Za-z])"
)
_SERVICE = re.compile(r"(?<![\d.,+\w-])(1[568]\d\d)-(\d{4})(?![\d.,-]?\d|[A-Za-z])")
_CALLED = re.compile(
    r"(?:전화|연락처|문의|상담|고객|콜센터|대표|번호|☎|☏|tel|phone|call|hotline)\W{0,3}[^\d\n]{0,16}\Z", re.I
)
_AMERICAN = re.compile(
    r"(?<![\d.,+\w/-])(?:1[ .-])?(?:\((?P<area>[2-9]\d\d)\)\s?|(?P<code>[2-9]\d\d)(?P<gap>[ .-]))"
    r"(?P<exchange>[2-9]\d\d)(?(gap)(?P=gap)|[ .-])(?P<last>\d{4})(?![\d.,]?\d|-\d|[A-Za-z])"
)
_NINE = re.compile(r"\d\D{0,2}\d\D{0,2}\d\D{0,2}\d\D{0,2}\d\D{0,2}\d\D{0,2}\d")


def phones(text: str) -> Iterator[str]:
    """Yield telephone numbers."""
    if not _NINE.search(text):
        return
    for match in _PLUS.finditer(text):
        if number := _international(re.sub(r"\D", "", match.group().replace("(0)", ""))):
            yield number
    for match in _KOREAN.finditer(text):
        if (number := match["area"] + match["middle"] + match["last"]) and _is_korean(number[1:]):
            yield f"+82{number[1:]}"
    for match in _SERVICE.finditer(text):  # 1588-1234 is a number, 1592-1598 a war
        if _CALLED.search(text, max(0, match.start() - 24), match.start()):
            yield f"+82{match[1]}{match[2]}"
    for match in _AMERICAN.finditer(text):
        if _is_american(number := (match["area"] or match["code"]) + match["exchange"] + match["last"]):
            yield f"+1{number}"


def _international(digits: str) -> str:
    """Return a number that begins with a country code, "" where it can't be one."""
    if not 8 <= len(digits) <= 15 or digits[0] == "0":
        return ""
    code = digits[0] if digits[0] in _ONE else digits[:2] if digits[:2] in _TWO else digits[:3]
    rest = digits[len(code) :]
    if len(code) == 3 and _UNASSIGNED.match(code):
        return ""
    if code == "82":
        rest = rest.removeprefix("0")
        return f"+82{rest}" if _is_korean(rest) else ""
    if code == "1":
        return f"+1{rest}" if _is_american(rest) else ""
    return f"+{code}{rest}" if len(rest) >= 5 else ""


def _is_korean(rest: str) -> bool:
    """Whether digits after the 0 are a Korean number: an area or a kind of service, seven or eight digits in all."""
    area = next((one for one in ("2", "50") if rest.startswith(one)), rest[:2])
    own = rest[len(area) :]
    if area in ("10", "50"):
        return len(own) == 8 or (area == "50" and len(own) == 9)
    if rest.startswith(("15", "16", "18")) and len(rest) == 8:
        return True
    return bool(re.fullmatch(r"2|[3-6][1-5]|1[16-9]|70|80", area)) and 7 <= len(own) <= 8 and own[0] != "0"


def _is_american(number: str) -> bool:
    """Whether ten digits are a number of the North American plan: neither part begins with 0 or 1, nor is N11."""
    return (
        len(number) == 10
        and number[0] not in "01"
        and number[3] not in "01"
        and number[1:3] != "11"
        and number[4:6] != "11"
        and number[1] != "9"
    )
