"""What a page says of itself in JSON-LD, in words of schema.org: who wrote it, when, about what, and where it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from quarry.indexer.loaders.decoding import one_line

_LONGEST = 1 << 18  # characters
_ABOUT = re.compile(  # types of things that stand for their page, not for who runs it or what leads to it
    r"\w*(?:Article|Posting|Report|WebPage|Book|Recipe|Event|Course|Episode|Photograph|Object|Place|Restaurant|Museum)"
)
_NAMES = {
    "author": "author",
    "creator": "author",
    "datePublished": "date",
    "dateCreated": "date",
    "startDate": "date",
    "dateModified": "edited",
    "keywords": "keywords",
    "description": "description",
    "inLanguage": "lang",
}


def read(text: str) -> dict[str, Any]:
    """Return the fields of what the page is about; nothing where there is no such thing, or the JSON is none."""
    try:
        value = json.loads(text) if len(text) <= _LONGEST else None
    except (ValueError, RecursionError):
        return {}
    found: dict[str, Any] = {}
    for thing in _things(value):
        for key, name in _NAMES.items():
            if said := _said(thing.get(key)):
                found.setdefault(name, said[0] if len(said) == 1 else said)
        for key in ("contentLocation", "locationCreated", "location", "geo"):
            place = thing.get(key)
            geo = place.get("geo", place) if isinstance(place, dict) else None
            if isinstance(geo, dict) and "latitude" in geo and "longitude" in geo:
                found |= {name: found.get(name, geo[name]) for name in ("latitude", "longitude")}
    return found


def _things(value: Any) -> Iterator[dict[str, Any]]:
    """Yield what stands for the page: at the top, in a list or in a graph."""
    every = value if isinstance(value, list) else [value]
    every = [one for each in every if isinstance(each, dict) for one in _list(each.get("@graph", each))]
    for one in every[:100]:
        if isinstance(one, dict) and any(_ABOUT.fullmatch(str(kind)) for kind in _list(one.get("@type"))):
            yield one


def _said(value: Any) -> list[str]:
    """Return texts, and the names of people and organisations."""
    names = [one.get("name") if isinstance(one, dict) else one for one in _list(value)[:50]]
    return [text for name in names if isinstance(name, str) and (text := one_line(name, 1_000))]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
