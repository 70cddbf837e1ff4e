"""What hits are to be like, of one library, in the others: its words, or how it looks.

A library has no vector of what it does not hold, and another one's may be of another model. So what is like a passage
is looked for by its words, which the same model makes nearly the same vector of, and what is like a picture by its
small picture.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from quarry.api.federation.merging import SEPARATOR
from quarry.api.library import Library
from quarry.search.errors import InvalidRequest, LibraryUnreachable, NotFound
from quarry.search.queries.query import Liked, Query, SearchOptions
from quarry.search.stores.lookups import hit_rows
from quarry.search.types import MAX_QUERY_CHARACTERS, WORDS, Document
from quarry.search.values.notes import Note

WORDS_OF = 2_000  # characters of what hits are to be like: a model reads no more of it
_MINUS = re.compile(r"(?<!\S)-+")  # which says in a query that a word is not wanted

References = Mapping[str, tuple[list[Liked], list[Liked]]]  # like and unlike, by the library


class Holds(Protocol):
    """What has documents."""

    def get(self, id: str) -> Document:
        """Return a document; raise `NotFound` where there is none."""
        ...

    def text(self, id: str) -> str:
        """Return the text of a document."""
        ...

    def thumbnail(self, id: str) -> bytes:
        """Return the small picture of a document."""
        ...


@dataclass(frozen=True, slots=True)
class Example:
    """What something of a library says, or how it looks; "" and b"" where that is not known."""

    words: str = ""
    picture: bytes = b""


def references(query: Query, libraries: Mapping[str, Holds]) -> References:
    """Return what hits are to be like and unlike, by the name of the library that has it, with its own ids.

    Raises:
        InvalidRequest: an id names none of the libraries.
    """
    found: dict[str, tuple[list[Liked], list[Liked]]] = {}
    for side, named in enumerate(query.feedback):
        for one in named:
            library, _, id = one.id.partition(SEPARATOR)
            if library not in libraries or not id:
                raise InvalidRequest(
                    f"{one.id!r} names no library: of several, write LIBRARY/ID, where LIBRARY is "
                    f"{' or '.join(libraries)}."
                )
            found.setdefault(library, ([], []))[side].append(Liked(id, one.strength))
    return found


def example_of(library: Holds, id: str) -> Example:
    """Return what a document or hit of a library says, or how it looks.

    Raises:
        NotFound: a library of this machine has none of that id.
    """
    try:
        document = library.get(id)
        if document.kind == WORDS:
            return Example(words=library.text(id))
        return Example(picture=library.thumbnail(id))
    except LibraryUnreachable:
        return Example()
    except NotFound:
        if not isinstance(library, Library):  # a hit of another server, whose passages have no address
            return Example()
        if not (id.isascii() and id.isdecimal() and len(id) < 19):
            raise
    with library.catalog().snapshot() as snapshot:
        rows = hit_rows.hydrate(snapshot.connection, [int(id)])
    if int(id) not in rows:
        raise NotFound(f"There is no document or hit {id}.")
    passage, document = rows[int(id)]
    return Example(passage.text) if document.kind == WORDS else Example(picture=library.thumbnail(document.id))


def elsewhere(
    query: Query,
    text: str,
    library: str,
    of: References,
    examples: Sequence[Example],
) -> tuple[str, SearchOptions] | None:
    """Return what a library is asked in place of what hits of others are to be like; None for nothing at all."""
    liked, unliked = of.get(library, ([], []))
    options: SearchOptions = {"like": tuple(liked), "unlike": tuple(unliked)}
    if liked or not examples:
        return text, options
    said = " ".join(_MINUS.sub(" ", one.words[:WORDS_OF]) for one in examples)
    words = f"{text} {said}".strip()[:MAX_QUERY_CHARACTERS]
    picture = next((one.picture for one in examples if one.picture), None)
    if not words and picture is None:
        return None
    if picture is not None:
        options["picture"] = picture
    elif not text:
        options["mode"] = "semantic"
    return words, options


def told(of: References, examples: Sequence[Example]) -> tuple[Note, ...]:
    """Say that what was named was looked for in other libraries by what it says, or not at all."""
    named = [(library, one.id) for library, (liked, _) in of.items() for one in liked]
    notes = []
    for (library, id), example in zip(named, examples, strict=True):
        values = {"library": library, "id": id}
        if example.words or example.picture:
            what = "words" if example.words else "small picture"
            said = f"What is like {library}{SEPARATOR}{id} was looked for in other libraries by its {what}."
            notes.append(Note("like_by_words", said, values))
        else:
            said = (
                f"What is like {library}{SEPARATOR}{id} was not looked for in other libraries: only {library} has it."
            )
            notes.append(Note("like_elsewhere", said, values))
    return tuple(notes)
