"""What the command line says, in the language of whoever reads it: Korean where the environment asks for it.

Messages are gettext's, by their English words; click's own are of the same catalogue, `languages/ko/LC_MESSAGES`
(`python -m tests.messages --write` compiles it, and tells what it lacks). Notes and errors come from libraries, which
know no languages: their Korean stands by their codes where the page has it, too.
"""

from __future__ import annotations

import gettext
import inspect
import json
import os
import re
from collections.abc import Mapping
from copy import copy
from functools import cache
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from quarry.search.errors import QuarryError
    from quarry.search.values.notes import Note

DOMAIN = "quarry"
LANGUAGES = Path(__file__).parent / "languages"
KOREAN = Path(__file__).parent.parent / "page" / "korean.json"

_WHERE = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set tells
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_NAMES = re.compile(r"\{(\w+)\}")
_FILLER = "\x00"  # stands beside a letter that takes two columns while lines are laid out


def speak() -> None:
    """Speak the language of the environment from now on."""
    if is_korean():
        gettext.bindtextdomain(DOMAIN, LANGUAGES)
        gettext.textdomain(DOMAIN)
        click.Context.formatter_class = _Formatter


def is_korean() -> bool:
    """Whether the environment asks for Korean."""
    wanted = next((os.environ[name] for name in _WHERE if os.environ.get(name)), "")
    return re.match(r"ko(?![a-z])", wanted) is not None


def translated(command: click.Command) -> click.Command:
    """Return a command whose help is in the language that is spoken; the one that is given stays English."""
    if not is_korean():
        return command
    spoken = copy(command)
    spoken.help = _said(command.help)
    spoken.params = [copy(parameter) for parameter in command.params]
    for parameter in spoken.params:
        if isinstance(parameter, click.Option):
            parameter.help = _said(parameter.help)
    return spoken


def note_text(note: Note) -> str:
    """Return what a note says."""
    template = _korean()["notes"].get(note.code) if is_korean() else None
    if not template:
        return note.text
    said = filled(template, note.values)
    own = note.values.get("library") and "{library}" not in template
    return f"{note.values['library']}: {said}" if own else said


def error_text(error: QuarryError) -> str:
    """Return what an error says: by its kind in Korean, with its own words, which tell more, below."""
    kinds = [kind.__name__ for kind in type(error).__mro__] if is_korean() else []
    said = next((_korean()["errors"][kind] for kind in kinds if kind in _korean()["errors"]), None)
    return f"{said}\n  ({error})" if said else str(error)


def filled(template: str, values: Mapping[str, Any]) -> str:
    """Fill `{names}` of a template; what stands in [brackets] is left out where one of its names has no value.

    `api/page/notes.js` does the same.
    """
    known = {name: _shown(value) for name, value in values.items() if value not in (None, "", [], ())}

    def part(match: re.Match[str]) -> str:
        return match[1] if all(name in known for name in _NAMES.findall(match[1])) else ""

    return _NAMES.sub(lambda match: known.get(match[1], ""), _OPTIONAL.sub(part, template))


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@cache
def _korean() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(KOREAN.read_text("utf-8"))
    return found


def _said(text: str | None) -> str | None:
    return _(inspect.cleandoc(text)) if text else text


class _Formatter(click.HelpFormatter):
    """Lays out help whose letters take two columns each."""

    def write_text(self, text: str) -> None:
        super().write_text(_widened(text))

    def write_dl(self, rows: Any, col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(_widened(one), _widened(said)) for one, said in rows], col_max, col_spacing)

    def getvalue(self) -> str:
        return super().getvalue().replace(_FILLER, "")


def _widened(text: str) -> str:
    from quarry.api.cli.snippets import columns

    return text if text.isascii() else "".join(sign + _FILLER * (columns(sign) - 1) for sign in text)
