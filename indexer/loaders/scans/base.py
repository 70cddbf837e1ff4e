"""What reads the pictures of pages: an engine is a module here, and a row in `indexer/loaders/scans/engines.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text in a picture.

    Args:
        box: left, top, right and bottom as shares (0..1) of the picture's width and height, as it is given, unturned.
        confidence: 0..1, how sure the engine is.
        paragraph: the number of its paragraph; lines come in the order that they are to be read in.
    """

    text: str
    box: tuple[float, float, float, float]
    confidence: float
    paragraph: int


class Engine(Protocol):
    """Reads text in pictures; making one loads nothing.

    Attributes:
        name: what a library remembers it by.
        reads: the languages that it reads here, as ISO 639-2 codes such as `kor`.
        version: changes whenever it may read something else in the same picture.
    """

    name: str

    @property
    def version(self) -> str:
        """What it is, "" where it is not installed."""
        ...

    @property
    def reads(self) -> Sequence[str]:
        """The languages that it reads here."""
        ...

    @property
    def lacks(self) -> Sequence[str]:
        """What it can't do here, and what would help, as sentences without an end."""
        ...

    def read(self, picture: Image.Image, *, sparse: bool = False) -> list[TextLine]:
        """Read a picture, grey or RGB, whichever way up it is.

        Args:
            sparse: it is no page: a few words may stand anywhere in it, among much that looks like some.

        Raises:
            FileMalformed: it can't be read; what is no text is no error.
        """
        ...
