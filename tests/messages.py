"""The command line's messages and their Korean: `python -m tests.messages [--write]`.

It tells what the catalogue lacks, holds in vain or has wrong. With --write what is lacking is added to it, to be
translated, and what it has is compiled.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterable, Iterator

import click
from babel.messages import Catalog, Message
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po

from quarry.api import cli as command_line
from quarry.api.cli import COMMANDS, cli
from quarry.api.cli.language import DOMAIN, LANGUAGES
from tests.folders import ROOT

PO = LANGUAGES / "ko" / "LC_MESSAGES" / f"{DOMAIN}.po"
_PLACEHOLDER = re.compile(r"\{\w+[^{}]*\}|`[^`]*`|--[a-z][a-z-]*")
# What click says where people slip; it says more to those who write commands.
CLICK = (
    "Usage:",
    "Options",
    "Commands",
    "Show this message and exit.",
    "Show the version and exit.",
    "Error: {message}",
    "Try '{command} {option}' for help.",
    "default: {default}",
    "Missing argument",
    "Missing option",
    "No such option {name!r}.",
    "No such command {name!r}.",
    "Invalid value for {param_hint}: {message}",
    "Invalid value: {message}",
    "Option {name!r} requires an argument.",
)
_NEAR = ("Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)")
LEVELS = ("ok", "repaired", "warning", "damage")  # of what the doctor finds, and where
PARTS = ("access", "catalog", "disk", "files", "formats", "indexes", "lexical", "model", "segments", "thumbnails")

Id = str | tuple[str, str]


def ids() -> set[Id]:
    """Return what can be said: the messages of the code, and the help of all commands."""
    return {*CLICK, *LEVELS, *PARTS, _NEAR, command_line._FIRST, *_of_code(), *_of_help()}


def _of_code() -> Iterator[Id]:
    for path in sorted((ROOT / "api" / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            given = [str(one.value) if isinstance(one, ast.Constant) else "" for one in node.args]
            if node.func.id == "_" and given[0]:
                yield given[0]
            elif node.func.id == "ngettext" and given[0]:
                yield given[0], given[1]
            elif node.func.id in ("count", "print_failed") and given[1]:
                yield f"{{n}} {given[1]}", f"{{n}} {given[2] if len(given) > 2 else f'{given[1]}s'}"
    for path in sorted((ROOT / "indexer").rglob("*.py")):  # what long work says of itself
        yield from re.findall(r'progress\.note\("([^"]+)"\)', path.read_text("utf-8"))


def _of_help() -> Iterator[Id]:
    context = click.Context(cli)
    for command in [cli, *(cli.get_command(context, name) for name in COMMANDS)]:
        assert command is not None
        for text in [command.help, *(getattr(one, "help", None) for one in command.params)]:
            if text:
                yield inspect.cleandoc(text)


def reasons() -> Iterator[str]:
    """Yield why files are not read or passed by, and what the doctor finds, "7" standing for what is named."""
    for path in [*(ROOT / "indexer").rglob("*.py"), *(ROOT / "search" / "formats").rglob("*.py")]:
        if path.parent.name in ("exchange", "training") or path.name == "query_pictures.py":
            continue
        tree = ast.parse(path.read_text("utf-8"))
        known = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = {
                    "FileMalformed": 0,
                    "FileUnreadable": 0,
                    "TookLong": 0,
                    "UnsupportedType": 0,
                    "Finding": 2,
                }.get(node.func.id)
                if place is not None and len(node.args) > place:
                    yield from _filled(node.args[place], known)


def _filled(node: ast.expr, known: dict[str, ast.expr]) -> list[str]:
    """Return the texts that an expression stands for; none where it is made elsewhere."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            found = [_filled(part, known) or ["7"] for part in parts]
            return ["".join(one[0] for one in found)]
        case ast.FormattedValue(value=ast.Name(id=name)) | ast.Name(id=name) if name in known:
            return _filled(known[name], known)
        case ast.IfExp(body=one, orelse=other):
            return _filled(one, known) + _filled(other, known)
    return []


def catalogue() -> Catalog:
    """Return what is translated."""
    with PO.open("rb") as file:
        return read_po(file, locale="ko", domain=DOMAIN)


def faults(found: Catalog) -> list[str]:
    """Return what is wrong: what is not translated or said nowhere, and placeholders that differ."""
    held, wanted = {message.id: message for message in found if message.id}, ids()
    wrong = [f"not translated: {one!r}" for one in wanted if one not in held or not any(_strings(held[one]))]
    wrong += [f"said nowhere: {one!r}" for one in held if one not in wanted]
    for message in held.values():
        marks = _marks(message.id if isinstance(message.id, str) else message.id[1])
        wrong += [f"other placeholders: {said!r}" for said in _strings(message) if said and _marks(said) != marks]
    return sorted(wrong)


def _strings(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


def _marks(text: str) -> set[str]:
    return set(_PLACEHOLDER.findall(text))


def said(found: Catalog) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return the messages and what is said for them, sorted, without the header: that names Babel's version."""
    pairs = [(message.id, message.string) for message in found if message.id]
    return sorted((_tuple(of), _tuple(said)) for of, said in pairs)


def _tuple(strings: str | Iterable[str] | None) -> tuple[str, ...]:
    return (strings,) if isinstance(strings, str) else tuple(strings or ())


def compiled() -> Catalog:
    """Return what gettext reads."""
    with PO.with_suffix(".mo").open("rb") as file:
        return read_mo(file)


def main(write: bool) -> None:
    """Tell what is wrong; write what can be written."""
    found = catalogue()
    for fault in faults(found):
        print(fault)
    if write:
        for one in sorted(ids() - {message.id for message in found}, key=str):
            found.add(one)
        with PO.open("wb") as file:
            write_po(file, found, width=120, sort_output=True, omit_header=False)
        with PO.with_suffix(".mo").open("wb") as file:
            write_mo(file, found)


if __name__ == "__main__":
    main("--write" in sys.argv)
