"""Which documents of a library are the same or nearly the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from quarry.api.opened import OpenLibrary
from quarry.search.alike.duplicates import groups
from quarry.search.alike.meanings import PARAPHRASES, SAME, Meanings
from quarry.search.alike.neighbours import pairs
from quarry.search.alike.sketches import PictureSketches, Sketches, TextSketches
from quarry.search.errors import InvalidRequest
from quarry.search.fields.filters import compile_filter
from quarry.search.queries import arguments
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lookups import filtered, sketched
from quarry.search.stores.lookups.document_vectors import document_vectors
from quarry.search.stores.spaces import active_spaces
from quarry.search.types import WORDS, Document, Kind

By = Literal["copies", "meaning"]
ALIKE = 0.8
LEAST_ALIKE = 0.5  # below which copies are too rarely among those that are compared
MAX_GROUPS = 1_000
MAX_COPIES = 100  # of a group that are listed
_READ: Mapping[Kind, Callable[[Sequence[str]], Sketches]] = {"text": TextSketches.of, "image": PictureSketches.of}


@dataclass(frozen=True, slots=True)
class Copy:
    """A document of a group.

    Args:
        alike: how alike it is to the one to keep, 0..1; an estimate, but 1 where it is the very same.
        same: whether its text, or picture, is the very same.
        bytes: the size of its file, None where it is a part of one, or no file's.
    """

    document: Document
    alike: float
    same: bool
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Group:
    """Documents that are the same or nearly the same.

    Args:
        keep: the longest text or largest picture, of about as long ones the oldest.
        copies: the others, at most 100 of them.
        total: how many others there are.
    """

    keep: Copy
    copies: tuple[Copy, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups of documents, those with the most copies first.

    Args:
        total: how many groups there are in all.
        copies: how many documents there are in them beside those to keep.
        unseen: how many documents were indexed by an older version, and not looked at yet.
    """

    groups: tuple[Group, ...]
    total: int
    copies: int
    unseen: int


@dataclass(frozen=True, slots=True)
class _Found:
    """A group by row ids."""

    keep: int
    others: Sequence[int]
    alike: Sequence[float]
    same: Sequence[bool]


def duplicates(
    library: OpenLibrary,
    *,
    filter: Mapping[str, Any] | None = None,
    by: By = "copies",
    alike: float = ALIKE,
    limit: int = 100,
    offset: int = 0,
) -> Duplicates:
    """Return groups of documents that are the same or nearly the same: of texts by words, of pictures by looks.

    Texts are as alike as they share runs of eight characters; case, punctuation and white space do not count. Pictures
    are as alike as their colours and their brightness, whatever the size. By meaning, texts are as alike as their
    vectors, in whatever words: 0.8 is where people say of two sentences that they mean the same.

    Args:
        filter: only among documents that match, as in `search`.
        by: `copies`, or `meaning` for texts that say the same in other words.
        alike: how alike documents are at least, 0.5 to 1; 1 for the very same.
        limit, offset: of groups; at most 1,000 at once.

    Raises:
        InvalidRequest: one of these is out of bounds.
    """
    alike = arguments.number(alike, "alike")
    limit, offset = arguments.whole(limit, "limit"), arguments.whole(offset, "offset")
    if not LEAST_ALIKE <= alike <= 1:
        raise InvalidRequest(f"alike is {alike}; it can be {LEAST_ALIKE} to 1.")
    if not 0 <= limit <= MAX_GROUPS or offset < 0:
        raise InvalidRequest(f"limit must be 0 to {MAX_GROUPS:,} and offset 0 or more.")
    if by not in get_args(By):
        raise InvalidRequest(f"by is {by!r}; it can be {' or '.join(get_args(By))}.")
    where, params = compile_filter(filter) if filter is not None else (filtered.ALL, [])
    with library.catalog().snapshot() as snapshot:
        connection = snapshot.connection
        found: list[_Found] = []
        unseen = 0
        for kind, read in _READ.items():
            rows = sketched.sketches(connection, kind, where, params)
            if by == "copies":
                unseen += sum(one.sketch is None for one in rows)
                found += _among([(one.row, one.sketch) for one in rows if one.sketch], read, alike)
            elif kind == WORDS:
                found += _meaning_the_same(connection, [one.row for one in rows], where, params, alike)
        found.sort(key=lambda group: (-len(group.others), group.keep))
        shown = tuple(_group(connection, group) for group in found[offset : offset + limit])
    return Duplicates(shown, len(found), sum(len(group.others) for group in found), unseen)


def _among(rows: Sequence[tuple[int, str]], read: Callable[[Sequence[str]], Sketches], alike: float) -> list[_Found]:
    ids = np.array([row for row, _ in rows], np.int64)
    return [
        _Found(int(ids[one.keep]), ids[one.others].tolist(), one.alike.tolist(), one.same.tolist())
        for one in groups(read([sketch for _, sketch in rows]), alike)
    ]


def _meaning_the_same(
    connection: Connection, order: Sequence[int], where: str, params: Sequence[Any], alike: float
) -> list[_Found]:
    """Return groups of texts that mean the same, in each space of texts by itself.

    Args:
        order: the row ids of the documents, what is rather kept first.
    """
    found: list[_Found] = []
    seen: set[int] = set()
    places = {row: place for place, row in enumerate(order)}
    for space in active_spaces(connection):
        if space.medium != WORDS:
            continue
        rows, vectors = document_vectors(connection, space, where, params)
        kept = np.array([place for place, row in enumerate(rows.tolist()) if row not in seen], np.int64)
        kept = kept[np.argsort([places[row] for row in rows[kept].tolist()], kind="stable")]
        rows, meanings = rows[kept], Meanings(vectors[kept], PARAPHRASES.get(space.model, SAME))
        seen.update(rows.tolist())
        found += [
            _Found(int(rows[one.keep]), rows[one.others].tolist(), one.alike.tolist(), one.same.tolist())
            for one in groups(meanings, alike, pairs(meanings.vectors, meanings.least(alike)))
        ]
    return found


def _group(connection: Connection, found: _Found) -> Group:
    order = sorted(range(len(found.others)), key=lambda place: -found.alike[place])[:MAX_COPIES]
    ids = [found.keep, *(found.others[place] for place in order)]
    sizes = sketched.file_sizes(connection, ids)
    keep, *others = filtered.listing(connection, ids)
    copies = (
        Copy(document, found.alike[place], found.same[place], sizes.get(found.others[place]))
        for document, place in zip(others, order, strict=True)
    )
    return Group(Copy(keep, 1.0, True, sizes.get(found.keep)), tuple(copies), len(found.others))
