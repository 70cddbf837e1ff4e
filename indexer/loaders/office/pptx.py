"""PowerPoint presentations: each slide a page, with its title, texts, tables, charts, diagrams, notes and comments.

Its pictures are documents of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.office.elements import Element, attribute, child, named, relation, said
from quarry.indexer.loaders.office.flow import Flow
from quarry.indexer.loaders.office.formulas import linear
from quarry.indexer.loaders.office.package import Package, shown
from quarry.indexer.loaders.pictures.figures import Figures
from quarry.indexer.loaders.titles import person
from quarry.search.types import Parsed

_TITLES = frozenset({"title", "ctrTitle"})
_FURNITURE = frozenset({"sldNum", "dt", "hdr", "sldImg"})
_AUTOMATIC = re.compile(r"automatically generated|자동 생성된 설명|\w+\.\w{2,4}", re.I)
_LEVEL = 2  # of a slide's title, below that of the presentation
_MOST_POINTS = 1_000  # of a chart


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document."""
    package = Package(source, "presentation")
    title, metadata = package.properties()
    relations = package.relations(package.main)
    flow, figures = Flow(), Figures(source)
    slides = _Slides(package, flow, figures)
    count = 0
    for each in child(package.root, "sldIdLst") or ():
        flow.page()
        count += 1
        if (target := relations.get(relation(each))) is not None:
            slides.add(target.target)
    metadata["slides"] = count
    first = flow.headings[0].text if flow.headings and flow.headings[0].start == 0 else ""
    package.check_words(flow, figures)
    yield from figures.after(flow.parsed(source.format.type, title or first, metadata))


class _Slides:
    """Reads one slide after the other; what stands at the foot of many is read once."""

    def __init__(self, package: Package, flow: Flow, figures: Figures) -> None:
        self._package = package
        self._flow = flow
        self._figures = figures
        self._feet: set[str] = set()
        self._authors = {
            attribute(one, "id"): person(attribute(one, "name"))
            for part in package.related(package.main, "commentAuthors", "authors")
            for one in part
        }

    def add(self, name: str) -> None:
        """Add a slide."""
        slide = self._package.part(name)
        top = child(slide, "cSld", "spTree")
        if top is None:
            return
        self._name = name
        self._relations = self._package.relations(name)
        shapes = list(_shapes(top))
        for shape in sorted(shapes, key=lambda shape: _placeholder(shape) not in _TITLES):
            self._shape(shape)
        for notes in self._package.related(name, "notesSlide"):
            lines = [
                line
                for shape in _shapes(child(notes, "cSld", "spTree"))
                if _placeholder(shape) == "body"
                for line in _paragraphs(child(shape, "txBody"))
            ]
            self._flow.add("Notes: " + "\n".join(lines) if lines else "")
        for comments in self._package.related(name, "comments", "comment"):
            for comment in comments:
                text = said(child(comment, "text")) or " ".join(_paragraphs(child(comment, "txBody")))
                by = self._authors.get(attribute(comment, "authorId"), "")
                if text.strip():
                    self._flow.add(f"Comment by {by}: {text}" if by else f"Comment: {text}")

    def _shape(self, shape: Element) -> None:
        kind = _placeholder(shape)
        if kind in _FURNITURE:
            return
        if shape.tag == "graphicFrame":
            self._frame(shape)
            return
        self._picture(shape)
        if shape.tag == "pic":
            return
        lines = list(_paragraphs(child(shape, "txBody")))
        text = "\n".join(lines)
        if kind == "ftr":
            if text in self._feet:
                return
            self._feet.add(text)
        if kind in _TITLES:
            self._flow.add(" ".join(lines), level=_LEVEL)
        else:
            self._flow.add(text)

    def _picture(self, shape: Element) -> None:
        """Add what a shape shows or is filled with, and say in the text what it shows, where somebody has."""
        described = next((attribute(each, "descr") or attribute(each, "title") for each in named(shape, "cNvPr")), "")
        if shape.tag == "pic" and len(described.split()) > 2 and not _AUTOMATIC.search(described):
            self._flow.add(described)
        for blip in named(shape, "blip"):
            if (target := self._relations.get(relation(blip, "embed"))) is not None:
                self._package.picture(self._figures, target.target, described, self._flow)

    def _frame(self, frame: Element) -> None:
        for table in named(frame, "tbl"):
            self._flow.rows(
                [
                    [" ".join(_paragraphs(child(cell, "txBody"))) for cell in row if cell.tag == "tc"]
                    for row in table
                    if row.tag == "tr"
                ]
            )
        for chart in named(frame, "chart"):
            if (target := self._relations.get(relation(chart))) is not None:
                self._chart(self._package.part(target.target))
        for diagram in named(frame, "relIds"):
            if (target := self._relations.get(relation(diagram, "dm"))) is not None:
                part = self._package.part(target.target)
                self._flow.add("\n".join(filter(None, (said(each).strip() for each in named(part, "t")))))

    def _chart(self, part: Element | None) -> None:
        """Add a chart as a table: its categories are rows, its series columns."""
        self._flow.add(" ".join("".join(_paragraphs(child(title, "tx", "rich"))) for title in named(part, "title")))
        series = list(named(part, "ser"))
        if not series:
            return
        columns = [_points(child(one, "val") or child(one, "yVal")) for one in series]
        categories = _points(child(series[0], "cat") or child(series[0], "xVal"))
        names = [said(child(one, "tx", "strRef", "strCache")) or said(child(one, "tx", "v")) for one in series]
        table = [["", *names], *zip_longest(categories, *columns, fillvalue="")]
        self._flow.rows(table)


def _shapes(parent: Element | None) -> Iterator[Element]:
    """Yield the shapes of a slide, those within groups, too."""
    for each in shown(parent) if parent is not None else ():
        if each.tag in ("grpSp", "AlternateContent"):
            yield from _shapes(each)
        elif each.tag in ("sp", "graphicFrame", "pic", "cxnSp"):
            yield each


def _placeholder(shape: Element) -> str:
    """Return what a shape stands in the place of, "" where it stands for itself."""
    found = next((each for each in shape if each.tag.startswith("nv")), None)
    held = child(found, "nvPr", "ph")
    return attribute(held, "type") or "body" if held is not None else ""


def _paragraphs(body: Element | None) -> Iterator[str]:
    for paragraph in body if body is not None else ():
        if paragraph.tag == "p" and (text := "".join(_runs(paragraph))).strip():
            yield text.strip()


def _runs(element: Element) -> Iterator[str]:
    for each in shown(element):
        match each.tag:
            case "t":
                yield each.text or ""
            case "br":
                yield "\n"
            case "oMath":
                yield f" {linear(each)} "
            case "fld" if attribute(each, "type").startswith(("slidenum", "datetime")):
                continue
            case "rPr" | "pPr" | "endParaRPr":
                continue
            case _:
                yield from _runs(each)


def _points(element: Element | None) -> list[str]:
    """Return the values of a chart that were stored with it, in their order."""
    points: dict[int, str] = {}
    for point in named(element, "pt"):
        number = attribute(point, "idx")
        if number.isdecimal() and len(number) < 6 and int(number) < _MOST_POINTS:
            points[int(number)] = said(child(point, "v"))
    return [points.get(number, "") for number in range(max(points, default=-1) + 1)]
