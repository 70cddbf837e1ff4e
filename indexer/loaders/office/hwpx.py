"""HWPX documents of Hangul (KS X 6101): paragraphs, headings, tables, notes, text boxes, equations, comments."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from quarry.indexer.loaders.archives.zipped import Zipped
from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.decoding import one_line
from quarry.indexer.loaders.moments import moment
from quarry.indexer.loaders.office import opendocument_meta
from quarry.indexer.loaders.office.elements import Element, child, named, said, tree
from quarry.indexer.loaders.office.flow import Flow
from quarry.indexer.loaders.office.paragraphs import Box, Paragraph, Table, Typesetter
from quarry.indexer.loaders.pictures.figures import LARGEST, Figures, name_of
from quarry.indexer.loaders.titles import keywords, people, title_of
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed

_SECTION = re.compile(r"Contents/section(\d+)\.xml", re.I)
_SPELLED = {"tab": "\t", "lineBreak": "\n", "hyphen": "-", "nbSpace": " ", "fwSpace": " "}
_BOXES = {"footNote": "text", "endNote": "text", "header": "margin", "footer": "margin", "hiddenComment": "comment"}
_META = {"creator": "author", "subject": "subject", "description": "description", "keyword": "keywords"}
_DATES = {"CreatedDate": "date", "ModifiedDate": "edited"}


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document.

    Raises:
        FileMalformed: it is encrypted or damaged.
    """
    members = Zipped(source.stream)
    opendocument_meta.check(members)  # whose manifest it has
    sections = sorted((int(match[1]), name) for name in members.names if (match := _SECTION.fullmatch(name)))
    if not sections:
        raise FileMalformed("it is a ZIP archive without a document of Hangul; give it the suffix of its own type")
    levels = _levels(tree(members.read("Contents/header.xml"))) if "Contents/header.xml" in members else {}
    title, metadata = _properties(members)
    setter, figures = Typesetter(Flow()), Figures(source)
    pictures = _pictures(members)
    for _, name in sections:
        reader = _Reader(levels, members, figures, pictures)
        setter.write(reader.paragraphs(tree(members.read(name))))
    setter.end()
    yield from figures.after(setter.flow.parsed(source.format.type, title, metadata))


def _levels(header: Element) -> dict[str, int]:
    """Return the levels of headings that the shapes of paragraphs stand for, by their ids."""
    found = {}
    for shape in named(header, "paraPr"):
        for heading in named(shape, "heading"):
            if heading.get("type") == "OUTLINE" and (level := heading.get("level", "")).isdecimal():
                found[shape.get("id", "")] = int(level) + 1
    return found


def _pictures(members: Zipped) -> dict[str, str]:
    """Return the names of members that are pictures by the ids that they go by."""
    stems = {posixpath.splitext(posixpath.basename(name))[0]: name for name in members.names if "BinData/" in name}
    manifest = next((name for name in members.names if posixpath.splitext(name)[1] == ".hpf"), "")
    for item in named(tree(members.read(manifest)), "item") if manifest else ():
        name = item.get("href", "")
        for path in (name, posixpath.join(posixpath.dirname(manifest), name)):
            if path in members:
                stems[item.get("id", "")] = path
    return stems


def _properties(members: Zipped) -> tuple[str, dict[str, Any]]:
    name = next((name for name in members.names if posixpath.splitext(name)[1] == ".hpf"), "")
    root = tree(members.read(name)) if name else None
    found: dict[str, Any] = {}
    for meta in named(root, "meta"):
        text = said(meta).strip()
        if (key := _META.get(meta.get("name", ""))) and text:
            found[key] = text
        elif (key := _DATES.get(meta.get("name", ""))) and (date := moment(text)):
            found[key] = date
    found |= {"author": people(found.get("author", "")), "keywords": keywords(found.get("keywords", ""))}
    if language := said(next(named(root, "language"), None)).strip():
        found["lang"] = language
    return title_of(said(next(named(root, "title"), None))), {name: value for name, value in found.items() if value}


@dataclass(slots=True)
class _Reader:
    """Reads a section.

    Args:
        pictures: the names of members, by the ids that they go by.
        deleted: how many deletions are open that were tracked, and that the text stands in.
    """

    levels: dict[str, int]
    members: Zipped
    figures: Figures
    pictures: dict[str, str]
    deleted: int = 0
    attached: list[Table | Box] = field(default_factory=list)

    def paragraphs(self, parent: Element | None) -> list[Paragraph]:
        """Read the paragraphs of a section, cell, note or box."""
        return [self.paragraph(each) for each in parent if each.tag == "p"] if parent is not None else []

    def paragraph(self, element: Element) -> Paragraph:
        """Read a paragraph with what hangs on it."""
        outer, self.attached = self.attached, []
        text = "".join(self.inline(element))
        found = Paragraph(text, self.levels.get(element.get("paraPrIDRef", ""), 0), attached=self.attached)
        self.attached = outer
        self.figures.say(text)
        return found

    def inline(self, element: Element) -> Iterator[str]:
        """Yield the text of a paragraph, and keep what stands outside of it."""
        if element.text and element.tag == "t" and not self.deleted:
            yield element.text
        for each in element:
            match each.tag:
                case "tab" | "lineBreak" | "hyphen" | "nbSpace" | "fwSpace" as mark:
                    yield _SPELLED[mark]
                case "deleteBegin":
                    self.deleted += 1
                case "deleteEnd":
                    self.deleted = max(0, self.deleted - 1)
                case "tbl":
                    self.caption(each)
                    rows = [
                        [self.paragraphs(child(cell, "subList")) for cell in row if cell.tag == "tc"]
                        for row in each
                        if row.tag == "tr"
                    ]
                    self.attached.append(Table(rows))
                case "drawText" | "footNote" | "endNote" | "header" | "footer" | "hiddenComment" as name:
                    kind: Any = _BOXES.get(name, "text")
                    self.attached.append(Box(self.paragraphs(child(each, "subList") or each), kind))
                case "fieldBegin":
                    if each.get("type") == "MEMO":
                        self.attached.append(Box(self.paragraphs(child(each, "subList")), "comment"))
                case "equation":
                    yield f" {said(child(each, 'script')).strip()} "
                case "pic":
                    self.picture(each)
                    yield from self.inline(each)
                case "shapeComment" | "linesegarray" | "secPr" | "renderingInfo":
                    continue
                case "caption":
                    self.attached.append(Box(self.paragraphs(child(each, "subList"))))
                case _:
                    yield from self.inline(each)
            if each.tail and element.tag == "t" and not self.deleted:
                yield each.tail

    def picture(self, element: Element) -> None:
        """Add a picture with its caption."""
        alt, caption = said(child(element, "shapeComment")), child(element, "caption", "subList")
        for image in named(element, "img"):
            if name := self.pictures.get(image.get("binaryItemIDRef", "")):
                read = partial(self.members.read, name, LARGEST)
                self.figures.add(name_of(name), read, alt, caption=one_line(said(caption)))

    def caption(self, element: Element) -> None:
        """Keep the caption of a table."""
        for each in element:
            if each.tag == "caption":
                self.attached.append(Box(self.paragraphs(child(each, "subList"))))
