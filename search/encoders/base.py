"""What encoders are. Queries and documents are encoded apart: models may treat them differently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from quarry.search.models.cards import Card
from quarry.search.models.image_cards import ImageCard
from quarry.search.types import Pixels, Preprocessing, Vectors

AnyCard = TypeVar("AnyCard", Card, ImageCard)


class OfCard(Generic[AnyCard]):
    """What an encoder says of itself by its card alone."""

    card: AnyCard

    @property
    def identity(self) -> str:
        """What the vectors are made by."""
        return self.card.identity

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.card.dimension


class TextEncoder(Protocol):
    """Text -> unit vectors, (n, dimension) float32, rows of length 1; never NaN, a text that gives one is an error.

    `identity` names everything that changes a vector (weights hash, pooling, prefixes, preprocessing, length); two
    encoders of the same identity are interchangeable. Precision and device are not part of it.
    `max_tokens` is how many content tokens (without the special ones and the document prefix) one text may have
    before it would be truncated.
    """

    card: Card

    @property
    def identity(self) -> str:
        """What changes when a vector would."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Content tokens that one document may have."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encode what is looked for, with the model's query prefix."""
        ...

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Encode what is searched, with the model's document prefix."""
        ...

    def token_offsets(self, text: str) -> NDArray[np.int64]:
        """(n, 2) character offsets of the content tokens of `text`, in order, however long it is."""
        ...


class ImageEncoder(Protocol):
    """Pictures and texts -> unit vectors of one space, (n, dimension) float32, rows of length 1, never NaN.

    `identity` is as in `TextEncoder`: it names everything that changes a vector, of a picture or of a text. Either
    tower is loaded when it is first used: a search by words needs no image tower.
    """

    card: ImageCard

    @property
    def identity(self) -> str:
        """What changes when a vector would."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    @property
    def preprocessing(self) -> Preprocessing:
        """The size and cut of the pixels that `encode_pictures` takes."""
        ...

    def encode_pictures(self, pixels: Sequence[Pixels]) -> Vectors:
        """Encode pictures, each (height, width, 3) uint8 as `preprocessing` says."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode what pictures are looked for by; a long text is cut at its end."""
        ...

    def as_text_query(self, vector: Vectors, text_identity: str) -> Vectors | None:
        """Return the (d',) unit vector by which passages are found that say what a picture, (d,), shows.

        None where the space of the text model `text_identity` can't be reached from this one.
        """
        ...
