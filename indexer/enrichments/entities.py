"""What a text names that has a form of its own, by rules: addresses, telephone numbers, amounts, days, codes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from quarry.indexer.enrichments.base import Enrichment, Result
from quarry.search.language.addresses import emails, urls
from quarry.search.language.amounts import amounts
from quarry.search.language.codes import dois, ibans, ips, isbns, tickets
from quarry.search.language.days import days
from quarry.search.language.phones import phones
from quarry.search.models.auto.task import Task

TASK = Task(
    name="token-classification",
    command="quarry index PATH",
    default="rules, for every text",
    seen="`email`, `url`, `phone`, `day`, `amount`, `isbn`, `doi`, `iban`, `ip`, `ticket`: filters, facets",
)
MOST = 100  # values of a field
_READ = 1_000  # that are looked at for them: a log names the same address a million times
_ANY = re.compile(r"\d|@|://|www\.", re.I)
_DIGIT = re.compile(r"\d")

FINDERS: Mapping[str, Callable[[str], Iterable[str]]] = {
    "email": emails,
    "url": urls,
    "phone": phones,
    "day": days,
    "isbn": isbns,
    "doi": dois,
    "iban": ibans,
    "ip": ips,
    "ticket": tickets,
}
_WITHOUT_DIGITS = ("email", "url")


class Entities(Enrichment):
    """Finds the fields of `FINDERS`, and `amount`: numbers by their currency, so that a filter can compare them."""

    name = "entities"
    identity = "entities 1"  # raised with the rules

    def enrich(self, items: Sequence[str]) -> list[Result]:
        """Find what each text names, of each field the first hundred."""
        return [Result(entities(text)) for text in items]


def entities(text: str) -> dict[str, Any]:
    """Return what a text names, by field, each value once, amounts by size, all else in the order of the text."""
    if not _ANY.search(text):
        return {}
    names = FINDERS if _DIGIT.search(text) else _WITHOUT_DIGITS
    found: dict[str, Any] = {name: values for name in names if (values := _distinct(FINDERS[name](text)))}
    if names is FINDERS and (paid := _by_currency(amounts(text))):
        found["amount"] = paid
    return found


def _distinct(values: Iterable[str]) -> list[str]:
    return list(islice(dict.fromkeys(islice(values, _READ)), MOST))


def _by_currency(values: Iterable[tuple[str, float]]) -> dict[str, list[float]]:
    found: dict[str, dict[float, None]] = {}
    for currency, number in islice(dict.fromkeys(islice(values, _READ)), MOST):
        found.setdefault(currency, {})[number] = None
    return {currency: sorted(numbers) for currency, numbers in found.items()}
