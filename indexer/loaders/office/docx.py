"""Word documents: text in reading order with headings, rows of tables, notes, comments, text boxes, page margins.

Pictures are documents of their own, with their alternative texts and captions. What was deleted while changes were
tracked is left out, what was inserted is kept. Pages are told where Word wrote down as many page breaks as it says that
there are pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.office.elements import Element, attribute, child, named, relation, value
from quarry.indexer.loaders.office.flow import CELL, Flow
from quarry.indexer.loaders.office.formulas import linear
from quarry.indexer.loaders.office.package import Package, Relation, author, shown
from quarry.indexer.loaders.pictures.figures import Figures
from quarry.search.types import Parsed

_LEVEL = re.compile(r"heading ([1-9])", re.I)
_SKIPPED = frozenset({"del", "moveFrom", "instrText", "delText", "rPr", "pPr", "sectPr", "tblPr", "tblGrid", "sdtPr"})
_BREAK = "\f"  # where Word ended a page when it saved
_MARKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}
_NOTES = {"footnoteReference": "footnotes", "endnoteReference": "endnotes", "commentReference": "comments"}


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document."""
    package = Package(source, "document")
    title, metadata = package.properties()
    pages = package.number("Pages")
    breaks = sum(1 for _ in named(package.root, "lastRenderedPageBreak"))
    figures = Figures(source)
    has_pages = breaks > 0 and breaks + 1 == pages
    document = _Document(package, figures, _Styles.of(package), _notes(package), Flow(), has_pages)
    if document.has_pages:
        metadata["pages"] = pages
        document.flow.page()
    document.blocks(child(package.root, "body"))
    document.has_pages = False
    document.margins(package)
    package.check_words(document.flow, figures)
    yield from figures.after(document.flow.parsed(source.format.type, title or document.title, metadata))


@dataclass(frozen=True, slots=True)
class _Styles:
    """What styles of paragraphs mean, by their ids.

    Args:
        levels: of headings; 0 is the title.
        contents, items, captions: of tables of contents, items of lists, captions.
    """

    levels: dict[str, int]
    contents: frozenset[str]
    items: frozenset[str]
    captions: frozenset[str]

    @classmethod
    def of(cls, package: Package) -> _Styles:
        levels: dict[str, int] = {}
        contents, items, captions = set[str](), set[str](), set[str]()
        based: dict[str, str] = {}
        for part in package.related(package.main, "styles"):
            for style in named(part, "style"):
                id, name = attribute(style, "styleId"), value(style, "name").lower()
                based[id] = value(style, "basedOn")
                outline = value(style, "pPr", "outlineLvl")
                if match := _LEVEL.fullmatch(name):
                    levels[id] = int(match[1])
                elif name == "title":
                    levels[id] = 0
                elif outline.isdecimal() and int(outline) < 9:
                    levels[id] = int(outline) + 1
                elif re.match(r"toc \d", name):
                    contents.add(id)
                elif name == "caption":
                    captions.add(id)
                elif child(style, "pPr", "numPr") is not None:
                    items.add(id)
        for id in based:
            seen, above = {id}, based[id]
            while id not in levels and above and above not in seen:
                if above in levels:
                    levels[id] = levels[above]
                seen.add(above)
                above = based.get(above, "")
        return cls(levels, frozenset(contents), frozenset(items), frozenset(captions))


def _notes(package: Package) -> dict[str, dict[str, Element]]:
    """Return footnotes, endnotes and comments by their ids; those that are only lines between texts are left out."""
    return {
        kind: {
            attribute(note, "id"): note
            for part in package.related(package.main, kind)
            for note in part
            if attribute(note, "type") in ("", "normal")
        }
        for kind in _NOTES.values()
    }


