"""HTML: title, main text and headings.

The main text is what stands in `<main>` or `<article>` where that holds a fair share of the page's words, else the
body; what is no content (`indexer/loaders/web/furniture.py`) is left out. Pictures that stand in the page itself
(`data:`) are documents of their own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.decoding import decode, one_line, reading
from quarry.indexer.loaders.dividing import LONGEST, continued
from quarry.indexer.loaders.pictures.figures import Figures
from quarry.indexer.loaders.titles import keywords
from quarry.indexer.loaders.web import linked_data
from quarry.indexer.loaders.web.furniture import Furniture, title_outside, unseen
from quarry.indexer.loaders.web.html_text import Page, read
from quarry.indexer.loaders.web.images import held, images, suffix_of
from quarry.indexer.loaders.web.large_html import pieces
from quarry.indexer.loaders.web.markup import is_xhtml, repaired
from quarry.search.types import Parsed

_DECLARED = re.compile(rb"""<(?:meta[^>]*charset\s*=\s*["']?\s*|\?xml[^>]*encoding\s*=\s*["'])([-\w:]+)""", re.I)
_NO_FRAMES = re.compile(r"<noframes[^<>]*>(.*?)(?:</noframes|\Z)", re.I | re.S)
_NO_SCRIPT = re.compile(r"</?noscript[^<>]*>", re.I)
_SPACES = re.compile(r"\s+")
_POSITION = re.compile(r"\s*(-?\d{1,2}(?:\.\d+)?)\s*[;,]\s*(-?\d{1,3}(?:\.\d+)?)\s*")
_MOST_DATA = 10  # blocks of JSON-LD
_MOST_TAGS = 500_000  # of one tree, in which each takes some 400 bytes
_XHTML = frozenset({".xhtml", ".xht"})
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
    "dcterms.created": "date",
    "article:modified_time": "edited",
    "last-modified": "edited",
    "dcterms.modified": "edited",
    "geo.position": "position",
    "icbm": "position",
}
_SEVERAL = {"keywords": "keywords", "news_keywords": "keywords", "article:tag": "keywords"}


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document, of a large page several."""
    xhtml = source.path.suffix.lower() in _XHTML
    if os.fstat(source.stream.fileno()).st_size > 4 * LONGEST:
        yield from continued(_parts(source, xhtml=xhtml))
        return
    data = source.read()
    if data.count(b"<") > _MOST_TAGS:
        del data
        yield from continued(_parts(source, xhtml=xhtml))
        return
    found, figures = _document(source, decode(data, _declared(data)), xhtml=xhtml)
    yield from figures.after([found] if found.text else [])


def _parts(source: Source, *, xhtml: bool) -> Iterator[Parsed]:
    """Read a large page a part at a time; its first one says what is known of it."""
    source.stream.seek(0)
    with reading(source.stream, declared=_declared(source.stream.read(2048))) as text:
        for markup in pieces(text):
            source.watch.reached(0.0)
            found, figures = _document(source, markup, xhtml=xhtml)
            xhtml = xhtml or is_xhtml(markup)
            if found.text:
                yield found
            yield from figures.documents(found.title, found.metadata)


def _declared(data: bytes) -> str:
    found = _DECLARED.search(data[:2048])
    return found[1].decode("ascii") if found else ""


def _document(source: Source, markup: str, *, xhtml: bool) -> tuple[Parsed, Figures]:
    """Return what a page says, and the pictures that it holds."""
    markup = repaired(markup, xhtml=xhtml)
    tree = LexborHTMLParser(markup)
    page = _main(tree)
    if not page.blocks:
        page = _main(LexborHTMLParser(_without_scripts(markup)))
    title = _title(tree) or next((one_line(text) for level, text in page.headings() if level == 1), "")
    text, headings = page.text()
    figures = Figures(source)
    for number, shown in enumerate(images(tree.body) if "data:image/" in markup and tree.body is not None else (), 1):
        if suffix := suffix_of(shown.source):
            figures.add(f"image{number}.{suffix}", partial(held, shown.source), shown.alt, caption=shown.caption)
    return Parsed(text or title, source.format.type, title, metadata=_metadata(tree), headings=headings), figures


def plain(markup: str) -> str:
    """Return the text of a fragment of HTML, such as a feed's description of an item."""
    tree = LexborHTMLParser(markup)
    return read(tree.body, Furniture()).text()[0] if tree.body is not None else ""


def _without_scripts(markup: str) -> str:
    """Return what a browser shows that runs no scripts, or knows no frames."""
    if frames := _NO_FRAMES.search(markup):
        return re.sub(r"</?(?:noframes|body)[^<>]*>", "", frames[1], flags=re.I)
    return _NO_SCRIPT.sub("", markup)


def _title(tree: LexborHTMLParser) -> str:
    node = tree.css_first("title")
    title = one_line(node.text()) if node is not None else ""
    if not title and (meta := tree.css_first('meta[property="og:title"]')) is not None:
        title = one_line(meta.attributes.get("content") or "")
    return title


def _metadata(tree: LexborHTMLParser) -> dict[str, Any]:
    found: dict[str, Any] = {}
    words: list[str] = []
    for node in tree.css("meta[content]"):
        attributes = node.attributes
        key = (attributes.get("name") or attributes.get("property") or attributes.get("http-equiv") or "").lower()
        name, value = _META.get(key), one_line(attributes.get("content") or "", 1_000)
        if name and value:
            found.setdefault(name, value)
        elif key in _SEVERAL:
            words.append(value)
    if told := keywords(", ".join(words)):
        found["keywords"] = told
    if position := _POSITION.fullmatch(found.pop("position", "")):
        found |= {"latitude": float(position[1]), "longitude": float(position[2])}
    for node in tree.css('script[type="application/ld+json"]')[:_MOST_DATA]:
        for name, value in linked_data.read(node.text()).items():
            found.setdefault(name, value)
    root = tree.css_first("html")
    if root is not None:
        language = root.attributes.get("lang") or root.attributes.get("xml:lang") or ""
        if language := one_line(language, 35):
            found["lang"] = language
    return found


def _main(tree: LexborHTMLParser) -> Page:
    """Read what a page is about."""
    body = tree.body
    if body is None:
        return Page()
    furniture = Furniture.of(tree)
    page = _part(body, furniture, page=True)
    for selector, share in (("main, [role=main]", 0.3), ("article, [role=article]", 0.5)):
        nodes = tree.css(selector)[:50]
        if len(nodes) > 1:  # a list of articles is read as a whole
            share = max(share, 0.9)
        best, node = max(((_part(node, furniture), node) for node in nodes), key=_length, default=(Page(), body))
        if best.length() >= share * page.length() and best.length() > 0:
            return _with_title(tree, best, node, furniture)
    if page.length():
        return page
    return next((found for found in (read(body, furniture), _menus(body, furniture)) if found.length()), Page())


def _menus(body: LexborNode, furniture: Furniture) -> Page:
    """Read the menus of a page that consists of them, such as a table of contents."""
    menus = (node for node in body.css("nav, menu, [role=navigation]") if not unseen(node))
    return Page([block for node in menus for block in read(node, furniture, menus=False).blocks])


def _length(found: tuple[Page, LexborNode]) -> int:
    return found[0].length()


def _part(node: LexborNode, furniture: Furniture, *, page: bool = False) -> Page:
    """Read a part of a page, or all of it, without its menus, unless they are what it consists of."""
    before = furniture.passed_by
    rest = read(node, furniture, page=page)
    if furniture.passed_by == before:
        return rest
    whole = read(node, furniture, page=page, menus=False)
    return rest if rest.length() >= 0.25 * whole.length() else whole


def _with_title(tree: LexborHTMLParser, page: Page, node: LexborNode, furniture: Furniture) -> Page:
    """Put the page's heading above its main part, where that has none and does not repeat the title."""
    if any(level == 1 for level, _ in page.headings()):
        return page
    title = _SPACES.sub(" ", _title(tree)).lower()
    if any(len(text) > 3 and _SPACES.sub(" ", text).lower() in title for _, text in page.headings()):
        return page
    place = title_outside(tree, node)
    above = read(place, furniture).blocks if place is not None else []
    first = next((position for position, block in enumerate(above) if block.level), len(above))
    return Page([*above[first:], *page.blocks])
