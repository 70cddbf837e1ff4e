"""Markdown: headings, and front matter as metadata. The text stays as it is written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from quarry.indexer.formats import Format
from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.decoding import clean, decode, lines, one_line, reading
from quarry.indexer.loaders.dividing import LONGEST, continued, pieces
from quarry.indexer.loaders.fields import flatten, scalars
from quarry.indexer.loaders.texts.front_matter import FrontMatter, read
from quarry.search.types import Heading, Parsed

MAX_HEADING = 1_000  # characters; a longer line is none
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_NO_PARAGRAPH = re.compile(r"\s*$| {4}|\t| {0,3}(?:[>|#]|[-*+][ \t]|\d+[.)][ \t])")
_MARKS = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])|[*`]+|(?<!\w)_+|_+(?!\w)|\{#[^}]*\}|<[^>]+>")


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document, of a large file several."""
    if os.fstat(source.stream.fileno()).st_size > LONGEST:
        yield from continued(_parts(source))
    else:
        yield from _document(decode(source.read()), source.format, Headings())


def _parts(source: Source) -> Iterator[Parsed]:
    """Read a large file a part at a time."""
    headings = Headings()
    with reading(source.stream, newline="") as text:
        for piece, line in pieces(text):
            for parsed in _document(piece, source.format, headings, has_front=line == 1):
                yield replace(parsed, place=parsed.place and parsed.place.later(line - 1))


def _document(decoded: str, form: Format, found: Headings, *, has_front: bool = True) -> Iterator[Parsed]:
    cleaned = clean(decoded)
    front = read(cleaned) if has_front else FrontMatter({}, cleaned)
    metadata = scalars(flatten(front.fields))
    text = front.text
    title = metadata.pop(next((name for name in metadata if name.lower() == "title"), ""), "")
    title = one_line(", ".join(map(str, title)) if isinstance(title, list) else str(title))
    headings = found.of(text)
    if not title:
        title = next((heading.text for heading in headings if heading.level == 1), "")
    if text or title:
        yield Parsed(
            text or title,
            form.type,
            title,
            metadata=metadata,
            place=lines(decoded, text) if text else None,
            headings=headings,
            warning=front.warning,
        )


@dataclass(slots=True)
class Headings:
    """Finds ATX and setext headings outside fenced code (https://spec.commonmark.org/0.31.2/#leaf-blocks).

    Args:
        fence: what the code is fenced by in which the last text ended, "" for none.
    """

    fence: str = ""

    def of(self, text: str) -> tuple[Heading, ...]:
        """Return those of a text, or of the next part of one."""
        found: list[Heading] = []
        fence = self.fence
        previous, previous_start, start = "", 0, 0
        for line in text.split("\n"):
            next_start = start + len(line) + 1
            if mark := _FENCE.match(line):
                if not fence:
                    fence = mark[1]
                elif mark[1].startswith(fence) and not line.strip(" `~"):
                    fence = ""
                line = ""  # a fence is no paragraph that an underline could belong to
            elif not fence and len(line) <= MAX_HEADING:
                if (atx := _ATX.match(line)) and (words := _plain(atx[2] or "")):
                    found.append(Heading(start, len(atx[1]), words))
                elif (rule := _SETEXT.match(line)) and _heads(previous) and (words := _plain(previous)):
                    found.append(Heading(previous_start, 1 if rule[1][0] == "=" else 2, words))
                    line = ""
            previous, previous_start, start = line, start, next_start
        self.fence = fence
        return tuple(found)


def find_headings(text: str) -> tuple[Heading, ...]:
    """Find the headings of a whole text."""
    return Headings().of(text)


def _heads(line: str) -> bool:
    return len(line) <= MAX_HEADING and not _NO_PARAGRAPH.match(line)


def _plain(text: str) -> str:
    return one_line(_MARKS.sub(lambda match: match[1] or "", text))
