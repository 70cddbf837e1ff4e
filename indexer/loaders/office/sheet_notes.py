"""What a workbook holds beside its cells: comments, texts that are drawn on its sheets, its title and author."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from quarry.indexer.loaders.archives.zipped import Zipped
from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.office import compound, opendocument_meta
from quarry.indexer.loaders.office.elements import Element, attribute, child, named, relation, said
from quarry.indexer.loaders.office.package import Package
from quarry.indexer.loaders.titles import person
from quarry.search.errors import FileMalformed


@dataclass(frozen=True, slots=True)
class Notes:
    """What is known of a workbook, and (cell, text) of each note on its sheets, by their names."""

    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    by_sheet: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    def of(self, sheet: str) -> tuple[tuple[str, str], ...]:
        """Return the notes on a sheet."""
        return self.by_sheet.get(sheet, ())


def notes(source: Source) -> Notes:
    """Read them; where that can't be done, the cells are worth reading all the same."""
    try:
        source.stream.seek(0)
        if source.stream.read(8) == compound.MAGIC:
            with compound.opened(source.stream) as file:
                return Notes(*file.properties())
        members = Zipped(source.stream)
        if "content.xml" in members:
            return Notes(*opendocument_meta.properties(members))
        package = Package(source, "workbook")
        relations = package.relations(package.main)
        sheets = {
            attribute(sheet, "name"): relations[id].target
            for sheet in named(package.root, "sheet")
            if (id := relation(sheet)) in relations
        }
        return Notes(*package.properties(), {name: tuple(_on(package, part)) for name, part in sheets.items()})
    except FileMalformed:
        return Notes()


def column(number: int) -> str:
    """Return the letters of a column, counted from 0."""
    letters = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        letters = chr(65 + digit) + letters
    return letters


def _on(package: Package, part: str) -> Iterator[tuple[str, str]]:
    for comments in package.related(part, "comments"):
        authors = [person(said(each)) for each in named(comments, "author")]
        for comment in named(comments, "comment"):
            number = attribute(comment, "authorId")
            by = authors[int(number)] if number.isdecimal() and int(number) < len(authors) else ""
            text = "".join(map(said, named(child(comment, "text"), "t"))).removeprefix(f"{by}:").strip()
            if text:
                yield attribute(comment, "ref"), f"Comment by {by}: {text}" if by else f"Comment: {text}"
    for drawing in package.related(part, "drawing"):
        for box in named(drawing, "txBody"):
            text = "\n".join(filter(None, ("".join(map(said, named(each, "t"))) for each in named(box, "p"))))
            if text.strip():
                yield _cell_of(drawing, box), text


def _cell_of(drawing: Element, box: Element) -> str:
    for anchor in drawing:
        start = child(anchor, "from")
        if start is not None and any(each is box for each in anchor.iter("txBody")):
            across, down = said(child(start, "col")), said(child(start, "row"))
            if across.isdecimal() and down.isdecimal():
                return f"{column(int(across[:6]))}{int(down[:8]) + 1}"
    return ""
