"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from quarry.api.cli.language import note_text
from quarry.api.cli.terminal import escaped, say
from quarry.search.errors import InvalidRequest
from quarry.search.files.uris import absolute, expanded, uri_of

if TYPE_CHECKING:
    from quarry.api.federation.federation import Federation
    from quarry.api.library import Library
    from quarry.search.models.live import LiveModels
    from quarry.search.values.notes import Note

Command = Callable[..., Any]
Option = Callable[[Command], Command]


library_option = click.option(
    "--library",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="The library's directory [default: QUARRY_LIBRARY, or the user's data folder].",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON: the body that the HTTP API answers with."
)
wait_option = click.option(
    "--wait",
    metavar="SECONDS",
    type=click.FloatRange(0),
    default=30.0,
    show_default=True,
    help="How long to wait for another process that is writing.",
)
_MODELS = {
    "text_model": "The model to embed the query with; it must be the library's own.",
    "image_model": "Name or folder of an open_clip model.",
    "reader": "A transformers model for question answering, to read with.",
    "cross_encoder": "A sentence-transformers CrossEncoder, to rerank with.",
    "summarizer": "A transformers model, to write the summary.",
    "generator": "A transformers model, to write an answer from the passages.",
    "checker": "A transformers model for natural language inference, to check the claim with.",
    "picture_reader": "A transformers model for visual question answering, for --picture.",
    "page_reader": "A transformers model for document question answering, for --document.",
    "table_reader": "A transformers model for table question answering, for --document.",
    "translator": "A transformers model for translation, for --translate-to.",
}


def model_options(*names: str, **told: str) -> Option:
    """Add options that name models, called as `ModelNames` calls them; a command takes them as `models: ModelOptions`.

    Args:
        names: those with the usual help.
        told: others, and what is said of them.
    """
    helps = {name: _MODELS[name] for name in names} | told
    options = [click.option(f"--{name.replace('_', '-')}", metavar="MODEL", help=said) for name, said in helps.items()]
    return gathered("models", tuple(helps), options)


def gathered(
    argument: str,
    names: Sequence[str],
    options: Sequence[Option],
    read: Callable[[dict[str, Any], bool], dict[str, Any]] = lambda given, as_json: given,
) -> Option:
    """Add options to a command which takes the values of all in one argument, by name."""

    def add(command: Command) -> Command:
        @wraps(command)
        def called(**given: Any) -> Any:
            own = {name: given.pop(name) for name in names}
            return command(**given, **{argument: read(own, given.get("as_json", False))})

        decorated: Command = called
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return add


def named(reference: str) -> str:
    """Return the id or URI that an argument `ID|PATH` names: the URI of a path that is there, or may be."""
    if not reference:
        raise InvalidRequest("An id or path is empty; was a variable meant that is not set?")
    try:
        reference.encode()
        expanded(reference).lstat()
    except (UnicodeEncodeError, PermissionError):  # bytes that are no UTF-8; in a folder that can't be entered
        return uri_of(absolute(reference))
    except (OSError, ValueError):
        return reference
    return uri_of(absolute(reference))


def print_json(body: Any) -> None:
    """Print a body as one JSON document; where standard output is not UTF-8, in ASCII."""
    utf8 = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    click.echo(escaped(json.dumps(body, ensure_ascii=not utf8, indent=2)))


def print_notes(notes: Sequence[Note]) -> None:
    """Print on standard error what was missing and what it cost, or what a filter may have been meant as."""
    for note in notes:
        say(f"! {note_text(note)}", fg="yellow", err=True)


def end_with_filter(library: Library | Federation, filter: Mapping[str, Any] | None, found: Sequence[object]) -> None:
    """Exit with 1 where nothing was found since the filter names a field that no document has: a slip, most likely."""
    if filter is None or found:
        return
    from quarry.search.fields.notes import unknown

    own = library.here if hasattr(library, "here") else [library]
    for one in own:
        with one.catalog().snapshot() as snapshot:
            if not unknown(snapshot.connection, filter, nothing=True):
                return
    if own:
        sys.exit(1)


def tell(text: str) -> None:
    """Say on standard error what takes a while before anything else is seen."""
    say(f"{text[:1].upper()}{text[1:]}...", err=True)


def read_pair(text: str, option: str) -> tuple[str, Any]:
    """Read `key=value`; the value is what JSON makes of it where that is a scalar, else the text itself."""
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise click.BadParameter(f"{text!r} is not key=value.", param_hint=option)
    try:
        parsed = json.loads(value, parse_constant=_no_number)
    except (ValueError, RecursionError):
        parsed = value
    return key.strip(), value if isinstance(parsed, dict | list) else parsed


def between_commas(written: Sequence[str]) -> list[str]:
    """Return what stands between commas; what has one itself stands in quotes."""
    rows = csv.reader((" ".join(one.splitlines()) for one in written), skipinitialspace=True)
    return [text for row in rows for text in row if text.strip()]


def _no_number(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are words here


def handed_in() -> LiveModels | None:
    """Return the live models that a program around the command line handed in as click's `obj`, None for no others."""
    models: LiveModels | None = click.get_current_context().obj
    return models
