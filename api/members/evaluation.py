"""Measure a library's rankings on judged collections: each is indexed the normal way, into a library of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Unpack, cast

import numpy as np

from quarry.api.library import Library, Text
from quarry.indexer.loaders.base import LoadOptions
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.indexer.prefetch import prefetch
from quarry.indexer.report import NoProgress, Progress
from quarry.search.config import ModelOptions
from quarry.search.errors import FileMalformed, LoadError
from quarry.search.evaluations.answers import evaluate_answers, is_question, load_questions
from quarry.search.evaluations.captions import Captioned, evaluate_captions, load_captions
from quarry.search.evaluations.rankings import (
    DEPTH,
    Collection,
    Ranking,
    best_passages,
    evaluate,
    load_collection,
    rows_of,
)
from quarry.search.evaluations.summaries import evaluate_summaries, is_summaries, load_summaries
from quarry.search.models.live import LiveModels, NamedModels
from quarry.search.models.names import DEFAULT_IMAGE_MODEL, DEFAULT_READER, DEFAULT_TEXT_MODEL
from quarry.search.queries.query import Query
from quarry.search.types import MAX_QUERY_CHARACTERS, MODES, Mode, Pixels

Tell = Callable[[str], None]  # is told of models that are exported first

_BATCH = 512
_AHEAD = 64  # pictures


def evaluate_folder(
    folder: Path,
    *,
    progress: Progress | None = None,
    tell: Tell | None = None,
    live: LiveModels | None = None,
    **models: Unpack[ModelOptions],
) -> dict[str, Any]:
    """Measure every mode on a collection in BEIR layout; see `search.evaluations.rankings.evaluate` for the report.

    Passages are ranked to a depth of 1,000 and documents by their best passage; no cut-off applies.

    Args:
        live: models as `Library(models=...)` takes them, in place of those of this machine.

    Raises:
        NotFound, FileMalformed: the folder is not what it should be.
    """
    collection = load_collection(folder)
    with (
        tempfile.TemporaryDirectory(prefix="quarry-eval-") as directory,
        Library(directory, tell=tell, models=live, **models) as library,
    ):
        show = progress or NoProgress()
        _index(library, collection, show)
        show.start(len(MODES) * len(collection.queries), len(MODES) * len(collection.queries))

        def rank(mode: str, query: str) -> Ranking:
            asked = Query(query[:MAX_QUERY_CHARACTERS], cast(Mode, mode), DEPTH)
            ranking = best_passages(library.searcher.ranking(asked))
            show.advance(1, 1, 0)
            return ranking

        return evaluate(collection, rank, MODES)


def evaluate_pictures(
    path: Path,
    *,
    progress: Progress | None = None,
    tell: Tell | None = None,
    live: LiveModels | None = None,
    **models: Unpack[ModelOptions],
) -> dict[str, Any]:
    """Measure an image model on captioned pictures; see `search.evaluations.captions.evaluate_captions` for the report.

    Pictures are read as they are indexed, in the sandbox, and their vectors rounded as the catalog keeps them.

    Raises:
        NotFound, FileMalformed: the set, or one of its pictures, is not what it should be.
    """
    captioned = load_captions(path)
    show = progress or NoProgress()
    live, name = _chosen(live, models, "image_model", DEFAULT_IMAGE_MODEL)
    encoder = live.image(name, prepare=True, progress=tell)
    options = LoadOptions(preprocessing=encoder.preprocessing, thumbnails=False)
    show.start(len(captioned.pictures), sum(picture.stat().st_size for picture in captioned.pictures))
    vectors = []
    with Sandbox(options) as sandbox:
        pixels = prefetch(_pixels(captioned, sandbox), _AHEAD, lambda _: 1, sandbox.cancel)
        while batch := list(islice(pixels, _AHEAD)):
            vectors.append(encoder.encode_pictures(batch))
            done = captioned.pictures[sum(map(len, vectors[:-1])) :][: len(batch)]
            show.advance(len(batch), sum(picture.stat().st_size for picture in done), len(batch))
    show.note("embedding the captions")
    captions = encoder.encode_texts([caption for own in captioned.captions for caption in own])
    return evaluate_captions(captioned, np.concatenate(vectors).astype(np.float16).astype(np.float32), captions)


def evaluate_file(
    path: Path,
    *,
    progress: Progress | None = None,
    tell: Tell | None = None,
    live: LiveModels | None = None,
    **models: Unpack[ModelOptions],
) -> dict[str, Any]:
    """Measure what a file of JSON Lines is about: captioned pictures, questions with passages, or summaries.

    Its first row tells which; gzipped files are read as well.

    Raises:
        NotFound, FileMalformed: the file is not what it should be.
    """
    show = progress or NoProgress()
    first = next((row for _, row in rows_of(path)), {})
    if is_question(first):
        questions = load_questions(path)
        show.start(len(questions), len(questions))
        live, name = _chosen(live, models, "reader", DEFAULT_READER)
        loaded = live.reader(name, prepare=True, progress=tell)
        return evaluate_answers(path, loaded, lambda count: show.advance(count, count, 0))
    if is_summaries(first):
        live, name = _chosen(live, models, "text_model", DEFAULT_TEXT_MODEL)
        encoder = live.text(name, prepare=True, progress=tell)
        count = len(load_summaries(path))
        show.start(count, count)
        return evaluate_summaries(path, encoder, lambda count: show.advance(count, count, 0))
    if "image" not in first:
        raise FileMalformed(
            f"{path} is nothing that can be measured: its first row must have `image` and `captions`, `question`, "
            "`context` and `answers`, or `document` and `summaries`"
        )
    return evaluate_pictures(path, progress=progress, tell=tell, live=live, **models)


def _chosen(live: LiveModels | None, models: ModelOptions, kind: str, default: str) -> tuple[LiveModels, str]:
    """Return what gives a model, and its name: the one that is asked for, or handed in, or the default."""
    live = live or NamedModels()
    named: Any = models.get(kind)
    return live, str(named or live.names.get(kind) or default)


def _pixels(captioned: Captioned, sandbox: Sandbox) -> Iterator[Pixels]:
    for path in captioned.pictures:
        try:
            parsed = next(iter(list(sandbox.load(path.resolve()))), None)  # which may be reached by a link
        except LoadError as error:
            raise type(error)(f"{path} can't be read: {error}.") from error
        if parsed is None or parsed.picture is None:
            raise FileMalformed(f"{path} is no picture")
        yield parsed.picture.pixels


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
