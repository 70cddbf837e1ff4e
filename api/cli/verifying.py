"""`quarry verify`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import IO, Any

import click

from quarry.api.bodies.answers import verdicts_body
from quarry.api.cli.options import handed_in, json_option, library_option, print_json
from quarry.api.cli.reports import count
from quarry.api.cli.terminal import printable
from quarry.api.library import Library
from quarry.api.members.verifying import Verdict
from quarry.search.errors import FileMalformed
from quarry.search.hits.citations import Citation

INCOMPLETE = 3  # exit code where a source does not say so any more
_SHOWN = 60  # characters of a quote
_COLOURS = {"valid": "green", "moved": "yellow", "changed": "red", "gone": "red"}


@click.command("verify")
@click.argument("file", type=click.File("rb"), default="-")
@library_option
@json_option
def verify_command(file: IO[bytes], library: str | None, as_json: bool) -> None:
    """Say whether what was cited still stands where it was cited from.

    FILE holds JSON with citations, such as what `quarry search --json` or `quarry ask --json` printed; standard input
    without it.

    Exit code: 0 when the words of all still stand somewhere, 3 when a source has changed or is gone.
    """
    citations = _read(file)
    with Library(library, models=handed_in()) as opened:
        verdicts = opened.verify(citations)
    if as_json:
        print_json(verdicts_body(verdicts))
    else:
        for citation, verdict in zip(citations, verdicts, strict=True):
            _print(citation, verdict)
        standing = sum(verdict.standing in ("valid", "moved") for verdict in verdicts)
        click.echo(f"{standing:,} of {count(len(verdicts), 'citation')} still stand{'s' if standing == 1 else ''}.")
    if any(verdict.standing in ("changed", "gone") for verdict in verdicts):
        sys.exit(INCOMPLETE)


def _read(file: IO[bytes]) -> list[Citation]:
    """Return the citations that stand anywhere in some JSON, each with the text beside it."""
    try:
        found = list(_citations(json.load(file)))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FileMalformed(f"{file.name} is no JSON with citations ({error}).") from error
    if not found:
        raise FileMalformed(f"{file.name} holds no citation.")
    return found


def _citations(value: Any) -> Iterator[Citation]:
    if isinstance(value, list):
        for one in value:
            yield from _citations(one)
    elif isinstance(value, dict):
        if isinstance(cited := value.get("citation"), dict):
            yield Citation(**cited, quote=value.get("text") or "")
        elif "quote_hash" in value:
            yield Citation(**value)
        for name, one in value.items():
            if name != "citation":
                yield from _citations(one)


def _print(citation: Citation, verdict: Verdict) -> None:
    said = " ".join(citation.quote.split())
    said = said if len(said) <= _SHOWN else f"{said[:_SHOWN]}…"
    where = verdict.document.uri if verdict.document else citation.uri
    if verdict.standing == "moved":
        where = f"{where}, characters {verdict.start:,} to {verdict.end:,}"
    standing = click.style(f"{verdict.standing:8}", fg=_COLOURS[verdict.standing])
    click.echo(f"{standing} {printable(where)}  {printable(said)}".rstrip())
