"""Encoders without a model, for tests in which meaning does not matter."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from quarry.search.models.contracts import OfCard, OfImageCard
from quarry.search.models.image.card import ImageCard
from quarry.search.models.text.card import TextCard
from quarry.search.types import Pixels, Preprocessing, Vectors

_TOKENS = re.compile(r"\w+|[^\w\s]")


class FakeTextEncoder(OfCard[TextCard]):
    """A `TextEncoder` whose tokens are words and signs, and whose vectors are sums of the words' pseudo-random ones.

    The same text always gets the same vector, and texts that share words are near each other. Nothing is loaded.

    Args:
        dimension: of the vectors.
        max_tokens: as `TextEncoder.max_tokens`; longer texts are cut.
        name: goes into the identity, so that two names are two models.
        broken: texts that get a constant vector of this value instead, such as NaN, infinity or 0, as no real encoder
            may return them: for tests of what keeps such vectors out.
    """

    precision = "fake"
    notice = ""

    def __init__(
        self,
        dimension: int = 384,
        *,
        max_tokens: int = 254,
        name: str = "fake",
        broken: Mapping[str, float] | None = None,
    ) -> None:
        self.card = TextCard(
            name=name,
            family="fake",
            sha256=hashlib.sha256(name.encode()).hexdigest(),
            dimension=dimension,
            max_tokens=max_tokens,
        )
        self._broken = dict(broken or {})

    @property
    def max_tokens(self) -> int:
        """Most tokens that a text may have before it is cut."""
        return self.card.max_tokens

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encode queries, (n, dimension)."""
        return self._encode(texts)

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Encode passages, (n, dimension); a query of the same words gets the same vector."""
        return self._encode(texts)

    def token_offsets(self, text: str) -> NDArray[np.int64]:
        """Return (n, 2) character offsets of the words and signs of `text`."""
        return np.asarray([match.span() for match in _TOKENS.finditer(text)], np.int64).reshape(-1, 2)

    def _encode(self, texts: Sequence[str]) -> Vectors:
        vectors = np.empty((len(texts), self.dimension), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            if text in self._broken:
                row[:] = self._broken[text]
                continue
            words = [word.casefold() for word in _TOKENS.findall(text)[: self.max_tokens]] or [""]
            row[:] = np.sum([_word_vector(word, self.dimension) for word in words], axis=0)
            row /= np.linalg.norm(row)
        return vectors


class FakeImageEncoder(OfImageCard):
    """An `ImageEncoder` whose vectors are made of a picture's colours in sixteen places; texts are `FakeTextEncoder`'s.

    The same pixels always get the same vector, and pictures that look alike are near each other. Nothing is loaded.

    Args:
        dimension: of the vectors.
        size: of the pixels, both sides.
        name: goes into the identity, so that two names are two models.
        broken: colours (red, green, blue); a picture with one of them in its middle gets a constant vector of this
            value instead, such as NaN.
    """

    precision = "fake"
    notice = ""

    def __init__(
        self,
        dimension: int = 384,
        *,
        size: int = 32,
        name: str = "fake-image",
        broken: Mapping[tuple[int, int, int], float] | None = None,
    ) -> None:
        self.card = ImageCard(
            name=name,
            family="fake",
            dimension=dimension,
            preprocessing=Preprocessing(size, size, "squash"),
            sha256=hashlib.sha256(name.encode()).hexdigest(),
        )
        self._texts = FakeTextEncoder(dimension, name=name)
        self._broken = dict(broken or {})

    def encode_pictures(self, pixels: Sequence[Pixels]) -> Vectors:
        """Encode pictures, (n, dimension)."""
        vectors = np.empty((len(pixels), self.dimension), np.float32)
        for row, picture in zip(vectors, pixels, strict=True):
            height, width, _ = picture.shape
            middle = tuple(picture[height // 2, width // 2].tolist())
            if middle in self._broken:
                row[:] = self._broken[middle]
                continue
            colours = picture[height // 8 :: height // 4, width // 8 :: width // 4].reshape(-1) / 128 - 1
            row[:] = _word_vector(self.card.name, self.dimension)
            row += sum(value * _word_vector(f"{place}", self.dimension) for place, value in enumerate(colours))
            row /= np.linalg.norm(row)
        return vectors

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode texts, (n, dimension)."""
        return self._texts.encode_queries(texts)


@lru_cache(maxsize=100_000)
def _word_vector(word: str, dimension: int) -> Vectors:
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    generator = np.random.default_rng(int.from_bytes(digest, "little"))
    return generator.standard_normal(dimension, np.float32)
