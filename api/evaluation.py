"""Measure a library's rankings on judged collections: each is indexed the normal way, into a library of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, cast

from api.library import Library, Text
from indexer.report import NoProgress, Progress
from search.evaluation import DEPTH, Collection, Ranking, best_passages, evaluate, load_collection
from search.types import MAX_QUERY_CHARACTERS, MODES, Mode, Query

_BATCH = 512


def evaluate_folder(folder: Path, *, text_model: str | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Measure every mode on a collection in BEIR layout; see `search.evaluation.evaluate` for the report.

    Passages are ranked to a depth of 1,000 and documents by their best passage; no cut-off applies.

    Raises:
        NotFound, FileMalformed: the folder is not what it should be.
    """
    collection = load_collection(folder)
    with (
        tempfile.TemporaryDirectory(prefix="quarry-eval-") as directory,
        Library(directory, text_model=text_model) as library,
    ):
        _index(library, collection, progress or NoProgress())

        def rank(mode: str, query: str) -> Ranking:
            return best_passages(library.searcher.ranking(Query(query[:MAX_QUERY_CHARACTERS], cast(Mode, mode), DEPTH)))

        return evaluate(collection, rank, MODES)


def _index(library: Library, collection: Collection, progress: Progress) -> None:
    documents = [document for document in collection.documents() if document.text.strip() or document.title.strip()]
    progress.start(len(documents), sum(len(document.text) for document in documents))
    for start in range(0, len(documents), _BATCH):
        batch = documents[start : start + _BATCH]
        library.add(
            [
                Text(document.text.strip() or document.title, document.title, f"beir:{document.id}", document.id)
                for document in batch
            ]
        )
        progress.advance(len(batch), sum(len(document.text) for document in batch), 0)
