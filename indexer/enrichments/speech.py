"""What is said in recordings and films, heard by Whisper in the confined child: passages with their seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from quarry.indexer.enrichments.base import Recorded, Result, Said, Unheard
from quarry.indexer.enrichments.confined import Confined, own_file
from quarry.indexer.loaders.base import GIBIBYTE, Listening, LoadOptions
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.search.errors import FileMalformed, UnsupportedType
from quarry.search.models.auto.task import Task
from quarry.search.models.whisper import INSTALL, Whisper
from quarry.search.stores.rows.enrichments import SPEECH
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
_MEMORY = 3 * GIBIBYTE // 2
_FAILED = 4  # parts, one after the other, with which the rest is given up


class Speech(Confined[Recorded]):
    """Says what is said."""

    name = SPEECH
    rendition = Unheard()
    field = FIELD
    part_s = 600.0  # on two cores the embedded model hears a minute in six

    def __init__(self, model: Whisper) -> None:
        super().__init__()
        self._model = model

    @property
    def identity(self) -> str:
        """The model with its weights and what runs it, and how it is used."""
        return f"{SPEECH} 2, {self._model.version}"

    def open(self) -> None:
        """See that the model is the one that it should be; it is loaded in the confined child."""
        self._model.check()

    @property
    def memory(self) -> int:
        """What hearing takes, and its weights, which are unpacked when they are loaded."""
        return _MEMORY + 3 * self._model.bytes

    def look(self, sandbox: Sandbox, item: Recorded) -> Result:
        """Hear a recording, a minute at a time."""
        heard = list(self._passages(sandbox, item))
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
