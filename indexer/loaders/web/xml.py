"""XML: its text without tags; of a feed, a document for each of its items.

Where elements are the fields of a record rather than paragraphs, they are lines of "name: value".
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime
from html import unescape
from itertools import chain
from typing import Any, TextIO

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.decoding import clean, decode, one_line, reading
from quarry.indexer.loaders.dividing import LONGEST, continued, pieces
from quarry.indexer.loaders.fields import Rows
from quarry.indexer.loaders.web.xml_tree import FEEDS, ITEMS, Broken, Building, Element, TooLarge, lines
from quarry.search.language.letters import cut
from quarry.search.types import Parsed

_DECLARED = re.compile(rb"""<\?xml[^>]*\sencoding\s*=\s*["']([-\w.]+)""")
_TEXTS = {"encoded": 0, "content": 1, "description": 2, "summary": 3}  # of an item, the fullest first
_DATES = ("pubDate", "published", "date", "updated", "issued", "modified")
_NAMES = {"creator": "author", "author": "author", "category": "category", "link": "link", "subject": "category",
          "lat": "latitude", "long": "longitude"}  # fmt: skip
_MARKUP = re.compile(r"<[a-zA-Z/!][^<>]*>|&#?\w{1,40};")
_TAG = re.compile(r"<!--.*?(?:-->|\Z)|<!\[CDATA\[(.*?)(?:\]\]>|\Z)|<[^<>]*>", re.S)
_SPACES = re.compile(r"\s+")
_BLANK = re.compile(r"\n{3,}")
_ABOUT = re.compile(r"\w*info|head|header|teiHeader|fileDesc|titleStmt|metadata|front|prolog|channel", re.I)
_BEFORE = "\ufeff \t\r\n"
_BLOCK = 1024 * 1024  # characters
_LONGEST_TAG = 1_000  # bytes, of one in which XML is broken
_LANGUAGE = {"language": "xml"}


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document, or one for each item of an RSS or Atom feed; XML that is broken is read as far as it goes."""
    if os.fstat(source.stream.fileno()).st_size > LONGEST:
        yield from _parts(source)
        return
    data = source.read()
    markup = decode(data, _declared(data)).lstrip(_BEFORE)
    type = source.format.type
    building = Building()
    try:
        building.feed(markup, last=True)
    except TooLarge:
        del data, markup, building
        yield from _parts(source)
        return
    except Broken:
        if text := _stripped(markup):
            yield Parsed(text, type, metadata=_LANGUAGE)
        return
    root = building.root
    if root is None:
        return
    if root.name in FEEDS and (items := list(_items(root))):
        yield from _feed(root, items, source)
        return
    title = _title(root)
    if (text := _text(root)) or title:
        yield Parsed(text or title, type, title, metadata=_LANGUAGE)


def _parts(source: Source) -> Iterator[Parsed]:
    """Read what is large: a document for each item of a feed, else one for some megabytes of it."""
    source.stream.seek(0)
    declared = _declared(source.stream.read(512))
    with reading(source.stream, declared=declared) as text:
        building = Building(whole=False)
        trees = _trees(building, text, source)
        first = next(trees, None)
        if isinstance(first, Element) and first.name in ITEMS and (root := building.root) is not None:
            yield from _feed(
                root,
                (each for each in chain([first], trees) if isinstance(each, Element) and each.name in ITEMS),
                source,
            )
            return
        title = _title(first) if isinstance(first, Element) else ""
        texts = (_text(each) if isinstance(each, Element) else each for each in chain([first or ""], trees))
        type = source.format.type
        yield from continued(Parsed(each, type, title, metadata=_LANGUAGE) for each in texts if each)


def _trees(building: Building, text: TextIO, source: Source) -> Iterator[Element | str]:
    """Yield what is built of a text; where it is broken, the text that follows, without its tags."""
    fed, markup = 0, text.read(_BLOCK).lstrip(_BEFORE)
    try:
        while markup:
            after = text.read(_BLOCK)
            building.feed(markup, last=not after)
            source.watch.reached(0.0)
            yield from _taken(building)
            fed, markup = fed + len(markup.encode()), after
    except Broken as broken:
        yield from _taken(building)
        data = markup.encode()
        at = max(0, broken.at - fed)
        tag = data.rfind(b"<", max(0, at - _LONGEST_TAG), at + 1)
        yield _stripped(data[tag if tag >= 0 else at :].decode("utf-8", "ignore") + after)
        yield from (_stripped(piece) for piece, _ in pieces(text, where=_after_tag))


def _taken(building: Building) -> Iterator[Element]:
    while building.ready:
        yield building.ready.pop(0)


def _after_tag(text: str, least: int, most: int) -> int:
    place = text.rfind(">", least, most)
    return place + 1 if place != -1 else cut(text, least, most)


def _declared(data: bytes) -> str:
    found = _DECLARED.search(data[:512])
    return found[1].decode("ascii") if found else ""


def _stripped(markup: str) -> str:
    """Return markup without its tags."""
    return clean(_SPACES.sub(" ", unescape(_TAG.sub(lambda match: match[1] or "\n", markup)).replace("\n", " \n ")))


def _text(root: Element) -> str:
    return _BLANK.sub("\n\n", clean("\n".join(lines(root))))


def _items(root: Element) -> Iterator[Element]:
    for element in root.elements():
        if element.name in ITEMS:
            yield element
        elif element.name == "channel":
            yield from (inner for inner in element.elements() if inner.name in ITEMS)


def _feed(root: Element, items: Iterable[Element], source: Source) -> Iterator[Parsed]:
    channel = next((element for element in root.elements() if element.name == "channel"), root)
    feed = next((_said(element) for element in channel.elements() if element.name == "title"), "")
    rows = Rows(source.options, source.format.type)
    for number, item in enumerate(items, 1):
        record = {**_record(item), **({"feed": feed} if feed else {})}
        if (parsed := rows.document(record, number)) is not None:
            yield parsed


def _record(item: Element) -> dict[str, Any]:
    """Return the fields of an item under the names that tables have for them."""
    found: dict[str, Any] = {}
    texts: dict[int, str] = {}
    dates: dict[str, str] = {}
    for element in item.elements():
        said = _said(element)
        if element.name == "title":
            found.setdefault("title", one_line(said))
        elif element.name in _TEXTS and said:
            texts.setdefault(_TEXTS[element.name], said)
        elif element.name in _DATES:
            dates.setdefault(element.name, _date(said))
        elif element.name in ("guid", "id") and said:
            found.setdefault("id", said)
        elif element.name == "point" and len(point := said.split()) == 2:  # GeoRSS
            found |= {"latitude": point[0], "longitude": point[1]}
        elif name := _NAMES.get(element.name):
            value = said or element.attributes.get("href") or element.attributes.get("term") or ""
            if element.name == "author" and (named := [part for part in element.elements() if part.name == "name"]):
                value = _said(named[0])
            if name == "category" and value:
                found.setdefault(name, []).append(one_line(value))
            elif value:
                found.setdefault(name, one_line(value, 1_000))
    if texts:
        found["text"] = texts[min(texts)]
    if dates:
        found["date"] = next(dates[name] for name in _DATES if name in dates)
    return found


def _said(element: Element) -> str:
    """Return the text of an element, which may be HTML that is escaped or within CDATA."""
    text = element.text()
    if _MARKUP.search(text):
        from quarry.indexer.loaders.web.html import plain

        return clean(plain(text))
    return clean(text) if "\n\n" in text else clean(_SPACES.sub(" ", text))


def _date(text: str) -> str:
    """Turn RFC 2822, which RSS has, into ISO 8601."""
    try:
        return parsedate_to_datetime(text).isoformat()
    except (ValueError, TypeError, IndexError):
        return text


def _title(root: Element) -> str:
    """Return the title of the whole: the root's, or one in what stands before the text."""
    level = list(root.elements())
    for _ in range(4):
        for element in level:
            if element.name == "title" and (title := one_line(element.text())):
                return title
        level = [inner for element in level if _ABOUT.fullmatch(element.name) for inner in element.elements()]
    return ""
