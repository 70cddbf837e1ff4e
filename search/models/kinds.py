"""Kinds: the table of what there is for each kind of model. A new kind is a folder with the same files, and a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar

from quarry.search.models.contracts import CrossEncoder, ImageEncoder, Reader, TextEncoder, WritingModel
from quarry.search.models.image.card import ImageCard
from quarry.search.models.names import DEFAULT_IMAGE_MODEL, DEFAULT_READER, DEFAULT_TEXT_MODEL
from quarry.search.models.pair.card import PairCard
from quarry.search.models.prepared import AnyCard, Prepared
from quarry.search.models.text.card import TextCard
from quarry.search.models.writing.card import WritingCard

Live = TypeVar("Live")


@dataclass(frozen=True, slots=True)
class Kind(Generic[AnyCard, Live]):
    """How models of one kind are found, loaded, exported, checked and served: by the files of its folder.

    These are imported when they are first needed, since a search opens one or two models and most files are for others.

    Args:
        name: it is called in the table.
        what: one of them is called.
        folder: of this package; the same for kinds that differ by their task alone.
        default: the name of the embedded one, "" where there is none.
        seconds: preparing that takes, about, on two cores.
        task: tells apart what one folder holds, "" where it holds one kind.
        exported: whether it has `export.py` and `parity.py`; without them, originals serve.
        needs: the text model that must be prepared before the embedded one, "" for none.
    """

    name: str
    what: str
    folder: str
    default: str = ""
    seconds: int = 0
    task: str = ""
    exported: bool = True
    needs: str = ""

    def find(self, name: str) -> AnyCard:
        """Return the card of the model called `name`; raise `ModelMissing` or `ModelDamaged`."""
        card: AnyCard = self._part("source").resolve(name, *self._tasks)
        return card

    def is_on_hub(self, name: str) -> bool:
        """Whether a model that is not here might be fetched."""
        return bool(self._part("source").is_on_hub(name))

    def fetch(self, name: str) -> None:
        """Fetch a model from the hub into the hub's cache; raise `ModelMissing` where that is not possible."""
        self._part("source").fetch(name)

    def load(self, card: AnyCard) -> Any:
        """Load the original of `card`, in torch."""
        return self._part("original").load(card)

    def export(self, name: str, into: Path, say: Callable[[str], None]) -> Prepared[AnyCard]:
        """Write the prepared form of the model called `name` into the new folder `into`, which needs torch."""
        made: Prepared[AnyCard] = self._part("export").export(name, into, say, *self._tasks)
        return made

    def check(self, live: Live, original: Any) -> Mapping[str, float]:
        """Return figures of how near a live model is to its original."""
        figures: Mapping[str, float] = self._part("parity").check(live, original)
        return figures

    def serve(self, ready: Prepared[AnyCard], **options: Any) -> Live:
        """Return a live model of its prepared form; the options are those of the kind's own `serve`."""
        live: Live = self._part("serving").serve(ready, **options)
        return live

    @property
    def _tasks(self) -> tuple[str, ...]:
        return (self.task,) if self.task else ()

    def _part(self, name: str) -> Any:
        return import_module(f"quarry.search.models.{self.folder}.{name}")


TEXT: Kind[TextCard, TextEncoder] = Kind("text", "text model", "text", DEFAULT_TEXT_MODEL, 3)
IMAGE: Kind[ImageCard, ImageEncoder] = Kind(
    "image", "image model", "image", DEFAULT_IMAGE_MODEL, 3, needs=DEFAULT_TEXT_MODEL
)
READER: Kind[PairCard, Reader] = Kind("reader", "reader", "pair", DEFAULT_READER, 3, task="reader")
CROSS_ENCODER: Kind[PairCard, CrossEncoder] = Kind("cross-encoder", "cross-encoder", "pair", task="cross-encoder")
WRITING: Kind[WritingCard, WritingModel] = Kind("writing", "writing model", "writing", exported=False)

KINDS: Mapping[str, Kind[Any, Any]] = {kind.name: kind for kind in (TEXT, IMAGE, READER, CROSS_ENCODER, WRITING)}
