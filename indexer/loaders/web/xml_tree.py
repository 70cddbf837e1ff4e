"""XML as a tree of elements, built as it is read; of what is too large for one, a tree after the other."""

from __future__ import annotations

import html.entities
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from quarry.indexer.loaders.decoding import one_line
from quarry.indexer.loaders.dividing import PIECE
from quarry.indexer.loaders.web.markup import words
from quarry.search.errors import FileMalformed

ITEMS = frozenset({"item", "entry"})
FEEDS = frozenset({"rss", "RDF", "feed", "channel"})
_PROSE = words(
    "title subtitle para p simpara text body content description summary abstract encoded li item line l lg s seg head "
    "heading caption figcaption note quote q span value td th entry v h1 h2 h3 h4 h5 h6"
)
_LABELS = ("name", "key", "label", "id")
_SPACES = re.compile(r"\s+")
_LONGEST_VALUE = 300  # characters of a field of a record
_MOST = 200_000  # elements of a tree
_DEEPEST = 10_000


@dataclass(slots=True)
class Element:
    """An element: its name without a prefix, what it holds in order (texts and elements), its attributes."""

    name: str
    attributes: dict[str, str]
    parts: list[str | Element] = field(default_factory=list)

    def elements(self) -> Iterator[Element]:
        """Yield the elements that it holds."""
        return (part for part in self.parts if isinstance(part, Element))

    def is_line(self) -> bool:
        """Whether it holds text, perhaps with elements within it as in a paragraph, rather than elements alone."""
        return not any(self.elements()) or any(isinstance(part, str) and part.strip() for part in self.parts)

    def text(self) -> str:
        """Return all of its text, as it stands."""
        texts: list[str] = []
        stack: list[str | Element] = [self]
        while stack:
            part = stack.pop()
            if isinstance(part, str):
                texts.append(part)
            else:
                stack.extend(reversed(part.parts))
        return "".join(texts)


class Broken(FileMalformed):
    """What came is no XML.

    Args:
        at: how many bytes of it, as UTF-8, are.
    """

    def __init__(self, at: int) -> None:
        super().__init__("its XML is damaged")
        self.at = at


class Building:
    """A tree that is built of what it is fed. Nothing is fetched; entities that are declared elsewhere are HTML's.

    Args:
        whole: whether all is kept; else what is read of it goes to `ready` and is forgotten, a piece at a time.
    """

    def __init__(self, *, whole: bool = True) -> None:
        self.ready: list[Element] = []  # items of a feed, and trees of what was read since the last one
        self._whole = whole
        self._top = Element("", {})
        self._stack = [self._top]
        self._count = self._size = 0
        self._is_in_item = False
        parser = self._parser = expat.ParserCreate()
        parser.UseForeignDTD(True)  # so that an entity nobody declared is skipped, not an error
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler, parser.SkippedEntityHandler = self._characters, self._skipped

    @property
    def root(self) -> Element | None:
        """The outermost element."""
        return next(self._top.elements(), None)

    def feed(self, markup: str, *, last: bool = False) -> None:
        """Take markup in.

        Raises:
            Broken: it is no XML, or nested too deeply.
            TooLarge: all is kept, and it is too much.
        """
        is_last = last
        try:
            self._parser.Parse(markup, last)
        except (expat.ExpatError, ValueError) as error:
            is_last = True
            raise Broken(max(self._parser.ErrorByteIndex, self._parser.CurrentByteIndex)) from error
        finally:
            if is_last and not self._whole:
                self._cut()

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._count += 1
        if self._whole and self._count > _MOST:
            raise TooLarge
        if len(self._stack) > _DEEPEST:
            raise ValueError("too deep")
        element = Element(name.rsplit(":", 1)[-1], dict(attributes))
        self._size += sum(map(len, attributes.values()))
        self._is_in_item = self._is_in_item or self._is_item(element)
        self._stack[-1].parts.append(element)
        self._stack.append(element)

    def _is_item(self, element: Element) -> bool:
        return element.name in ITEMS and 1 < len(self._stack) < 4 and self._stack[1].name in FEEDS

    def _end(self, name: str) -> None:
        ended = self._stack.pop()
        if self._whole:
            return
        if self._is_item(ended):
            feed = self._stack[-1]
            feed.parts = [part for part in feed.elements() if part.name == "title"]
            self.ready.append(ended)
            self._count = self._size = 0
            self._is_in_item = False
        elif self._size > self._longest or self._count > _MOST:
            self._cut()

    @property
    def _longest(self) -> int:
        return 8 * PIECE if self._is_in_item else PIECE

    def _characters(self, text: str) -> None:
        self._stack[-1].parts.append(text)
        self._size += len(text)
        if not self._whole and self._size > 2 * self._longest:  # of one element
            self._cut()

    def _skipped(self, name: str, is_parameter: bool) -> None:
        if not is_parameter:
            self._characters(html.entities.html5.get(f"{name};", f"&{name};"))

    def _cut(self) -> None:
        """Give what was read, and begin anew within what is open."""
        if (root := self.root) is not None:
            self.ready.append(root)
        self._top = Element("", {})
        before = self._top
        for position, element in enumerate(self._stack):
            again = Element(element.name, {})
            if position:
                before.parts.append(again)
            self._stack[position] = before = self._top if not position else again
        self._count = self._size = 0


class TooLarge(Exception):
    """There is more than fits into one tree."""


def lines(root: Element) -> Iterator[str]:
    """Yield the lines of paragraphs and of the fields of records, and "" between paragraphs and between records."""
    stack: list[Element | None] = [root]
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


def _line(element: Element) -> Iterator[str]:
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
