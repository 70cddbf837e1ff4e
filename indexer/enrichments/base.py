"""The contract of an enrichment: what finds something out about a document, between loading and cutting.

One is a class in a file of its own, and a row in `indexer/enrichments/table.py`. It runs in batches beside the encoder,
once for each content: what it found is stored under its identity and the digest of the content. One with another
identity runs again, alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from quarry.search.places import Place
from quarry.search.types import Kind, Metadata, Preprocessing


@dataclass(frozen=True, slots=True)
class WholeText:
    """The whole text of a document, a `str`; of a picture, what is said about it in its file, often ""."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """A picture, (height, width, 3) uint8, of the size and cut that is asked for; of what is no picture, nothing."""

    preprocessing: Preprocessing


@dataclass(frozen=True, slots=True)
class Look:
    """All of a picture in a few pixels (`Picture.look`); of what is no picture, nothing."""


@dataclass(frozen=True, slots=True)
class OwnFields:
    """What a document says of itself in fields, an `Own`."""


@dataclass(frozen=True, slots=True)
class Own:
    """What kind of document it is, and its metadata."""

    kind: Kind
    fields: Metadata


Rendition = WholeText | Pixels | Look | OwnFields


@dataclass(frozen=True, slots=True)
class Said:
    """A text that is said about a document. It is cut into passages of its own, beside those of the document's text.

    Args:
        place: where it is said of, as far as that is known: a page, a box of a picture.
        confidence: 0..1, how sure it is.
    """

    text: str
    place: Place | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What was found out about one document.

    Args:
        fields: what filters can name, as JSON values; a field that the document itself has wins over them.
        said: texts to be found by.
        sketch: what copies of the document are told by (`search.sketches`); "" for nothing.
    """

    fields: Metadata = field(default_factory=dict)
    said: tuple[Said, ...] = ()
    sketch: str = ""

    @property
    def json(self) -> dict[str, Any]:
        """The result as it is stored."""
        said = [[one.text, one.place and one.place.json, one.confidence] for one in self.said]
        found = {"fields": dict(self.fields), "said": said, "sketch": self.sketch}
        return {name: value for name, value in found.items() if value}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Result:
        """Return the result that `json` wrote."""
        said = (Said(text, Place.of(place), confidence) for text, place, confidence in values.get("said", ()))
        return cls(values.get("fields", {}), tuple(said), values.get("sketch", ""))


class Enrichment(ABC):
    """Finds something out about documents; making one loads nothing.

    Attributes:
        name: who says what it says (`Chunk.said_by`); no two have the same.
        rendition: what it wants to be given of a document.
        identity: changes whenever it may find something else in the same content.
    """

    name: ClassVar[str]
    rendition: ClassVar[Rendition] = WholeText()

    @property
    @abstractmethod
    def identity(self) -> str:
        """A short text, such as the versions of what it uses."""

    def prepare(self) -> None:  # noqa: B027
        """Begin to load what it needs, while something else is done; most have nothing to begin with."""

    @abstractmethod
    def enrich(self, items: Sequence[Any]) -> list[Result]:
        """Look at documents, a batch at once, each in its rendition; one that raises is left without a result."""
