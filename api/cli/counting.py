"""`quarry facets`."""

from __future__ import annotations

from typing import Any

import click

from quarry.api.bodies.hits import notes_body
from quarry.api.bodies.responses import facets_body
from quarry.api.cli.facets import print_facets
from quarry.api.cli.libraries import searched, searched_option
from quarry.api.cli.options import json_option, print_json, print_notes
from quarry.api.cli.queries import filter_option
from quarry.api.cli.snippets import page_width

_USUAL = ("type", "language", "date")


@click.command("facets")
@click.argument("fields", nargs=-1, metavar="[FIELD]...")
@searched_option
@click.option("--query", default="", metavar="WORDS", help="Count hits of these words instead of all documents.")
@filter_option
@json_option
def facets_command(
    libraries: tuple[str, ...], fields: tuple[str, ...], query: str, filter: dict[str, Any] | None, as_json: bool
) -> None:
    """Count how many documents have which value of a field; without one, of type, language and date.

    Any field serves that a filter can name: `quarry fields` lists them.
    """
    with searched(libraries, {}) as opened:
        counted = opened.facets(fields or _USUAL, query=query, filter=filter)
        found, notes = counted if isinstance(counted, tuple) else (counted, opened.filter_notes(filter))
    if as_json:
        print_json(facets_body(found) | notes_body(notes))
        return
    print_facets(found, page_width(), opened=True)
    print_notes(notes)
