"""The contract of an enrichment: what finds something out about a document, between loading and cutting.

One is a class in a file of its own, and a row in `indexer/enrichments/table.py`. It runs in batches beside the encoder,
once for each content: what it found is stored under its identity and the digest of the content. One with another
identity runs again, alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from quarry.indexer.loaders.sandbox.endings import LIMIT_S, TookLong
from quarry.search.types import Kind, Metadata, Preprocessing
from quarry.search.values.places import Place

_REASON = 300  # characters
CONFIDENCE, SAID_BY, SHARE = "confidence", "said_by", "share"  # fields of a document
# Such as hold something else than what a model names; with `search.fields.named.BUILT_IN`.
RESERVED = frozenset({CONFIDENCE, SAID_BY, SHARE, "metadata", "language", "amount", "country", "place", "town"})


@dataclass(frozen=True, slots=True)
class WholeText:
    """The whole text of a document, a `str`; of a picture, what is said about it in its file, often ""."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """A picture, (height, width, 3) uint8, of the size and cut that is asked for; of what is no picture, nothing.

    Args:
        as_embedded: whether the pixels will do that the library's own image model takes, if they were read just now.
    """

    preprocessing: Preprocessing
    as_embedded: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """All of a picture in a few pixels (`Picture.look`); of what is no picture, nothing."""


@dataclass(frozen=True, slots=True)
class WholePicture:
    """A picture of its own shape, (height, width, 3) uint8, its longer side at most `side`; of no picture, nothing.

    It is read again from its file, in the confined child; where that is gone, it is the thumbnail.
    """

    side: int = 768


@dataclass(frozen=True, slots=True)
class OwnFields:
    """What a document says of itself in fields, an `Own`."""


@dataclass(frozen=True, slots=True)
class Own:
    """What kind of document it is, and its metadata."""

    kind: Kind
    fields: Metadata


@dataclass(frozen=True, slots=True)
class OwnVectors:
    """The stored vectors of a document of a kind, a list of (space, (d,) vector); () of one that is not stored yet.

    Args:
        kind: "" for any.
    """

    kind: str = ""


class Unread:
    """The `Pictured` pages of a document, or the picture that it is; of what holds its text, nothing."""


class Unheard:
    """The `Recorded` parts of what can be heard; of what can't, nothing."""


class Film:
    """A film, a `Filmed`; of what shows no moving pictures, nothing."""


Rendition = WholeText | Pixels | WholePicture | Look | OwnFields | Unread | OwnVectors | Unheard | Film


@dataclass(frozen=True, slots=True)
class Pictured:
    """Pictures that may show text: a file, and which of its pages, from 1; () of a file that is a picture.

    Args:
        name: what the file goes by, "" for its path's own.
        key: what they are within it, such as `a/scan.pdf` in an archive; "" for all of it.
        beside: returns the keys of what else in that file is to be looked at.
    """

    AT_ONCE: ClassVar[int] = 16  # pages that are looked at before what was found on them is stored

    path: Path
    parts: tuple[int, ...] = ()
    name: str = ""
    key: str = ""
    beside: Callable[[], Collection[str]] = field(default=tuple, compare=False)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What may be heard: a file, and which of its minutes, from 1; the rest as of `Pictured`."""

    AT_ONCE: ClassVar[int] = 4

    path: Path
    parts: tuple[int, ...] = ()
    name: str = ""
    key: str = ""
    beside: Callable[[], Collection[str]] = field(default=tuple, compare=False)


@dataclass(frozen=True, slots=True)
class Filmed:
    """A film: a file, how many seconds it takes, and what it is within that, "" for all of it."""

    path: Path
    seconds: float
    key: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A text that is said about a document. It is cut into passages of its own, beside those of the document's text.

    Args:
        place: where it is said of, as far as that is known: a page, a box of a picture.
        confidence: 0..1, how sure it is.
        places: offsets at which parts of it begin that have a place of their own, such as lines; in order.
    """

    text: str
    place: Place | None = None
    confidence: float | None = None
    places: tuple[tuple[int, Place], ...] = ()

    @property
    def json(self) -> list[Any]:
        """All of it in a list; each of `places` is an item."""
        places = ([start, place.json] for start, place in self.places)
        return [self.text, self.place and self.place.json, self.confidence, *places]

    @classmethod
    def of(cls, values: Sequence[Any]) -> Said:
        """Return what `json` wrote."""
        text, place, confidence, *places = values
        found = tuple((start, one) for start, written in places if (one := Place.of(written)))
        return cls(text, Place.of(place), confidence, found)


