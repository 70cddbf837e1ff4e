"""`quarry outliers`."""

from __future__ import annotations

from gettext import gettext as _
from typing import Any

import click

from quarry.api.bodies.hits import notes_body
from quarry.api.bodies.holdings import outliers_body
from quarry.api.cli.options import end_with_filter, handed_in, json_option, library_option, print_json, print_notes
from quarry.api.cli.places import place
from quarry.api.cli.queries import filter_option
from quarry.api.cli.reports import count
from quarry.api.cli.terminal import say
from quarry.api.library import Library
from quarry.api.members.outliers import LEAST, Outliers
from quarry.search.types import KINDS, Kind


@click.command("outliers")
@library_option
@click.option("--kind", type=click.Choice(KINDS), help="Texts or pictures alone.")
@click.option("--least", type=float, default=LEAST, show_default=True, metavar="SPREADS",
              help="How much further from others than usual they are at least.")  # fmt: skip
@click.option("--limit", "-n", type=int, default=20, show_default=True, help="How many documents, at most 1,000.")
@click.option("--offset", type=int, default=0, help="How many documents to pass by: the next page.")
@filter_option
@json_option
def outliers_command(
    library: str | None,
    kind: Kind | None,
    least: float,
    limit: int,
    offset: int,
    filter: dict[str, Any] | None,
    as_json: bool,
) -> None:
    """List documents that are like nothing else in the library, the strangest first: what fits nowhere, per kind.

    A document is as strange as it is far from its fifth nearest neighbour, against what is usual in this library.
    Beside it stands what it is the least unlike.
    """
    with Library(library, models=handed_in()) as opened:
        found = opened.outliers(filter=filter, kind=kind, least=least, limit=limit, offset=offset)
        notes = opened.filter_notes(filter)
        if as_json:
            print_json(outliers_body(found, limit, offset) | notes_body(notes))
        else:
            _print(found, offset)
            print_notes(notes)
        end_with_filter(opened, filter, found.outliers)


def _print(found: Outliers, offset: int) -> None:
    for one in found.outliers:
        name = click.style(place(one.document, None, None), fg="cyan")
        near = click.style(_("nearest: {name}").format(name=place(one.nearest, None, None)), dim=True)
        click.echo(f"{one.spreads:6.1f}  {name}\n        {near}")
    if found.total:
        compared = count(found.compared, "document")
        click.echo(_("Outliers: {n:,} of {compared}.").format(n=found.total, compared=compared), err=True)
        if len(found.outliers) < found.total:
            shown = _("Shown are {first:,} to {last:,}; --offset and --limit show others.")
            click.echo(shown.format(first=offset + 1, last=offset + len(found.outliers)), err=True)
    else:
        click.echo(_("No outliers."), err=True)
    if found.left_out:
        said = _("Not compared: {documents}, without vectors, or with fewer than twenty others of their kind.")
        say("! " + said.format(documents=count(found.left_out, "document")), fg="yellow", err=True)
