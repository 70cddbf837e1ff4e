"""What is said in recordings and films, heard by Whisper in the confined child: passages with their seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

from quarry.indexer.enrichments.base import Enrichment, Recorded, Result, Said, Unheard
from quarry.indexer.enrichments.ocr import TURN, own_file
from quarry.indexer.loaders.base import GIBIBYTE, Listening, LoadOptions
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.search import deadline
from quarry.search.errors import FileMalformed, FileUnreadable, LoadError, UnsupportedType
from quarry.search.models.auto.task import Task
from quarry.search.models.whisper import INSTALL, Whisper
from quarry.search.stores import disks
from quarry.search.stores.enrichments import SPEECH
from quarry.search.types import Parsed

TASK = Task(
    name=SPEECH,
    command="quarry index --transcribe auto",
    default="Whisper tiny.en, for English; at every index run, where the extra `sound` is",
    option="`--transcribe MODEL`: any Whisper as CTranslate2 has it",
    seen="passages with their seconds (`talk.mp3#t=83`), `spoken_language`",
)
FIELD = "spoken_language"
MISSING = f"nothing is installed that hears what is said: {INSTALL}"
OTHER_LANGUAGES = (
    "tiny.en hears English alone; for other languages name a multilingual Whisper, such as --transcribe"
    " Systran/faster-whisper-small"
)
_PART_S = 600.0  # that hearing a minute may take; on two cores the embedded model takes six
_MEMORY = 3 * GIBIBYTE // 2  # beside that of the weights, which are unpacked when they are loaded
_FAILED = 4  # parts, one after the other, with which the rest is given up


class Speech(Enrichment):
    """Says what is said."""

    name = SPEECH
    rendition = Unheard()
    is_slow = True
    field = FIELD

    def __init__(self, model: Whisper) -> None:
        self._model = model
        self._kept: ExitStack | None = None
        self._sandbox: Sandbox | None = None

    @property
    def identity(self) -> str:
        """The model with its weights and what runs it, and how it is used."""
        return f"{SPEECH} 2, {self._model.version}"

    def open(self) -> None:
        """See that the model is the one that it should be; it is loaded in the confined child."""
        self._model.check()

    def enrich(self, items: Sequence[Recorded]) -> list[Result | None]:
        """Hear recordings, a minute at a time; a minute that can't be heard costs itself alone."""
        if self._kept is None:
            with self.running():
                return self.enrich(items)
        with deadline.holding(TURN):
            if self._sandbox is None:
                self._model.check()
                self._sandbox = self._opened(self._kept)
            sandbox = self._sandbox
            return [self._hear(sandbox, item) if item.path.is_file() else None for item in items]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep the child, with the model that it has loaded, from one batch to the next."""
        with ExitStack() as self._kept:
            try:
                yield
            finally:
                self._kept = self._sandbox = None

    def _opened(self, until: ExitStack) -> Sandbox:
        folder = until.enter_context(disks.temporary_folder("quarry-"))
        memory = _MEMORY + 3 * self._model.bytes
        return until.enter_context(closing(Sandbox(timeout=_PART_S, memory=memory, folder=folder)))

    def _hear(self, sandbox: Sandbox, item: Recorded) -> Result | None:
        try:
            heard = list(self._passages(sandbox, item))
        except FileUnreadable:  # now, such as where memory was short: it is asked for again
            return None
        except LoadError:  # what holds it is damaged, or has changed
            return Result()
        said = tuple(Said(one.text, one.place, one.metadata.get("confidence")) for one in heard if one.text)
        languages = {str(one.metadata["language"]): None for one in heard if one.metadata.get("language")}
        return Result({FIELD: list(languages)} if languages else {}, said)

    def _passages(self, sandbox: Sandbox, item: Recorded) -> Iterator[Parsed]:
        failed, left = 0, item.parts
        with own_file(sandbox, item) as (path, name):
            while left:
                options = LoadOptions(listening=Listening(str(self._model.folder), left))
                try:
                    with closing(sandbox.load(path, name, options)) as passages:
                        for one in passages:
                            if not one.text:
                                left, failed = tuple(part for part in left if part > _number(one)), 0
                            yield one
                    return
                except FileMalformed:
                    left, failed = left[1:], failed + 1  # all but the one that it is about
                    if failed == _FAILED:
                        return
                except UnsupportedType:
                    return


def _number(one: Parsed) -> int:
    return int(one.key.partition("=")[2])