@dataclass(frozen=True, slots=True)
class Result:
    """What was found out about one document.

    Args:
        fields: what filters can name, as JSON values; a field that the document itself has wins over them.
        said: texts to be found by.
        confidence: how sure a model is of values of these fields, 0..1, by field and value.
        sketch: what copies of the document are told by (`search.alike.sketches`); "" for nothing.
        left: pages, or minutes, that are still to be looked at.
        failed: why nothing was found out of it, or of a part, "" where all was looked at.
        limit_s: seconds that a part might take, where it failed for taking longer; else 0.
        gives_up: whether it failed over all that it looked at, as it would over the parts that come; not stored.
    """

    fields: Metadata = field(default_factory=dict)
    said: tuple[Said, ...] = ()
    confidence: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    sketch: str = ""
    left: tuple[int, ...] = ()
    failed: str = ""
    limit_s: float = 0.0
    gives_up: bool = field(default=False, compare=False)

    @classmethod
    def failure(cls, error: Exception, *, gives_up: bool = True) -> Result:
        """Return that nothing was found out, and why."""
        reason = " ".join(str(error).split())[:_REASON] or type(error).__name__
        limit_s = error.limit_s if isinstance(error, TookLong) else 0.0
        return cls(failed=reason, limit_s=limit_s, gives_up=gives_up)

    def after(self, before: Result | None) -> Result:
        """Return what was found in parts that came before, and in these."""
        if before is None:
            return self
        failed, limit_s = before.failed or self.failed, before.limit_s or self.limit_s
        sure = {name: dict(values) for name, values in before.confidence.items()}
        for name, values in self.confidence.items():
            own = sure.setdefault(name, {})
            own |= {value: max(share, own.get(value, 0.0)) for value, share in values.items()}
        said = (*before.said, *self.said)
        return replace(
            self,
            fields=_joined(before.fields, self.fields),
            said=said,
            confidence=sure,
            failed=failed,
            limit_s=limit_s,
        )

    @property
    def json(self) -> dict[str, Any]:
        """The result as it is stored."""
        found = {
            "fields": dict(self.fields),
            "said": [one.json for one in self.said],
            "confidence": {name: dict(values) for name, values in self.confidence.items()},
            "sketch": self.sketch,
            "left": list(self.left),
            "failed": self.failed,
            "limit_s": self.limit_s,
        }
        return {name: value for name, value in found.items() if value}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Result:
        """Return the result that `json` wrote."""
        said = tuple(Said.of(one) for one in values.get("said", ()))
        return cls(
            fields=values.get("fields", {}),
            said=said,
            confidence=values.get("confidence", {}),
            sketch=values.get("sketch", ""),
            left=tuple(values.get("left", ())),
            failed=values.get("failed", ""),
            limit_s=values.get("limit_s", 0.0),
        )


def _joined(before: Metadata, now: Metadata) -> Metadata:
    """Put fields of parts together: lists have the values of both."""
    lists = {
        name: list(dict.fromkeys([*before[name], *value]))
        for name, value in now.items()
        if isinstance(value, list) and isinstance(before.get(name), list)
    }
    return {**before, **now, **lists}


class Enrichment(ABC):
    """Finds something out about documents; making one loads nothing.

    Attributes:
        name: who says what it says (`Chunk.said_by`); no two have the same.
        rendition: what it wants to be given of a document.
        is_slow: whether documents are written without it, and it looks at them, a few at once, when all are.
        at_once: how many documents one that is slow looks at before what it found is committed.
        limit_s: seconds that reading a part of a file for it, such as a page, may take: what takes longer has failed.
        identity: changes whenever it may find something else in the same content.
    """

    name: str
    rendition: ClassVar[Rendition] = WholeText()
    is_slow: ClassVar[bool] = False
    at_once: ClassVar[int] = 8
    limit_s: ClassVar[float] = LIMIT_S

    @property
    @abstractmethod
    def identity(self) -> str:
        """A short text, such as the versions of what it uses."""

    @property
    def field(self) -> str:
        """The field that it finds, as far as that is known beforehand."""
        return self.name

    def prepare(self) -> None:  # noqa: B027
        """Begin to load what it needs, while something else is done; most have nothing to begin with."""

    def open(self) -> None:  # noqa: B027
        """Load what it needs, before it looks at the first; most have nothing to load.

        Raises:
            QuarryError: that can't be had now; documents are left without it, and it is asked again with the next run.
        """

    def running(self) -> AbstractContextManager[None]:
        """Keep what it uses from one batch to the next, for as long as the block runs; most keep nothing."""
        return nullcontext()

    @abstractmethod
    def enrich(self, items: Sequence[Any]) -> Sequence[Result | None]:
        """Look at documents, a batch at once, each in its rendition; over which it raises, that one has failed.

        None is for one that can't be looked at now, as its file is gone: it is asked for again.
        """
