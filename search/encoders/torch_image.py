"""The image encoder of models that can't be exported: open_clip itself, slower and larger."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from quarry.search.encoders.base import OfCard, TextEncoder
from quarry.search.encoders.image import back_projected, check_pixels, checked, projected
from quarry.search.encoders.text import encodable
from quarry.search.models.image_cards import ImageCard
from quarry.search.models.image_originals import Original, load
from quarry.search.types import Pixels, Preprocessing, Vectors


class TorchImageEncoder(OfCard[ImageCard]):
    """An `ImageEncoder` over open_clip. `notice` says why it is used; importing it takes seconds.

    Both towers are loaded with it. Pictures and texts are encoded one at a time, so that a vector does not depend on
    what it is encoded with.
    """

    precision = "torch"

    def __init__(self, card: ImageCard, notice: str = "", *, text_encoder: TextEncoder | None = None) -> None:
        self.card = card
        self.notice = notice
        self._original: Original = load(card)
        self._texts: Callable[[Sequence[str]], Vectors] = self._original.encode_texts
        if self._original.projection is not None:
            self._texts = projected(card, self._original.projection, text_encoder)
        self._lock = threading.Lock()

    @property
    def preprocessing(self) -> Preprocessing:
        """The size and cut of the pixels that `encode_pictures` takes."""
        return self.card.preprocessing

    def encode_pictures(self, pixels: Sequence[Pixels]) -> Vectors:
        """Encode pictures, (n, dimension); ModelError where their shape is wrong or a vector unusable."""
        check_pixels(self.card, pixels)
        with self._lock:
            return checked(self.card, self._original.encode_pictures(pixels), "a picture")

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode texts, (n, dimension); ModelError where the model gives no usable vector."""
        texts = [encodable(text) for text in texts]
        with self._lock:
            return checked(self.card, self._texts(texts), "a text")

    def as_text_query(self, vector: Vectors, text_identity: str) -> Vectors | None:
        """Return the vector by which passages are found that say what a picture, (d,), shows; None without one."""
        if self._original.projection is None or text_identity != self.card.text_identity:
            return None
        return back_projected(vector, self._original.projection)
