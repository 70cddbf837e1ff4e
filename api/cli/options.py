"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from quarry.api.cli.terminal import escaped, say
from quarry.search.errors import InvalidRequest
from quarry.search.uris import absolute, expanded, uri_of

if TYPE_CHECKING:
    from quarry.api.library import Library
    from quarry.search.types import Response

F = TypeVar("F", bound=Callable[..., Any])


def library_option(command: F) -> F:
    """Add `--library DIR`."""
    return click.option(
        "--library",
        metavar="DIR",
        type=click.Path(file_okay=False),
        help="The library's directory [default: QUARRY_LIBRARY, or the user's data folder].",
    )(command)


def filter_option(command: F) -> F:
    """Add `--filter`, which can be given several times."""
    return click.option(
        "--filter",
        "filters",
        multiple=True,
        metavar="FILTER",
        help="Only documents that match: path=notes, type=pdf, 'date>=2020', author=Eve,Ann, or JSON; several must all "
        "hold. `quarry fields` lists the fields.",
    )(command)


def json_option(command: F) -> F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON: the body that the HTTP API answers with.")(
        command
    )


def relevance_option(command: F) -> F:
    """Add `--min-relevance` and `--all`, which is the same as 0."""
    command = click.option(
        "--min-relevance", type=float, metavar="0..1", help="Leave out hits that are less relevant."
    )(command)
    return click.option(
        "--all",
        "min_relevance",
        flag_value=0.0,
        type=float,
        help="Show hits that are not likely to be meant, too; --json always has them.",
    )(command)


def least_shown(min_relevance: float | None, as_json: bool) -> float | Literal["meant"]:
    """Return where a list ends: for people where nothing is meant, unless they say otherwise."""
    if min_relevance is not None:
        return min_relevance
    return 0.0 if as_json else "meant"


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


def wait_option(command: F) -> F:
    """Add `--wait SECONDS`."""
    return click.option(
        "--wait",
        metavar="SECONDS",
        type=click.FloatRange(0),
        default=30.0,
        show_default=True,
        help="How long to wait for another process that is writing.",
    )(command)


def print_json(body: Any) -> None:
    """Print a body as one JSON document; where standard output is not UTF-8, in ASCII."""
    utf8 = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    click.echo(escaped(json.dumps(body, ensure_ascii=not utf8, indent=2)))


def print_notes(response: Response) -> None:
    """Print on standard error what was missing and what it cost."""
    for note in response.degraded:
        say(f"! {note}", fg="yellow", err=True)


def end_with_filter(library: Library, filter: Mapping[str, Any] | None, found: Sequence[object]) -> None:
    """Exit with 1 where nothing was found since the filter names a field that no document has: a slip, most likely."""
    if filter is None or found:
        return
    from quarry.search.filter_notes import unknown

    with library.catalog().snapshot() as snapshot:
        if unknown(snapshot.connection, filter, nothing=True):
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


def _no_number(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are words here
