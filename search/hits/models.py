"""The models that look at hits, made when they are first needed: what answers, reranks, summarizes and writes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, TypeVar

from quarry.search.answers import answering
from quarry.search.answers.answering import Readings
from quarry.search.answers.choosing import SPANS, Choice, choose
from quarry.search.answers.evidence import Asked
from quarry.search.answers.readers import SCALES, ReaderByScript, ScaledReader
from quarry.search.config import Settings, variable
from quarry.search.errors import InvalidRequest, ModelError
from quarry.search.generation.answers import Event, write_answer
from quarry.search.language.scripts import is_foreign
from quarry.search.models.contracts import CrossEncoder, Reader, TextEncoder, WritingModel
from quarry.search.models.names import DEFAULT_READER, MULTILINGUAL_READER
from quarry.search.models.pair import multilingual
from quarry.search.requests import deadline
from quarry.search.summary import summarize_hits
from quarry.search.types import Answer, Hit, Summary

if TYPE_CHECKING:
    from quarry.search.models.auto.serving import AutoModel
    from quarry.search.models.auto.task import Task
    from quarry.search.tasks.document_question_answering import PageReader
    from quarry.search.tasks.natural_language_inference import Inference
    from quarry.search.tasks.table_question_answering import TableReader
    from quarry.search.tasks.translation import Translator
    from quarry.search.tasks.visual_question_answering import PictureReader

MOST_CHOICES = 20

Loaded = TypeVar("Loaded")


class HitModels:
    """Loads each model once, by its name in the settings. Many threads may share one.

    Args:
        settings: name the models.
        encoder: returns the library's own encoder that knows a text best, or raises why there is none.
    """

    def __init__(self, settings: Settings, encoder: Callable[[str], TextEncoder]) -> None:
        self._settings = settings
        self._encoder = encoder
        self._lock = threading.Lock()
        self._loading: dict[str, threading.Lock] = {}
        self._loaded: dict[str, object] = {}

    def reader(self) -> Reader:
        """Return what finds answers; raise `ModelError` where it can't be loaded.

        Where none was named it is the default one, and the multilingual one beside it, if that is here.
        """
        if name := self._settings.models.reader:
            return self._reader(name)
        reader = self._reader(DEFAULT_READER)
        if not multilingual.is_here(prepare=self._settings.prepare):
            return reader
        return ReaderByScript(reader, multilingual.CARD.scripts, lambda: self._reader(MULTILINGUAL_READER))

    def cross_encoder(self) -> CrossEncoder:
        """Return what reranks; raise `InvalidRequest` where none was chosen, `ModelError` where it can't be loaded."""
        name = self._named("cross_encoder", "rerank by a cross-encoder")
        return self._once(
            "cross_encoder",
            lambda: self._settings.live.cross_encoder(
                name, prepare=self._settings.prepare, progress=self._settings.tell
            ),
        )

    def generator(self) -> WritingModel:
        """Return what writes answers; raise `InvalidRequest` where none was chosen, `ModelError` otherwise."""
        return self._writer(self._named("generator", "write answers"))

    def summarizer(self) -> WritingModel | None:
        """Return what writes summaries, None where they consist of the documents' own sentences."""
        name = self._settings.models.summarizer
        return self._writer(name) if name else None

    def inference(self) -> Inference:
        """Return what says whether texts support a claim; raise as `generator` does."""
        from quarry.search.tasks import natural_language_inference as task

        return self._looking("checker", "check claims", task.TASK, task.Inference)

    def picture_reader(self) -> PictureReader:
        """Return what answers questions about pictures; raise as `generator` does."""
        from quarry.search.tasks import visual_question_answering as task

        return self._looking("picture_reader", "answer questions about pictures", task.TASK, task.PictureReader)

    def page_reader(self) -> PageReader:
        """Return what answers questions about pages; raise as `generator` does."""
        from quarry.search.tasks import document_question_answering as task

        return self._looking("page_reader", "answer questions about pages", task.TASK, task.PageReader)

    def table_reader(self) -> TableReader:
        """Return what answers questions about tables; raise as `generator` does."""
        from quarry.search.tasks import table_question_answering as task

        return self._looking("table_reader", "answer questions about tables", task.TASK, task.TableReader)

    def translator(self, to: str) -> Translator:
        """Return what puts texts into a language; raise as `generator` does, or `InvalidRequest` where it does not."""
        from quarry.search.tasks import translation as task

        return task.Translator(self._looking("translator", "translate", task.TASK, lambda model: model), to)

    def listed(self) -> list[tuple[str, str, object | None]]:
        """Return the kind and the name of each model there is, and the model itself where it is loaded."""
        named, loaded = self._settings.models, dict(self._loaded)
        names = [named.reader] if named.reader else [DEFAULT_READER]
        if not named.reader and multilingual.is_here(prepare=self._settings.prepare):
            names.append(MULTILINGUAL_READER)
        found = [("reader", name, loaded.get(f"reader {name}")) for name in names]
        if named.cross_encoder:
            found.append(("cross-encoder", named.cross_encoder, loaded.get("cross_encoder")))
        for kind, key, name in (
            ("summarizer", "writer", named.summarizer),
            ("generator", "writer", named.generator),
            ("checker", "checker", named.checker),
            ("picture-reader", "picture-reader", named.picture_reader),
            ("page-reader", "page-reader", named.page_reader),
            ("table-reader", "table-reader", named.table_reader),
            ("translator", "translator", named.translator),
        ):
            if name:
                found.append((kind, name, loaded.get(f"{key} {name}")))
        return found

    def summarize(self, query: str, hits: Sequence[Hit]) -> Summary | None:
        """Return what hits hold on a query; None where they hold no text.

        Raises:
            ModelError: the summarizer that was chosen can't be used.
        """
        if not any(hit.text.strip() for hit in hits):
            return None
        if (writer := self.summarizer()) is not None:
            from quarry.search.generation.summaries import summarize

            return summarize(writer, hits, self.encoder_for(query), query)
        return summarize_hits(query, hits, self.encoder_for(query))

    def encoder_for(self, text: str) -> TextEncoder | None:
        """Return the library's encoder, None where there is none or it does not know the script of `text`."""
        try:
            encoder = self._encoder(text)
        except ModelError:
            return None
        return None if text and is_foreign(encoder.card, text) else encoder

    def choose(self, question: str, choices: Sequence[str], find: Callable[[str], Sequence[Hit]]) -> tuple[Choice, ...]:
        """Weigh given answers to a question, the likeliest first.

        Args:
            find: returns the hits of a query, best first.

        Raises:
            InvalidRequest: there are not 2 to `MOST_CHOICES` choices, or two are the same.
            ModelError: the reader can't be used.
        """
        choices = [" ".join(choice.split()) for choice in choices]
        if (
            not 2 <= len(choices) <= MOST_CHOICES
            or "" in choices
            or len({one.casefold() for one in choices}) < len(choices)
        ):
            raise InvalidRequest(f"Give 2 to {MOST_CHOICES} choices that differ from each other, none of them empty.")
        reader = self.reader()
        found = {choice: find(f"{question} {choice}") for choice in choices}
        hits = {hit.id: hit for own in found.values() for hit in own} | {hit.id: hit for hit in find(question)}
        readings: Readings = answering.read(question, list(hits.values()), reader, SPANS)[0]
        found_with = {choice: max((hit.relevance for hit in own), default=0.0) for choice, own in found.items()}
        asked = Asked(question, self.encoder_for(question))
        return choose(asked, choices, list(hits.values()), readings, found_with, reader)

    def write(self, question: str, hits: Sequence[Hit], answers: Sequence[Answer]) -> Generator[Event, None, None]:
        """Write an answer from the hits of answers, then the others; see `search.generation.answers`."""
        writer = self.generator()
        evidence = max((answer.confidence for answer in answers), default=0.0)
        given = {hit.id: hit for hit in (*(answer.hit for answer in answers), *hits)}
        return write_answer(writer, question, list(given.values()), evidence, answering.THRESHOLD)

    def _reader(self, name: str) -> Reader:
        def load() -> Reader:
            settings = self._settings
            reader = settings.live.reader(name, prepare=settings.prepare, progress=settings.tell)
            return ScaledReader(reader, SCALES[name]) if name in SCALES else reader

        return self._once(f"reader {name}", load)

    def _writer(self, name: str) -> WritingModel:
        return self._once(
            f"writer {name}",
            lambda: self._settings.live.writer(name, prepare=self._settings.prepare, progress=self._settings.tell),
        )

    def _looking(self, setting: str, purpose: str, task: Task, made: Callable[[AutoModel], Loaded]) -> Loaded:
        from quarry.search.models.auto import serving, source

        name = self._named(setting, purpose)
        return self._once(f"{_option(setting)} {name}", lambda: made(serving.serve(source.resolve(name, task), task)))

    def _named(self, setting: str, purpose: str) -> str:
        name: str | None = getattr(self._settings.models, setting)
        if not name:
            option = _option(setting)
            raise InvalidRequest(f"No model was chosen to {purpose}; name one with --{option} or {variable(setting)}.")
        return name

    def _once(self, key: str, load: Callable[[], Loaded]) -> Loaded:
        with self._lock:
            loading = self._loading.setdefault(key, threading.Lock())
        with (
            deadline.holding(loading),
            deadline.shielded(),
        ):  # a model that takes long holds up nobody who wants another one
            if key not in self._loaded:
                self._loaded[key] = load()
            return self._loaded[key]  # type: ignore[return-value]  # what `load` of this key returned


def _option(setting: str) -> str:
    return setting.replace("_", "-")
