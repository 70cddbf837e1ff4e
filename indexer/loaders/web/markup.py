"""XHTML, and HTML written as if it was, made HTML that a browser's parser reads as its author meant it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator


def words(text: str) -> frozenset[str]:
    """Return a set of words, such as names of elements, that are written in a row."""
    return frozenset(text.split())


_XML = re.compile(r"<\?xml\s|<html\s[^>]*xmlns", re.I)
_PREFIX = re.compile(r"""\bxmlns:([\w-]+)\s*=\s*["']http://www\.w3\.org/1999/xhtml["']""", re.I)
_SUBSET = re.compile(r"(<!DOCTYPE[^<>\[]*)\[((?:[^\]\"']|\"[^\"]*\"|'[^']*')*)\]\s*>", re.I)
_ENTITY = re.compile(r"""<!ENTITY\s+([\w.-]+)\s+(?:"([^"]*)"|'([^']*)')\s*>""")
_PIECE = re.compile(
    r"<!--.*?(?:-->|\Z)|<!\[CDATA\[(?P<cdata>.*?)(?:\]\]>|\Z)"
    r"|<(?P<raw>script|style)(?=[\s>/])(?:[^<>\"'/]|/(?!>)|\"[^\"]*\"|'[^']*')*+>.*?(?:</(?P=raw)|\Z)"
    r"|<(?P<name>[a-z][\w:.-]*+)(?P<attributes>(?:[^<>\"']|\"[^\"]*\"|'[^']*')*+)>",
    re.I | re.S,
)
_UNQUOTED = re.compile(r"=\s*[^\s\"']+/$")  # a slash that belongs to an address
_VOID = words("area base br col embed hr img input link meta param source track wbr")
_SWALLOWING = words("title script style textarea iframe noscript noembed noframes xmp select")
_TITLE = re.compile(r"<title(?:\s[^>]{0,500})?>", re.I)
_TITLE_END = re.compile(r"</title", re.I)
_SHADOW = re.compile(r"<template(\s[^<>]{0,500}shadowroot[^<>]{0,500})>", re.I)
_SHADOW_END = re.compile(r"</template\s*>", re.I)
_LONGEST = 4_096  # characters of an address


def is_xhtml(markup: str) -> bool:
    """Whether a page says at its beginning that it is XHTML."""
    return _XML.search(markup[:2_000]) is not None


def repaired(markup: str, *, xhtml: bool = False) -> str:
    """Close what would swallow the rest of a page: `<title/>`, `<script/>`, and in XHTML every empty element.

    Args:
        xhtml: whether the file's name says that it is; else its beginning does.
    """
    if xhtml or is_xhtml(markup):
        markup = _without_entities(markup)
        for prefix in set(_PREFIX.findall(markup[:4_000])):
            markup = re.sub(rf"(</?){re.escape(prefix)}:", r"\1", markup)
        markup = _PIECE.sub(lambda match: _piece(match, None), markup)
    elif "/>" in markup:
        markup = _PIECE.sub(lambda match: _piece(match, _SWALLOWING), markup)
    if "shadowroot" in markup:  # what a page's own elements show
        markup = "".join(_shown(markup))
    return _closed_title(markup)


def _piece(match: re.Match[str], only: frozenset[str] | None) -> str:
    name, attributes = match["name"], match["attributes"]
    if match["cdata"] is not None and only is None:
        return html.escape(match["cdata"])
    if not name or not attributes.endswith("/"):
        return match[0]
    if name.lower() in _VOID if only is None else name.lower() not in only or _UNQUOTED.search(attributes[-_LONGEST:]):
        return match[0]
    return f"<{name}{attributes[:-1]}></{name}>"


def _shown(markup: str) -> Iterator[str]:
    """Yield a page's pieces, with the shadow roots that are declared in it as parts of it."""
    at = 0
    while (start := _SHADOW.search(markup, at)) and (end := _SHADOW_END.search(markup, start.end())):
        yield f"{markup[at : start.start()]}<div{start[1]}>{markup[start.end() : end.start()]}</div>"
        at = end.end()
    yield markup[at:]


def _without_entities(markup: str) -> str:
    """Put what a document type declares in its place; HTML knows no such declarations."""
    match = _SUBSET.search(markup[:20_000])
    if match is None:
        return markup
    known = {name: double or single for name, double, single in _ENTITY.findall(match[2])}
    rest = markup[match.end() :]
    if known:
        rest = re.sub(r"&([\w.-]+);", lambda entity: known.get(entity[1], entity[0])[:1_000], rest)
    return f"{markup[: match.start()]}{match[1]}>{rest}"


def _closed_title(markup: str) -> str:
    """Close a title that is never closed, since it would swallow the whole page."""
    start = _TITLE.search(markup)
    if start is None or _TITLE_END.search(markup, start.end()):
        return markup
    end = re.search(r"[<\n]", markup[start.end() :])
    place = start.end() + end.start() if end else len(markup)
    return f"{markup[:place]}</title>{markup[place:]}"
