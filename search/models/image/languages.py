"""Words in other languages: pictures are found by them through the multilingual text model and a linear map.

The embedded image model's own words are English. What multilingual-e5-small makes of a text, times a matrix, is near to
what MiniLM and the image model make of the same in English: so the text has a place among the pictures, which stay as
they are. English goes its own way, and better, and loads nothing more.

A text is in another language if some of its words are in a script that MiniLM does not know, or if it has a word that
MiniLM knows in parts only, and its language is plainly another (`search.models.identifier`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.language.scripts import knows
from quarry.search.models.contracts import Encoder, HeatMap, ImageEncoder, OfImageCard, PatchShares, TextEncoder
from quarry.search.models.graphs.drawn import shipped_part
from quarry.search.models.identifier import open_identifier
from quarry.search.models.image import embedded
from quarry.search.models.image.card import ImageCard
from quarry.search.models.text import multilingual
from quarry.search.types import Pixels, Preprocessing, Vectors

LANGUAGES = "languages.safetensors"
SHA256 = "a1b147bdccc9d01eb76618e904861cb9a216c14e97077a66bb58f0ed71f41a53"

_KNOWN = 0.8  # of a text's letters, in the model's own scripts: what knows many languages knows English amid others
_ENGLISH = 0.05  # the chance of being English below which a text is not: of 5,000 captions none is
_AMONG = (
    *("en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "no", "fi", "pl", "cs", "tr", "id", "vi", "ro", "hu"),
)  # languages in Latin script that are told apart: of a few words nobody can tell more


@dataclass(frozen=True, slots=True)
class Bridge:
    """The way from the multilingual model's vectors, (n, d), into the space of the pictures: `matrix` (d, d'), `added`.

    Args:
        matrix, added: float16.
    """

    matrix: NDArray[np.float16]
    added: NDArray[np.float16]

    def across(self, vectors: Vectors, card: ImageCard) -> Vectors:
        """Return unit vectors by which pictures are found."""
        # Each alone: a product of matrices rounds differently than that of a vector and a matrix.
        matrix, added = self.matrix.astype(np.float32), self.added.astype(np.float32)
        rows = [vector @ matrix + added for vector in vectors]
        made = np.asarray(rows, np.float32).reshape(-1, len(added))
        return card.with_constant(made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), np.float32(1e-12)))


class InEveryLanguage(OfImageCard):
    """The embedded image model as an `ImageEncoder` that knows words of many languages.

    Args:
        own: the model as it is.
        english: gives the live text model that its words are encoded by, None where that is another.
        many: gives the live multilingual one; raises `ModelError`.
    """

    def __init__(
        self, own: ImageEncoder, english: Callable[[], TextEncoder | None], many: Callable[[], TextEncoder]
    ) -> None:
        scripts = tuple(sorted({*own.card.scripts, *multilingual.CARD.scripts}))
        self.card = replace(own.card, scripts=scripts)
        self._own, self._english, self._many = own, english, many

    def encode_pictures(self, pixels: Sequence[Pixels]) -> Vectors:
        """Encode pictures as the model itself does."""
        return self._own.encode_pictures(pixels)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode captions, each by its language; raise why the multilingual model can't be used."""
        return self._encoded(texts, self._own.encode_texts)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encode what pictures are looked for by, each by its language; raise as `encode_texts` does."""
        return self._encoded(texts, self._own.encode_queries)

    def patch_shares(self, pixels: Pixels, query: Vectors) -> PatchShares | None:
        """Split a picture's cosine to a query as the model itself does."""
        return self._own.patch_shares(pixels, query)

    @property
    def map_preprocessing(self) -> Preprocessing | None:
        """The size and cut of the pixels that the model itself makes a map of."""
        return self._own.map_preprocessing

    def heat_map(self, pixels: Pixels, query: Vectors) -> HeatMap:
        """Tell how much of a query each part of a picture shows as the model itself does."""
        return self._own.heat_map(pixels, query)

    def as_text_query(self, vector: Vectors, text_identity: str) -> Vectors | None:
        """Return what finds passages, as the model itself does."""
        return self._own.as_text_query(vector, text_identity)

    def is_own(self, text: str) -> bool:
        """Whether a text is encoded by the model's own words: one in English, or nobody knows in what."""
        if knows(self._own.card, text) < _KNOWN:
            return False
        english = self._english()
        if english is not None and english.identity == self.card.text_identity:
            words = text.split()
            if len(english.token_offsets(text)) <= len(words):
                return True
        return bool(dict(self._identifier.rank(text.lower()))["en"] >= _ENGLISH)

    def _encoded(self, texts: Sequence[str], own: Callable[[Sequence[str]], Vectors]) -> Vectors:
        rows = [self.is_own(text) for text in texts]
        if all(rows):
            return own(texts)
        vectors = np.empty((len(texts), self.dimension), np.float32)
        vectors[rows] = own([text for text, is_own in zip(texts, rows, strict=True) if is_own])
        others = [text for text, is_own in zip(texts, rows, strict=True) if not is_own]
        vectors[~np.array(rows)] = self._bridge.across(self._many().encode_queries(others), self.card)
        return vectors

    @cached_property
    def _identifier(self) -> Any:
        identifier = open_identifier()
        identifier.set_languages(_AMONG)
        return identifier

    @cached_property
    def _bridge(self) -> Bridge:
        from safetensors.numpy import load_file

        kept = load_file(shipped_part(embedded.model_folder() / LANGUAGES, self.card.name, SHA256))
        return Bridge(kept["matrix"], kept["added"])


def can_learn(encoder: Encoder | None) -> bool:
    """Whether an encoder is the embedded image model's, which the map was made for."""
    return encoder is not None and encoder.identity == embedded.CARD.identity
