"""Front matter: YAML, TOML or JSON fields above a text.

YAML has the types of its 1.2 core schema (https://yaml.org/spec/1.2.2/#103-core-schema) and no others: NO, on, 14:30
and 2021-03-03 are text. So is a number that would not be printed as it is written, such as 0123, 1.10, 1_000 or 0o17.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from quarry.indexer.loaders.fields import WrittenNumber, integer, number

MAX_LENGTH = 64 * 1024  # characters
MAX_DEPTH = 32
MAX_WRONG = 20  # lines of TOML that are none, after which the rest is not believed
_FENCED = re.compile(r"(---|\+\+\+)[ \t]*\n(.*?)^(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.M | re.S)
_JSON = re.compile(r"\{\s*[\"}]")
_KEY = re.compile(r"[\w@.-]+(?: [\w@.-]+){0,2}")
_FIELD = re.compile(r"[\w@.-]+:")
_LINE = re.compile(r"\(at line (\d+), ")  # what tomllib says of where an error is
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What stands above a text.

    Args:
        fields: as they are written, nested.
        text: what follows, after lines that could not be read.
        warning: which lines could not be read, "" where all could.
    """

    fields: dict[str, Any]
    text: str
    warning: str = ""


def read(text: str) -> FrontMatter:
    """Take the front matter off a text; what is none, or can't be read, stays part of the text."""
    if _JSON.match(text):
        return _json(text)
    match = _FENCED.match(text, 0, MAX_LENGTH)
    if match is None:
        return FrontMatter({}, text)
    body = text[match.end() :].strip()
    if match[1] == "+++":
        return _toml(text, match[2], body)
    try:
        found = _yaml(match[2])
    except (yaml.YAMLError, ValueError):
        return _line_by_line(text, match[2], body)
    return FrontMatter(found, body) if isinstance(found, dict) else FrontMatter({}, text)


def _toml(whole: str, text: str, body: str) -> FrontMatter:
    """Read TOML without the lines that are none, which go to the text."""
    lines, wrong = text.split("\n"), list[tuple[int, str]]()
    while len(wrong) <= MAX_WRONG:
        try:
            fields = tomllib.loads("\n".join(lines), parse_float=WrittenNumber)
        except (ValueError, RecursionError) as error:
            at = _LINE.search(str(error))
            line = int(at[1]) if at else 0
            if not 1 <= line <= len(lines) or not lines[line - 1]:
                break
            wrong.append((line, lines[line - 1]))
            lines[line - 1] = ""
        else:
            return _without(fields, wrong, body, "TOML") if fields or not wrong else _unread(whole, "TOML")
    return _unread(whole, "TOML")


def _unread(whole: str, language: str) -> FrontMatter:
    return FrontMatter({}, whole, f"its front matter is no {language} and was left in the text")


def _without(fields: dict[str, Any], wrong: list[tuple[int, str]], body: str, language: str) -> FrontMatter:
    """Return the fields that could be read, and the rest, by its line, as text and as a warning."""
    if not wrong:
        return FrontMatter(fields, body)
    wrong = sorted(wrong)
    line, entry = wrong[0]
    what = f"line {line + 1}, in its front matter, is no {language} and was left in the text: {entry[:80]}"
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return FrontMatter(fields, "\n\n".join(["\n".join(entry for _, entry in wrong), body]).strip(), what + more)


def _json(text: str) -> FrontMatter:
    try:
        fields, end = json.JSONDecoder(parse_float=WrittenNumber, parse_int=integer, parse_constant=str).raw_decode(
            text
        )
    except (ValueError, RecursionError):
        return FrontMatter({}, text)
    if end > MAX_LENGTH or text[end : end + 1] not in ("", "\n"):
        return FrontMatter({}, text)
    return FrontMatter(fields, text[end:].strip())


def _line_by_line(whole: str, text: str, body: str) -> FrontMatter:
    """Read YAML that is broken somewhere an entry at a time; those that are none go to the text."""
    fields: dict[str, Any] = {}
    wrong: list[tuple[int, str]] = []
    for line, entry in _entries(text):
        try:
            found = _yaml(entry)
        except (yaml.YAMLError, ValueError):
            found = None
        if isinstance(found, dict) and all(_KEY.fullmatch(key) for key in found):
            fields |= found
        elif entry.strip():
            wrong.append((line, entry.rstrip()))
    prose = sum(1 for _, entry in wrong if not _FIELD.match(entry))
    if len(fields) + len(wrong) - prose <= prose:  # no front matter, but prose between two rules
        return FrontMatter({}, whole)
    if not fields:
        return _unread(whole, "YAML")
    return _without(fields, wrong, body, "YAML")


def _entries(text: str) -> Iterator[tuple[int, str]]:
    """Cut YAML where a line begins at its margin; yield the number of each first line, from 1, and the lines."""
    start, lines = 1, list[str]()
    for place, line in enumerate(text.split("\n"), 1):
        if lines and line[:1] not in ("", " ", "\t", "#", "]", "}") and not line.startswith("- "):
            yield start, "\n".join(lines)
            start, lines = place, []
        lines.append(line)
    yield start, "\n".join(lines)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the first needs libyaml
    """YAML to nodes, without any types: `_value` gives them."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # what PyYAML's base class has


def _yaml(text: str) -> Any:
    """Read YAML without aliases, a few hundred bytes of which can stand for gigabytes, and without deep nesting."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it may not use aliases")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ValueError("it is nested too deeply")
    return _value(yaml.compose(text, _Loader))


def _value(node: yaml.Node | None) -> Any:
    match node:
        case yaml.MappingNode():
            return {_key(key): _value(value) for key, value in node.value}
        case yaml.SequenceNode():
            return [_value(item) for item in node.value]
        case yaml.ScalarNode():
            return str(node.value) if node.style else _plain(str(node.value))
    return None


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise ValueError("a key must be a word")
    return str(node.value)


def _plain(text: str) -> Any:
    """Type a scalar without quotation marks."""
    if text in _NULL:
        return None
    return _BOOLEANS[text] if text in _BOOLEANS else number(text)
