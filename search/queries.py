"""What of a query can be answered: the same in Python, on the command line and over HTTP."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, Literal, TypedDict

from quarry.search import arguments
from quarry.search.errors import InvalidRequest
from quarry.search.types import (
    KINDS,
    MAX_LIMIT,
    MAX_QUERY_CHARACTERS,
    MAX_REACH,
    MODES,
    RERANKS,
    Group,
    Kind,
    Mode,
    Query,
    Rerank,
)


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
    like: str | PathLike[str] | None
    rerank: Rerank | None
    answer: bool
    summarize: bool
    group: Group | None


def checked(query: Query) -> Query:
    """Return the query as it is searched, control characters as spaces.

    Raises:
        InvalidRequest: it is empty, too long or not valid Unicode, or limit and offset are out of bounds.
    """
    arguments.text(query.text, "query")
    for name in ("explain", "answer", "summarize"):
        arguments.flag(getattr(query, name), name)
    if query.mode not in MODES:
        raise InvalidRequest(f"mode is {query.mode!r}; it can be {', '.join(MODES)}.")
    kinds = arguments.texts(query.kinds, "kinds")
    if not kinds or set(kinds) - set(KINDS):
        raise InvalidRequest(f"kinds is {list(kinds)}; it can hold {' and '.join(KINDS)}.")
    query = replace(
        query,
        limit=arguments.whole(query.limit, "limit"),
        offset=arguments.whole(query.offset, "offset"),
        kinds=tuple(kind for kind in KINDS if kind in kinds),
        min_relevance="meant" if query.least is None else arguments.number(query.least, "min_relevance"),
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
    if query.picture is not None and query.like is not None:
        raise InvalidRequest("Give a picture to search with or what the hits should be like, not both.")
    if not text and query.picture is None and query.like is None and query.example is None:
        raise InvalidRequest("The query is empty; say what to look for.")
    if query.rerank is not None and query.rerank not in RERANKS:
        raise InvalidRequest(f"rerank is {query.rerank!r}; it can be {' or '.join(RERANKS)}.")
    if query.group not in (None, "document"):
        raise InvalidRequest(f"group is {query.group!r}; it can be 'document', or left out.")
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
    return replace(query, text=text)
