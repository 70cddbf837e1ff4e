"""Codes in running text that say by a checksum or their form what they are: ISBN, DOI, IBAN, IP addresses, tickets."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

_ISBN = re.compile(r"(?<![\d.-])97[89](?:[ ‐‑–-]?\d){10}(?![\d-])")
_ISBN_TEN = re.compile(r"\bISBN(?:-10)?:?\s?(\d(?:[ ‐‑–-]?\d){8}[ ‐‑–-]?[\dXx])(?!\d)", re.I)
_DOI = re.compile(r"(?<![\w.])10\.\d{4,9}/[^\s<>\"“”{}|\\^`，。、]{1,200}")
_PAIRS = {")": "(", "]": "["}
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_IP = re.compile(r"(?<![\w.:/-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)")
_IP6 = re.compile(r"(?<![\w.:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
_TICKET = re.compile(r"(?<![\w./#&=+-])([A-Z][A-Z0-9]{1,9})-([1-9]\d{0,6})(?![\w]|[-.]\w)")
# What looks like the ticket of a project, and is a standard, a product or a disease.
_OTHERS = """
    ISO IEC UTF SHA MD RFC IEEE ITU EN DIN ANSI ASCII COVID SARS GPT BERT AES RSA USB HTTP TLS SSL CVE ISBN ISSN PMID
    MIL RS PCI DDR LGA CP KS KSC KOI EUC WINDOWS BASE CRC HMAC PEP CO PM UV IL IQ DC MI AK SU TU RQ MQ BWV OP VOL NO CH
    FIG TABLE EQ GLP COX HIV HPV HTLV CD HLA PGE TNF IFN NF MCF ASTM SAE NASA STS PSA DO MP PS XBOX ID MPEG PG PDP IBM
    CDC II III IV VI VII VIII IX XI XII
"""
_NO_TICKETS = frozenset(_OTHERS.split())
# Length of an IBAN by country, ISO 13616's registry.
_COUNTRIES = """
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18
    FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21
    LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SD18 SE24 SI19 SK24
    SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20
"""
_LENGTHS = {one[:2]: int(one[2:]) for one in _COUNTRIES.split()}


def isbns(text: str) -> Iterator[str]:
    """Yield ISBNs of thirteen digits whose check digit is right; one of ten digits is given the other's form."""
    if "97" in text:
        for match in _ISBN.finditer(text):
            digits = re.sub(r"\D", "", match.group())
            if _check_digit(digits[:12]) == digits[12]:
                yield digits
    for match in _ISBN_TEN.finditer(text) if "ISBN" in text or "isbn" in text else ():
        ten = re.sub(r"[^\dX]", "", match[1].upper())
        if sum((10 - at) * (10 if one == "X" else int(one)) for at, one in enumerate(ten)) % 11 == 0:
            yield f"978{ten[:9]}{_check_digit(f'978{ten[:9]}')}"


def dois(text: str) -> Iterator[str]:
    """Yield DOIs in lower case, in which they are the same."""
    if "10." in text:
        for match in _DOI.finditer(text):
            found = match.group().rstrip(".,;:!?'’*")
            while (last := found[-1:]) in _PAIRS and found.count(last) > found.count(_PAIRS[last]):
                found = found[:-1].rstrip(".,;:")
            if not found.endswith("/"):
                yield found.lower()


def ibans(text: str) -> Iterator[str]:
    """Yield IBANs whose length is their country's and whose checksum (ISO 7064, modulo 97) is right, without spaces."""
    for match in _IBAN.finditer(text):
        whole = match.group().replace(" ", "")
        iban = whole[: _LENGTHS.get(whole[:2], 0)]  # a word in capitals may follow
        if len(iban) == _LENGTHS.get(whole[:2]) and _remainder(iban) == 1:
            yield iban


def ips(text: str) -> Iterator[str]:
    """Yield IP addresses, both versions, in their shortest form."""
    for match in _IP.finditer(text):
        yield from _address(match.group())
    if "::" in text or text.count(":") > 6:
        for match in _IP6.finditer(text):
            if any(letter not in ":" for letter in match.group()):
                yield from _address(match.group())


def tickets(text: str) -> Iterator[str]:
    """Yield numbers of tickets as trackers write them: ABC-123."""
    for match in _TICKET.finditer(text):
        if match[1] not in _NO_TICKETS:
            yield match.group()


def _address(text: str) -> Iterator[str]:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return
    if found.version == 6 and len(text) < 6:
        return  # `a::b` of a programming language
    yield str(found)


def _check_digit(twelve: str) -> str:
    return str(-sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(twelve)) % 10)


def _remainder(iban: str) -> int:
    return int("".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])) % 97
