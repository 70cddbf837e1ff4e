"""Sounds: recordings of the toy kind, whose every window says in words what is heard in it, and for how long."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Unpack

from quarry.search.errors import FileMalformed
from quarry.search.media.base import Format, Medium
from quarry.search.models.contracts import TextEncoder
from quarry.search.models.fake import FakeTextEncoder
from quarry.search.models.live import How, LiveModels
from quarry.search.queries.query import Query
from quarry.search.types import Parsed, ParsedPart, Vectors
from quarry.search.values.places import Place

if TYPE_CHECKING:
    from quarry.indexer.loaders.base import Source
    from quarry.search.ranking.ranked_list import RankedList
    from quarry.search.views import LibraryView

_WINDOW = re.compile(rb"([\d.]+) ([\d.]+) (.+)")


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document: what is said about it, and a part for each window."""
    caption, *windows = source.read().removeprefix(b"SOUND ").splitlines()
    parts = []
    for window in windows:
        if not (found := _WINDOW.fullmatch(window)):
            raise FileMalformed("a window of it has no beginning and end")
        parts.append(ParsedPart("sound", found[3], Place(seconds=(float(found[1]), float(found[2])))))
    yield Parsed(caption.decode(), source.format.type, parts=tuple(parts))


class Ears(FakeTextEncoder):
    """What hears: sounds, and the words that they are looked for by."""

    def encode_sounds(self, sounds: Sequence[bytes]) -> Vectors:
        """Embed sounds, (n, d)."""
        return self.encode_documents([sound.decode() for sound in sounds])


class Sounds(Medium):
    """The medium of sounds, as bytes."""

    name = "sound"
    one = "sound"
    many = "Sounds"
    ranked_by = __name__
    model = "ears"
    formats = (
        Format(__name__, "audio/x-toy", ("toy",), kind="sound", header=re.compile(b"SOUND "), density=0.0),
    )  # fmt: skip

    def open(self, live: LiveModels, name: str, texts: Callable[[], TextEncoder | None], **how: Unpack[How]) -> Ears:
        """Return ears of that name."""
        return Ears(name=name)

    def encode(self, encoder: Ears, things: Sequence[bytes]) -> Vectors:
        """Embed sounds."""
        return encoder.encode_sounds(things)


def ranked(query: Query, view: LibraryView) -> RankedList:
    """Rank sounds by words, or by another sound."""
    from quarry.search.ranking.ranked_list import RankedList, told
    from quarry.search.ranking.retrievers import InSpace, down_to, together
    from quarry.search.relevance import Calibration

    members = []
    for space in view.of("sound"):
        if space.vectors is not None and query.example is None and query.mode != "lexical":
            members.append(InSpace.by_words(space, query.text))
        elif space.vectors is not None and space.name in (query.example or {}):
            members.append(InSpace(space, (query.example or {})[space.name], space.null))
    if not members:
        return RankedList.empty()
    retriever = together(members)
    found = down_to(query, retriever.nearest)
    relevance = Calibration(-11.0, 1.8).of(retriever.null.distance(found.scores))
    return RankedList(found.ids, found.scores, relevance, told("sound", found))


MEDIUM = Sounds()
