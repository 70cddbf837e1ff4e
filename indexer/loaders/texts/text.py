"""Plain text, reStructuredText and Info with their sections, and source code with its definitions as headings."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from quarry.indexer.formats import Format
from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.decoding import clean, decode, lines, one_line, reading
from quarry.indexer.loaders.dividing import LONGEST, continued, pieces
from quarry.indexer.loaders.texts.definitions import definitions
from quarry.indexer.loaders.titles import keywords, people
from quarry.search.types import Heading, Parsed

_SECTIONED = ("text/x-rst", "text/x-info")
_DECLARED = re.compile(rb"""(?:coding[:=]\s*|<\?xml[^>]*\sencoding\s*=\s*["'])([-\w.]+)""")
_ADORNED = re.compile(
    r"^(?:(?P<over>([=\-~^\"'`#*+.:_])\2{2,})\n)?[ ]?(?P<text>\S.{0,200})\n(?P<under>([=\-~^\"'`#*+.:_])\5{2,})[ ]*$",
    re.M,
)

_FIELD = re.compile(r"^:(?P<name>Authors?|Date|Keywords|Lang(?:uage)?):[ \t]+(?P<said>\S.*)$", re.M | re.I)
_ABOVE = 4_000  # characters in which they stand


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document, of a large file several; the headings of reStructuredText are kept."""
    if os.fstat(source.stream.fileno()).st_size > LONGEST:
        yield from continued(_parts(source))
        return
    data = source.read()
    declared = _DECLARED.search(data[:512])  # PEP 263, XML 1.0 section 4.3.3
    yield from _document(decode(data, declared[1].decode("ascii") if declared else ""), source.format)


def _parts(source: Source) -> Iterator[Parsed]:
    """Read a large file a part at a time; of one to which lines are added, the parts before stay what they are."""
    with reading(source.stream, newline="") as text:
        for piece, line in pieces(text):
            for parsed in _document(piece, source.format):
                yield replace(parsed, place=parsed.place and parsed.place.later(line - 1))


def _document(decoded: str, form: Format) -> Iterator[Parsed]:
    text = clean(decoded)
    if not text:
        return
    metadata: dict[str, Any] = {"language": form.language} if form.language else {}
    headings = _headings(text) if form.type in _SECTIONED else definitions(text, form.language)
    if form.type == "text/x-rst":
        metadata |= _bibliography(text)
    title = headings[0].text if headings and not form.language else ""
    yield Parsed(text, form.type, title, metadata=metadata, place=lines(decoded), headings=headings)


def _bibliography(text: str) -> dict[str, Any]:
    """Read the fields above the text that docutils calls bibliographic."""
    said = {match["name"].lower(): one_line(match["said"]) for match in _FIELD.finditer(text[:_ABOVE])}
    found = {"author": people(said.get("author", said.get("authors", ""))), "date": said.get("date", "")}
    found |= {"keywords": keywords(said.get("keywords", "")), "lang": said.get("lang", said.get("language", ""))}
    return {name: value for name, value in found.items() if value}


def _headings(text: str) -> tuple[Heading, ...]:
    """Find section titles; the first kind of adornment is level 1, the next new one level 2, and so on."""
    levels: dict[tuple[str, bool], int] = {}
    found = []
    for match in _ADORNED.finditer(text):
        words, under, over = match["text"].rstrip(), match["under"], match["over"]
        if len(under) < len(words) // 2 or (over and over[0] != under[0]) or words == words[0] * len(words):
            continue
        level = levels.setdefault((under[0], bool(over)), len(levels) + 1)
        found.append(Heading(match.start(), level, one_line(words)))
    return tuple(found)
