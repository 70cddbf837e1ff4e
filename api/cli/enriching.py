"""`quarry enrich`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from gettext import gettext as _

import click

from quarry.api.bodies.holdings import report_body
from quarry.api.cli.options import between_commas, handed_in, json_option, library_option, print_json, tell, wait_option
from quarry.api.cli.progress import progress_display
from quarry.api.cli.reports import count, enrichment_line, print_failed, print_unable
from quarry.api.cli.terminal import say
from quarry.api.library import Library

INCOMPLETE = 3

enrich_option = click.option(
    "--enrich",
    multiple=True,
    metavar="NAME=MODEL",
    help="A task that a model is to do for every document, now and later, as of `quarry enrich`. Repeatable.",
)

translate_to_option = click.option(
    "--translate-to", default="", metavar="CODE", help="The language that translation=MODEL writes: en, ko."
)


def read_models(pairs: Sequence[str], option: str) -> dict[str, str]:
    """Read `NAME=MODEL`, and `NAME=TASK:MODEL`."""
    found = {}
    for pair in pairs:
        name, sign, model = pair.partition("=")
        if not sign or not name.strip() or not model.strip():
            raise click.BadParameter(_("{pair!r} is not NAME=MODEL.").format(pair=pair), param_hint=option)
        found[name.strip()] = model.strip()
    return found


@click.command("enrich")
@click.argument("models", nargs=-1, metavar="[NAME=MODEL]...")
@click.option("--remove", multiple=True, metavar="NAME", help="Have its model do that no more, and drop what it said.")
@click.option("--redo", multiple=True, metavar="NAME", help="Have its model look at everything again.")
@click.option(
    "--labels",
    multiple=True,
    metavar="A,B,...",
    help='What a zero-shot task is to tell apart; "quote" one that has a comma. Repeatable.',
)
@click.option("--template", default="", metavar="TEXT", help="What is asked of a label, with {} where it goes.")
@translate_to_option
@library_option
@wait_option
@json_option
def enrich_command(
    models: tuple[str, ...],
    remove: tuple[str, ...],
    redo: tuple[str, ...],
    labels: tuple[str, ...],
    template: str,
    translate_to: str,
    library: str | None,
    wait: float,
    as_json: bool,
) -> None:
    """Have models find out about documents what filters, facets and searches can use.

    NAME is a task, such as text-classification, and MODEL a model of transformers for it: its name on the hub, or its
    folder. NAME=TASK:MODEL calls what it finds NAME. The library remembers it: documents to come get it, too.

    What a zero-shot task tells apart is said with it: --labels invoice,letter,recipe.

    Without NAME=MODEL, it goes on with what is missing, and tries again what failed. Breaking off loses nothing.

    Exit code: 0 when everything was looked at, 3 when some of it failed (it is listed), 1 when nothing could be done.
    """
    chosen = read_models(models, "NAME=MODEL")
    told_apart = between_commas(labels)
    with Library(library, models=handed_in(), wait_s=wait, tell=tell) as opened:
        with closing(progress_display("documents")) as progress:
            report = opened.enrich(
                chosen,
                remove=remove,
                redo=redo,
                labels=told_apart,
                template=template,
                translate_to=translate_to,
                progress=progress,
            )
        enrichments = opened.status()["enrichments"]
    if as_json:
        print_json({"enrichments": enrichments, "report": report_body(report)})
    else:
        changed = count(report.changed, "document")
        said = _("What is known of {documents} has changed.") if report.changed else _("Nothing has changed.")
        click.echo(said.format(documents=changed))
        for one in enrichments:
            say(enrichment_line(**one))
        print_failed(report, "document")
        print_unable(report)
    if not report.complete or report.unable:
        sys.exit(INCOMPLETE)
