"""`quarry search` and `quarry show`."""

from __future__ import annotations

import json
import sys
from gettext import gettext as _
from gettext import ngettext
from typing import Any

import click

from quarry.api.bodies.hits import document_body
from quarry.api.bodies.responses import response_body
from quarry.api.cli.examples import search_for
from quarry.api.cli.explaining import print_explanation
from quarry.api.cli.facets import print_facets
from quarry.api.cli.libraries import searched, searched_option
from quarry.api.cli.options import (
    end_with_filter,
    handed_in,
    json_option,
    library_option,
    model_options,
    named,
    print_json,
    print_notes,
)
from quarry.api.cli.places import on_page, place, place_of
from quarry.api.cli.queries import search_options
from quarry.api.cli.snippets import MARGIN, columns, field_line, page_width, snippet, wrapped
from quarry.api.cli.terminal import printable, say
from quarry.api.library import Library
from quarry.search.config import ModelOptions
from quarry.search.queries.query import Response, SearchOptions
from quarry.search.types import OWN_WORDS, Document, Hit
from quarry.search.values.places import Grounding

_LINES = 4
_PLACES = 3  # of a text that stands in several


@click.command("search")
@click.argument("query", nargs=-1)
@searched_option
@search_options(
    "mode", "offset", "filter", "kinds", "like", "unlike", "exclude", "min_relevance", "ground", "explain", "rerank",
    "answer", "summarize", "group", "fold", "sort", "facets", "translate_to",
)  # fmt: skip
@model_options("text_model", "reader", "cross_encoder", "summarizer", "translator")
@json_option
def search_command(
    query: tuple[str, ...], libraries: tuple[str, ...], options: SearchOptions, models: ModelOptions, as_json: bool
) -> None:
    """Find passages and pictures by meaning and by words."""
    with searched(libraries, models) as opened:
        response = search_for(opened, query, options)
        if as_json:
            print_json(response_body(response))
        else:
            print_response(response)
        end_with_filter(opened, options["filter"], response.hits)


def print_response(response: Response) -> None:
    """Print hits for people: what, where, and the part that matches."""
    print_notes(response.notes)
    if response.query.answer or response.summary:
        _print_above(response)
    width = page_width()
    for number, hit in enumerate(response.hits, start=response.query.offset + 1):
        _print_hit(number, hit, width)
    print_facets(response.facets, width)
    count = len(response.hits)
    said = ngettext("{n} hit in {ms} ms", "{n} hits in {ms} ms", count) if count else _("Nothing found in {ms} ms")
    click.secho(said.format(n=f"{count:,}", ms=f"{response.took_ms:.0f}"), dim=True)
    if response.query.explain:
        stages = ", ".join(f"{stage} {took:.1f}" for stage, took in response.timings.items())
        for line in wrapped(f"in ms: {stages}", [], width):
            click.secho(line, dim=True)
    if response.left_out:
        said = ngettext(
            "{n} less relevant hit left out: --all shows them",
            "{n} less relevant hits left out: --all shows them",
            response.left_out,
        )
        click.secho(said.format(n=f"{response.left_out:,}"), dim=True)


def _print_above(response: Response) -> None:
    """Print answers and the summary, which stand above the hits."""
    from quarry.api.cli.asking import print_answers, print_summary

    if response.answers:
        print_answers(response.answers)
        click.echo()
    elif response.query.answer:
        click.echo(_("The library holds no answer to this.") + "\n")
    if response.summary:
        print_summary(response.summary)
        click.echo()


def _with_confidence(document: Document, name: str, value: Any) -> str:
    """Return the value of a field, and how sure a model is of it where one said it."""
    sure = {} if name in document.metadata else document.enriched.get("confidence", {}).get(name, {})
    if not sure:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    values = value if isinstance(value, list) else [value]
    return ", ".join(f"{one} ({sure[one]:.0%})" if one in sure else str(one) for one in values)


def _print_hit(number: int, hit: Hit, width: int) -> None:
    title = click.style(printable(hit.document.title), bold=True)
    click.echo(f"{number:>3}. {title}  {click.style(f'{hit.relevance:.2f}', dim=True)}")
    margin = " " * MARGIN
    click.echo(margin + _place(hit, width - MARGIN))
    if hit.grounding:
        click.secho(margin + _seen(hit.grounding), dim=hit.grounding.box is None)
    said = f"{hit.document.title} > {hit.heading}"
    for line in snippet(hit.text, on_page(hit), said, width - MARGIN, _LINES):
        click.echo(margin + line)
    if hit.original:
        for line in wrapped(hit.original, [], width - MARGIN)[:_LINES]:
            click.secho(margin + line, dim=True)
    for field in hit.fields:
        click.echo(margin + field_line(field, width - MARGIN))
    if hit.also:
        _print_also(hit, width - MARGIN)
    for more in hit.more:
        _print_more(more, width - MARGIN)
    if hit.explanation:
        print_explanation(hit, margin, width - MARGIN)


