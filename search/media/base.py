"""What a medium is: all that is of one alone, on the way of its things from files to hits.

A medium is a module of this folder that has a `MEDIUM`, and its name in `KINDS` of `search/types.py`. What its things
are like by chance and when they are relevant is said by the module that ranks them.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from quarry.search.types import Json, Kind

if TYPE_CHECKING:  # the process that parses knows formats, and needs no model
    from typing import Unpack

    from quarry.search.models.contracts import Encoder, TextEncoder
    from quarry.search.models.live import How, LiveModels
    from quarry.search.types import Vectors


@dataclass(frozen=True, slots=True)
class Format:
    """Files that can be read, and how they are known.

    Args:
        loader: the module whose `parse` reads it: one of `indexer/loaders`, or any by its full name.
        type: its media type.
        suffixes: of its files' names, in lower case, without a dot.
        language: of source code.
        kind: what its documents are.
        magic: what its files begin with.
        under: the beginnings of the media types under whose names it is read as what it is, known by its magic.
        header: matches the beginning of each file that is not empty; None where there is nothing that must stand there.
        is_streamed: whether it is read piece by piece, and so may be larger than what is read whole.
        most: bytes of a file that is read whole, where its loader takes many times as much memory; 0 for any other.
        beyond: the loader of those that have more, which reads them piece by piece; "" where they are refused.
        density: characters of text in a byte, before any file was read (`indexer/estimate.py`).
        version: raised when its loader finds more in the same files: these are read again then, of any library.
        needs: the module of an extra that its loader can't do without; "" for none.
        extra: how that is installed.
    """

    loader: str
    type: str
    suffixes: tuple[str, ...]
    language: str = ""
    kind: Kind = "text"
    magic: re.Pattern[bytes] | None = None
    under: tuple[str, ...] = ()
    header: re.Pattern[bytes] | None = None
    is_streamed: bool = False
    most: int = 0
    beyond: str = ""
    density: float = 1.0
    version: int = 1
    needs: str = ""
    extra: str = ""

    def largest(self, whole: int, streamed: int) -> int:
        """Return how many bytes a file may have, where others may that are read whole, or piece by piece."""
        if self.is_streamed or self.beyond:
            return streamed
        return min(whole, self.most or whole)

    def of_size(self, size: int) -> Format:
        """Return the format that a file of so many bytes is read by."""
        return replace(self, loader=self.beyond, is_streamed=True) if self.beyond and size > self.most else self


class Medium(ABC):
    """What documents of a kind consist of, and how it is embedded, kept and found.

    Attributes:
        name: of the medium, of the space of its own model, and of the kind of document.
        one, many: what one thing of it is called, and what several are, at the beginning of a sentence.
        model: the name of the model that embeds it where nobody names one, "" for none.
        weight: how many passages a thing counts for, by the memory that it takes and the time of embedding it.
        ranked_by: the module whose `ranked(query, view)` makes its list.
        formats: of files that hold it; those of texts stand in `indexer/formats.py`.
    """

    name: Kind
    one: str
    many: str
    ranked_by: str
    model: str = ""
    weight: int = 1
    formats: tuple[Format, ...] = ()

    @abstractmethod
    def open(self, live: LiveModels, name: str, texts: Callable[[], TextEncoder | None], **how: Unpack[How]) -> Encoder:
        """Return the encoder called `name`; `texts` gives that of the library's texts, which it may share.

        Raises:
            ModelMissing, ModelDamaged: it can't be used.
        """

    @abstractmethod
    def encode(self, encoder: Any, things: Sequence[Any]) -> Vectors:
        """Embed things, (n, d) unit vectors; a ModelError is that of one of them."""

    def windows(self, encoder: Any, thing: Any) -> Sequence[Any]:
        """Cut a thing into parts that its model takes whole; the vector of several is their mean."""
        return [thing]

    def key(self, thing: Any) -> bytes:
        """Return the 16-byte digest under which the vector of a thing is stored; what is equal is embedded once."""
        header, data = self.packed(thing)
        return hashlib.blake2b(repr(header).encode() + data, digest_size=16).digest()

    def packed(self, thing: Any) -> tuple[Json, bytes]:
        """Take apart, for the way out of the confined child, what a loader has read."""
        return None, bytes(thing)

    def unpacked(self, header: Any, data: bytes) -> Any:
        """Put it together again; ValueError or TypeError where it was not taken apart by `packed`."""
        return data


def medium(name: Kind) -> Medium:
    """Return the medium of that name."""
    found: Medium = import_module(f"quarry.search.media.{name}").MEDIUM
    return found
