"""SVG: the words of a drawing, its title, its descriptions, and what it says of itself (Dublin Core)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.decoding import clean, decode, one_line
from quarry.indexer.loaders.titles import keywords, people, title_of
from quarry.indexer.loaders.web.xml_tree import Broken, Building, Element, TooLarge
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed

_SAYING = frozenset({"text", "title", "desc", "foreignObject"})
_UNSEEN = frozenset({"style", "script", "metadata"})
_ROWS = frozenset({"p", "div", "li", "tr"})
_RUNS = frozenset({"tspan", "textPath"})  # stand apart where they have a place of their own
_SPACES = re.compile(r"[ \t]+")


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document, none where a drawing has no words.

    Raises:
        FileMalformed: it is damaged, or no drawing.
    """
    building = Building()
    try:
        building.feed(decode(source.read()).lstrip("\ufeff \t\r\n"), last=True)
    except (Broken, TooLarge) as error:
        raise FileMalformed("its XML is damaged or too large to be a drawing; save it anew") from error
    root = building.root
    if root is None or root.name != "svg":
        raise FileMalformed("it is no drawing, whatever .svg says; give it the suffix of its own type")
    title, metadata = _told(root)
    said = [] if not title else [title]
    for element in _elements(root, within=_UNSEEN | _SAYING):
        if element.name in _SAYING and (text := _text(element)) and text not in said[:1]:
            said.append(text)
            title = title or (one_line(text) if element.name == "title" else "")
    if said:
        yield Parsed("\n\n".join(dict.fromkeys(said)), source.format.type, title, metadata=metadata)


def _told(root: Element) -> tuple[str, dict[str, Any]]:
    """Return the title, and what a drawing says of itself."""
    title = next((_text(each) for each in root.elements() if each.name == "title"), "")
    found: dict[str, str] = {}
    for each in root.elements():
        for one in _elements(each) if each.name == "metadata" else ():
            if one.name in ("title", "creator", "date", "subject", "description", "language"):
                found.setdefault(one.name, ", ".join(filter(None, map(one_line, _pieces(one)))))
    told = {
        "author": people(found.get("creator", "")),
        "date": found.get("date", ""),
        "keywords": keywords(found.get("subject", "")),
        "description": found.get("description", ""),
        "lang": found.get("language", ""),
    }
    return title_of(title or found.get("title", "")), {name: value for name, value in told.items() if value}


def _elements(root: Element, within: frozenset[str] = frozenset()) -> Iterator[Element]:
    """Yield the elements in their order, but none of those within some."""
    stack = [root]
    while stack:
        element = stack.pop()
        yield element
        if element.name not in within:
            stack.extend(reversed(list(element.elements())))


def _pieces(element: Element) -> list[str]:
    return [part for each in _elements(element) for part in each.parts if isinstance(part, str)]


def _text(element: Element) -> str:
    """Return the words of an element, a line for each piece of it that stands by itself."""
    pieces: list[str] = []
    stack: list[Element | str] = [element]
    while stack:
        part = stack.pop()
        if isinstance(part, str):
            pieces.append(_SPACES.sub(" ", part.replace("\n", " ")))
        elif part.name not in _UNSEEN:
            if part.name in _ROWS or (part.name in _RUNS and part.attributes.keys() & {"x", "y"}):
                pieces.append("\n")
            stack.extend(reversed(part.parts))
    return clean("\n".join(filter(None, map(str.strip, "".join(pieces).split("\n")))))
