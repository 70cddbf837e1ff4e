"""Documents of any length as several of bounded length, so that what comes after takes bounded memory, too."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from operator import itemgetter
from typing import TextIO

from quarry.indexer.loaders.decoding import newlines
from quarry.search.language.letters import cut
from quarry.search.types import Heading, Parsed
from quarry.search.values.places import Place

LONGEST = 16 * 1024 * 1024  # characters of one document, some 20,000 passages
PIECE = 4 * 1024 * 1024  # characters of a file that is too large to be one document


def divided(parsed: Parsed, longest: int = LONGEST) -> Iterator[Parsed]:
    """Yield a document, or its parts where it is longer than `longest` characters; each knows where it stands."""
    text = parsed.text
    if len(text) <= longest:
        yield parsed
        return
    start = number = 0
    while start < len(text):
        end = cut(text, start + longest * 3 // 4, start + longest) if len(text) - start > longest else len(text)
        if text[start:end].strip():
            number += 1
            yield _part(parsed, start, end, number)
        start = end


def pieces(text: TextIO, where: Callable[[str, int, int], int] = cut) -> Iterator[tuple[str, int]]:
    """Yield a long text a piece at a time, each with the number of the line that it begins on.

    Args:
        where: returns where to cut a text, from the least to the most characters.
    """
    line, held = 1, text.read(PIECE + 1)
    while held:
        end = where(held, PIECE * 3 // 4, PIECE) if len(held) > PIECE else len(held)
        piece, held = held[:end], held[end:]
        yield piece, line
        line += newlines(piece)
        held += text.read(PIECE + 1 - len(held))


def continued(parts: Iterable[Parsed]) -> Iterator[Parsed]:
    """Yield the parts of a file that was read in pieces: with their names, and what the first ones said of them all."""
    first: Parsed | None = None
    above: list[Heading] = []
    for number, part in enumerate(parts, 1):
        first = first or part
        begun = part.headings[0].level if part.headings and part.headings[0].start == 0 else 7
        headings = (*(each for each in above if each.level < begun), *part.headings)
        yield replace(part, key=part_key("", number), title=first.title, metadata=first.metadata, headings=headings)
        above = _above(headings, len(part.text))


def part_key(key: str, number: int) -> str:
    """Return the name of a part of an item."""
    return f"{key}#part={number}" if key else f"part={number}"


def _part(parsed: Parsed, start: int, end: int, number: int) -> Parsed:
    piece = parsed.text[start:end]
    kept = piece.strip()
    start += len(piece) - len(piece.lstrip())
    end = start + len(kept)
    return replace(
        parsed,
        text=kept,
        key=part_key(parsed.key, number),
        place=_lines(parsed, start, end),
        page_starts=tuple(max(0, each - start) for each in parsed.page_starts if each < end),
        headings=(*_above(parsed.headings, start), *_moved(parsed.headings, start, end)),
        places=_places(parsed, start, end),
        parts=parsed.parts if number == 1 else (),
        scan=parsed.scan if number == 1 else None,
        recording=parsed.recording if number == 1 else None,
    )


def _lines(parsed: Parsed, start: int, end: int) -> Place | None:
    if parsed.place is None or parsed.place.lines is None:
        return parsed.place
    first = parsed.place.lines[0] + parsed.text.count("\n", 0, start)
    return replace(parsed.place, lines=(first, first + parsed.text.count("\n", start, end)))


def _above(headings: tuple[Heading, ...], start: int) -> list[Heading]:
    """Return the headings that a place stands under, which does not begin with one."""
    above: list[Heading] = []
    for heading in headings:
        if heading.start > start:
            break
        while above and above[-1].level >= heading.level:
            above.pop()
        above.append(replace(heading, start=0))
    return above


def _moved(headings: tuple[Heading, ...], start: int, end: int) -> list[Heading]:
    return [replace(each, start=each.start - start) for each in headings if start < each.start < end]


def _places(parsed: Parsed, start: int, end: int) -> tuple[tuple[int, Place], ...]:
    first = max(0, bisect_right(parsed.places, start, key=itemgetter(0)) - 1)
    return tuple((max(0, at - start), place) for at, place in parsed.places[first:] if at < end)
