"""Amounts of money in running text, English and Korean ways of writing them -> currency (ISO 4217) and number."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SIGNS = {
    "US$": "USD", "CA$": "CAD", "C$": "CAD", "AU$": "AUD", "A$": "AUD", "NZ$": "NZD", "HK$": "HKD", "NT$": "TWD",
    "S$": "SGD", "R$": "BRL", "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "￥": "JPY", "₩": "KRW", "￦": "KRW",
    "₹": "INR",
}  # fmt: skip
_CODES = (
    "USD|EUR|GBP|CHF|JPY|KRW|CNY|RMB|DKK|SEK|NOK|CZK|PLN|HUF|CAD|AUD|NZD|INR|HKD|SGD|TWD|BRL|MXN|ZAR|TRY|THB|RUB|ILS"
)
# "Pounds" alone are a weight, and "won" is a verb: neither stands for money without more.
_WORDS = {
    "us dollar": "USD", "u.s. dollar": "USD", "dollar": "USD", "euro": "EUR", "pounds sterling": "GBP", "yen": "JPY",
    "korean won": "KRW", "swiss franc": "CHF", "yuan": "CNY",
}  # fmt: skip
_KOREAN = {"원": "KRW", "달러": "USD", "유로": "EUR", "엔": "JPY", "위안": "CNY", "파운드": "GBP"}
_TIMES = {
    "k": 10**3, "thousand": 10**3, "m": 10**6, "mn": 10**6, "million": 10**6, "b": 10**9, "bn": 10**9,
    "billion": 10**9, "tn": 10**12, "trillion": 10**12,
}  # fmt: skip
_TENS = {"십": 10, "백": 100, "천": 1_000, "만": 10**4, "억": 10**8, "조": 10**12}

_NUMBER = r"\d{1,15}(?:[.,'’]\d{1,3}){0,6}\d{0,6}"
_FACTOR = r"(?:\s?(?P<times>(?i:thousand|million|billion|trillion|mn|bn|tn|k|m|b))(?![^\W\d_]))?"
_NAME = "|".join(map(re.escape, sorted(_WORDS, key=len, reverse=True)))
_SIGN = "|".join(map(re.escape, sorted(_SIGNS, key=len, reverse=True)))
_BEFORE = re.compile(
    rf"(?<![\w$€£])(?P<currency>{_SIGN}|(?:{_CODES})(?=[\s\d]))\s?(?P<number>{_NUMBER}){_FACTOR}(?![\w%])"
)
_AFTER = re.compile(
    rf"(?<![\w.,$€£¥₩-])(?P<number>{_NUMBER}){_FACTOR}\s?"
    rf"(?P<currency>€|£|₩|(?:{_CODES})\b|(?i:(?:{_NAME})s?\b))"
)
_PARTICLE = r"(?=[^가-힣]|\Z|이|을|은|의|에|으로|짜리|씩|대|부터|까지|정|과|도|인|가|를|는|로|와|만|나|라)"
_HANGUL = re.compile(
    rf"(?<![\w.,])(?P<number>\d[\d,.]{{0,20}}(?:\s?[십백천만억조](?:\s?\d[\d,.]{{0,20}})?){{0,6}}[십백천만억조]?)\s?"
    rf"(?P<currency>{'|'.join(_KOREAN)}){_PARTICLE}"
)
_PART = re.compile(r"(\d[\d,.]*)?\s?([십백천만억조]?)")
_MARKED = re.compile(f"[{''.join(sorted({sign[-1] for sign in _SIGNS}))}]|{_CODES}")
_SAID = re.compile("dollar|euro|sterling|yen|yuan|won|franc", re.I)
_MOST = 10**18


def amounts(text: str) -> Iterator[tuple[str, float]]:
    """Yield (currency, number): ("USD", 1500000) of "$1.5 million", ("KRW", 35000) of "3만 5천 원"."""
    if _MARKED.search(text):
        for match in _BEFORE.finditer(text):
            name = match["currency"]
            yield from _read(_SIGNS.get(name, name), match["number"], match["times"])
    if _MARKED.search(text) or _SAID.search(text):
        for match in _AFTER.finditer(text):
            name = match["currency"]
            code = _SIGNS.get(name) or _WORDS.get(name.lower().removesuffix("s")) or _WORDS.get(name.lower()) or name
            yield from _read(code, match["number"], match["times"])
    if any(word in text for word in _KOREAN):
        for match in _HANGUL.finditer(text):
            value = _korean(match["number"])
            if value is not None and value < _MOST:
                yield _KOREAN[match["currency"]], _plain(value)


def _read(code: str, number: str, times: str | None) -> Iterator[tuple[str, float]]:
    value = _number(number, code)
    if value is not None:
        value *= _TIMES[times.lower()] if times else 1
        if value < _MOST:
            yield ("CNY" if code == "RMB" else code), _plain(value)


def _number(written: str, code: str = "") -> float | None:
    """Read a number as it is written with commas or full stops; None where groups make no sense."""
    plain = written.replace("'", "").replace("’", "")
    comma, stop = plain.rfind(","), plain.rfind(".")
    if comma >= 0 and stop >= 0:
        plain = plain.replace(",", "") if stop > comma else plain.replace(".", "").replace(",", ".")
    elif comma >= 0:
        groups = plain.split(",")
        is_decimal = len(groups) == 2 and len(groups[1]) != 3
        plain = plain.replace(",", ".") if is_decimal else plain.replace(",", "")
    elif plain.count(".") > 1 or (stop >= 0 and code == "EUR" and len(plain) - stop == 4):
        plain = plain.replace(".", "")
    try:
        return float(plain)
    except ValueError:
        return None


def _korean(written: str) -> float | None:
    """Read a number with units of ten thousand: 3만 5천, 1억 2,000만."""
    total = part = 0.0
    for digits, unit in _PART.findall(written.strip()):
        if not digits and not unit:
            continue
        value = _number(digits.rstrip(".,")) if digits else 1.0
        if value is None:
            return None
        if unit and _TENS[unit] >= 10**4:
            total, part = total + (part + (value if digits or not part else 0)) * _TENS[unit], 0.0
        else:
            part += value * _TENS.get(unit, 1)
    return total + part


def _plain(value: float) -> float:
    """Return a whole number as an int, which is shown without a full stop."""
    return int(value) if value == int(value) else round(value, 4)
