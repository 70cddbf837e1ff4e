"""The text of a document as it is gathered: paragraphs, headings, rows of tables, notes, pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from quarry.indexer.loaders.decoding import clean, one_line
from quarry.indexer.loaders.fields import scalars
from quarry.search.types import Heading, Parsed
from quarry.search.values.places import Place

CELL = 300  # characters; a longer cell lays out a page rather than a table
_SPACES = " \t\n"


class Flow:
    """Blocks one after the other: a blank line between paragraphs, none between lines that belong together."""

    def __init__(self) -> None:
        self.headings: list[Heading] = []
        self._parts: list[str] = []
        self._length = 0
        self._pages: list[int] = []
        self._places: list[tuple[int, Place]] = []
        self._apart = False

    def __len__(self) -> int:
        return self._length

    @property
    def text(self) -> str:
        """What was gathered so far."""
        return "".join(self._parts)

    @property
    def places(self) -> tuple[tuple[int, Place], ...]:
        """Where what was gathered begins that has a place of its own."""
        return tuple(self._places)

    @property
    def place(self) -> Place | None:
        """The page that is read, None where there are none."""
        return Place(page=len(self._pages)) if self._pages else None

    @property
    def section(self) -> str:
        """The last heading, "" where there was none."""
        return self.headings[-1].text if self.headings else ""

    def add(self, text: str, *, level: int = 0, close: bool = False, place: Place | None = None) -> None:
        """Add a block, which is nothing where it holds no words.

        Args:
            level: of a heading, from 1; 0 for what is none.
            close: whether it follows on the next line.
            place: where in its file it stands, of what has no pages.
        """
        if not (text := clean(text)):
            return
        if self._parts:
            between = "\n" if close and not self._apart else "\n\n"
            self._parts.append(between)
            self._length += len(between)
        self._apart = False
        if level:
            text = " ".join(text.split())
            self.headings.append(Heading(self._length, level, one_line(text)))
        if place is not None:
            self._places.append((self._length, place))
        self._parts.append(text)
        self._length += len(text)

    def page(self) -> None:
        """Begin a page; the first, too."""
        self._pages.append(self._length + 2 if self._length else 0)
        self._apart = True

    def rows(self, rows: Iterable[Sequence[str]]) -> None:
        """Add the rows of a table, a line for each; a table that only lays out a page is paragraphs."""
        table = [[clean(cell) for cell in row] for row in rows]
        if sum(map(bool, (cell for row in table for cell in row))) < 2 or any(
            len(cell) > CELL for row in table for cell in row
        ):
            for row in table:
                for cell in row:
                    self.add(cell)
            return
        self._apart = True
        for row in table:
            line = " | ".join(" ".join(cell.split()) for cell in row).rstrip(" |")
            self.add(line, close=True)
        self._apart = True

    def parsed(self, type: str, title: str, metadata: Mapping[str, Any], key: str = "") -> Iterable[Parsed]:
        """Give the document that was gathered; none where there are no words.

        Args:
            title: as it is known from elsewhere; else the first heading of level 1 is it.
        """
        title = title or next((heading.text for heading in self.headings if heading.level == 1), "")
        text = "".join(self._parts)
        if text or title:
            yield Parsed(
                text or title,
                type,
                title,
                key,
                scalars(metadata),
                page_starts=tuple(self._pages) if text else (),
                headings=tuple(self.headings),
                places=self.places,
            )
