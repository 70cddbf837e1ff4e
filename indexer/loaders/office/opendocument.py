"""OpenDocument texts and presentations: headings, tables, lists, notes, comments, text boxes; each slide is a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from quarry.indexer.loaders.archives.zipped import Zipped
from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.office import opendocument_meta
from quarry.indexer.loaders.office.elements import Element, attribute, child, named, said, tree
from quarry.indexer.loaders.office.flow import Flow
from quarry.indexer.loaders.office.paragraphs import Box, Paragraph, Table, Typesetter
from quarry.indexer.loaders.pictures.figures import LARGEST, Figures, name_of
from quarry.indexer.loaders.titles import person
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed

_MOST_REPEATED = 100  # times that a cell or row is repeated, or a space
_SLIDE_LEVEL = 2
_CONTENTS = frozenset({"table-of-content", "alphabetical-index", "illustration-index", "table-index"})


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document.

    Raises:
        FileMalformed: it is encrypted or damaged, or something else.
    """
    members = Zipped(source.stream)
    if "content.xml" not in members:
        raise FileMalformed("it is a ZIP archive without a document in it; give it the suffix of its own type")
    opendocument_meta.check(members)
    title, metadata = opendocument_meta.properties(members)
    body = child(tree(members.read("content.xml")), "body")
    setter, figures = Typesetter(Flow()), Figures(source)
    reader = _Reader(members, figures, setter.flow)
    slides = child(body, "presentation")
    for page in slides if slides is not None else ():
        if page.tag == "page":
            setter.flow.page()
            setter.write(reader.slide(page))
            metadata["slides"] = metadata.get("slides", 0) + 1
    setter.write(reader.blocks(child(body, "text")))
    setter.write(reader.blocks(child(body, "drawing")))
    if slides is None and "styles.xml" in members:
        for margin in ("header", "footer"):
            for element in named(tree(members.read("styles.xml")), margin):
                setter.write([Paragraph(attached=[Box(list(reader.blocks(element)), "margin")])])
    setter.end()
    yield from figures.after(setter.flow.parsed(source.format.type, title or reader.title, metadata))


@dataclass(slots=True)
class _Reader:
    members: Zipped
    figures: Figures
    flow: Flow
    title: str = ""
    attached: list[Table | Box] = field(default_factory=list)

    def slide(self, page: Element) -> Iterator[Paragraph]:
        """Yield what stands on a slide: its title first, its notes last."""
        frames = [each for each in page if each.tag != "notes"]
        for frame in sorted(frames, key=lambda frame: attribute(frame, "class") != "title"):
            paragraphs = list(self.blocks([frame]))
            if attribute(frame, "class") == "title":
                yield Paragraph(" ".join(each.text for each in paragraphs), _SLIDE_LEVEL)
            else:
                yield from paragraphs
        notes = child(page, "notes")
        found = [each for box in named(notes, "text-box") for each in self.blocks(box) if each.text.strip()]
        if found:
            yield Paragraph("Notes: " + "\n".join(each.text for each in found))

    def blocks(self, parent: Element | list[Element] | None, *, in_list: bool = False) -> Iterator[Paragraph]:
        """Yield the paragraphs within an element."""
        for element in parent if parent is not None else ():
            match element.tag:
                case "h":
                    yield self.paragraph(
                        element, level=int(level) if (level := attribute(element, "outline-level")).isdecimal() else 1
                    )
                case "p":
                    found = self.paragraph(element, is_item=in_list)
                    if not self.title and attribute(element, "style-name") == "Title" and found.text.strip():
                        self.title, found.level = " ".join(found.text.split()), 1
                    yield found
                case "list":
                    yield from self.blocks(element, in_list=True)
                case "table":
                    yield Paragraph(attached=[Table(list(self.rows(element)))])
                case "tracked-changes" | "sequence-decls" | "forms" | "annotation-end" | "script":
                    continue
                case tag if tag in _CONTENTS:
                    continue
                case "annotation":
                    yield Paragraph(attached=[self.comment(element)])
                case "frame":
                    self.pictures(element)
                    yield from self.blocks(element, in_list=in_list)
                case _:
                    yield from self.blocks(element, in_list=in_list)

    def pictures(self, frame: Element) -> None:
        """Add the picture that a frame shows: the first of several forms of it."""
        alt = said(child(frame, "desc")) or said(child(frame, "title"))
        for image in frame:
            name = attribute(image, "href").removeprefix("./")
            if image.tag == "image" and name in self.members:
                read = partial(self.members.read, name, LARGEST)
                self.figures.add(name_of(name), read, alt, place=self.flow.place, section=self.flow.section)
                return

    def rows(self, table: Element) -> Iterator[list[list[Paragraph]]]:
        """Yield the rows of a table; what is repeated without end is repeated a few times."""
        for each in table:
            if each.tag == "table-row":
                cells: list[list[Paragraph]] = []
                for cell in each:
                    if cell.tag in ("table-cell", "covered-table-cell"):
                        found = list(self.blocks(cell))
                        times = attribute(cell, "number-columns-repeated")
                        cells += [found] * (min(int(times[:6]), _MOST_REPEATED) if times.isdecimal() else 1)
                yield cells
            elif each.tag in ("table-header-rows", "table-rows", "table-row-group"):
                yield from self.rows(each)

    def paragraph(self, element: Element, *, level: int = 0, is_item: bool = False) -> Paragraph:
        """Read a paragraph with what hangs on it."""
        outer, self.attached = self.attached, []
        found = Paragraph("".join(self.inline(element)), level, is_item, self.attached)
        self.attached = outer
        self.figures.say(found.text)
        return found

    def inline(self, element: Element) -> Iterator[str]:
        """Yield the text of a paragraph, and keep what stands outside of it."""
        yield element.text or ""
        for each in element:
            match each.tag:
                case "s":
                    times = attribute(each, "c")
                    yield " " * (min(int(times[:6]), _MOST_REPEATED) if times.isdecimal() else 1)
                case "tab":
                    yield "\t"
                case "line-break":
                    yield "\n"
                case "note":
                    self.attached.append(Box(list(self.blocks(child(each, "note-body")))))
                case "annotation":
                    self.attached.append(self.comment(each))
                case "frame" | "custom-shape" | "rect" | "g":
                    self.attached.append(Box(list(self.blocks([each]))))
                case "page-number" | "page-count" | "title" | "desc":
                    pass
                case "ruby":
                    yield f"{''.join(self.inline(base)) if (base := child(each, 'ruby-base')) is not None else ''}"
                    yield f"({said(child(each, 'ruby-text'))})"
                case _:
                    yield from self.inline(each)
            yield each.tail or ""

    def comment(self, element: Element) -> Box:
        """Read a comment."""
        by = person(said(child(element, "creator")))
        return Box([self.paragraph(each) for each in named(element, "p")], "comment", by)
