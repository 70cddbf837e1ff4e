"""`quarry label`."""

from __future__ import annotations

import sys
from contextlib import closing
from gettext import gettext as _

import click

from quarry.api.bodies.holdings import labelled_body, report_body
from quarry.api.cli.options import between_commas, handed_in, json_option, library_option, print_json, tell, wait_option
from quarry.api.cli.progress import progress_display
from quarry.api.cli.reports import count, print_failed, print_unable
from quarry.api.cli.terminal import say
from quarry.api.library import Library
from quarry.api.members.labelling import Labelled
from quarry.search.types import KINDS, Kind

INCOMPLETE = 3
_SHOWN = 20  # labels of a set


@click.command("label")
@click.option(
    "--labels",
    multiple=True,
    metavar="A,B,...",
    help='Labels between commas; "quote" one that has a comma. Repeatable.',
)
@click.option(
    "--label",
    "single",
    multiple=True,
    metavar="LABEL",
    help="A label, as it is: `NAME` or `NAME: words`. Repeatable.",
)
@click.option("--kind", type=click.Choice(KINDS), help="For texts or pictures alone.")
@click.option("--as", "field", default="label", show_default=True, metavar="FIELD", help="Where they are found.")
@click.option("--remove", multiple=True, metavar="FIELD", help="Take the labels of a field away, and nothing else.")
@library_option
@wait_option
@json_option
def label_command(
    labels: tuple[str, ...],
    single: tuple[str, ...],
    kind: Kind | None,
    field: str,
    remove: tuple[str, ...],
    library: str | None,
    wait: float,
    as_json: bool,
) -> None:
    """Give documents those of your labels that are apt, by their meaning: nothing is trained, or embedded again.

    A document may have several labels, or none of them; `confidence.FIELD.LABEL` is how likely each is. The library
    remembers them: documents to come get them, too. Without labels, it goes on with what is missing, and shows all.

    Exit code: 0 when all could be given, 3 when some could not, since a model is away, 1 when nothing could be done.
    """
    written = [*between_commas(labels), *single]
    opened = Library(library, models=handed_in(), wait_s=wait, tell=tell)
    with opened, closing(progress_display("documents")) as progress:
        report = opened.label(written, kind=kind or "", field=field, remove=remove, progress=progress)
        found = opened.label_sets()
    if as_json:
        print_json({"labels": [labelled_body(one) for one in found], "report": report_body(report)})
    else:
        for one in found:
            _print(one)
        if not found:
            click.echo(_("No labels."), err=True)
        print_failed(report, "document")
        print_unable(report)
    if not report.complete or report.unable:
        sys.exit(INCOMPLETE)


def _print(one: Labelled) -> None:
    said = _("{field}: {n:,} of {could} labelled")
    click.echo(
        click.style(said.format(field=one.field, n=one.documents, could=count(one.could, "document")), bold=True)
    )
    ranked = sorted(one.labels.items(), key=lambda label: -label[1])
    for name, documents in ranked[:_SHOWN]:
        click.echo(f"{documents:8,}  {name}")
    if len(ranked) > _SHOWN:
        click.echo("          " + _("and {n} more").format(n=f"{len(ranked) - _SHOWN:,}"))
    click.echo(f"{one.none:8,}  " + click.style(_("none of them"), dim=True))
    if one.unread:
        names = ", ".join(one.unread[:5])
        told = _("No model of this library knows the writing of {names}; `quarry index --cross-lingual` brings one in.")
        say("! " + told.format(names=names), fg="yellow", err=True)
