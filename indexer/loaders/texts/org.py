"""Org mode: headings, and what a file says of itself as metadata. The text stays as it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.decoding import clean, decode, lines, one_line
from quarry.indexer.loaders.fields import scalars
from quarry.indexer.loaders.titles import keywords, people
from quarry.search.types import Heading, Parsed

_LINE = re.compile(
    r"^(?:(?P<stars>\*{1,12})[ \t]+(?P<head>\S.*)|[ \t]*#\+(?P<name>\w+):[ \t]*(?P<value>\S.*)"
    r"|[ \t]*#\+(?P<block>begin|end)_\w+.*)$",
    re.M | re.I,
)
_STATE = re.compile(r"(?:(?:TODO|DONE|NEXT|WAITING|CANCELLED)[ \t]+)?(?:\[#\w\][ \t]+)?")
_TAGS = re.compile(r"[ \t]+:(?:[\w@#%]+:)+[ \t]*$")
_LINK = re.compile(r"\[\[[^\[\]\n]*\](?:\[([^\[\]\n]*)\])?\]")
_DATE = re.compile(r"[<\[](\d{4}-\d\d-\d\d)[^<>\[\]]*[>\]]")  # <2024-05-31 Fri>
_KNOWN = {"author": "author", "date": "date", "description": "description", "language": "lang", "keywords": "keywords",
          "filetags": "keywords"}  # fmt: skip


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document."""
    decoded = decode(source.read())
    text = clean(decoded)
    headings: list[Heading] = []
    said: dict[str, str] = {}
    in_block = False
    for match in _LINE.finditer(text):
        if match["block"]:
            in_block = match["block"].lower() == "begin"
        elif match["name"]:
            said.setdefault(match["name"].lower(), one_line(match["value"]))
        elif not in_block:
            words = _TAGS.sub("", match["head"])[_found(words=match["head"]) :]
            words = one_line(_LINK.sub(lambda link: link[1] or "", words))
            if words:
                headings.append(Heading(match.start(), len(match["stars"]), words))
    title = said.get("title") or next((heading.text for heading in headings if heading.level == 1), "")
    metadata: dict[str, Any] = {name: said[key] for key, name in _KNOWN.items() if key in said}
    if date := _DATE.search(metadata.get("date", "")):
        metadata["date"] = date[1]
    for name, read in (("author", people), ("keywords", keywords)):
        if name in metadata:
            metadata[name] = read(metadata[name].strip(":").replace(":", ","))
    if text:
        yield Parsed(
            text, source.format.type, title, metadata=scalars(metadata), place=lines(decoded), headings=tuple(headings)
        )


def _found(words: str) -> int:
    """Return where the words of a heading begin, after its state and priority."""
    match = _STATE.match(words)
    return match.end() if match else 0
