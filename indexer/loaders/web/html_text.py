"""The text of an HTML page or of a part of it: blocks in the order of the document, without recursion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from selectolax.lexbor import LexborNode

from quarry.indexer.loaders.decoding import clean, one_line
from quarry.indexer.loaders.web.furniture import Furniture, unseen
from quarry.indexer.loaders.web.markup import words
from quarry.search.types import Heading

_SPACES = re.compile(r"[\t\n\f\r][ \t\n\f\r]*| [ \t\n\f\r]+")  # white space that is more than a single space
_PARAGRAPH_TAGS = (
    "address article aside blockquote body center details dl div fieldset figcaption figure footer form "
    "h1 h2 h3 h4 h5 h6 header hgroup hr html legend main ol p pre section summary table ul"
)
_PARAGRAPHS = words(_PARAGRAPH_TAGS)
_LINES = words("br caption dd dt frame li option tbody tfoot thead tr")
_CELLS = words("td th")
_SAYING = words("h1 h2 h3 h4 h5 h6 p dl blockquote pre")  # after these, a list is no page's menu
_LEVELS = {f"h{level}": level for level in range(1, 7)}
_PARTS = "table, h1, h2, h3, h4, h5, h6, pre, dl, figure"
_CELL = 300  # characters; a longer cell lays out a page rather than a table
_FILE = re.compile(r"\S+\.\w{2,4}|https?:\S+")
_DECORATION = re.compile(r"\b(?:logo|icon|avatar|banner|spacer|thumbnail)\b", re.I)
_NOTE = re.compile(r"\[[^\]]{1,20}\]|[*†‡§¶]+|[↑↩^]")
_NOTE_LINK = re.compile(r"#|.*#(?:cite|fn|ftn|foot|note|ref)", re.I)
_NOTE_NAME = re.compile(r"\b(?:reference|footnote|fnref|noteref|endnote|sidenote|cite)", re.I)
_UNIT = re.compile(r"(?:^|[\s\d(/·*])(?:[kcdmnµ]?m|in|ft|yd|mi|s|sec)$")
_TERM = re.compile(r"[=+\-−–*/·×(^±<>≤≥≈]\s*\w{1,3}$")  # of a formula: E = mc
_PRICE = re.compile(r"[$€£]\s?\d+$")
_SQUARED = {"2": "²", "3": "³"}


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, line or heading (of a level from 1, else 0); `close` where it follows on the next line."""

    level: int
    close: bool
    text: str
    hidden: bool = False


@dataclass(slots=True)
class Page:
    """The blocks of a page in order."""

    blocks: list[Block] = field(default_factory=list)

    def length(self) -> int:
        """Return how many characters there are."""
        return sum(len(block.text) for block in self.blocks)

    def headings(self) -> Iterator[tuple[int, str]]:
        """Yield levels and texts."""
        return ((block.level, block.text) for block in self.blocks if block.level)

    def text(self) -> tuple[str, tuple[Heading, ...]]:
        """Join the blocks; return the text and where its headings are."""
        parts: list[str] = []
        headings: list[Heading] = []
        place = 0
        for block in self.blocks:
            if parts:
                parts.append("\n" if block.close else "\n\n")
                place += len(parts[-1])
            if block.level:
                headings.append(Heading(place, block.level, one_line(block.text)))
            parts.append(block.text)
            place += len(block.text)
        return "".join(parts), tuple(headings)


def read(top: LexborNode, furniture: Furniture, *, page: bool = False, menus: bool = True) -> Page:
    """Walk a subtree in document order, however deep it is.

    Args:
        page: whether it is a whole page, whose header, footer and forms are left out.
        menus: whether lists of links that are menus are left out.
    """
    walk = _Walk()
    node: Any = top
    while node is not None:
        tag = node.tag
        entered = False
        if tag == "-text":
            walk.inline.append(node.text_content or "")
        elif tag == "img":
            walk.picture(node)
        elif tag in ("sup", "sub") and (raised := _raised(node, tag, walk.line())) is not None:
            walk.inline.append(raised)
        elif node.mem_id == top.mem_id or not furniture.left_out(node, tag, page=page, menus=menus, said=walk.has_said):
            walk.enter(node, tag)
            entered = True
        child = node.child if entered else None
        if child is not None:
            node = child
            continue
        while True:
            if entered:
                walk.leave(node, tag)
            if node.mem_id == top.mem_id:
                node = None
                break
            if node.next is not None:
                node = node.next
                break
            node = node.parent
            tag, entered = node.tag, True
    walk.flush(paragraph=True)
    shown = {block.text for block in walk.blocks if not block.hidden}
    return Page([block for block in walk.blocks if not block.hidden or block.text not in shown])


