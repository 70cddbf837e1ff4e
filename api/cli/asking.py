"""`quarry ask` and `quarry summarize`, and how answers and summaries are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from gettext import gettext as _
from typing import TYPE_CHECKING

import click

from quarry.api.bodies.answers import document_answers_body, picture_answers_body, summary_body, written_body
from quarry.api.bodies.responses import ask_body
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
    tell,
)
from quarry.api.cli.places import line_of, on_page, place, within
from quarry.api.cli.queries import search_options
from quarry.api.cli.snippets import MARGIN, page_width, snippet, wrapped
from quarry.api.cli.terminal import printable, say
from quarry.api.library import Library

if TYPE_CHECKING:
    from quarry.search.answers.choosing import Choice
    from quarry.search.config import ModelOptions
    from quarry.search.generation.answers import Event
    from quarry.search.queries.query import Response, SearchOptions
    from quarry.search.tasks.answers import ModelAnswer
    from quarry.search.types import Answer, Summary

_LINES = 2  # of each of the nearest passages


@click.command("ask")
@click.argument("question", nargs=-1, required=True)
@searched_option
@search_options("filter", limit=5, found="of the nearest passages to show")
@click.option("--choice", "choices", multiple=True, metavar="TEXT", help="An answer to choose from; give two or more.")
@click.option(
    "--picture", "shown", metavar="ID|PATH", help="A picture of the library, which --picture-reader is asked about."
)
@click.option(
    "--document",
    "examined",
    metavar="ID|PATH[#page=N]",
    help="A PDF or picture of a page, which --page-reader is asked about, or a table, which --table-reader is.",
)
@model_options("reader", "generator", "picture_reader", "page_reader", "table_reader")
@json_option
def ask_command(
    question: tuple[str, ...],
    libraries: tuple[str, ...],
    options: SearchOptions,
    choices: tuple[str, ...],
    shown: str | None,
    examined: str | None,
    models: ModelOptions,
    as_json: bool,
) -> None:
    """Answer a question by exact spans of documents, or say that the library holds no answer.

    With --choice, says which of these answers the documents speak for. With --generator, a model writes an answer from
    the passages, and cites them. With --picture or --document, a model looks at one.
    """
    text, limit, filter = " ".join(question), options["limit"], options["filter"]
    if choices and models["generator"]:
        raise click.UsageError("--generator can't be combined with --choice: give one of them.")
    one = [option for option, given in (("--picture", shown), ("--document", examined)) if given]
    if len(one) > 1 or (one and (choices or models["generator"])):
        raise click.UsageError(f"{one[0]} can't be combined with other ways to answer: give one of them.")
    with searched(libraries, models) as opened:
        if one:
            if not isinstance(opened, Library):
                raise click.UsageError(f"{one[0]} is about one library: give one --library.")
            if shown:
                _ask_picture(opened, text, shown, as_json)
            if examined:
                _ask_document(opened, text, examined, as_json)
            return
        if choices:
            weighed = opened.choose(text, choices, filter=filter)
            response = opened.ask(text, limit=limit, filter=filter)
            if as_json:
                print_json(ask_body(response, weighed))
            else:
                print_notes(response.notes)
                _print_choices(weighed)
            end_with_filter(opened, filter, response.hits)
            return
        if models["generator"]:
            response, events = opened.write(text, limit=limit, filter=filter)
            if as_json:
                from quarry.search.generation.answers import last_of

                print_json(ask_body(response) | {"written": written_body(last_of(events))})
            else:
                print_notes(response.notes)
                _print_written(events)
            end_with_filter(opened, filter, response.hits)
            return
        response = opened.ask(text, limit=limit, filter=filter)
        if as_json:
            print_json(ask_body(response))
        else:
            print_notes(response.notes)
            if response.answers:
                print_answers(response.answers)
            else:
                _print_nearest(response)
        end_with_filter(opened, filter, response.hits)


def _ask_picture(library: Library, question: str, picture: str, as_json: bool) -> None:
    answers = library.ask_picture(question, named(picture))
    if as_json:
        print_json(picture_answers_body(question, answers))
        return
    _print_model_answers(answers)


def _ask_document(library: Library, question: str, document: str, as_json: bool) -> None:
    reference, sign, page = document.rpartition("#page=")
    whole = not sign or not page.isdecimal()
    found = library.ask_document(question, named(document if whole else reference), page=None if whole else int(page))
    if as_json:
        print_json(document_answers_body(question, found))
        return
    if found.looked_at < found.of:
        told = _("Looked at {n} of {all} pages or rows.").format(n=f"{found.looked_at:,}", all=f"{found.of:,}")
        say(f"! {told}", fg="yellow", err=True)
    _print_model_answers(found.answers)


def _print_model_answers(answers: Sequence[ModelAnswer]) -> None:
    for answer in answers:
        sure = click.style(f"{answer.confidence:.2f}", dim=True)
        where = f"  {click.style(said, fg='cyan')}" if answer.place and (said := within(answer.place)) else ""
        click.echo(f"{sure}  {click.style(printable(answer.text), bold=answer is answers[0])}{where}")
    if not answers:
        click.echo(_("The model says nothing to this."))


@click.command("summarize")
@click.argument("reference", metavar="FILE|ID")
@library_option
@model_options("summarizer")
@json_option
def summarize_command(reference: str, library: str | None, models: ModelOptions, as_json: bool) -> None:
    """Summarize a file, or a document of the library, in a few of its own sentences.

    With --summarizer, a model writes the summary.
    """
    with Library(library, models=handed_in(), tell=tell, **models) as opened:
        summary = opened.summarize(reference)
    if as_json:
        print_json(summary_body(summary))
    else:
        print_summary(summary, places=False)


def print_answers(answers: Sequence[Answer]) -> None:
    """Print answers for people: each with its confidence, the sentence that it stands in, and where that is."""
    width = page_width()
    for answer in answers:
        start, end = answer.sentence
        sentence = answer.hit.text[start - answer.hit.start : end - answer.hit.start]
        *lines, last = wrapped(answer.text, [], width - len(" 0.00")) or [""]
        for line in lines:
            click.secho(line, bold=True, fg="green")
        click.echo(f"{click.style(last, bold=True, fg='green')}  {click.style(f'{answer.confidence:.2f}', dim=True)}")
        if (answer.start, answer.end) != answer.sentence:  # else it has been said
            for line in wrapped(sentence, [(answer.start - start, answer.end - start)], width - MARGIN):
                click.echo(" " * MARGIN + line)
        where = place(answer.hit.document, answer.page, line_of(answer.hit.document, sentence), answer.hit.place)
        others = [place(other.document, other.page, None) for other in answer.also]
        for shown in (where, *others):
            click.echo(" " * MARGIN + click.style(shown, fg="cyan"))


def print_summary(summary: Summary, *, places: bool = True) -> None:
    """Print a summary for people, its sentences numbered and their sources below where `places` asks for them."""
    numbers: dict[str, int] = {}
    words = []
    for sentence in summary.sentences:
        marks = ""
        for hit, start, end in sentence.sources if places else ():
            where = place(hit.document, hit.page_of(start, end), None, hit.place)
            marks += f" [{numbers.setdefault(where, len(numbers) + 1)}]"
        words.append(" ".join(printable(sentence.text).split()) + marks)
    for line in wrapped(" ".join(words), [], page_width()):
        click.echo(line)
    for where, number in numbers.items():
        click.echo(f"{' ' * MARGIN}[{number}] {click.style(where, fg='cyan')}")


def _print_nearest(response: Response) -> None:
    found = _("The nearest passages:") if response.hits else _("It is empty, or its filter lets nothing through.")
    none = _("The library holds no answer to this.") if response.query.answer else _("Answers were not looked for.")
    click.echo(f"{none} {found}")
    for hit in response.hits:
        title = click.style(printable(hit.document.title), bold=True)
        click.echo(f"{title}  {click.style(place(hit.document, hit.page, None, hit.place), fg='cyan')}")
        said = f"{hit.document.title} > {hit.heading}"
        for line in snippet(hit.text, on_page(hit), said, page_width() - MARGIN, _LINES):
            click.echo(" " * MARGIN + line)


def _print_choices(choices: Sequence[Choice]) -> None:
    from quarry.search.answers.choosing import THRESHOLD

    if choices[0].confidence < THRESHOLD:
        click.echo(_("The library speaks for none of these."))
    for choice in choices:
        click.echo(
            f"{click.style(f'{choice.confidence:.2f}', dim=True)}  {click.style(printable(choice.text), bold=True)}"
        )
        if choice.support and choice is choices[0] and choice.confidence >= THRESHOLD:
            print_answers([choice.support])


def _print_written(events: Iterable[Event]) -> None:
    """Print what a model writes as it comes, and then what it cites."""
    from quarry.search.generation.answers import Done, Piece

    for event in events:
        if isinstance(event, Piece):
            click.echo("\n".join(map(printable, event.text.split("\n"))), nl=False)
        elif isinstance(event, Done):
            click.echo()
            pages: dict[int, dict[int | None, None]] = {}
            for hit, start, end in (source for sentence in event.sentences for source in sentence.sources):
                pages.setdefault(id(hit), {})[hit.page_of(start, end)] = None
            for number, hit in enumerate(event.passages, 1):
                for page in pages.get(id(hit), ()):
                    where = click.style(place(hit.document, page, None, hit.place), fg="cyan")
                    click.echo(f"{' ' * MARGIN}[{number}] {where}")
        else:
            say(_("No answer was written. {reason}").format(reason=event.reason))
