"""What a model is asked about one thing of a library: a picture, the pages of a document as they look, a table."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from quarry.api.members import reading
from quarry.api.opened import OpenLibrary
from quarry.search.errors import InvalidRequest, NotFound
from quarry.search.queries import arguments
from quarry.search.stores.lookups import table_rows
from quarry.search.stores.rows import enrichments, files
from quarry.search.types import Document
from quarry.search.values.places import Place

if TYPE_CHECKING:
    from quarry.indexer.loaders.scans.base import Engine
    from quarry.search.tasks.answers import Answered, ModelAnswer
    from quarry.search.tasks.document_question_answering import ShownPage

_PAGED = "application/pdf"
_MOST_ROWS = 100_000


def ask_picture(library: OpenLibrary, question: str, picture: str | os.PathLike[str]) -> tuple[ModelAnswer, ...]:
    """Have a model answer a question about a picture of the library, by its id or path: the likeliest answer first.

    Raises:
        NotFound: there is no such picture.
        InvalidRequest: the question is empty, or longer than the model takes; no model for it was chosen.
        ModelError: it can't be used.
    """
    from quarry.search.tasks.answers import asked
    from quarry.search.tasks.visual_question_answering import PREPROCESSING

    question = asked(arguments.text(question, "question"))
    reader = library.searcher.models.picture_reader()
    document = reading.get(library, picture)
    if document.kind != "image":
        raise NotFound(f"{document.title!r} is no picture.")
    return reader.answer(question, reading.pixels(library, document.id, PREPROCESSING))


def ask_document(
    library: OpenLibrary, question: str, document: str | os.PathLike[str], *, page: int | None = None
) -> Answered:
    """Have a model answer a question about a document as it looks, page by page, or about a table, the surest first.

    Args:
        document: the id or path of a PDF, of a picture of a page, of a table (CSV, a workbook) or of a row of one.
        page: the one that is asked about, from 1; None for the first 20.

    Raises:
        NotFound: there is no such document.
        InvalidRequest: the question is empty, or longer than the model takes; no model for it was chosen; the document
            has neither pages nor rows, or not that one.
        LoadError: its file can't be read.
        ModelError: the model can't be used.
    """
    from quarry.search.tasks.answers import asked

    question = asked(arguments.text(question, "question"))
    rows, found = reading.find_all(library, document)
    if found.kind == "image" or found.type == _PAGED:
        return _ask_pages(library, question, found, page)
    if page is not None:
        raise InvalidRequest(f"{found.title!r} has no pages that can be looked at: it is no PDF.")
    return _ask_table(library, question, rows, found)


def _ask_pages(library: OpenLibrary, question: str, document: Document, page: int | None) -> Answered:
    from quarry.search.tasks.document_question_answering import MOST_PAGES

    reader = library.searcher.models.page_reader()
    count = 1 if document.kind == "image" else max(1, len(reading.page_starts(library, document.id)))
    if page is not None and not 1 <= arguments.whole(page, "page") <= count:
        raise InvalidRequest(f"page is {page}; {document.title!r} has {count:,}.")
    pages = range(1, min(count, MOST_PAGES) + 1) if page is None else range(page, page + 1)
    engine = _engine(library) if reader.reads_words else None
    return replace(reader.answer(question, _shown(library, document, pages, engine)), of=count)


def _shown(library: OpenLibrary, document: Document, pages: range, engine: Engine | None) -> Iterator[ShownPage]:
    from quarry.indexer.query_pages import shown

    name = "page.pdf" if document.type == _PAGED else "page.jpg"
    yield from shown(library.parsers(), reading.original(library, document.id), name, pages, engine)


def _engine(library: OpenLibrary) -> Engine:
    """Return what reads the words of pages; raise `InvalidRequest` where there is none."""
    from quarry.indexer.loaders.scans.engines import ADVICE, engine

    with library.catalog().snapshot() as snapshot:
        name = enrichments.ocr(snapshot.connection)
    found = engine("" if name == enrichments.OFF else name)
    if found is None:
        raise InvalidRequest(f"That model needs the words of a page: {ADVICE}.")
    return found


def _ask_table(library: OpenLibrary, question: str, rows: list[int], document: Document) -> Answered:
    from quarry.search.tasks.table_question_answering import table_of

    reader = library.searcher.models.table_reader()
    with library.catalog().snapshot() as snapshot:
        here = table_rows.records(snapshot.connection, rows[:1]) if len(rows) == 1 else []
        if here:  # a row stands for its table
            file = files.of_document(snapshot.connection, rows[0])
            rows, _ = reading.find_all(library, file[0] if file else document.uri.rpartition("#")[0] or document.id)
        found = table_rows.records(snapshot.connection, rows[:_MOST_ROWS])
    sheets = [_sheet(place) for _, place in found]
    sheet = _sheet(here[0][1]) if here else max(dict.fromkeys(sheets), key=sheets.count, default="")
    own = [one for one, name in zip(found, sheets, strict=True) if name == sheet]
    if not own:
        raise InvalidRequest(f"{document.title!r} has neither pages nor rows: give a PDF, a picture or a table.")
    return reader.answer(question, table_of(own))


def _sheet(place: Place) -> str:
    return (place.cells or "").rpartition("!")[0]