@dataclass(slots=True)
class _Walk:
    """Where a walk is: the line that is being collected, and what encloses it."""

    blocks: list[Block] = field(default_factory=list)
    inline: list[str] = field(default_factory=list)
    has_said: bool = False
    close: bool = False  # whether the next block continues on the next line rather than after a blank one
    level: int = 0
    preformatted: int = 0
    cells: int = 0  # cells of a table that are one line, and that it stands in
    hidden: int | None = None  # the element that is not shown, and that it stands in

    def line(self) -> str:
        """Return what was collected of this line last."""
        return "".join(self.inline[-4:])

    def flush(self, *, paragraph: bool) -> None:
        text = "".join(self.inline)
        self.inline.clear()
        text = clean(text) if self.preformatted else clean(_SPACES.sub(" ", text)).rstrip(" |")
        if text:
            self.blocks.append(Block(self.level, self.close, text, self.hidden is not None))
            self.close = not paragraph
        elif paragraph:
            self.close = False

    def enter(self, node: LexborNode, tag: str) -> None:
        if self.hidden is None and node.attributes and unseen(node):
            self.hidden = node.mem_id
        if tag in _CELLS:
            self.cells += _is_line(node)
        elif self.cells:
            before = self.line().rstrip()
            if tag == "li" and before and before[-1] not in "|:,":
                self.inline[:] = ["".join(self.inline).rstrip(), ", "]
            elif tag in _PARAGRAPHS or tag in _LINES:
                self.inline.append(" ")
        elif level := _level(node, tag):
            self.flush(paragraph=True)
            self.level = level
        elif tag in _PARAGRAPHS:
            self.flush(paragraph=True)
            self.preformatted += tag == "pre"
        elif tag in _LINES:
            if tag != "br":
                self.flush(paragraph=False)
            elif self.preformatted:
                self.inline.append("\n")
            elif self.level:
                self.inline.append(" ")
            else:
                self.flush(paragraph=False)
        self.has_said = self.has_said or tag in _SAYING

    def leave(self, node: LexborNode, tag: str) -> None:
        if tag in _CELLS:
            self.cells -= _is_line(node)
            self.inline.append(" | ")
        elif self.cells:
            if tag in _PARAGRAPHS:
                self.inline.append(" ")
        elif _level(node, tag):
            self.flush(paragraph=True)
            self.level = 0
        elif tag in _PARAGRAPHS:
            self.flush(paragraph=True)
            self.preformatted -= tag == "pre"
        elif tag in _LINES and tag != "br":
            self.flush(paragraph=False)
        elif tag == "ruby" and (reading := "".join(rt.text() for rt in node.css("rt"))):
            self.inline.append(f"({reading})")
        if self.hidden == node.mem_id:
            self.hidden = None

    def picture(self, node: LexborNode) -> None:
        """Take the words that stand for a picture, where they say something that nothing else says."""
        attributes = node.attributes
        alt = one_line(attributes.get("alt") or "")
        if not alt or unseen(node) or attributes.get("role") in ("presentation", "none"):
            return
        if not re.search(r"\w", alt):  # an emoji
            self.inline.append(alt)
            return
        parent = node.parent
        stands_alone = self.level > 0 or (parent is not None and parent.tag == "a" and not parent.text().strip())
        if _FILE.fullmatch(alt) or (len(alt.split()) < 3 and not stands_alone):
            return
        if not self.level and _DECORATION.search(alt):
            return
        caption = parent.parent if parent is not None and parent.tag in ("a", "picture", "div", "p") else parent
        if not self.level and caption is not None and alt in _SPACES.sub(" ", caption.text() or ""):
            return
        self.inline.append(f" {alt} ")


def _level(node: LexborNode, tag: str) -> int:
    """Return the level of a heading, 0 of what is none."""
    if tag in _LEVELS:
        return _LEVELS[tag]
    if tag in ("div", "p", "span") and node.attributes.get("role") == "heading":
        level = node.attributes.get("aria-level") or ""
        return int(level) if re.fullmatch("[1-6]", level) else 2
    return 0


def _is_line(cell: LexborNode) -> bool:
    """Whether a cell of a table is short, and holds nothing that needs lines of its own."""
    return len(cell.text() or "") <= _CELL and cell.css_first(_PARTS) is None


def _raised(node: LexborNode, tag: str, before: str) -> str | None:
    """Write what is raised or lowered so that it does not run into the word before; None where it may.

    10 to the sixth is 10^6, m² is m², 1st is 1st, water is H2O, and the mark of a footnote is none of the text.
    """
    text = "".join((node.text() or "").split())
    if not text or len(text) > 20:
        return None
    if tag == "sub":
        return f"_{text}" if text[:1].isdigit() and before[-1:].isdigit() else None
    link = node.css_first("a[href]")
    names = " ".join((node.attributes.get(name) or "") for name in ("class", "id", "role", "epub:type"))
    is_note = link is not None and _NOTE_LINK.match(link.attributes.get("href") or "") is not None
    if is_note or _NOTE.fullmatch(text) or _NOTE_NAME.search(names):
        return ""
    if text in _SQUARED and _UNIT.search(before):
        return _SQUARED[text]
    last = before[-1:]
    is_value = last.isdigit() or last in ")]" or bool(re.search(r"(?:^|[^\w])\w$", before) or _TERM.search(before))
    if len(text) == 2 and text.isdecimal() and _PRICE.search(before):
        return f".{text}"
    if re.fullmatch(r"[+\-−–]?[\d.,/]+", text):
        return f"^{text}" if is_value and last else f" [{text}]"
    if is_value and (len(text) == 1 or not text.isalpha()) and text not in "ªº°™®©":
        return f"^{text}"
    return None
