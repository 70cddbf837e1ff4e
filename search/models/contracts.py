"""Contracts: what a model of each kind does for its callers. Many threads may share one.

Queries and documents are encoded apart: models may treat them differently.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import ModelError
from quarry.search.models.card import Card
from quarry.search.models.image.card import ImageCard
from quarry.search.models.pair.card import PairCard
from quarry.search.models.text.card import TextCard
from quarry.search.types import Pixels, Preprocessing, Reading, Vectors

AnyCard = TypeVar("AnyCard", TextCard, ImageCard)
HeatMap = NDArray[np.float32]


class OfCard(Generic[AnyCard]):
    """What an encoder says of itself by its card alone."""

    card: AnyCard

    @cached_property
    def identity(self) -> str:
        """What the vectors are made by."""
        return self.card.identity

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.card.dimension

    def as_query(self, vector: Vectors) -> Vectors:
        """Return the (d,) unit vector by which what is like something of this space is found in it."""
        return vector

    def as_text_query(self, vector: Vectors, text_identity: str) -> Vectors | None:
        """Return None: from this space no other one is reached."""
        return None


@dataclass(frozen=True, slots=True)
class TokenStates:
    """What a text's vector adds up from: a part for each token, where a model takes their mean.

    Args:
        offsets: (n, 2) places of the tokens in the text, start and end the same for those that stand for no part of it.
        parts: (n, d), whose sum is the vector.
    """

    offsets: NDArray[np.int64]
    parts: Vectors


@dataclass(frozen=True, slots=True)
class PatchShares:
    """What a picture's cosine to a query adds up from.

    Args:
        shares: (rows, columns), those of its patches, from the upper left.
        beyond: what belongs to no patch, by what it is.
    """

    shares: NDArray[np.float64]
    beyond: Mapping[str, float]


class Encoder(Protocol):
    """What is looked for, and things of one medium -> unit vectors of one space, (n, dimension) float32, never NaN.

    `identity` names everything that changes a vector (weights hash, pooling, prefixes, preprocessing, length); two
    encoders of the same identity are interchangeable. Precision and device are not part of it.
    """

    @property
    def card(self) -> Card:
        """What is known of the model."""
        ...

    @property
    def identity(self) -> str:
        """What changes when a vector would."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encode what is looked for, as the model wants to be asked: with its prefix, or as a caption."""
        ...

    def as_query(self, vector: Vectors) -> Vectors:
        """Return the (d,) unit vector by which what is like something of this space, (d,), is found in it."""
        ...

    def as_text_query(self, vector: Vectors, text_identity: str) -> Vectors | None:
        """Return the (d',) unit vector by which texts are found that say what something of this space, (d,), is.

        None where the space of the text model `text_identity` can't be reached from this one.
        """
        ...


class TextEncoder(Encoder, Protocol):
    """An encoder of texts.

    `max_tokens` is how many content tokens (without the special ones and the document prefix) one text may have
    before it would be truncated.
    """

    card: TextCard

    @property
    def max_tokens(self) -> int:
        """Content tokens that one document may have."""
        ...

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Encode what is searched, with the model's document prefix."""
        ...

    def token_states(self, text: str) -> TokenStates | None:
        """What the vector of a document's text of at most `max_tokens` adds up from; None where that is not known."""
        ...

    def token_offsets(self, text: str) -> NDArray[np.int64]:
        """(n, 2) character offsets of the content tokens of `text`, in order, however long it is."""
        ...


class ImageEncoder(Encoder, Protocol):
    """An encoder of pictures, and of texts beside them.

    Either tower is loaded when it is first used: a search by words needs no image tower.
    """

    card: ImageCard

    @property
    def preprocessing(self) -> Preprocessing:
        """The size and cut of the pixels that `encode_pictures` takes."""
        ...

    def encode_pictures(self, pixels: Sequence[Pixels]) -> Vectors:
        """Encode pictures, each (height, width, 3) uint8 as `preprocessing` says."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode captions; a long text is cut at its end."""
        ...

    def patch_shares(self, pixels: Pixels, query: Vectors) -> PatchShares | None:
        """Split a picture's cosine to a (d,) query into shares; None where the tower does not let it be told."""
        ...

    @property
    def map_preprocessing(self) -> Preprocessing | None:
        """The size and cut of the pixels that `heat_map` takes; None where the tower does not let it be told."""
        ...

    def heat_map(self, pixels: Pixels, query: Vectors) -> HeatMap:
        """Tell how much of a (d,) query each part of a picture shows, (rows, columns), from the upper left.

        Its numbers are comparable from picture to picture, and what is above 0 is more than by chance.
        """
        ...


