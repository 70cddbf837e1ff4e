"""Paragraphs, and what hangs on them, as word processors keep them: written into a flow of text in reading order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from quarry.indexer.loaders.office.flow import CELL, Flow

_LONGEST_HEADING = 200  # characters; a longer paragraph of an outline is prose with a number
_WORD = re.compile(r"[^\W\d_]{2}")


@dataclass(slots=True)
class Paragraph:
    """A paragraph: its level where it is a heading (from 1), and what hangs on it or stands within it."""

    text: str = ""
    level: int = 0
    is_item: bool = False
    attached: list[Table | Box] = field(default_factory=list)


@dataclass(slots=True)
class Table:
    """Rows of cells, each of paragraphs."""

    rows: list[list[list[Paragraph]]]


@dataclass(slots=True)
class Box:
    """Paragraphs that stand apart: beside the text, below it as notes, as remarks on it, or in the margins of pages."""

    paragraphs: list[Paragraph]
    kind: Literal["text", "comment", "margin"] = "text"
    author: str = ""


class Typesetter:
    """Writes paragraphs into a flow; what stands in the margins of pages comes last, each text once."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self._margins: dict[str, None] = {}
        self._in_list = False

    def write(self, paragraphs: Iterable[Paragraph]) -> None:
        """Add paragraphs."""
        for paragraph in paragraphs:
            text = paragraph.text.strip()
            if text:
                level = paragraph.level if len(text) <= _LONGEST_HEADING else 0
                self.flow.add(text, level=level, close=paragraph.is_item and self._in_list)
                self._in_list = paragraph.is_item
            for each in paragraph.attached:
                if isinstance(each, Table):
                    self._table(each)
                else:
                    self._box(each)

    def end(self) -> None:
        """Add what stands in the margins."""
        for text in self._margins:
            self.flow.add(text)

    def _box(self, box: Box) -> None:
        if box.kind == "text":
            self.write(box.paragraphs)
            return
        text = " ".join(_words(box.paragraphs))
        if box.kind == "comment":
            self.flow.add(f"Comment by {box.author}: {text}" if box.author else f"Comment: {text}" if text else "")
        elif _WORD.search(text):
            self._margins.setdefault(text)

    def _table(self, table: Table) -> None:
        cells = [cell for row in table.rows for cell in row]
        texts = [[" ".join(_words(cell)) for cell in row] for row in table.rows]
        self._in_list = False
        lays_out = any(isinstance(each, Table) for cell in cells for paragraph in cell for each in paragraph.attached)
        if lays_out or len(cells) == 1 or any(len(text) > CELL for row in texts for text in row):
            for cell in cells:
                self.write(cell)
        else:
            self.flow.rows(texts)


def _words(paragraphs: Iterable[Paragraph]) -> Iterator[str]:
    """Yield the texts of paragraphs, each on one line, with what hangs on them."""
    for paragraph in paragraphs:
        if text := " ".join(paragraph.text.split()):
            yield text
        for each in paragraph.attached:
            inner = [cell for row in each.rows for cell in row] if isinstance(each, Table) else [each.paragraphs]
            for some in inner:
                yield from _words(some)
