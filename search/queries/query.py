"""What is asked, what of it can be answered, and what it came to: the same in Python, by command and over HTTP."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any, Literal, TypedDict

from quarry.search.errors import InvalidRequest
from quarry.search.fields import facets, sorting
from quarry.search.queries import arguments, negation
from quarry.search.types import (
    FOLDS,
    KINDS,
    MAX_LIMIT,
    MAX_QUERY_CHARACTERS,
    MAX_REACH,
    MODES,
    RELEVANCE,
    RERANKS,
    Answer,
    Facet,
    Fold,
    Group,
    Hit,
    Kind,
    Mode,
    Pixels,
    Preprocessing,
    Rerank,
    Summary,
    Vectors,
)
from quarry.search.values.notes import Note

MAX_TERMS = 32  # of a query that are to be left out, and what it is to be like


@dataclass(frozen=True, slots=True)
class Liked:
    """A document, by its id or URI, or a hit, by its id, and how much hits are to be like it or unlike it, 0..1."""

    id: str
    strength: float = 1.0


Named = str | PathLike[str] | Mapping[str, Any] | Liked  # a document or hit, or `{"id": ..., "strength": ...}`


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked: by words, by a picture, by both ("like this, but at night"), or by a document.

    Args:
        text: a question, a phrase, or words, at most 10,000 characters; "" where only an example is given. What holds
            a word with a minus before it (`-word`, `-"a phrase"`) is left out.
        mode: `hybrid` weighs meaning and words together; `semantic` and `lexical` are its two parents.
        limit: 1 to 1,000; `offset + limit` at most 10,000. Pages never reshuffle within a generation.
        filter: such as `{"type": "text/markdown", "year": {"$gte": 2020}}`, None for everything.
        explain: tell for each hit how it was found.
        kinds: what hits may be: `text`, `image`, or both.
        min_relevance: leave out hits below it, 0 to 1; "meant" leaves out those that are not likely to be meant, as
            the command line does.
        picture: a picture to search with, the path of its file or the content; with `text`, both count.
        like: what hits are to be like, instead of words or beside them: the ids or URIs of documents, or ids of hits;
            or `{"id": ..., "strength": 0..1}`. What is like a picture is found, or passages like those of a text.
        unlike: what hits are not to be like, in the same form; what is named so is no hit itself.
        exclude: what hits are not to be about, in words: what is nearer to these than to what is asked is left out.
        rerank: put the first 20 hits in order once more, by how well they answer (`reader`) or by a `cross-encoder`.
        answer: look for exact answers in the first 10 hits.
        summarize: say in a few sentences what the first 10 hits hold.
        group: `document` for one hit a document, its further passages in `more`; limit and offset count documents.
        fold: `same` for one hit for each text, its other places in `also`; `near` for those of nearly the same, too.
        sort: `relevance`, or a field: `date` for the oldest first, `-date` for the newest. Only what is likely to be
            meant is sorted, unless `min_relevance` is a number above 0.
        facets: fields whose values are counted over all hits that are likely to be meant, or pass `min_relevance`
            where that is above 0.
        translate_to: the language that `text` is put into before it is looked for, as ISO 639-1 or the translator calls
            it; "" for none.
        ground: tell of each picture where in it what is asked for is seen, by the words of `text`.
        without: the words and phrases that hits may not hold; what `text` says of them is moved here.
        example: (d,) unit vectors of the picture or of what hits are to be like, by their spaces' names; the library
            fills it in, and what follows.
        pull: how strongly the example counts beside words, 0..1.
        away: (d,) vectors of what hits are not to be like, by their spaces' names, as long as they count.
        apart: ids of chunks that are no hits.
        pixels: gives those of a picture, by its document's id, where `explain` asks for them.
        thumbnail: gives that of a picture, by its document's id, where `ground` asks for it.
    """

    text: str = ""
    mode: Mode = "hybrid"
    limit: int = 10
    offset: int = 0
    filter: Mapping[str, Any] | None = None
    explain: bool = False
    kinds: Sequence[Kind] = KINDS
    min_relevance: float | Literal["meant"] | None = 0.0
    picture: str | PathLike[str] | bytes | None = field(default=None, repr=False)
    like: Named | Sequence[Named] = ()
    unlike: Named | Sequence[Named] = ()
    exclude: Sequence[str] = ()
    rerank: Rerank | None = None
    answer: bool = False
    summarize: bool = False
    group: Group | None = None
    fold: Fold = "same"
    sort: str = RELEVANCE
    facets: Sequence[str] = ()
    translate_to: str = ""
    ground: bool = False
    without: tuple[str, ...] = ()
    example: Mapping[str, Vectors] | None = field(default=None, compare=False, repr=False)
    pull: float = field(default=1.0, compare=False, repr=False)
    away: Mapping[str, Vectors] = field(default_factory=dict, compare=False, repr=False)
    apart: tuple[int, ...] = field(default=(), compare=False, repr=False)
    pixels: Callable[[str, Preprocessing], Pixels] | None = field(default=None, compare=False, repr=False)
    thumbnail: Callable[[str], bytes] | None = field(default=None, compare=False, repr=False)

    @property
    def least(self) -> float | None:
        """How relevant a hit must be; None where it is left out unless it is likely to be meant."""
        return None if self.min_relevance == "meant" else self.min_relevance or 0.0

    @property
    def feedback(self) -> tuple[tuple[Liked, ...], tuple[Liked, ...]]:
        """What hits are to be like, and what they are not to be like."""
        return liked(self.like, "like"), liked(self.unlike, "unlike")

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that are counted or sorted by."""
        return (*self.facets, *([] if self.sort == RELEVANCE else [self.sort.removeprefix("-")]))

    @property
    def is_deep(self) -> bool:
        """Whether all that is found is looked at, and not only as far down as the page reaches."""
        return bool(self.fields)


@dataclass(frozen=True, slots=True)
class Response:
    """What a query came to. `notes` say which part was missing and what it cost.

    `answers` are empty where none was asked for, and where the hits hold none. `left_out` is how many of the hits that
    were looked at are not likely to be meant, and are no part of the list for it. `facets` are those that
    the query asks for, by field, `timings` milliseconds by stage.
    """

    query: Query
    hits: Sequence[Hit]
    generation: int
    took_ms: float
    notes: tuple[Note, ...] = ()
    answers: tuple[Answer, ...] = ()
    summary: Summary | None = None
    left_out: int = 0
    facets: Mapping[str, Facet] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)

    @property
    def degraded(self) -> tuple[str, ...]:
        """The notes in words; () when all is well."""
        return tuple(note.text for note in self.notes)


class SearchOptions(TypedDict, total=False):
    """The fields of `Query` but for its text, as what takes some of them by name is given them; a test holds it so."""

    mode: Mode
    limit: int
    offset: int
    filter: Mapping[str, Any] | None
    explain: bool
    kinds: Sequence[Kind]
    min_relevance: float | Literal["meant"] | None
    picture: str | PathLike[str] | bytes | None
    like: Named | Sequence[Named]
    unlike: Named | Sequence[Named]
    exclude: Sequence[str]
    rerank: Rerank | None
    answer: bool
    summarize: bool
    group: Group | None
    fold: Fold
    sort: str
    facets: Sequence[str]
    translate_to: str
    ground: bool


_WIDTHS = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff66-\uffdc]+")  # full-width Ａ, half-width ｱ


def checked(query: Query) -> Query:
    """Return the query as it is searched: control characters as spaces, letters composed and of usual width.

    Raises:
        InvalidRequest: it is empty, too long or not valid Unicode, or limit and offset are out of bounds.
    """
    arguments.text(query.text, "query")
    arguments.text(query.translate_to, "translate_to")
    for name in ("explain", "answer", "summarize", "ground"):
        arguments.flag(getattr(query, name), name)
    if query.mode not in MODES:
        raise InvalidRequest(f"mode is {query.mode!r}; it can be {', '.join(MODES)}.")
    kinds = arguments.texts(query.kinds, "kinds")
    if not kinds or set(kinds) - set(KINDS):
        raise InvalidRequest(f"kinds is {list(kinds)}; it can hold {' and '.join(KINDS)}.")
    like, unlike = query.feedback
    query = replace(
        query,
        limit=arguments.whole(query.limit, "limit"),
        offset=arguments.whole(query.offset, "offset"),
        kinds=tuple(kind for kind in KINDS if kind in kinds),
        min_relevance="meant" if query.least is None else arguments.number(query.least, "min_relevance"),
        like=like,
        unlike=unlike,
        exclude=tuple(filter(str.strip, arguments.texts(query.exclude, "exclude"))),
        facets=tuple(dict.fromkeys(arguments.texts(query.facets, "facets"))),
    )
    if len(query.text) > MAX_QUERY_CHARACTERS:
        raise InvalidRequest(
            f"The query has {len(query.text):,} characters; at most {MAX_QUERY_CHARACTERS:,} can be searched."
        )
    try:
        query.text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            f"The query has a lone surrogate at character {error.start}; send valid Unicode."
        ) from error
    text = "".join(" " if unicodedata.category(character) == "Cc" else character for character in query.text).strip()
    text = _WIDTHS.sub(lambda run: unicodedata.normalize("NFKC", run[0]), unicodedata.normalize("NFC", text))
    text, negated = negation.parted(text)
    without = (*query.without, *negated)
    has_example = query.picture is not None or bool(like) or query.example is not None
    _check_lengths(query, like, unlike, without)
    if unlike and query.mode == "lexical" and not has_example:
        raise InvalidRequest("What hits are not to be like goes by meaning, and mode is 'lexical': take another mode.")
    if query.picture is not None and like:
        raise InvalidRequest("Give a picture to search with or what the hits should be like, not both.")
    if not text and not has_example and (without or query.exclude or unlike):
        raise InvalidRequest(
            "The query says only what hits are not to be; say as well what to look for. (A word with a minus sign "
            "before it is left out; to search for the sign itself, leave a space after it.)"
        )
    if not text and not has_example:
        raise InvalidRequest("The query is empty; say what to look for.")
    if query.rerank is not None and query.rerank not in RERANKS:
        raise InvalidRequest(f"rerank is {query.rerank!r}; it can be {' or '.join(RERANKS)}.")
    if query.group not in (None, "document"):
        raise InvalidRequest(f"group is {query.group!r}; it can be 'document', or left out.")
    if query.fold not in FOLDS:
        raise InvalidRequest(f"fold is {query.fold!r}; it can be {' or '.join(FOLDS)}.")
    facets.fields(query.facets)
    if arguments.text(query.sort, "sort") != RELEVANCE:
        sorting.field_of(query.sort)
        if query.rerank:
            raise InvalidRequest("Hits can be reranked or sorted by a field, not both: leave out rerank or sort.")
        query = replace(query, min_relevance=query.least or "meant")
    if not text and (query.answer or query.rerank):
        raise InvalidRequest("Answers and reranking go by words, and the query has none; say what is asked.")
    if query.least is not None and not 0 <= query.least <= 1:
        raise InvalidRequest(f"min_relevance is {query.min_relevance}; it can be 0 to 1.")
    for name, value, low, high in (
        ("limit", query.limit, 1, MAX_LIMIT),
        ("offset", query.offset, 0, MAX_REACH),
        ("offset + limit", query.offset + query.limit, 1, MAX_REACH),
    ):
        if not low <= value <= high:
            raise InvalidRequest(f"{name} is {value}; it can be {low:,} to {high:,}.")
    return replace(query, text=text, without=without)


def _check_lengths(query: Query, like: Sequence[Liked], unlike: Sequence[Liked], without: Sequence[str]) -> None:
    for name, given in (("exclude", query.exclude), ("like", like), ("unlike", unlike), ("query", without)):
        if len(given) > MAX_TERMS:
            what = "words with a minus before them" if name == "query" else "entries"
            raise InvalidRequest(f"{name} has {len(given)} {what}; at most {MAX_TERMS} can be taken.")
    longest = max(map(len, query.exclude), default=0)
    if longest > MAX_QUERY_CHARACTERS:
        raise InvalidRequest(f"exclude has {longest:,} characters; at most {MAX_QUERY_CHARACTERS:,} can be searched.")


def liked(given: object, name: str) -> tuple[Liked, ...]:
    """Return what documents and hits are named by, as `Query.like` takes them; of one that is named twice, the last.

    What has no strength is left out.

    Raises:
        InvalidRequest: it is no such thing.
    """
    if given is None or given == ():
        return ()
    each = [given] if isinstance(given, str | PathLike | Mapping | Liked) else given
    if isinstance(each, bytes) or not isinstance(each, Iterable):
        raise InvalidRequest(f"{name} is {given!r}; give ids, or {{'id': ..., 'strength': ...}}.")
    found = [_liked(one, f"{name}[{place}]") for place, one in enumerate(each)]
    return tuple({one.id: one for one in found if one.strength}.values())


def _liked(one: object, name: str) -> Liked:
    if isinstance(one, Liked):
        return one
    if not isinstance(one, Mapping):
        return Liked(arguments.reference(one, name))
    if set(one) - {"id", "strength"} or "id" not in one:
        raise InvalidRequest(f"{name} has the fields {', '.join(map(str, one))}; it can have an id and a strength.")
    strength = arguments.number(one.get("strength", 1.0), f"{name}.strength")
    if not 0 <= strength <= 1:
        raise InvalidRequest(f"{name}.strength is {strength}; it can be 0 to 1.")
    return Liked(arguments.reference(one["id"], f"{name}.id"), strength)
