"""HTML: title, main text and headings.

The main text is what stands in `<main>` or `<article>` where that holds a fair share of the page's words, else the
body; navigation, headers and footers of the page, forms, scripts, hidden parts and lists of links are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from indexer.loaders.base import Source
from indexer.loaders.decoding import clean, decode, one_line
from search.types import Heading, Parsed

_DECLARED = re.compile(rb"""<(?:meta[^>]*charset\s*=\s*["']?\s*|\?xml[^>]*encoding=["'])([-\w:]+)""", re.I)
_TITLE = re.compile(r"<title(?:\s[^>]{0,500})?>", re.I)
_TITLE_END = re.compile(r"</title", re.I)
_SPACES = re.compile(r"[ \t\n\f\r]+")
_UNSEEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden")

_NO_CONTENT = (
    "head script style noscript template svg iframe object embed audio video canvas map button select textarea input "
    "dialog menu nav -comment"
)
_NO_CONTENT_ROLES = "navigation banner contentinfo search complementary menu menubar dialog alert"
_PARAGRAPH_TAGS = (
    "address article aside blockquote body center details dl div fieldset figcaption figure footer form "
    "h1 h2 h3 h4 h5 h6 header hr html legend main ol p pre section summary table ul"
)
_LINE_TAGS = "br caption dd dt li option tbody tfoot thead tr"
_SKIPPED, _SKIPPED_ROLES = frozenset(_NO_CONTENT.split()), frozenset(_NO_CONTENT_ROLES.split())
_PARAGRAPHS, _LINES, _CELLS = frozenset(_PARAGRAPH_TAGS.split()), frozenset(_LINE_TAGS.split()), frozenset({"td", "th"})
_PAGE_ONLY = frozenset({"header", "footer", "aside", "form"})  # furniture on a page, but content within an article
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_META = {
    "description": "description",
    "og:description": "description",
    "author": "author",
    "article:author": "author",
    "dc.creator": "author",
    "citation_author": "author",
    "date": "date",
    "article:published_time": "date",
    "dc.date": "date",
    "citation_date": "date",
}


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document."""
    data = source.read()
    declared = _DECLARED.search(data[:2048])
    markup = _closed_title(decode(data, declared[1].decode("ascii") if declared else ""))
    tree = LexborHTMLParser(markup)
    metadata = _metadata(tree)
    page = _main(tree)
    title = _title(tree) or next((one_line(text) for level, text in page.headings() if level == 1), "")
    text, headings = page.text()
    if text or title:
        yield Parsed(text or title, source.format.type, title, metadata=metadata, headings=headings)


def _closed_title(markup: str) -> str:
    """Close a title that is never closed, since it would swallow the whole page."""
    start = _TITLE.search(markup)
    if start is None or _TITLE_END.search(markup, start.end()):
        return markup
    end = re.search(r"[<\n]", markup[start.end() :])
    place = start.end() + end.start() if end else len(markup)
    return f"{markup[:place]}</title>{markup[place:]}"


def _title(tree: LexborHTMLParser) -> str:
    node = tree.css_first("title")
    title = one_line(node.text()) if node is not None else ""
    if not title and (meta := tree.css_first('meta[property="og:title"]')) is not None:
        title = one_line(meta.attributes.get("content") or "")
    return title


def _metadata(tree: LexborHTMLParser) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in tree.css("meta[content]"):
        attributes = node.attributes
        name = _META.get((attributes.get("name") or attributes.get("property") or "").lower())
        if name and name not in found and (value := one_line(attributes.get("content") or "", 1_000)):
            found[name] = value
    root = tree.css_first("html")
    if root is not None and (language := one_line(root.attributes.get("lang") or "", 35)):
        found["lang"] = language
    return found


@dataclass(slots=True)
class _Page:
    """The blocks of a page in order: (heading level or 0, follows its predecessor on the next line, text)."""

    blocks: list[tuple[int, bool, str]] = field(default_factory=list)

    def length(self) -> int:
        return sum(len(text) for _, _, text in self.blocks)

    def headings(self) -> Iterator[tuple[int, str]]:
        return ((level, text) for level, _, text in self.blocks if level)

    def text(self) -> tuple[str, tuple[Heading, ...]]:
        parts: list[str] = []
        headings: list[Heading] = []
        place = 0
        for level, close, text in self.blocks:
            if parts:
                parts.append("\n" if close else "\n\n")
                place += len(parts[-1])
            if level:
                headings.append(Heading(place, level, one_line(text)))
            parts.append(text)
            place += len(text)
        return "".join(parts), tuple(headings)


def _main(tree: LexborHTMLParser) -> _Page:
    body = tree.body
    if body is None:
        return _Page()
    page = _read(body, _PAGE_ONLY, menu=4)
    for selector in ("main, [role=main]", "article, [role=article]"):
        best = max((_without_menus(node) for node in tree.css(selector)[:50]), key=_Page.length, default=_Page())
        if best.length() >= 0.3 * page.length() and best.length() > 0:
            return best
    return page if page.length() else _read(body)


def _without_menus(node: LexborNode) -> _Page:
    """Read an article without its long lists of links, unless they are what it consists of."""
    whole, rest = _read(node), _read(node, menu=8)
    return rest if rest.length() >= 0.5 * whole.length() else whole


def _read(top: LexborNode, furniture: Set[str] = frozenset(), menu: int = 0) -> _Page:
    """Walk a subtree in document order without recursion, however deep it is.

    Args:
        furniture: elements to leave out that are only sometimes content.
        menu: leave out lists of so many links and nothing else, 0 for none.
    """
    page = _Page()
    inline: list[str] = []
    close = False  # whether the next block continues on the next line rather than after a blank one
    preformatted = 0
    level = 0

    def flush(paragraph: bool) -> None:
        nonlocal close
        text = "".join(inline)
        inline.clear()
        text = clean(text) if preformatted else clean(_SPACES.sub(" ", text)).rstrip(" |")
        if text:
            page.blocks.append((level, close, text))
            close = not paragraph
        elif paragraph:
            close = False

    node: Any = top
    while node is not None:
        tag = node.tag
        entered = False
        if tag == "-text":
            inline.append(node.text_content or "")
        elif tag not in _SKIPPED and (node is top or not _hidden(node, tag, furniture, menu)):
            if tag in _PARAGRAPHS:
                flush(True)
                level = _HEADINGS.get(tag, level)
                preformatted += tag == "pre"
            elif tag in _LINES:
                if tag == "br" and preformatted:
                    inline.append("\n")
                else:
                    flush(False)
            entered = True
        child = node.child if entered else None
        if child is not None:
            node = child
            continue
        while True:
            if entered:
                if tag in _PARAGRAPHS:
                    flush(True)
                    level = 0 if tag in _HEADINGS else level
                    preformatted -= tag == "pre"
                elif tag in _LINES:
                    flush(False)
                elif tag in _CELLS:
                    inline.append(" | ")
            if node.mem_id == top.mem_id:
                node = None
                break
            if node.next is not None:
                node = node.next
                break
            node = node.parent
            tag, entered = node.tag, True
    flush(True)
    return page


def _hidden(node: LexborNode, tag: str, furniture: Set[str], menu: int) -> bool:
    if tag in furniture:
        return True
    if attributes := node.attributes:
        if "hidden" in attributes or attributes.get("aria-hidden") == "true":
            return True
        if _UNSEEN.search(attributes.get("style") or ""):
            return True
        if furniture and attributes.get("role") in _SKIPPED_ROLES:
            return True
        if tag == "a" and "headerlink" in (attributes.get("class") or ""):  # Sphinx's mark beside each heading
            return True
    return bool(menu) and tag in ("ul", "ol") and _only_links(node, menu)


def _only_links(node: LexborNode, least: int) -> bool:
    """Whether a list is a menu: so many links, which hold nearly all of its words, each of few words."""
    links = node.css("a[href]")
    if len(links) < least:
        return False
    linked = sum(len(link.text()) for link in links)
    everything = len(_SPACES.sub(" ", node.text()))
    return linked >= 0.8 * everything and linked < 40 * len(links)
