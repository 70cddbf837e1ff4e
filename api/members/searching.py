"""What is found: passages and pictures, by words, by a picture, or by what they should be like."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import Unpack

from quarry.api.members import liking, reading
from quarry.api.opened import OpenLibrary
from quarry.search.queries import arguments
from quarry.search.queries.query import Query, Response, SearchOptions, checked
from quarry.search.types import MAX_QUERY_CHARACTERS
from quarry.search.values.notes import Note


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
        ModelError: the translator can't be used, where the query is to be translated.
    """
    query = checked(replace(text, **options) if isinstance(text, Query) else Query(text, **options))
    query, notes = _translated(library, query)
    if query.picture is not None:
        query = _by_picture(library, query, query.picture)
    if query.like or query.unlike:
        query = liking.moved(library, query)
    if query.explain and query.pixels is None:
        query = replace(query, pixels=partial(reading.pixels, library))
    if query.ground and query.thumbnail is None:
        query = replace(query, thumbnail=partial(reading.thumbnail, library))
    response = library.searcher.search(query)
    return replace(response, notes=(*notes, *response.notes))


def warm(library: OpenLibrary) -> None:
    """Load everything a search needs; raise the first cause why one can't be answered in full."""
    library.searcher.warm()


def _translated(library: OpenLibrary, query: Query) -> tuple[Query, tuple[Note, ...]]:
    """Return a query in the language that it asks for, and the note that tells both its texts."""
    if not query.translate_to or not query.text:
        return query, ()
    translator = library.searcher.models.translator(query.translate_to)
    text = " ".join(one.written.text for one in translator.translate(query.text))[:MAX_QUERY_CHARACTERS].strip()
    if not text:  # it is in that language already, or the model makes nothing of it
        return query, ()
    said = f"Searched for {text!r}, as {translator.name} puts {query.text!r}."
    note = Note("translated", said, {"text": text, "original": query.text, "model": translator.name})
    return replace(query, text=text), (note,)


def _by_picture(library: OpenLibrary, query: Query, picture: str | os.PathLike[str] | bytes) -> Query:
    from quarry.indexer.query_pictures import QueryPictures

    if not isinstance(picture, bytes):
        picture = arguments.path(picture, "picture")
    reader = QueryPictures(library.parsers())
    encoders = library.searcher.encoders("image")
    return replace(query, example={name: reader.vector(picture, encoder) for name, encoder in encoders.items()})
