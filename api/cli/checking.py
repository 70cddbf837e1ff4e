"""`quarry check`."""

from __future__ import annotations

from gettext import gettext as _
from typing import TYPE_CHECKING

import click

from quarry.api.bodies.answers import check_body
from quarry.api.cli.options import (
    end_with_filter,
    handed_in,
    json_option,
    library_option,
    model_options,
    print_json,
    print_notes,
    tell,
)
from quarry.api.cli.places import on_page, place_of
from quarry.api.cli.queries import search_options
from quarry.api.cli.snippets import MARGIN, page_width, snippet
from quarry.api.cli.terminal import printable
from quarry.api.library import Library

if TYPE_CHECKING:
    from quarry.api.members.asking import Checked
    from quarry.search.config import ModelOptions
    from quarry.search.queries.query import SearchOptions
    from quarry.search.tasks.natural_language_inference import Judged

_LINES = 3
_COLOURS = {"supports": "green", "contradicts": "red", "neither": None}


@click.command("check")
@click.argument("claim", nargs=-1, required=True)
@library_option
@search_options("filter", found="of the nearest passages to look at, at most 100")
@model_options("checker")
@json_option
def check_command(
    claim: tuple[str, ...], library: str | None, options: SearchOptions, models: ModelOptions, as_json: bool
) -> None:
    """Hold a claim against the documents: which passages support it, and which contradict it.

    A model for natural language inference reads each of the nearest passages by itself, and says how likely each is.
    """
    with Library(library, models=handed_in(), tell=tell, **models) as opened:
        found = opened.check(" ".join(claim), limit=options["limit"], filter=options["filter"])
        if as_json:
            print_json(check_body(found))
        else:
            _print(found)
        end_with_filter(opened, options["filter"], found.response.hits)


def _print(found: Checked) -> None:
    print_notes(found.response.notes)
    verdicts = [one.judgement.verdict for one in found.judged]
    supported, contradicted = verdicts.count("supports"), verdicts.count("contradicts")
    for one in found.judged:
        if one.judgement.verdict != "neither":
            _print_judged(one)
    said = _("supported by {supported}, contradicted by {contradicted} of {n} passages")
    click.secho(said.format(supported=supported, contradicted=contradicted, n=len(verdicts)), dim=True)


def _print_judged(one: Judged) -> None:
    verdict = one.judgement.verdict
    said = _("supports") if verdict == "supports" else _("contradicts")
    sure = one.judgement.supports if verdict == "supports" else one.judgement.contradicts
    title = click.style(printable(one.hit.document.title), bold=True)
    click.echo(f"{click.style(said, fg=_COLOURS[verdict])} {click.style(f'{sure:.2f}', dim=True)}  {title}")
    margin, width = " " * MARGIN, page_width() - MARGIN
    click.echo(margin + click.style(place_of(one.hit), fg="cyan"))
    for line in snippet(one.hit.text, on_page(one.hit), f"{one.hit.document.title} > {one.hit.heading}", width, _LINES):
        click.echo(margin + line)
