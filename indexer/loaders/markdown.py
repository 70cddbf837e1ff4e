"""Markdown: headings, and front matter as metadata. The text stays as it is written."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

import yaml

from indexer.loaders.base import Source
from indexer.loaders.decoding import clean, decode, one_line
from indexer.loaders.fields import flatten, scalars
from search.types import Heading, Parsed

MAX_FRONT_MATTER = 64 * 1024  # characters
MAX_DEPTH = 32
MAX_HEADING = 1_000  # characters; a longer line is none
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the first where PyYAML was built with libyaml
_FRONT = re.compile(r"(---|\+\+\+)[ \t]*\n(.*?)^(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.M | re.S)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_NO_PARAGRAPH = re.compile(r"\s*$| {4}|\t| {0,3}(?:[>|#]|[-*+][ \t]|\d+[.)][ \t])")
_MARKS = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])|[*`]+|(?<!\w)_+|_+(?!\w)|\{#[^}]*\}|<[^>]+>")


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document. Front matter that is no valid YAML or TOML stays part of the text."""
    text = clean(decode(source.read()))
    metadata: dict[str, Any] = {}
    front = _FRONT.match(text, 0, MAX_FRONT_MATTER)
    if front is not None and (fields := _front_matter(front[1], front[2])) is not None:
        metadata = scalars(flatten(fields))
        text = text[front.end() :].strip()
    title = metadata.pop("title", "")
    headings = _headings(text)
    if not title:
        title = next((heading.text for heading in headings if heading.level == 1), "")
    if text or title:
        yield Parsed(text or str(title), source.format.type, one_line(str(title)), metadata=metadata, headings=headings)


def _front_matter(mark: str, text: str) -> dict[str, Any] | None:
    try:
        fields = tomllib.loads(text) if mark == "+++" else _yaml(text)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return None
    return {str(key): value for key, value in fields.items()} if isinstance(fields, dict) else None


def _yaml(text: str) -> Any:
    """Load YAML without aliases, a few hundred bytes of which can stand for gigabytes, and without deep nesting."""
    depth = 0
    for event in yaml.parse(text, _LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("front matter may not use aliases")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ValueError("front matter is nested too deeply")
    return yaml.load(text, _LOADER)


def _headings(text: str) -> tuple[Heading, ...]:
    """Find ATX and setext headings outside fenced code (https://spec.commonmark.org/0.31.2/#leaf-blocks)."""
    found: list[Heading] = []
    fence = ""
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
    return tuple(found)


def _heads(line: str) -> bool:
    return len(line) <= MAX_HEADING and not _NO_PARAGRAPH.match(line)


def _plain(text: str) -> str:
    return one_line(_MARKS.sub(lambda match: match[1] or "", text))
