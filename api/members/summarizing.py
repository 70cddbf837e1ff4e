"""Summaries of one document: of the library, or of a file that need not be in it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from quarry.api.members import reading
from quarry.api.opened import OpenLibrary
from quarry.search.errors import FileMalformed, InvalidRequest, LoadError, NoLibrary, NotFound
from quarry.search.files.uris import absolute, expanded, uri_of
from quarry.search.hits.models import HitModels
from quarry.search.models.names import DEFAULT_TEXT_MODEL
from quarry.search.queries import arguments
from quarry.search.summary import summarize_text
from quarry.search.types import Cited, Document, Hit, Summary
from quarry.search.values.places import Pages

_LONGEST = 10_000_000  # characters of a file, in memory all at once
_ITEM = 100  # that an item counts for beside its text
_PASSAGE = 1_000  # characters, about, of what a model is given at a time; whole sentences


def summarize(library: OpenLibrary, reference: str | os.PathLike[str]) -> Summary:
    """Summarize a document of the library by its id or URI, or a file that need not be in it.

    Raises:
        NotFound: there is no such document or file.
        LoadError: the file can't be read.
        InvalidRequest: there is no text in it.
    """
    reference = arguments.path(reference, "reference")
    if (path := _file(reference)) is not None:
        document, text, page_starts = _read(path)
    else:
        try:
            document, text = reading.get(library, reference), reading.text(library, reference)
            page_starts = reading.page_starts(library, reference)
        except NoLibrary as error:
            raise NotFound(f"There is no file {reference!r}. {error}") from error
    if not text.strip():
        raise InvalidRequest(f"There is no text in {document.title or reference} to summarize.")
    models = _models(library)
    pages = Pages(1, tuple(page_starts[1:])) if page_starts else None
    whole = Hit(document.id, 1.0, 1.0, document, text, 0, len(text), page=pages.first if pages else None, pages=pages)
    if (writer := models.summarizer()) is not None:
        from quarry.search.generation.summaries import summarize as write

        return write(writer, _passages(whole), models.encoder_for(""))
    spans = summarize_text(text, models.encoder_for(""))
    return Summary(tuple(Cited(text[start:end], ((whole, start, end),)) for start, end in spans))


def _file(reference: str) -> Path | None:
    try:
        path = expanded(reference)
        return path if path.is_file() else None
    except (OSError, ValueError):  # over-long, in a folder that can't be entered, a NUL
        return None


def _models(library: OpenLibrary) -> HitModels:
    """Return a library's models; a file can be summarized where there is no library, too."""
    try:
        return library.searcher.models
    except NoLibrary:
        name = library.settings.models.text_model or DEFAULT_TEXT_MODEL
        return HitModels(
            library.settings, lambda text: library.settings.live.text(name, prepare=library.settings.prepare)
        )


def _read(path: Path) -> tuple[Document, str, tuple[int, ...]]:
    """Read a file as it would be indexed, with its page starts; one that holds several items, as one text."""
    from quarry.indexer.loaders.sandbox.sandbox import Sandbox

    with Sandbox() as sandbox:
        try:
            items, size = [], 0
            for item in sandbox.load(path.resolve()):
                items.append(item)
                size += len(item.text) + _ITEM
                if size > _LONGEST:
                    raise FileMalformed(f"it holds more than {_LONGEST:,} characters; name a part of it")
        except LoadError as error:
            raise type(error)(f"{path.name} can't be summarized: {error}.") from error
    text = "\n\n".join(item.text for item in items)
    title = next((item.title for item in items if item.title), path.name)
    kind = items[0].type if items else ""
    document = Document(id=uri_of(path), uri=uri_of(absolute(path)), title=title, type=kind, metadata={})
    return document, text, items[0].page_starts if len(items) == 1 else ()


def _passages(whole: Hit) -> list[Hit]:
    """Cut a text into passages of whole sentences, each as if it was a hit."""
    from quarry.search.language.sentences import sentences

    cuts: list[tuple[int, int]] = []
    for start, end in sentences(whole.text):
        if cuts and end - cuts[-1][0] <= _PASSAGE:
            cuts[-1] = (cuts[-1][0], end)
        else:
            cuts.append((start, end))
    return [
        replace(
            whole,
            id=f"{whole.id}#{start}",
            text=whole.text[start:end],
            start=start,
            end=end,
            page=whole.page_of(start, end),
        )
        for start, end in cuts
    ]
