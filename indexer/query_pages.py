"""Pages that are asked about as they look, read in the sandbox: their pixels, and their words with their boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from quarry.indexer.loaders.base import LoadOptions, Scanning
from quarry.indexer.loaders.scans.base import Engine
from quarry.indexer.parsers import Parsers
from quarry.search.tasks.document_question_answering import ShownPage, words_of


def shown(
    parsers: Parsers, content: bytes, name: str, pages: Sequence[int], engine: Engine | None = None
) -> Iterator[ShownPage]:
    """Yield pages of a file, or the picture that it is.

    Args:
        name: what the file goes by.
        pages: from 1; of a picture, any.
        engine: reads their words; None where none are wanted.

    Raises:
        LoadError: it has no pages, or can't be read.
        Busy: others are being read.
    """
    options = LoadOptions(scans=Scanning(engine.name if engine else "", tuple(pages), shown=True))
    for parsed in parsers.load(content, name, options):
        if parsed.picture is not None:
            lines = [(start, place.box) for start, place in parsed.places if place.box]
            number = parsed.place.page if parsed.place else None
            yield ShownPage(number, parsed.picture.pixels, tuple(words_of(parsed.text, lines)))
