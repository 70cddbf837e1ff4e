"""`quarry search` and `quarry show`."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import Any

import click

from api.bodies import document_body, response_body
from api.cli.options import json_option, library_option, print_json, read_filter
from api.library import Library
from search.types import MODES, Hit, Response
from search.uris import uri_of

_SNIPPET = 320


@click.command("search")
@click.argument("query", nargs=-1, required=True)
@library_option
@click.option("--mode", type=click.Choice(MODES), default="hybrid", show_default=True, help="How passages are found.")
@click.option("--limit", "-n", type=int, default=10, show_default=True, help="How many hits, at most 1,000.")
@click.option("--offset", type=int, default=0, help="How many hits to pass by: the next page.")
@click.option(
    "--filter", "filter_", metavar="FILTER", help='JSON, as {"year": {"$gte": 2020}}; or key=value,key=value.'
)
@click.option("--explain", is_flag=True, help="Tell for each hit how it was found.")
@click.option("--text-model", metavar="MODEL", help="The model to embed the query with; it must be the library's own.")
@json_option
def search_command(
    query: tuple[str, ...],
    library: str | None,
    mode: Any,
    limit: int,
    offset: int,
    filter_: str | None,
    explain: bool,
    text_model: str | None,
    as_json: bool,
) -> None:
    """Find passages by meaning and by words."""
    with Library(library, text_model=text_model) as opened:
        response = opened.search(
            " ".join(query), mode=mode, limit=limit, offset=offset, filter=read_filter(filter_), explain=explain
        )
    if as_json:
        print_json(response_body(response))
    else:
        _print_response(response, offset)


def _print_response(response: Response, offset: int) -> None:
    for note in response.degraded:
        click.secho(f"! {note}", fg="yellow", err=True)
    if not response.hits:
        click.echo("Nothing found.")
    width = min(shutil.get_terminal_size().columns, 110)
    for number, hit in enumerate(response.hits, start=offset + 1):
        title = click.style(hit.document.title, bold=True)
        click.echo(f"{number:>3}. {title}  {click.style(f'{hit.score:.3f}', dim=True)}")
        click.echo(f"     {click.style(source(hit), fg='cyan')}")
        for line in _wrap(_snippet(hit), width - 5):
            click.echo(f"     {line}")
        if hit.explanation:
            for name, value in hit.explanation.items():
                click.secho(f"     {name}: {value}", dim=True)
    click.secho(f"{response.took_ms:.0f} ms", dim=True)


def source(hit: Hit) -> str:
    """Return where a hit can be opened: its path from here where it lies below, its page, its headings."""
    uri = hit.document.uri
    place = uri.removeprefix(f"{Path.cwd()}/")
    if hit.page is not None:
        place += f"#page={hit.page}"
    return f"{place}  ({hit.heading})" if hit.heading else place


def _snippet(hit: Hit) -> str:
    """Return up to `_SNIPPET` characters around the first match, on one line, matches in bold."""
    text, first = hit.text, hit.highlights[0][0] if hit.highlights else 0
    start = max(0, first - _SNIPPET // 3) if len(text) > _SNIPPET else 0
    if start:  # begin at a word
        start = text.find(" ", start, first) + 1 or start
    end = min(len(text), start + _SNIPPET)
    pieces, at = ["… " if start else ""], start
    for low, high in hit.highlights:
        if low >= at and high <= end:
            pieces += [text[at:low], "\x01", text[low:high], "\x02"]
            at = high
    pieces += [text[at:end], " …" if end < len(text) else ""]
    return " ".join("".join(pieces).split())


def _wrap(snippet: str, width: int) -> list[str]:
    """Wrap a snippet to `width` columns, and put its marks on each line in the terminal's bold."""
    lines, bold = [], False
    for line in textwrap.wrap(snippet, width):
        styled = ("\x1b[1;33m" if bold else "") + line
        bold = line.rfind("\x01") > line.rfind("\x02") or (bold and "\x02" not in line)
        lines.append(styled.replace("\x01", "\x1b[1;33m").replace("\x02", "\x1b[0m") + ("\x1b[0m" if bold else ""))
    return lines


@click.command("show")
@click.argument("reference", metavar="ID|PATH")
@library_option
@click.option("--no-text", is_flag=True, help="Only what is known about the document.")
@json_option
def show_command(reference: str, library: str | None, no_text: bool, as_json: bool) -> None:
    """Show a document as it was read: its metadata and its text."""
    with Library(library) as opened:
        if Path(reference).exists():
            reference = uri_of(Path(reference).resolve())
        document = opened.get(reference)
        text = None if no_text else opened.text(reference)
    if as_json:
        body = document_body(document)
        if text is not None:
            body["text"] = text
        print_json(body)
        return
    click.secho(document.title, bold=True)
    click.echo(
        f"{document.uri}\nid {document.id} · {document.type} · {document.characters:,} characters, "
        f"{document.chunks:,} passages · modified {document.modified or 'unknown'}"
    )
    for name, value in document.metadata.items():
        click.echo(f"{name}: {value}")
    if text is not None:
        click.echo()
        click.echo(text)
