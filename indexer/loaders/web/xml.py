"""XML: its text without tags; of a feed, a document for each of its items.

Where elements are the fields of a record rather than paragraphs, they are lines of "name: value".
"""

from __future__ import annotations

import html.entities
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any
from xml.parsers import expat

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.decoding import clean, decode, one_line
from quarry.indexer.loaders.fields import Rows
from quarry.indexer.loaders.web.markup import words
from quarry.search.types import Parsed

_DECLARED = re.compile(rb"""<\?xml[^>]*\sencoding\s*=\s*["']([-\w.]+)""")
_ITEMS = frozenset({"item", "entry"})
_FEEDS = frozenset({"rss", "RDF", "feed", "channel"})
_TEXTS = {"encoded": 0, "content": 1, "description": 2, "summary": 3}  # of an item, the fullest first
_DATES = ("pubDate", "published", "date", "updated", "issued", "modified")
_NAMES = {"creator": "author", "author": "author", "category": "category", "link": "link", "subject": "category",
          "lat": "latitude", "long": "longitude"}  # fmt: skip
_PROSE = words(
    "title subtitle para p simpara text body content description summary abstract encoded li item line l lg s seg head "
    "heading caption figcaption note quote q span value td th entry v h1 h2 h3 h4 h5 h6"
)
_LABELS = ("name", "key", "label", "id")
_MARKUP = re.compile(r"<[a-zA-Z/!][^<>]*>|&#?\w{1,40};")
_TAG = re.compile(r"<!--.*?(?:-->|\Z)|<!\[CDATA\[(.*?)(?:\]\]>|\Z)|<[^<>]*>", re.S)
_SPACES = re.compile(r"\s+")
_BLANK = re.compile(r"\n{3,}")
_ABOUT = re.compile(r"\w*info|head|header|teiHeader|fileDesc|titleStmt|metadata|front|prolog|channel", re.I)
_LONGEST_VALUE = 300  # characters of a field of a record
_MOST = 500_000  # elements; what has more is read without looking at how it is built


@dataclass(slots=True)
class _Element:
    """An element: its name without a prefix, what it holds in order (texts and elements), its attributes."""

    name: str
    attributes: dict[str, str]
    parts: list[str | _Element] = field(default_factory=list)

    def elements(self) -> Iterator[_Element]:
        """Yield the elements that it holds."""
        return (part for part in self.parts if isinstance(part, _Element))

    def is_line(self) -> bool:
        """Whether it holds text, perhaps with elements within it as in a paragraph, rather than elements alone."""
        return not any(self.elements()) or any(isinstance(part, str) and part.strip() for part in self.parts)

    def text(self) -> str:
        """Return all of its text, as it stands."""
        texts: list[str] = []
        stack: list[str | _Element] = [self]
        while stack:
            part = stack.pop()
            if isinstance(part, str):
                texts.append(part)
            else:
                stack.extend(reversed(part.parts))
        return "".join(texts)


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document, or one for each item of an RSS or Atom feed; XML that is broken is read as far as it goes."""
    data = source.read()
    declared = _DECLARED.search(data[:512])
    markup = decode(data, declared[1].decode("ascii") if declared else "").lstrip("\ufeff \t\r\n")
    type = source.format.type
    metadata = {"language": "xml"}
    root = _tree(markup)
    if root is None:
        text = clean(_SPACES.sub(" ", unescape(_TAG.sub(lambda match: match[1] or "\n", markup)).replace("\n", " \n ")))
        if text:
            yield Parsed(text, type, metadata=metadata)
        return
    if root.name in _FEEDS and (items := list(_items(root))):
        yield from _feed(root, items, source)
        return
    text = _BLANK.sub("\n\n", clean("\n".join(_lines(root))))
    title = _title(root)
    if text or title:
        yield Parsed(text or title, type, title, metadata=metadata)


def _tree(markup: str) -> _Element | None:
    """Parse XML without fetching anything; entities that are declared elsewhere are HTML's."""
    top = _Element("", {})
    stack = [top]
    count = 0

    def start(name: str, attributes: Mapping[str, str]) -> None:
        nonlocal count
        count += 1
        if count > _MOST:
            raise ValueError("too many elements")
        element = _Element(name.rsplit(":", 1)[-1], dict(attributes))
        stack[-1].parts.append(element)
        stack.append(element)

    def end(name: str) -> None:
        stack.pop()

    def characters(text: str) -> None:
        parts = stack[-1].parts
        if parts and isinstance(parts[-1], str):
            parts[-1] += text
        else:
            parts.append(text)

    def skipped(name: str, is_parameter: bool) -> None:
        if not is_parameter:
            characters(html.entities.html5.get(f"{name};", f"&{name};"))

    parser = expat.ParserCreate()
    parser.UseForeignDTD(True)  # so that an entity nobody declared is skipped, not an error
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.SkippedEntityHandler = characters, skipped
    try:
        parser.Parse(markup, True)
    except (expat.ExpatError, ValueError):
        return None
    return next(top.elements(), None)


def _items(root: _Element) -> Iterator[_Element]:
    for element in root.elements():
        if element.name in _ITEMS:
            yield element
        elif element.name == "channel":
            yield from (inner for inner in element.elements() if inner.name in _ITEMS)


def _feed(root: _Element, items: list[_Element], source: Source) -> Iterator[Parsed]:
    channel = next((element for element in root.elements() if element.name == "channel"), root)
    feed = next((_said(element) for element in channel.elements() if element.name == "title"), "")
    rows = Rows(source.options, source.format.type)
    for number, item in enumerate(items, 1):
        record = {**_record(item), **({"feed": feed} if feed else {})}
        if (parsed := rows.document(record, number)) is not None:
            yield parsed


def _record(item: _Element) -> dict[str, Any]:
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


def _said(element: _Element) -> str:
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


def _title(root: _Element) -> str:
    """Return the title of the whole: the root's, or one in what stands before the text."""
    level = list(root.elements())
    for _ in range(4):
        for element in level:
            if element.name == "title" and (title := one_line(element.text())):
                return title
        level = [inner for element in level if _ABOUT.fullmatch(element.name) for inner in element.elements()]
    return ""


def _lines(root: _Element) -> Iterator[str]:
    """Yield the lines of paragraphs and of the fields of records, and "" between paragraphs and between records."""
    stack: list[_Element | None] = [root]
    while stack:
        element = stack.pop()
        if element is None:
            yield ""
        elif element.is_line():
            yield from _line(element)
        else:
            yield ""
            yield from _told(element.attributes)
            stack.append(None)
            stack.extend(reversed(list(element.elements())))


def _line(element: _Element) -> Iterator[str]:
    text = _SPACES.sub(" ", element.text()).strip()
    if not text:
        if told := "; ".join(_told(element.attributes)):
            yield f"{element.name} {told}"
    elif element.name in _PROSE or any(element.elements()) or len(text) > _LONGEST_VALUE:
        yield from ("", text, "")
    else:
        label = next((element.attributes[name] for name in _LABELS if element.attributes.get(name)), element.name)
        yield f"{label}: {text}"


def _told(attributes: Mapping[str, str]) -> Iterator[str]:
    for name, value in attributes.items():
        plain = name.rsplit(":", 1)[-1]
        if not name.startswith(("xml", "xsi:")) and (said := one_line(value)):
            yield f"{plain}: {said}"
