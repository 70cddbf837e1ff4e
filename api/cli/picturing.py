"""`quarry images` and `quarry similar`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from quarry.api.bodies.responses import response_body
from quarry.api.cli.examples import is_photo, search_for
from quarry.api.cli.options import end_with_filter, handed_in, json_option, library_option, named, print_json
from quarry.api.cli.queries import search_options
from quarry.api.cli.searching import print_response
from quarry.api.cli.terminal import say
from quarry.api.library import Library
from quarry.api.sheet import FORMATS, draw
from quarry.search.errors import InvalidRequest, NotFound
from quarry.search.files.uris import absolute, expanded, uri_of
from quarry.search.queries.query import Response, SearchOptions


def _checked_sheet(ctx: click.Context, option: click.Parameter, sheet: Path | None) -> Path | None:
    """Refuse before the search what could not be drawn after it."""
    if sheet is not None and sheet.suffix.lower() not in FORMATS:
        raise click.BadParameter(f"{str(sheet)!r} can't be drawn: give it one of the suffixes {', '.join(FORMATS)}.")
    return sheet


sheet_option = click.option(
    "--sheet",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_checked_sheet,
    help="Draw the pictures found on a sheet: out.png, .jpg, .webp or .pdf.",
)


@click.command("images")
@click.argument("query", nargs=-1)
@library_option
@search_options(
    "offset", "filter", "like", "unlike", "exclude", "min_relevance", "ground", "explain", "sort", "facets",
    found="pictures, at most 1,000",
)  # fmt: skip
@sheet_option
@json_option
def images_command(
    query: tuple[str, ...],
    library: str | None,
    options: SearchOptions,
    sheet: Path | None,
    as_json: bool,
) -> None:
    """Find pictures by what they show and what is said about them, or like those that --like names."""
    options["kinds"] = ("image",)
    with Library(library, models=handed_in()) as opened:
        response = search_for(opened, query, options)
        _show(opened, response, " ".join(query), sheet, as_json)
        end_with_filter(opened, options["filter"], response.hits)
        if not response.hits and not opened.documents(filter={"kind": "image"}, limit=0)[1]:
            click.secho("This library has no pictures yet: `quarry index PATH` adds those below PATH.", err=True)


@click.command("similar")
@click.argument("example", metavar="FILE|ID")
@click.argument("words", nargs=-1)
@library_option
@search_options(
    "offset", "filter", "kinds", "unlike", "exclude", "min_relevance", "explain", "group", "fold", "sort", "facets"
)
@sheet_option
@json_option
def similar_command(
    example: str,
    words: tuple[str, ...],
    library: str | None,
    options: SearchOptions,
    sheet: Path | None,
    as_json: bool,
) -> None:
    """Find pictures like a photo and passages about what it shows, or passages like a text.

    FILE is any picture, or a text of the library, ID any document of it; WORDS say what should be different. The
    example itself is left out; --json, which is what POST /v1/search/image answers, has a FILE's own picture, too.
    """
    if not example:
        raise InvalidRequest("FILE is empty; was a variable meant that is not set?")
    path, filter = expanded(example), options["filter"]
    is_file = os.path.isfile(path)  # noqa: PTH113  # `Path.is_file` fails where a folder can't be entered
    with Library(library, models=handed_in()) as opened:
        if not is_photo(path):
            options["like"] = named(example)
        else:
            options["picture"] = path
            if not as_json:
                options["filter"] = _without(opened, uri_of(absolute(path)), filter)
        try:
            response = opened.search(" ".join(words), **options)
        except NotFound as error:
            if is_file:
                raise NotFound(
                    f"{example} is not in this library: index it first, or search with its words."
                ) from error
            raise NotFound(
                f"There is no file {example!r}, and this library has no document with that id or path."
            ) from error
        _show(opened, response, " ".join([path.name, *words]), sheet, as_json)
        end_with_filter(opened, filter, response.hits)


def _without(library: Library, uri: str, filter: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return a filter that leaves out the photo itself, where the library has it."""
    if not library.documents(filter={"uri": uri}, limit=0)[1]:
        return filter
    others = {"uri": {"$ne": uri}}
    return others if filter is None else {"$and": [filter, others]}


def _show(library: Library, response: Response, title: str, sheet: Path | None, as_json: bool) -> None:
    if sheet is not None:
        try:
            sheet.write_bytes(draw(library, response, title, sheet.suffix))
        except OSError as error:
            raise InvalidRequest(f"The sheet can't be written to {sheet}: {error.strerror or error}.") from error
        say(f"Drawn: {sheet}", err=True)
    if as_json:
        print_json(response_body(response))
    else:
        print_response(response)
