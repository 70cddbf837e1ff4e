"""What is searched with in place of words: a picture of one's own, or a document or hit of the library."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quarry.api.library import Library
from quarry.search.files.uris import path_of
from quarry.search.queries.query import Response, SearchOptions

if TYPE_CHECKING:
    from quarry.api.federation.federation import Federation


def search_for(library: Library | Federation, query: Sequence[str], options: SearchOptions) -> Response:
    """Search for words, for what is like something, or for both; a picture that the library has not is searched with.

    Raises:
        UsageError: there is neither.
    """
    like = options.get("like", ())
    if not query and not like:
        raise click.UsageError("Missing argument 'QUERY...', or --like.")
    if isinstance(like, tuple) and len(like) == 1 and isinstance(like[0], str):
        path = path_of(like[0])
        if is_photo(path) and not (isinstance(library, Library) and _holds(library, like[0])):
            options["picture"], options["like"] = path, ()
    return library.search(" ".join(query), **options)


def _holds(library: Library, uri: str) -> bool:
    return library.documents(filter={"uri": uri}, limit=0)[1] > 0


def is_photo(path: Path) -> bool:
    """Whether a path is that of a picture's file, by its name or by how it begins."""
    from quarry.indexer.formats import is_picture, is_picture_content  # which a search by words does not need

    if not os.path.isfile(path):  # noqa: PTH113  # `Path.is_file` fails where a folder can't be entered
        return False
    if is_picture(path):
        return True
    with path.open("rb") as stream:
        head = stream.read(16)
    return bool(head) and is_picture_content(head)
