"""`quarry list`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from quarry.api.bodies.hits import notes_body
from quarry.api.bodies.holdings import documents_body
from quarry.api.cli.options import end_with_filter, handed_in, json_option, library_option, print_json, print_notes
from quarry.api.cli.places import place
from quarry.api.cli.queries import filter_option
from quarry.api.cli.reports import count
from quarry.api.cli.snippets import columns, page_width
from quarry.api.cli.terminal import printable
from quarry.api.library import Library
from quarry.search.types import Document

_DATE = len("2024-12-31")
_TYPE = 12  # columns of a type
_TITLE = 12  # columns below which a title is left out


@click.command("list")
@library_option
@click.option("--limit", "-n", type=int, default=100, show_default=True, help="How many documents, at most 1,000.")
@click.option("--offset", type=int, default=0, help="How many documents to pass by: the next page.")
@filter_option
@json_option
def list_command(library: str | None, limit: int, offset: int, filter: dict[str, Any] | None, as_json: bool) -> None:
    """List documents in the order they were added: when each was changed last, its type, path and title."""
    with Library(library, models=handed_in()) as opened:
        found = opened.listing(filter=filter, limit=limit, offset=offset)
        notes = opened.filter_notes(filter)
        if as_json:
            print_json(documents_body(found, limit, offset) | notes_body(notes))
        else:
            _print(found.documents, found.total, offset)
            print_notes(notes)
        end_with_filter(opened, filter, found.documents)


def _print(found: Sequence[Document], total: int, offset: int) -> None:
    width = page_width() if sys.stdout.isatty() else None
    for document in found:
        click.echo(_line(document, width))
    if len(found) < total:
        shown = f"{offset + 1:,} to {offset + len(found):,} of" if found else "none of"
        click.echo(f"{shown} {count(total, 'document')}; --offset and --limit show others.", err=True)
    elif not total:
        click.echo("No documents.", err=True)


def _line(document: Document, width: int | None) -> str:
    """Return a document as a line, its title as far as there is room on a terminal."""
    kind = printable(document.type).rpartition("/")[2].removeprefix("x-")[:_TYPE]
    where = place(document, None, None)
    title = printable(document.title)
    if width is not None:
        room = width - _DATE - _TYPE - 6 - columns(where)
        while title and columns(title) > room:
            title = f"{title[:-2]}…" if len(title) > _TITLE else ""
    dated = f"{(document.modified or '')[:_DATE]:{_DATE}}  {kind:{_TYPE}}"
    return f"{click.style(dated, dim=True)}  {click.style(where, fg='cyan')}  {title}".rstrip()