@dataclass(slots=True)
class _Document:
    package: Package
    figures: Figures
    styles: _Styles
    notes: dict[str, dict[str, Element]]
    flow: Flow
    has_pages: bool
    title: str = ""
    in_list: bool = False
    later: list[Element] = field(default_factory=list)  # text boxes and notes of the paragraph that is read
    relations: dict[str, Relation] = field(init=False)  # of the part that is read

    def __post_init__(self) -> None:
        self.relations = self.package.relations(self.package.main)

    def blocks(self, parent: Element | None) -> None:
        """Add paragraphs and tables."""
        for element in shown(parent) if parent is not None else ():
            match element.tag:
                case "p":
                    self.paragraph(element)
                case "tbl":
                    self.table(element)
                case "sdt" if not _is_contents(element):
                    self.blocks(child(element, "sdtContent"))
                case "ins" | "moveTo" | "customXml" | "smartTag" | "AlternateContent":
                    self.blocks(element)

    def paragraph(self, element: Element) -> None:
        """Add a paragraph, and what hangs on it."""
        style = value(element, "pPr", "pStyle")
        text = "".join(self.inline(element))
        if style in self.styles.contents:
            return
        self.figures.say(text.replace(_BREAK, ""), is_caption=style in self.styles.captions)
        level = self.styles.levels.get(style, -1)
        outline = value(element, "pPr", "outlineLvl")
        if outline.isdecimal():
            level = int(outline) + 1 if int(outline) < 9 else -1
        if level == 0 and not self.title:
            self.title = " ".join(text.replace(_BREAK, "").split())
        is_item = level < 0 and (style in self.styles.items or child(element, "pPr", "numPr") is not None)
        level = 1 if level == 0 else max(level, 0)
        before, *after = text.split(_BREAK)
        self.flow.add(before, level=level, close=is_item and self.in_list)
        for part in after:
            self.flow.page()
            self.flow.add(part, level=0 if before.strip() else level)
        if text.strip():
            self.in_list = is_item
        self.outside()

    def outside(self) -> None:
        """Add the text boxes, notes and comments of what was read last."""
        later, self.later = self.later, []
        for element in later:
            if element.tag == "comment":
                says = "; ".join(filter(None, (self.words(each) for each in named(element, "p"))))
                self.flow.add(f"Comment by {name}: {says}" if (name := author(element)) else f"Comment: {says}")
            elif element.tag == "txbxContent":
                self.blocks(element)
            else:  # another part, which names other pictures by the same ids
                relations, self.relations = self.relations, {}
                self.blocks(element)
                self.relations = relations

    def table(self, element: Element) -> None:
        """Add the rows of a table; one that lays out a page, or holds other tables, is read cell by cell."""
        rows = [
            [cell for part in _within(row, "tc") for cell in _within(part, "tc", itself=True)]
            for row in _within(element, "tr")
            if child(row, "trPr", "del") is None
        ]
        cells = [cell for row in rows for cell in row]
        if any(next(named(cell, "tbl"), None) is not None for cell in cells) or len(cells) == 1:
            for cell in cells:
                self.blocks(cell)
            return
        texts = [[" ".join(filter(None, map(self.words, _within(cell, "p")))) for cell in row] for row in rows]
        if any(len(text) > CELL for row in texts for text in row):
            self.later.clear()
            for cell in cells:
                self.blocks(cell)
            return
        self.flow.rows(texts)
        self.in_list = False
        self.outside()

    def words(self, paragraph: Element) -> str:
        """Return the text of a paragraph on one line."""
        return " ".join("".join(self.inline(paragraph)).replace(_BREAK, "").split())

    def inline(self, element: Element) -> Iterator[str]:
        """Yield the texts of a paragraph, and remember what stands outside of it."""
        for each in shown(element):
            match each.tag:
                case "t":
                    yield each.text or ""
                case "lastRenderedPageBreak":
                    yield _BREAK if self.has_pages else ""
                case "br" if attribute(each, "type") in ("page", "column"):
                    yield "\n"
                case "tab" | "br" | "cr" | "noBreakHyphen" | "ptab" as mark:
                    yield _MARKS[mark]
                case "txbxContent":
                    self.later.append(each)
                case "footnoteReference" | "endnoteReference" | "commentReference" as mark:
                    if (note := self.notes[_NOTES[mark]].get(attribute(each, "id"))) is not None:
                        self.later.append(note)
                case "rt":
                    yield f"({''.join(self.inline(each))})"
                case "oMath":
                    yield f" {linear(each)} "
                case "r" if _is_hidden(each):
                    continue
                case "drawing" | "pict":
                    self.pictures(each)
                    yield from self.inline(each)
                case tag if tag not in _SKIPPED:
                    yield from self.inline(each)

    def pictures(self, drawing: Element) -> None:
        """Add the pictures of a drawing, those of a group, too."""
        outer = next((_alt(each) for name in ("docPr", "shape") for each in named(drawing, name)), "")
        for picture in (*named(drawing, "pic"), *named(drawing, "shape")):
            alt = next(filter(None, map(_alt, named(picture, "cNvPr"))), "") or outer
            ids = [relation(each, "embed") for each in named(picture, "blip")]
            ids += [relation(each) for each in named(picture, "imagedata")]
            for id in ids:
                if (target := self.relations.get(id)) is not None:
                    self.package.picture(self.figures, target.target, alt, self.flow)

    def margins(self, package: Package) -> None:
        """Add the headers and footers, each text once."""
        self.relations = {}
        seen: set[str] = set()
        for part in package.related(package.main, "header", "footer"):
            for paragraph in named(part, "p"):
                text = self.words(paragraph)
                if re.search(r"[^\W\d_]{2}", text) and text not in seen:
                    seen.add(text)
                    self.flow.add(text)
            self.outside()


def _within(element: Element, name: str, *, itself: bool = False) -> Iterator[Element]:
    """Yield the elements of a name that stand in another, perhaps within controls or tracked changes."""
    if itself and element.tag == name:
        yield element
        return
    for each in element:
        if each.tag == name:
            yield each
        elif each.tag in ("sdt", "sdtContent", "ins", "moveTo", "customXml"):
            yield from _within(each, name)


def _alt(element: Element) -> str:
    return attribute(element, "descr") or attribute(element, "alt") or attribute(element, "title")


def _is_hidden(run: Element) -> bool:
    return child(run, "rPr", "vanish") is not None and value(run, "rPr", "vanish") not in ("0", "false")


def _is_contents(element: Element) -> bool:
    return value(element, "sdtPr", "docPartObj", "docPartGallery") == "Table of Contents"
