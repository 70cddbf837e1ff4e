"""What is found: passages and pictures, by words, by a picture, or by what they should be like."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import Unpack

from quarry.api.members import liking, reading
from quarry.api.opened import OpenLibrary
from quarry.search import arguments
from quarry.search.queries import Query, Response, SearchOptions, checked


def search(library: OpenLibrary, text: str | Query = "", **options: Unpack[SearchOptions]) -> Response:
    """Find passages and pictures, in one list by relevance: `search("stars", limit=5)` or `search(Query("stars"))`.

    Args:
        text: a question, a phrase, or words; or a `Query`, whose fields `options` take the place of.
        options: the fields of `Query`.

    Raises:
        InvalidRequest, InvalidFilter: the message names what is wrong.
        NoLibrary, LibraryDamaged, LibraryFormat: the library can't be read.
        ModelMismatch, ModelMissing: and a lexical search would not help.
        LoadError: the picture can't be read.
    """
    query = checked(replace(text, **options) if isinstance(text, Query) else Query(text, **options))
    if query.picture is not None:
        query = _by_picture(library, query, query.picture)
    if query.like or query.unlike:
        query = liking.moved(library, query)
    if query.explain and query.pixels is None:
        query = replace(query, pixels=partial(reading.pixels, library))
    if query.ground and query.thumbnail is None:
        query = replace(query, thumbnail=partial(reading.thumbnail, library))
    return library.searcher.search(query)


def warm(library: OpenLibrary) -> None:
    """Load everything a search needs; raise the first cause why one can't be answered in full."""
    library.searcher.warm()


def _by_picture(library: OpenLibrary, query: Query, picture: str | os.PathLike[str] | bytes) -> Query:
    from quarry.indexer.query_pictures import QueryPictures

    if not isinstance(picture, bytes):
        picture = arguments.path(picture, "picture")
    reader = QueryPictures(library.parsers())
    encoders = library.searcher.encoders("image")
    return replace(query, example={name: reader.vector(picture, encoder) for name, encoder in encoders.items()})
