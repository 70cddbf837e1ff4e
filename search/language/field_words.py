"""Fields as words: which values of a document's fields are found by words, and which a query's words stand in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from quarry.search.language import analysis
from quarry.search.types import Document, FieldMatch

MAX_CHARACTERS = 1_000  # of one value
MAX_SHOWN = 5  # fields of one hit

# What loaders measure: numbers that nobody looks for by words.
_MEASURES = frozenset(["width", "height", "pages", "latitude", "longitude"])


def worded(fields: Mapping[str, Any], uri: str = "", prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the names and values of fields that are found by words: texts, numbers and dates, those of lists each.

    The id that a row is named by in its URI is one of them, where no field says it. Long values are cut.
    """
    own = uri.partition("#id=")[2]
    if own and own not in map(str, fields.values()):
        yield "id", own[:MAX_CHARACTERS]
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from worded(value, prefix=f"{prefix}{name}.")
        elif name not in _MEASURES:
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, str | int | float) and not isinstance(item, bool):
                    yield f"{prefix}{name}", str(item)[:MAX_CHARACTERS]


def matching(document: Document, text: str, query: str) -> tuple[FieldMatch, ...]:
    """Return the first fields of a document that words of `query` stand in, but for those that `text` spells out."""
    found = (
        FieldMatch(name, value, tuple(places))
        for name, value in worded(document.metadata, document.uri)
        if (places := analysis.spans(value, query)) and f"{name}: {value}" not in text
    )
    return tuple(islice(found, MAX_SHOWN))
