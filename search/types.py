"""The values that stages pass on: frozen dataclasses over the standard library and NumPy, nothing else.

Offsets are character offsets into a document's text (Python `str` indices), end-exclusive.
Arrays are `ids` (n,) int64 and `scores` (n,) float32, best first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from quarry.search.values.places import Grounding, Pages, Place
from quarry.search.values.unread import Recording, Scan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]
    Vectors = NDArray[np.float32]
    Pixels = NDArray[np.uint8]
else:

    def __getattr__(name: str) -> Any:
        """Make the types of arrays for who imports them: a process that parses texts starts in half the time."""
        if name not in (kinds := {"Ids": "int64", "Vectors": "float32", "Pixels": "uint8"}):
            raise AttributeError(name)
        import numpy as np
        from numpy.typing import NDArray

        return NDArray[getattr(np, kinds[name])]


# What documents consist of, and so the media that chunks are of: all else of each is in `search/media/NAME.py`.
KINDS = ("text", "image")
if TYPE_CHECKING:
    Kind = str
else:
    Kind = Literal[KINDS]  # which the API's schemas spell out
WORDS: Kind = "text"  # what documents of any kind may hold: what is said about them
THUMBNAIL = 320  # pixels, the longer side
LOOK = 32  # pixels, both sides
Json = None | bool | int | float | str | list[Any] | dict[str, Any]
Metadata = Mapping[str, Any]
Mode = Literal["semantic", "lexical", "hybrid"]
MODES: tuple[Mode, ...] = ("semantic", "lexical", "hybrid")
Rerank = Literal["reader", "cross-encoder"]
Group = Literal["document"]
Fold = Literal["same", "near"]
FOLDS: tuple[Fold, ...] = ("same", "near")
RELEVANCE = "relevance"
RERANKS: tuple[Rerank, ...] = ("reader", "cross-encoder")

OWN_WORDS = ("", "caption")  # of `Chunk.said_by`: the passages that a document's own text consists of

MAX_LIMIT = 1_000
MAX_REACH = 10_000  # offset + limit
MAX_QUERY_CHARACTERS = 10_000
MAX_PLACES = 100  # that a hit lists


def distinct(ids: Ids) -> Ids:
    """Return ids ascending, each once: `np.unique` would import `numpy.ma`, a twentieth of a cold search."""
    import numpy as np

    ordered = np.sort(ids)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a document: where its line starts, its level (1 is the highest) and its words."""

    start: int
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a picture is made the size that an image model takes, named as open_clip names it.

    Args:
        width, height: of what the model takes, in pixels.
        resize: `squash` (both sides, whatever the aspect), `shortest` (scale, then cut the middle out), `longest`
            (scale, then fill up around it), or `within`, which open_clip has not (made smaller where it is larger, and
            of its own shape).
        interpolation: `bicubic` or `bilinear`.
        fill: grey value, 0..255, of what is filled up.
    """

    width: int
    height: int
    resize: Literal["squash", "shortest", "longest", "within"] = "shortest"
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    fill: int = 0


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture, upright, in RGB.

    Args:
        pixels: (height, width, 3) uint8, of the size and cut that a model's `Preprocessing` asks for.
        width, height: of the picture itself, upright.
        thumbnail: a JPEG, its longer side at most `THUMBNAIL` pixels; b"" where none was asked for.
        look: (LOOK, LOOK, 3) bytes, the whole of it whatever its shape, to tell copies by; b"" where it is not known.
    """

    pixels: Pixels
    width: int
    height: int
    thumbnail: bytes = b""
    look: bytes = b""


