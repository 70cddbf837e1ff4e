"""The lines of a passage by what they are: prose, headings, tables of contents, and rows and pairs with their cells.

Receipts, tables, forms, option lists and the rows that loaders write have no sentences. What one looks up in them is a
cell: of a row, which its first cell and the name of the column tell about, or of a pair such as `Rent: 850 EUR`,
`Rent ....... 850 EUR` or an option of a man page with what it does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Literal

Kind = Literal["prose", "heading", "contents", "rule", "row", "pair"]

_KEY_WORDS = 6  # of what stands before a colon, at most
_FEW = 3  # words of one before a long value
_PLAIN = 60  # characters, up to which a line that ends in an amount is a pair

_RULE = re.compile(r"[\s|:+=\-_*.~·─]*[-=_*~─]{2,}[\s|:+=\-_*.~·─]*|[.·]{4,}")
_PIPES = re.compile(r"\|?(?:[^|]*\s\|(?=\s))+[^|]*\|?|\|[^|]+\|")
_LEADER = re.compile(r"(?P<key>\S.*?)(?:\s\.{3,}|\.{4,}|(?:\s\.){3,}|\s*(?:…{2,}|·{3,}|_{4,}))\s*(?P<value>\S.*)")
_GAP = re.compile(r"(?<=\S)\s{3,}(?=\S)")
_CLOSE = re.compile(r"(?<=\S)\s{2,}(?=\S)")
_ONE_GAP = re.compile(r"\S.*?[^\s.!?,;]  (?=\S)(?!.*\S  )")
_BULLET = re.compile(r"(?:[-*+•‣◦]\s+)?(?:\[[ xX]\]\s+)?")
_LABEL = re.compile(
    r"(?P<key>[^:：=.!?|\n]{1,48}?|[^:：=!?|\n]{1,48}?\.)\s*(?:[:：](?=\s|[\"“]|(?<=[가-힣一-鿿ぁ-ヿ][:：]))|：|\s=\s)\s*(?P<value>\S.*)"
)
_OPTION = re.compile(r"-{1,2}\w[^.!?]{0,70}")
_MONEY = r"\d+[.,]\d\d|\d{1,3}(?:[.,' ]\d{3})+(?:[.,]\d\d)?|\d+(?=\s?[€£¥원円元])"
_AMOUNT_LAST = re.compile(
    rf"(?P<key>[^\W\d_][^:!?]*?)\s+(?P<value>(?:(?:[A-Z]{{3}}|[$€£¥₩])\s?)?-?(?:{_MONEY})(?:\s?(?:[A-Z]{{3}}|[€£¥원円元]|Kč|kr|zł))?)"
)
_SECTION = re.compile(r"(?:§\s*)?\d{1,2}(?:\.\d{1,2})*[.)]?\s+\S[^\n,]{0,70}")
_PAGE_NUMBER = re.compile(r"\d{1,4}|[ivxlc]{1,6}")
_CONTENTS = re.compile(
    r"\s*(?:table of )?contents|inhalt(?:sverzeichnis)?|sommaire|índice|indice|obsah|目次|目录|차례|목차", re.I
)
_FILLED = 45  # characters, from which a line may have been wrapped
_MARKS = "*_`"  # of emphasis


@dataclass(frozen=True, slots=True)
class Cell:
    """Characters `start` to `end` of a passage, and the name of what stands there: a column's, or a label."""

    start: int
    end: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line, or the lines that a pair goes over, without white space around.

    Args:
        cells: of a row and of a pair, whose first is the key. Others have none.
        column: where it begins in its line.
    """

    start: int
    end: int
    kind: Kind
    cells: tuple[Cell, ...] = ()
    column: int = 0

    @property
    def is_data(self) -> bool:
        """Whether it is looked up rather than read."""
        return self.kind in ("row", "pair")


@lru_cache(maxsize=512)
def lines(text: str, trail: str = "") -> tuple[Line, ...]:
    """Tell the lines of a passage apart; blank ones are left out.

    Args:
        trail: the headings above the passage, as a hit has it.
    """
    said = frozenset(_folded(part) for part in trail.split(" > ") if part)
    found = _with_descriptions(text, [_line(text, start, end, said) for start, end in _spans(text)])
    return tuple(_named(text, _told_by_neighbours(text, found)))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    for match in re.finditer(r"[^\n]+", text):
        if match[0].strip():
            yield match.start(), match.end()


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _line(text: str, first: int, end: int, said: frozenset[str]) -> Line:
    whole = text[first:end]
    start = first + len(whole) - len(whole.lstrip())
    line = whole.strip()
    end = start + len(line)
    column = start - first

    def of(kind: Kind, *cells: tuple[int, int]) -> Line:
        return Line(start, end, kind, tuple(_trimmed(text, start + low, start + high) for low, high in cells), column)

    if _RULE.fullmatch(line):
        return of("rule")
    if re.match(r"#{1,6}\s", line) or _folded(line.strip("# ")) in said:
        return of("heading")
    if _PIPES.fullmatch(line):
        places = [place for place, character in enumerate(line) if character == "|"]
        edges = [-1 if line[0] != "|" else 0, *places[line[0] == "|" :], len(line)]
        cells = [(low + 1, high) for low, high in pairwise(edges)]
        cells = cells[: len(cells) - (line[-1] == "|")]
        filled = sum(bool(line[low:high].strip()) for low, high in cells)
        return of("row", *cells) if filled > 1 else of("prose")
    if "\t" in line:
        return of("row", *(match.span() for match in re.finditer(r"[^\t]*[^\s][^\t]*", line)))
    bullet = _BULLET.match(line)
    lead = bullet.end() if bullet else 0
    if leader := _LEADER.fullmatch(line, lead):
        return of("pair", leader.span("key"), leader.span("value"))
    if _OPTION.match(line) and (gap := _GAP.search(line) or re.search(r"\s{2,}", line)):
        return of("pair", (0, gap.start()), (gap.end(), len(line)))
    if _OPTION.fullmatch(line):
        return of("pair", (0, len(line)))
    label = _LABEL.fullmatch(line, lead)
    if label and _is_label(label["key"], label["value"]):
        return of("pair", label.span("key"), label.span("value"))
    gaps = [match.span() for match in _GAP.finditer(line)]
    if len(gaps) > 1:  # a table, whose columns may come closer
        gaps = [match.span() for match in _CLOSE.finditer(line)]
    if not gaps and (one := _ONE_GAP.match(line)):
        gaps = [(one.end() - 2, one.end())]
    if gaps:
        edges = [0, *(edge for gap in gaps for edge in gap), len(line)]
        frame = len(edges) > 4 and line[: edges[1]] == line[edges[-2] :]  # NAME(1)   Commands   NAME(1)
        return of("heading") if frame else of("row", *zip(edges[::2], edges[1::2], strict=True))
    if len(line) <= _PLAIN and (amount := _AMOUNT_LAST.fullmatch(line, lead)):
        return of("pair", amount.span("key"), amount.span("value"))
    if (
        not column
        and len(line) > 3
        and line.upper() == line != line.lower()
        and len(line) <= _PLAIN
        and line[-1] not in ".!?,;"
    ):
        return of("heading")
    return of("prose")


def _is_label(key: str, value: str) -> bool:
    """Whether what stands before a colon is a label, not the first half of a sentence."""
    words = len(key.split())
    return words <= _FEW or (words <= _KEY_WORDS and len(value) <= _PLAIN and not _GAP.search(key))


def _trimmed(text: str, start: int, end: int) -> Cell:
    part = text[start:end]
    inner = part.strip()
    start += len(part) - len(part.lstrip())
    end = start + len(inner)
    while end - start > 2 and text[start] in _MARKS:  # **Total**: 5, or a part of **Total: 5**
        start += 1
    while end - start > 1 and text[end - 1] in _MARKS and text[start:end].count(text[end - 1]) < 2:
        end -= 1
    while end - start > 1 and text[end - 1] in "*`":
        end -= 1
    return Cell(start, end)


def _with_descriptions(text: str, found: list[Line]) -> list[Line]:
    """Give options and other hanging keys the deeper lines below them; and values that go on, their ends."""
    joined: list[Line] = []
    place = 0
    while place < len(found):
        line = found[place]
        place += 1
        below: list[Line] = []
        if line.kind == "pair" or (line.kind in ("prose", "row") and _is_hanging(text, line, found, place)):
            inner = line.cells[-1].start - line.start + line.column if len(line.cells) > 1 else line.column + 2
            least = max(line.column + 2, min(inner, line.column + 4))
            while (
                place < len(found)
                and found[place].column >= least
                and _adjacent(text, (below or [line])[-1], found[place])
            ):
                below.append(found[place])
                place += 1
        if not below:
            joined.append(line)
        elif len(line.cells) > 1 and line.kind == "pair":
            value = replace(line.cells[-1], end=below[-1].end)
            joined.append(replace(line, end=below[-1].end, cells=(*line.cells[:-1], value)))
        else:
            cells = (Cell(line.start, line.end), Cell(below[0].start, below[-1].end))
            joined.append(replace(line, end=below[-1].end, kind="pair", cells=cells))
    return [
        line if line.kind != "pair" or len(line.cells) > 1 else replace(line, kind="prose", cells=()) for line in joined
    ]


def _is_hanging(text: str, line: Line, found: Sequence[Line], place: int) -> bool:
    """Whether an indented line of a word or two has deeper prose below it: an entry of a list of definitions."""
    if place == len(found) or not line.column or line.kind != "prose" or len(text[line.start : line.end].split()) > 2:
        return False
    return found[place].column >= line.column + 2 and _adjacent(text, line, found[place])


def _adjacent(text: str, line: Line, following: Line) -> bool:
    return text.count("\n", line.end, following.start) == 1


def _told_by_neighbours(text: str, found: list[Line]) -> list[Line]:
    """Find headings and tables of contents, which only their neighbours give away."""
    told = list(found)
    for place, line in enumerate(found):
        after = found[place + 1] if place + 1 < len(found) else None
        written = text[line.start : line.end]
        below = after if after is not None and after.kind == "rule" and _adjacent(text, line, after) else None
        before = found[place - 1] if place else None
        if line.kind == "pair" and before is not None and _goes_on(text, before, line):
            told[place] = replace(line, kind="prose", cells=())
        elif line.kind == "prose" and (
            _CONTENTS.fullmatch(written.strip(":. "))
            or (below is not None and len(written) <= 2 * (below.end - below.start))
        ):
            told[place] = replace(line, kind="heading")
        elif line.kind == "prose" and _SECTION.fullmatch(written) and written[-1] not in ".!?,;:":
            listed = after is not None and after.kind == "prose" and _SECTION.fullmatch(text[after.start : after.end])
            deeper = listed and after is not None and _number(text, after).startswith(_number(text, line) + ".")
            if after is not None and (deeper or not listed):
                told[place] = replace(line, kind="heading")
    run: list[int] = []
    for place, each_line in enumerate([*found, None]):
        page = (
            each_line is not None
            and each_line.is_data
            and len(each_line.cells) == 2
            and _page(text, each_line) is not None
        )
        if page:
            run.append(place)
            continue
        pages = [_page(text, found[each]) or 0 for each in run]
        if len(run) > 1 and pages == sorted(pages) and (len(run) > 2 or _is_section(text, found[run[0]])):
            for each in run:
                told[each] = replace(found[each], kind="contents", cells=())
        run = []
    return told


def _goes_on(text: str, before: Line, line: Line) -> bool:
    """Whether what looks like a label is within a paragraph: the line before it was filled, and goes on."""
    label = _LABEL.match(text, line.start, line.end)
    filled = before.kind == "prose" and before.end - before.start > _FILLED and text[before.end - 1] not in ".!?:;"
    return label is not None and filled and before.column == line.column and _adjacent(text, before, line)


def _number(text: str, line: Line) -> str:
    return text[line.start : line.end].split()[0].rstrip(".)")


def _page(text: str, line: Line) -> int | None:
    """Return the page that an entry of a table of contents names, 0 of a Roman one, None where it is none."""
    value = text[line.cells[-1].start : line.cells[-1].end]
    named = text[line.cells[0].end : line.cells[-1].start].strip()
    if not _PAGE_NUMBER.fullmatch(value) or (named and set(named) - set(".…·_ ")):
        return None
    return int(value) if value.isdecimal() else 0


def _is_section(text: str, line: Line) -> bool:
    return _SECTION.match(text[line.start : line.end]) is not None


def _named(text: str, found: list[Line]) -> Iterator[Line]:
    """Give the cells of rows the names of their columns, and those that are labelled the labels."""
    header: Line | None = None
    width, before = 0, -1
    for place, line in enumerate(found):
        if line.kind == "rule" and header is not None:
            yield line
            continue
        if line.kind != "row":
            header = None
            yield line
            continue
        if header is None or len(line.cells) != width or before < place - 2:
            header, width = (line if _is_header(text, found, place) else None), len(line.cells)
            before = place
            if header is not None:
                yield replace(line, kind="heading", cells=())
                continue
        names = [text[cell.start : cell.end] for cell in header.cells] if header else [""] * width
        before = place
        named = zip(line.cells, names, strict=True)
        cells = [_labelled(text, replace(cell, name=name)) for cell, name in named if cell.end > cell.start]
        yield replace(line, cells=tuple(cells))


def _is_header(text: str, found: Sequence[Line], place: int) -> bool:
    """Whether a row names the columns of those below: a rule follows, or it alone has no digits."""
    line, below = found[place], found[place + 1 : place + 4]
    if below and below[0].kind == "rule" and len(below) > 1 and below[1].kind == "row":
        return "|" in text[below[0].start : below[0].end] or not any(map(str.isdigit, text[line.start : line.end]))
    rows = [row for row in below if row.kind == "row" and len(row.cells) == len(line.cells)]
    if not rows or below[0].kind != "row" or len(line.cells) < 2:
        return False
    digits = [any(map(str.isdigit, text[cell.start : cell.end])) for cell in line.cells]
    under = [any(map(str.isdigit, text[cell.start : cell.end])) for cell in rows[0].cells[1:]]
    piped = "|" in text[line.start : line.end]
    return not any(digits) and (piped or (len(line.cells) > 2 and any(under)))


def _labelled(text: str, cell: Cell) -> Cell:
    if label := _LABEL.fullmatch(text[cell.start : cell.end]):
        return Cell(cell.start + label.start("value"), cell.end, label["key"])
    return cell
