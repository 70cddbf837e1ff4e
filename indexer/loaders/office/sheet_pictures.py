"""The pictures on the sheets of a workbook, each at the cell where its corner lies."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from quarry.indexer.loaders.archives.zipped import Zipped
from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.office import compound
from quarry.indexer.loaders.office.elements import Element, attribute, child, named, relation, said, tree
from quarry.indexer.loaders.office.package import Package
from quarry.indexer.loaders.office.sheet_notes import column
from quarry.indexer.loaders.pictures.figures import LARGEST, Figures, name_of
from quarry.search.errors import FileMalformed
from quarry.search.values.places import Place


def pictures(source: Source) -> Figures:
    """Find them; where that can't be done, the cells are worth reading all the same."""
    figures = Figures(source)
    try:
        source.stream.seek(0)
        if source.stream.read(8) == compound.MAGIC:
            return figures
        members = Zipped(source.stream)
        if "content.xml" in members:
            _open_document(members, figures)
        elif any("/media/" in name for name in members.names):
            _workbook(Package(source, "workbook"), figures)
    except FileMalformed:
        pass
    return figures


def _workbook(package: Package, figures: Figures) -> None:
    sheets = package.relations(package.main)
    for sheet in named(package.root, "sheet"):
        name = attribute(sheet, "name")
        part = sheets.get(relation(sheet))
        beside = package.relations(part.target).values() if part is not None else ()
        for drawing in (one.target for one in beside if one.kind == "drawing"):
            relations = package.relations(drawing)
            for anchor, picture in _anchored(package.part(drawing)):
                about = next(named(picture, "cNvPr"), picture)
                alt = attribute(about, "descr") or attribute(about, "title")
                for blip in named(picture, "blip"):
                    target = relations.get(relation(blip, "embed"))
                    if target is not None and target.target in package.members:
                        read = partial(package.members.read, target.target, LARGEST)
                        figures.add(name_of(target.target), read, alt, place=_place(name, anchor), section=name)


def _anchored(drawing: Element | None) -> Iterator[tuple[Element, Element]]:
    for anchor in drawing if drawing is not None else ():
        for picture in named(anchor, "pic"):
            yield anchor, picture


def _place(sheet: str, anchor: Element) -> Place | None:
    across, down = (said(child(anchor, "from", name)).strip() for name in ("col", "row"))
    if not (across.isdecimal() and down.isdecimal()):
        return None
    return Place(cells=f"{sheet}!{column(int(across[:6]))}{int(down[:8]) + 1}")


def _open_document(members: Zipped, figures: Figures) -> None:
    if not any(name.startswith("Pictures/") for name in members.names):
        return
    for table in named(tree(members.read("content.xml")), "table"):
        for frame in named(table, "frame"):
            for image in named(frame, "image"):
                name = attribute(image, "href").removeprefix("./")
                if name in members:
                    alt = said(child(frame, "desc")) or said(child(frame, "title"))
                    read = partial(members.read, name, LARGEST)
                    figures.add(name_of(name), read, alt, section=attribute(table, "name"))