@dataclass(frozen=True, slots=True)
class ParsedPart:
    """A thing of a medium that a document consists of.

    Args:
        medium: its name.
        thing: as its loader reads it and its medium embeds it, such as a `Picture`.
        place: where in its file it is; None where that is not known, or all of it.
    """

    medium: Kind
    thing: Any
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """One source item as a loader reads it, before it is cut.

    Args:
        text: the whole text, newlines as `\\n`, no leading or trailing white space.
        type: media type, such as `text/markdown`.
        title: the title that the content itself gives, or "".
        key: what names the item within its file (`row=3`), "" for the file as a whole.
        metadata: flat JSON values that filters can use.
        place: the rows or lines of the file that the whole text is; None where that is not known, or all of it.
        page_starts: offset at which each page begins, page 1 first; () where there are no pages.
        headings: in order of `start`.
        places: offset at which each part of it begins that has a place of its own, such as a row, with that place; in
            order. A passage stands at those that it goes over. Pages and lines need none.
        parts: of what is no text, such as a picture: what it consists of, all of one medium, in their order. Its
            `text` is what is said about it (captions, keywords), often "".
        warning: what of it could not be read, "" where all could.
        scan: of what has pages, those that are pictures of text; None where there are none.
        recording: what can be heard in it; None where nothing can.
        samples: its sound, where that is asked for: 16,000 a second, of one channel, 16 bits each, the low byte first.
    """

    text: str
    type: str
    title: str = ""
    key: str = ""
    metadata: Metadata = field(default_factory=dict)
    place: Place | None = None
    page_starts: tuple[int, ...] = ()
    headings: tuple[Heading, ...] = ()
    places: tuple[tuple[int, Place], ...] = ()
    parts: tuple[ParsedPart, ...] = ()
    warning: str = ""
    scan: Scan | None = None
    recording: Recording | None = None
    samples: bytes = b""

    @property
    def picture(self) -> Picture | None:
        """The picture that it is, None where it is none."""
        return next((part.thing for part in self.parts if isinstance(part.thing, Picture)), None)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a document: `document_text[start:end] == text`.

    `place` is where in its file it stands, or begins, None where that is not known. `heading` is the trail of headings
    above the passage, outermost first, joined by " > ". `medium` is what is embedded of it; a chunk that is a picture
    has no text. `said_by` is "" where the source itself says it, else who does (`caption`, or the name of an
    enrichment, whose `start` and `end` go on after the document's text), and `confidence`, 0..1, how surely.
    """

    ordinal: int
    start: int
    end: int
    text: str
    place: Place | None = None
    heading: str = ""
    medium: Kind = "text"
    said_by: str = ""
    confidence: float | None = None

    @property
    def page(self) -> int | None:
        """The page that it begins on, None where there are no pages."""
        return self.place.page if self.place else None


@dataclass(frozen=True, slots=True)
class Document:
    """One source item as the catalog keeps it. `id` is opaque and survives re-indexing and moves.

    `enriched` is what was found out about it beside the `metadata` that it brings, such as its language. `library` is
    the name of the one that it is from, where several were searched as one.
    """

    id: str
    uri: str
    title: str
    type: str
    metadata: Metadata
    kind: Kind = "text"
    modified: str | None = None  # ISO 8601, UTC
    indexed: str | None = None
    characters: int = 0
    chunks: int = 0
    enriched: Metadata = field(default_factory=dict)
    hash: str = ""  # hexadecimal; changes when its text or metadata do
    library: str = ""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What one retriever found: chunk ids with its own raw scores, best first, ties by smaller id."""

    ids: Ids
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def empty(cls) -> Candidates:
        """Return no candidates."""
        import numpy as np

        return cls(np.empty(0, np.int64), np.empty(0, np.float32))


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Where a passage or picture stands that is the same as a hit, or `near`ly the same. `id` is its own."""

    id: str
    document: Document
    start: int
    end: int
    page: int | None = None
    heading: str = ""
    near: bool = False


@dataclass(frozen=True, slots=True)
class FieldMatch:
    """A field of a hit's document that words of the query stand in; `highlights` are (start, end) spans of `value`.

    `name` has a dot where the field is within another; of a list, `value` is the item that matches.
    """

    name: str
    value: str
    highlights: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage or a picture found, best first. `highlights` are (start, end) spans within `text`, `fields` what else
    of the document the query's words stand in.

    `score` is what the retrievers gave, `relevance` (0..1) what hits of both kinds are ordered by. The text of a
    picture is what is said about it, often "". `page` is the one on which most words of the query stand, the first
    where none does; `pages` are all that the passage stands on. `explanation` (with `Query.explain`) tells each
    retriever's rank and raw score, what fusion made of them, and which words matched.

    `place` is where in its file it stands, as far as that is known. `said_by` and `confidence` are as of `Chunk`, and
    `original` is what `text` says in another language, "" where it says nothing so.
    `grounding` (with `Query.ground`) is where a picture shows what is asked for.

    `also` are the other places of this very text, the likeliest first, at most `MAX_PLACES`, and with `Query.fold` of
    nearly the same; `equal` and `near` count all of them. `more`, with `Query.group`, is what else was found in the
    document, best first.
    """

    id: str
    score: float
    relevance: float
    document: Document
    text: str
    start: int
    end: int
    page: int | None = None
    heading: str = ""
    highlights: tuple[tuple[int, int], ...] = ()
    fields: tuple[FieldMatch, ...] = ()
    kind: Kind = "text"
    explanation: Mapping[str, Any] | None = None
    also: tuple[Occurrence, ...] = ()
    equal: int = 0
    near: int = 0
    more: tuple[Hit, ...] = ()
    pages: Pages | None = None
    place: Place | None = None
    said_by: str = ""
    confidence: float | None = None
    original: str = ""
    grounding: Grounding | None = None

    def page_of(self, start: int, end: int) -> int | None:
        """Return the page of a span of the document; of the whole passage, the one where most that matches stands."""
        if self.pages is None or (start, end) == (self.start, self.end):
            return self.page
        return self.pages.at(start)


@dataclass(frozen=True, slots=True)
class Reading:
    """A span of a passage that a reader takes for an answer: characters `start` to `end` of the passage.

    `score` is the null-corrected logit (`search.models.pair.spans`): above 0 the reader rather answers than declines.
    """

    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An exact answer: a span of a document, and the hit that it was found in.

    Args:
        text: the document's text from `start` to `end`.
        confidence: 0..1, how likely it is to be right.
        sentence: (start, end) of the sentence around it, in the document.
        hit: where it stands.
        also: where else the same is said, in other documents.
    """

    text: str
    start: int
    end: int
    page: int | None
    confidence: float
    score: float
    sentence: tuple[int, int]
    hit: Hit
    also: tuple[Occurrence, ...] = ()


@dataclass(frozen=True, slots=True)
class Cited:
    """A part of a summary or of a generated answer, and what it rests on.

    Args:
        text: a sentence of a document, or one that a model wrote.
        sources: (hit, start, end): the span of the hit's document that says so; several where a model wrote it.
    """

    text: str
    sources: tuple[tuple[Hit, int, int], ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """A few sentences with their sources, in the order that they are to be read in.

    `model` is the name of the model that wrote it, "" where it consists of the documents' own sentences.
    """

    sentences: tuple[Cited, ...]
    model: str = ""

    @property
    def text(self) -> str:
        """The sentences in one text."""
        return " ".join(sentence.text for sentence in self.sentences)


@dataclass(frozen=True, slots=True)
class Facet:
    """How often hits have a field's values.

    Args:
        values: the most frequent ones and their counts, of equals the smaller first; of a list each element counts.
        other: how often hits have further values.
        missing: how many hits have none.
        below: of values that others lie below, such as folders, how often hits have those.
    """

    values: tuple[tuple[str | float | bool, int], ...]
    other: int = 0
    missing: int = 0
    below: Mapping[str | float | bool, Facet] = field(default_factory=dict)
