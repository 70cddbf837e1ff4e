"""What of a page's text stands beside each other: rows of tables get bars between their cells, columns are parted.

PDFium gives text as it was written into the file, mostly in reading order; what it gives on one line may be cells of a
table, or lines of two columns. Where each run of text stands tells which: words are never lost, only set apart.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as raw

from quarry.indexer.loaders.office.flow import CELL

_MOST_RUNS = 4_000  # of a page
_GAP = 1.1  # heights of a line between cells
_ROWS, _LINES = 3, 6  # of a table, of columns
_PROSE = 24  # characters of a line of a column, on the average
_LABEL = re.compile(r"(?<=:) \| ")  # which its value follows
_SPACES = re.compile(r"\s+")
_Run = tuple[float, float, float, float]  # left, bottom, right, top


@dataclass(frozen=True, slots=True)
class _Line:
    """Runs of text beside each other, cells from left to right."""

    cells: tuple[_Run, ...]

    @property
    def top(self) -> float:
        return max(cell[3] for cell in self.cells)

    @property
    def height(self) -> float:
        return self.top - min(cell[1] for cell in self.cells)


def laid_out(text: str, words: Any) -> str:
    """Return the text of a page with its tables as rows, and its columns one after the other.

    Args:
        words: the pypdfium2 text page.
    """
    blocks = [block for block in _blocks(list(_lines(words))) if len(block) >= _ROWS]
    if not blocks:
        return text
    lines = text.split("\n")
    at = 0
    for block in blocks:
        columns = _columns(block)
        if len(columns) < 2:
            continue
        rows = [[(_text(words, cell), cell) for cell in line.cells] for line in block]
        if (found := _find(lines, [[cell for cell, _ in row] for row in rows], at)) is None:
            continue
        written = _written([_placed(row, columns) for row in rows])
        lines[slice(*found)] = written
        at = found[0] + len(written)
    return "\n".join(lines)


def _lines(words: Any) -> Iterator[_Line]:
    """Yield the lines of a page that consist of several cells, and those of one, as they follow in the file."""
    count = raw.FPDFText_CountRects(words, 0, -1)
    left, top, right, bottom = (ctypes.c_double() for _ in range(4))
    cells: list[_Run] = []
    for number in range(min(count, _MOST_RUNS)):
        if not raw.FPDFText_GetRect(words, number, left, top, right, bottom):
            continue
        run = left.value, bottom.value, right.value, top.value
        before = cells[-1] if cells else None
        height = run[3] - run[1]
        if before is not None and run[0] >= before[2] - 1 and _beside(before, run):
            if run[0] - before[2] > _GAP * max(height, before[3] - before[1]):
                cells.append(run)
            else:
                cells[-1] = before[0], min(before[1], run[1]), run[2], max(before[3], run[3])
            continue
        if cells:
            yield _Line(tuple(cells))
        cells = [run]
    if cells:
        yield _Line(tuple(cells))


def _beside(one: _Run, other: _Run) -> bool:
    """Whether two runs stand on one line."""
    shared = min(one[3], other[3]) - max(one[1], other[1])
    return shared > 0.5 * min(one[3] - one[1], other[3] - other[1])


def _blocks(lines: Sequence[_Line]) -> Iterator[list[_Line]]:
    """Yield lines of several cells that follow each other downwards."""
    block: list[_Line] = []
    for line in lines:
        follows = bool(block) and -0.5 * line.height < block[-1].top - line.top - line.height < 3 * line.height
        if len(line.cells) > 1 and (not block or follows):
            block.append(line)
            continue
        if block:
            yield block
        block = [line] if len(line.cells) > 1 else []
    if block:
        yield block


def _columns(block: Sequence[_Line]) -> list[tuple[float, float]]:
    """Return the left and right of the columns that cells of a block share; none where they are not aligned."""
    spans = sorted((cell[0], cell[2]) for line in block for cell in line.cells)
    found: list[tuple[float, float]] = []
    for left, right in spans:
        if found and left < found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], right)
        else:
            found.append((left, right))
    widest = max(len(line.cells) for line in block)
    return found if len(found) >= widest else []


def _text(words: Any, cell: _Run) -> str:
    left, bottom, right, top = cell
    text = words.get_text_bounded(left=left - 1, bottom=bottom - 0.5, right=right + 1, top=top + 0.5)
    return _SPACES.sub(" ", text).strip()


def _find(lines: Sequence[str], rows: Sequence[Sequence[str]], start: int) -> tuple[int, int] | None:
    """Return the range of lines, from `start` on, that consist of these rows; each may go over several of them."""
    wanted = ["".join("".join(row).split()) for row in rows]
    plain = ["".join(line.split()) for line in lines]
    for first in range(start, len(plain)):
        if not plain[first]:
            continue
        at = first
        for row in wanted:
            joined = ""
            while at < len(plain) and len(joined) < len(row) and row.startswith(joined):
                joined += plain[at]
                at += 1
            if joined != row:
                break
        else:
            return first, at
    return None


def _placed(row: Sequence[tuple[str, _Run]], columns: Sequence[tuple[float, float]]) -> list[str]:
    """Return the cells of a row, "" in the columns where it has none."""
    cells = [""] * len(columns)
    for text, (left, _, right, _) in row:
        middle = (left + right) / 2
        at = next((n for n, (low, high) in enumerate(columns) if low <= middle <= high), len(columns) - 1)
        cells[at] = f"{cells[at]} {text}".strip()
    return cells


def _written(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines that rows become: those of two columns of prose part, those of a table get bars."""
    filled = [cell for row in rows for cell in row if cell]
    length = sum(map(len, filled)) / max(1, len(filled))
    if len(rows[0]) == 2 and len(rows) >= _LINES and length >= _PROSE and len(filled) >= 1.6 * len(rows):
        return [cell for column in zip(*rows, strict=True) for cell in column if cell]
    if any(len(cell) > CELL for cell in filled):
        return [" ".join(filter(None, row)) for row in rows]
    return [_LABEL.sub(" ", " | ".join(row).rstrip(" |").lstrip()) for row in rows]
