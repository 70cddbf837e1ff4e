"""What kind of answer a question asks for - an amount, an age, a moment, somebody - and what can be one."""

from __future__ import annotations

import re
from functools import lru_cache

from quarry.search.language import analysis

MUCH = re.compile(
    r"\bhow (?:much|many|old|tall|high|far|long|fast|deep|heavy|wide|big|large)\b|\b(?:price|cost|fee|total)\b|얼마|몇"
    r"|\b(?:wie ?viele?|wie (?:hoch|lange|schwer|alt|weit|groß)"
    r"|kostet|kosten|combien|cuánto|quanto|hvor meget|kolik)\b",
    re.IGNORECASE,
)
WHEN = re.compile(
    r"\b(?:when|what time|(?:what|which) (?:date|day|year)|by when|wann|quand|cuándo)\b|언제|날짜", re.IGNORECASE
)
WHO = re.compile(r"^\W*(?:who|whose|whom|wer|wem|wen|qui)\b|누구|누가", re.IGNORECASE)
OPTION = re.compile(r"\b(?:which|what)\b.*\b(?:options?|flags?|switch)\b", re.IGNORECASE)
# German writes every noun with a capital letter, so that one tells no name.
GERMAN = re.compile(
    r"^\W*(?:wer|wem|wen|was|wie|wo|wohin|woher|wann|warum|wieso|wozu|wofür|womit|welche[rsmn]?|(?:in|an|auf|bis|ab|seit|für|mit|zu|um|von)"
    r" (?:wann|wem|wen|was|welche[rsmn]?|wie ?viele?))\b",
    re.IGNORECASE,
)
_PRICE = re.compile(
    r"\bhow much (?:is|are|was|were|does|do|did|has|have)\b|\b(?:price|cost|fee)\b|\b(?:kostet|kosten)\b", re.IGNORECASE
)
_MEASURE = re.compile(
    r"\bhow (?:tall|high|far|fast|deep|heavy|wide|big|large)\b|\bwie (?:hoch|schwer|weit|groß)\b", re.IGNORECASE
)
_AGE = re.compile(r"\bhow old\b|\bwie alt\b|몇 살", re.IGNORECASE)
_LONG = re.compile(r"\bhow long\b|\bwie lange\b|얼마나 오래|몇 (?:시간|분)", re.IGNORECASE)
_BY_WHEN = re.compile(
    r"\b(?:by when|until when|deadline|due|by what (?:date|day))\b|\bbis wann\b|언제까지", re.IGNORECASE
)
_AMOUNT = re.compile(
    r"^\W*\d|\d[\d.,]*\s?[^\W\d_]|[$€£¥₩]\s?\d|\d\s?[$€£¥₩%]|\b(?:none|free|half|one|two|three|four|five|six|ten|twelve|dozen)\b",
    re.IGNORECASE,
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_DAY_OR_TIME = re.compile(
    r"\d|\b(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?s?\b|daily|every|closed|january|february|march|april"
    r"|may|june|july|august|september|october|november|december|noon|midnight",
    re.IGNORECASE,
)
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december|januar|februar|märz|mai"
    r"|juni|juli|oktober|dezember)"
)
_DATE = re.compile(rf"\d{{1,2}}\.?\s{_MONTH}\b|\b{_MONTH}\s\d|\d{{1,2}}월\s?\d{{1,2}}일", re.IGNORECASE)
_SPELL = re.compile(
    r"\d[\d.,]*[\s-]?(?:years?|yrs?|months?|weeks?|days?|hours?|minutes?|seconds?|jahre?|monate?|wochen?|tage?|stunden?|minuten?)\b",
    re.IGNORECASE,
)
_MONEY = re.compile(r"[$€£¥₩원円元]|\b[A-Z]{3}\b|\d[.,]\d\d\b")
_SUM = re.compile(r"(?:[$€£¥₩]\s?)?\d[\d.,]*\s?(?:[€£¥₩$원円元]|EUR|USD|GBP|CHF)|[$€£¥₩]\s?\d[\d.,]*")
_NAME = re.compile(r"\b(?:Mrs?|Ms|Miss|Dr|Prof|Frau|Herrn?)\b\.?\s[A-Z]|\b[A-Z][a-z]+ [A-Z][a-z]+")
# Names of cells that a question means without saying so, by what it asks for.
_OF_AMOUNTS = "amount price cost total sum fee betrag preis summe kosten 금액 가격 요금 합계"
_OF_MOMENTS = "date time day datum zeit 날짜 일시 시간"
_OF_DEADLINES = "deadline due frist fällig stichtag 마감 마감일 기한"
_OF_SPELLS = "time duration length takes dauer zeit laufzeit 시간 기간"


@lru_cache(maxsize=256)
def implied(question: str) -> frozenset[str]:
    """Return the terms of names of cells that a question means without saying them."""
    if WHEN.search(question):
        return frozenset(analysis.terms(_OF_DEADLINES if _BY_WHEN.search(question) else _OF_MOMENTS))
    if _LONG.search(question):
        return frozenset(analysis.terms(_OF_SPELLS))
    return frozenset(analysis.terms(_OF_AMOUNTS)) if MUCH.search(question) else frozenset()


def fits(question: str, text: str) -> bool:
    """Whether a cell is of the kind that is asked for: an amount, a moment, somebody."""
    if WHEN.search(question):
        return _DAY_OR_TIME.search(text) is not None and not _SUM.fullmatch(text)
    if MUCH.search(question):
        if _MEASURE.search(question) and not any(map(str.isdigit, text)):
            return False
        is_date = _DAY.fullmatch(text) or _DATE.fullmatch(text)
        return _AMOUNT.search(text) is not None and not is_date and not contradicts(question, text)
    if WHO.search(question):
        before = re.split(r"\d", text, maxsplit=1)[0]
        return any(map(str.isalpha, text)) and (before == text or _NAME.search(before) is not None)
    return True


def is_amount(text: str) -> bool:
    """Whether a cell is a number, with a unit or a currency, and nothing else."""
    return any(map(str.isdigit, text)) and len(text.split()) <= 2 and not re.search(r"\w{4,}", re.sub(r"\d+", "", text))


def contradicts(question: str, text: str) -> bool:
    """Whether a span can't be what is asked for: a date for an age, three years for a price."""
    if _AGE.search(question):
        return _DATE.search(text) is not None and not _SPELL.search(text)
    if _PRICE.search(question):
        return not _MONEY.search(text) and (_SPELL.search(text) is not None or _DATE.search(text) is not None)
    return False