class OfImageCard(OfCard[ImageCard], ABC):
    """What an image encoder says of itself by its card alone, and what follows from how it encodes captions."""

    @property
    def preprocessing(self) -> Preprocessing:
        """The size and cut of the pixels that it takes."""
        return self.card.preprocessing

    @property
    def map_preprocessing(self) -> Preprocessing | None:
        """Return None: where in a picture something is seen is known of the embedded model alone."""
        return None

    def heat_map(self, pixels: Pixels, query: Vectors) -> HeatMap:
        """Raise `ModelError`, unless `map_preprocessing` says how pixels are to be for it."""
        raise ModelError(f"the image model {self.card.name} does not tell where in a picture something is.")

    @abstractmethod
    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode captions, (n, dimension)."""

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encode what pictures are looked for by, (n, dimension)."""
        return self.encode_texts([as_caption(text) for text in texts])

    def as_query(self, vector: Vectors) -> Vectors:
        """Return the (d,) unit vector by which pictures are found that show what one does."""
        return self.card.as_query(vector)


def as_caption(text: str) -> str:
    """Put a single word as a caption would, since image models were trained on captions."""
    return f"a {text}" if text.isascii() and text.isalpha() else text


class Reader(Protocol):
    """Question and passages -> spans that answer it (extractive question answering).

    A passage longer than the model's input is read in windows that overlap. Many threads may share a reader.
    """

    card: PairCard

    def read(self, question: str, passages: Sequence[str], count: int = 1) -> list[list[Reading]]:
        """Return for each passage its best spans that do not overlap, best first, at most `count`, [] for none.

        The score of the first span, above 0 or not, says whether the reader would rather answer than decline.

        Raises:
            InvalidRequest: the question is longer than the model's input leaves room for.
            ModelError: the model gives no usable numbers.
        """
        ...


class CrossEncoder(Protocol):
    """Query and passages -> how well each passage fits it. Many threads may share one."""

    card: PairCard

    def score(self, query: str, passages: Sequence[str]) -> NDArray[np.float32]:
        """Return (n,) logits, higher is better; a passage that is too long counts by the best of its windows.

        Raises:
            InvalidRequest: the query is longer than the model's input leaves room for.
            ModelError: the model gives no usable numbers.
        """
        ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked to write; how its parts are put together is the model's affair.

    Args:
        instruction: what to do.
        text: what to do it with. It comes from documents: what would end the model's turn in it is taken apart.
        cue: what a causal model that knows no conversation goes on from, such as `Answer:`.
        stops: where such a model is cut off, since it would go on with a text of its own.
        task: as models name what they were made for, such as `summarization`. A sequence-to-sequence model is then
            given the text after its own prefix for the task, without the instruction, which it would take for text.
    """

    instruction: str
    text: str
    cue: str = ""
    stops: tuple[str, ...] = ()
    task: str = ""


class WritingModel(Protocol):
    """Prompt -> text, the same at every time. Many threads may share a writer; it writes one text at a time."""

    name: str

    def room(self, max_tokens: int) -> int:
        """Return how many tokens a prompt may have where `max_tokens` are to be written, below 1 where none may."""
        ...

    def count(self, prompt: Prompt) -> int:
        """Return how many tokens the whole of `prompt` is to this model."""
        ...

    def write(self, prompt: Prompt, max_tokens: int) -> Generator[str, None, None]:
        """Write at most `max_tokens` tokens, piece by piece; closing the generator ends the writing.

        Raises:
            InvalidRequest: the prompt has more tokens than `room(max_tokens)`; nothing is cut.
            ModelError: the model fails while it writes.
        """
        ...