def _seen(grounding: Grounding) -> str:
    """Return where in a picture what was asked for is seen."""
    sure = f"{grounding.confidence:.0%}"
    if grounding.box is None:
        return _("seen nowhere in it for sure ({sure})").format(sure=sure)
    left, top, right, bottom = (f"{share:.0%}" for share in grounding.box)
    said = _("seen at {left} to {right} from the left, {top} to {bottom} from above ({sure})")
    return said.format(left=left, right=right, top=top, bottom=bottom, sure=sure)


def _print_also(hit: Hit, width: int) -> None:
    """Print where the text of a hit stands as well, and where nearly the same does."""
    for near, total in ((False, hit.equal), (True, hit.near)):
        own = [place(one.document, one.page, None) for one in hit.also if one.near == near][:_PLACES]
        more = total - len(own)
        if near:
            said = _("nearly the same in {places} and {n} more") if more else _("nearly the same in {places}")
        else:
            said = _("also in {places} and {n} more places") if more else _("also in {places}")
        for line in wrapped(said.format(places=", ".join(own), n=f"{more:,}"), [], width) if total else ():
            click.secho(" " * MARGIN + line, dim=True)


def _print_more(hit: Hit, width: int) -> None:
    """Print a further passage of a document in a line or two."""
    mark = "+ " if hit.page is None else _("+ page {n}: ").format(n=hit.page)
    lines = snippet(hit.text, hit.highlights, f"{hit.document.title} > {hit.heading}", width - columns(mark), 1)
    click.echo(f"{' ' * MARGIN}{click.style(mark, dim=True)}{lines[0] if lines else ''}")


def _place(hit: Hit, width: int) -> str:
    """Return where a hit is: its path, from here where it lies below, its place in there, and the headings below."""
    where = place_of(hit)
    if hit.said_by == "ocr":
        where = f"{where} {_('(read by OCR)')}"
    elif hit.said_by and hit.said_by not in OWN_WORDS and hit.confidence is not None:
        said = _("(said by {name}, {confidence} sure)")
        where = f"{where} {printable(said.format(name=hit.said_by, confidence=f'{hit.confidence:.0%}'))}"
    elif hit.said_by and hit.said_by not in OWN_WORDS:
        where = f"{where} {printable(_('(said by {name})').format(name=hit.said_by))}"
    heading = printable(hit.heading.removeprefix(hit.document.title).removeprefix(" > "))
    styled = click.style(where, fg="cyan")
    if heading and columns(where) + columns(heading) + 2 <= width:
        return f"{styled}  {heading}"
    return f"{styled}\n{' ' * MARGIN}{heading}" if heading else styled


@click.command("show")
@click.argument("reference", metavar="ID|PATH")
@library_option
@click.option("--no-text", is_flag=True, help="Only what is known about the document.")
@click.option("--original", is_flag=True, help="The bytes of its file, such as an attachment's, to be saved or piped.")
@json_option
def show_command(reference: str, library: str | None, no_text: bool, original: bool, as_json: bool) -> None:
    """Show a document as it was read: its metadata and its text."""
    with Library(library, models=handed_in()) as opened:
        reference = named(reference)
        if original:
            sys.stdout.buffer.write(opened.original(reference))
            return
        document = opened.get(reference)
        text = None if no_text else opened.text(reference)
    if as_json:
        body = document_body(document)
        if text is not None:
            body["text"] = text
        print_json(body)
        return
    say(document.title, bold=True)
    say(document.uri)
    say(
        f"id {document.id} · {document.type} · {document.characters:,} characters, "
        f"{document.chunks:,} passages · modified {document.modified or 'unknown'}"
    )
    for name, value in {**document.enriched, **document.metadata}.items():
        if name != "confidence" or name in document.metadata:  # it stands beside what it is of
            say(f"{name}: {_with_confidence(document, name, value)}")
    if text is not None:
        click.echo()
        for line in text.split("\n"):
            say(line.expandtabs())
