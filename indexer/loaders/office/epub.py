"""E-books (EPUB 2 and 3): the text of their chapters in the order of the spine, with its headings; pictures apart."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import unquote

from selectolax.lexbor import LexborHTMLParser

from quarry.indexer.loaders.archives.zipped import Zipped
from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.decoding import decode
from quarry.indexer.loaders.moments import moment
from quarry.indexer.loaders.office.elements import attribute, child, named, said, tree
from quarry.indexer.loaders.office.flow import Flow
from quarry.indexer.loaders.pictures.figures import LARGEST, Figures, name_of
from quarry.indexer.loaders.titles import people, title_of
from quarry.indexer.loaders.web.furniture import Furniture
from quarry.indexer.loaders.web.html_text import read
from quarry.indexer.loaders.web.images import images
from quarry.indexer.loaders.web.markup import repaired
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed

_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")  # obscured, not encrypted
_PAGES = frozenset({"application/xhtml+xml", "text/html", "application/x-dtbook+xml"})


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document.

    Raises:
        FileMalformed: it is encrypted or damaged, or something else.
    """
    members = Zipped(source.stream)
    if "META-INF/container.xml" not in members:
        raise FileMalformed("it is a ZIP archive without a book in it; give it the suffix of its own type")
    _check(members)
    root = next(named(tree(members.read("META-INF/container.xml")), "rootfile"), None)
    name = unquote(attribute(root, "full-path")) if root is not None else ""
    if name not in members:
        raise FileMalformed("it is damaged, what its container names is missing; get it anew")
    package = tree(members.read(name))
    title, metadata = _metadata(package)
    items = {attribute(item, "id"): item for item in named(child(package, "manifest"), "item")}
    flow, figures = Flow(), Figures(source)
    for each in named(child(package, "spine"), "itemref"):
        item = items.get(attribute(each, "idref"))
        if (
            item is None
            or attribute(item, "media-type") not in _PAGES
            or "nav" in attribute(item, "properties").split()
        ):
            continue
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(attribute(item, "href"))))
        body = LexborHTMLParser(repaired(decode(members.read(path)), xhtml=True)).body
        for block in read(body, Furniture()).blocks if body is not None else ():
            flow.add(block.text, level=block.level, close=block.close)
        for shown in images(body) if body is not None else ():
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(shown.source)))
            if target in members:
                read_one = partial(members.read, target, LARGEST)
                figures.add(name_of(target), read_one, shown.alt, caption=shown.caption, section=flow.section)
    yield from figures.after(flow.parsed(source.format.type, title, metadata))


def _check(members: Zipped) -> None:
    if "META-INF/encryption.xml" in members:
        methods = [
            attribute(each, "Algorithm")
            for data in named(tree(members.read("META-INF/encryption.xml")), "EncryptedData")
            for each in named(data, "EncryptionMethod")
        ]
        if any(method not in _FONTS for method in methods):
            raise FileMalformed("it is encrypted by its seller (DRM); only its reading program can open it")


def _metadata(package: Any) -> tuple[str, dict[str, Any]]:
    metadata = child(package, "metadata")

    def every(name: str) -> list[str]:
        return [" ".join(text.split()) for each in named(metadata, name) if (text := said(each).strip())]

    edited = (said(each) for each in named(metadata, "meta") if attribute(each, "property") == "dcterms:modified")
    found = {
        "author": people(*every("creator")),
        "date": next((date for each in every("date") if (date := moment(each))), ""),
        "edited": next((date for each in edited if (date := moment(each))), ""),
        "subject": every("subject"),
        "publisher": next(iter(every("publisher")), ""),
        "description": next(iter(every("description")), ""),
        "lang": next(iter(every("language")), ""),
    }
    return title_of(next(iter(every("title")), "")), {name: value for name, value in found.items() if value}
