"""`quarry fields`."""

from __future__ import annotations

import json

import click

from quarry.api.bodies.holdings import fields_body
from quarry.api.cli.options import handed_in, json_option, library_option, print_json
from quarry.api.cli.snippets import MARGIN, page_width, wrapped
from quarry.api.cli.terminal import printable
from quarry.api.library import Library
from quarry.search.fields.held import Field


@click.command("fields")
@library_option
@json_option
def fields_command(library: str | None, as_json: bool) -> None:
    """List what a filter can name: fields, how many documents have each, and the most frequent values."""
    with Library(library, models=handed_in()) as opened:
        fields = opened.fields()
    if as_json:
        print_json(fields_body(fields))
        return
    for field in fields:
        _print(field, page_width())


def _print(field: Field, width: int) -> None:
    """Print a field for people: how many documents have it, the types of its values, and the most frequent of them."""
    name = click.style(printable(field.name), bold=True)
    types = " and ".join(field.types)
    count = f"{field.documents:,} document{'' if field.documents == 1 else 's'}"
    click.echo(f"{name}  {click.style(', '.join(filter(None, [count, types])), dim=True)}")
    shown = [
        (value if isinstance(value, str) else json.dumps(value)) + (f" ({count:,})" if count > 1 else "")
        for value, count in field.values
    ]
    if field.distinct > len(shown):
        shown.append("…")
    for line in wrapped(" ".join(", ".join(shown).split()), [], width - MARGIN):
        click.echo(" " * MARGIN + printable(line))
    for value in field.unclear[:1]:
        click.secho(f"{' ' * MARGIN}! {printable(value)} could be two days: values such as this are texts", fg="yellow")
