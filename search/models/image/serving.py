"""Image encoders: a prepared model on ONNX Runtime, or the original itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import ModelDamaged, ModelError
from quarry.search.models import prepared as models
from quarry.search.models.contracts import HeatMap, ImageEncoder, OfImageCard, PatchShares, TextEncoder
from quarry.search.models.image import heat
from quarry.search.models.image.card import ImageCard
from quarry.search.models.image.cleaning import clean
from quarry.search.models.image.embedded import CARD as EMBEDDED
from quarry.search.models.image.original import ImageOriginal, load
from quarry.search.models.image.patches import Patches
from quarry.search.models.runtime import Session, available_cores, each, open_session
from quarry.search.models.text import serving as text_serving
from quarry.search.models.text import source as text_source
from quarry.search.models.tokenizing import encodable, open_tokenizer
from quarry.search.types import Pixels, Preprocessing, Vectors


def serve(
    ready: models.Prepared[ImageCard], *, threads: int | None = None, text_encoder: TextEncoder | None = None
) -> ImageEncoder:
    """Return the encoder of a prepared model; either of its towers is opened when it is first used.

    Args:
        threads: how many pictures or texts are encoded at once; as many as there are cores where None.
        text_encoder: a live one, to be shared where the model's text tower is that very text model.

    Raises:
        ModelMissing, ModelDamaged: the original, where that serves, can't be loaded.
    """
    if ready.precision == "torch":
        return TorchImageEncoder(ready, text_encoder=text_encoder)
    return OnnxImageEncoder(ready, threads=threads, text_encoder=text_encoder)


class OnnxImageEncoder(OfImageCard):
    """A prepared model as an `ImageEncoder`.

    Pictures and texts are run one at a time, on as many threads as asked for, so that a vector never depends on what
    it is encoded with. Threads may share one encoder.
    """

    def __init__(
        self,
        ready: models.Prepared[ImageCard],
        *,
        threads: int | None = None,
        text_encoder: TextEncoder | None = None,
    ) -> None:
        self.card = ready.card
        self.precision = ready.precision
        self.notice = ready.notice
        self._ready = ready
        self._threads = max(1, threads or available_cores())
        self._visual: Session | None = None
        self._patches: Patches | None = None
        self._heat: heat.HeatMaps | None = None
        self._visual_lock = threading.Lock()
        self._texts: Callable[[Sequence[str]], Vectors] | None = None
        self._texts_lock = threading.Lock()
        self._matrix: NDArray[np.float32] | None = None
        self._text_encoder = text_encoder

    def encode_pictures(self, pixels: Sequence[Pixels]) -> Vectors:
        """Encode pictures, each (height, width, 3) uint8, into (n, dimension).

        Raises:
            ModelError: pixels are not of that shape, or the model gives a picture no usable vector.
            ModelDamaged: a file is not what was written when the model was prepared.
        """
        check_pixels(self.card, pixels)
        with self._visual_lock:
            if self._visual is None:
                self._visual = open_session(self._ready.checked(models.VISUAL), convolutions=True)
            session = self._visual
        vectors = np.empty((len(pixels), self.dimension), np.float32)

        def encode(position: int) -> None:
            vectors[position] = session.run(None, {"pixels": pixels[position][None]})[0][0]

        each(len(pixels), self._threads, encode)
        return checked(self.card, vectors, "a picture")

    def patch_shares(self, pixels: Pixels, query: Vectors) -> PatchShares | None:
        """Split a picture's cosine to a query; None of any model but the embedded one.

        Raises:
            ModelError, ModelDamaged: as `encode_pictures` does.
        """
        if self.card.identity != EMBEDDED.identity:
            return None
        check_pixels(self.card, [pixels])
        with self._visual_lock:
            if self._patches is None:
                self._patches = Patches(self._ready.checked(models.VISUAL).read_bytes())
            patches = self._patches
        return patches.shares(pixels, query)

    @property
    def map_preprocessing(self) -> Preprocessing | None:
        """The size and cut of the pixels that `heat_map` takes; None of any model but the embedded one."""
        return heat.PREPROCESSING if self.card.identity == EMBEDDED.identity else None

    def heat_map(self, pixels: Pixels, query: Vectors) -> HeatMap:
        """Tell how much of a query each part of a picture shows, (14, 14).

        Raises:
            ModelError, ModelDamaged: as `encode_pictures` does; ModelError of any model but the embedded one.
        """
        preprocessing = self.map_preprocessing
        if preprocessing is None:
            return super().heat_map(pixels, query)
        check_pixels(self.card, [pixels], preprocessing)
        with self._visual_lock:
            if self._heat is None:
                self._heat = heat.HeatMaps(self._ready.checked(models.VISUAL).read_bytes())
            maps = self._heat
        return maps.of(pixels, query)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode texts, (n, dimension); what is longer than the context is cut at its end.

        Raises:
            ModelError: the model gives a text no usable vector.
            ModelDamaged: a file is not what was written when the model was prepared.
        """
        with self._texts_lock:
            if self._texts is None:
                self._texts = (
                    projected(self.card, self._projection(), self._text_encoder, self._threads)
                    if self.card.text_tower
                    else self._textual()
                )
            encode = self._texts
        return checked(self.card, encode(texts), "a text")

    def as_text_query(self, vector: Vectors, text_identity: str) -> Vectors | None:
        """Return the vector by which passages are found that say what a picture, (d,), shows; None for another model.

        Raises:
            ModelDamaged: the projection is not what was written when the model was prepared.
        """
        if not self.card.text_tower or text_identity != self.card.text_identity:
            return None
        return back_projected(vector, self._projection())

    def _textual(self) -> Callable[[Sequence[str]], Vectors]:
        tokenizer = open_tokenizer(self._ready)
        session = open_session(self._ready.checked(models.TEXTUAL))

        def encode(texts: Sequence[str]) -> Vectors:
            vectors = np.empty((len(texts), self.dimension), np.float32)

            def encode_one(position: int) -> None:
                ids = tokenizer.encode(clean(self.card.clean, encodable(texts[position]))).ids
                vectors[position] = session.run(None, {"input_ids": np.asarray([ids], np.int64)})[0][0]

            each(len(texts), self._threads, encode_one)
            return vectors

        return encode

    def _projection(self) -> NDArray[np.float32]:
        if self._matrix is None:
            path = self._ready.checked(models.PROJECTION)
            try:
                self._matrix = np.load(path, allow_pickle=False)
            except (OSError, ValueError) as error:
                raise ModelDamaged(f"{path} is unusable ({error}); {models.mend(self.card)}.") from error
        return self._matrix


class TorchImageEncoder(OfImageCard):
    """An `ImageEncoder` of a model that can't be exported: open_clip itself, slower and larger.

    `notice` says why it is used; loading it takes seconds.

    Both towers are loaded with it. Pictures and texts are encoded one at a time, so that a vector does not depend on
    what it is encoded with.
    """

    precision = "torch"

    def __init__(self, ready: models.Prepared[ImageCard], *, text_encoder: TextEncoder | None = None) -> None:
        card = self.card = ready.card
        self.notice = ready.notice
        self._original: ImageOriginal = load(card)
        self._texts: Callable[[Sequence[str]], Vectors] = self._original.encode_texts
        if self._original.projection is not None:
            self._texts = projected(card, self._original.projection, text_encoder)
        self._lock = threading.Lock()

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

    def patch_shares(self, pixels: Pixels, query: Vectors) -> PatchShares | None:
        """Return None: what the original works out on the way is not known."""
        return None

    def as_text_query(self, vector: Vectors, text_identity: str) -> Vectors | None:
        """Return the vector by which passages are found that say what a picture, (d,), shows; None without one."""
        if self._original.projection is None or text_identity != self.card.text_identity:
            return None
        return back_projected(vector, self._original.projection)


def projected(
    card: ImageCard, projection: NDArray[np.float32], text_encoder: TextEncoder | None, threads: int | None = None
) -> Callable[[Sequence[str]], Vectors]:
    """Return what encodes texts by a text model and `projection`, (its dimension, the card's).

    Args:
        card: names the text model.
        projection: what query vectors are multiplied by.
        text_encoder: is taken if it is that model's; otherwise that model is loaded.
        threads: for one that is loaded.

    Raises:
        ModelMissing: that model is not prepared.
        ModelDamaged: its files are not what they should be, or it is not the card's.
    """
    if text_encoder is None or text_encoder.identity != card.text_identity:
        tower_card = text_source.resolve(card.text_tower)
        text_encoder = text_serving.serve(models.ready(tower_card), threads=threads)
    width = card.dimension - (2 if card.text_constant else 0)
    if text_encoder.identity != card.text_identity or projection.shape != (text_encoder.dimension, width):
        raise ModelDamaged(f"{card.name} was made for another {card.text_tower} than this one; {models.mend(card)}.")
    tower = text_encoder

    def encode(texts: Sequence[str]) -> Vectors:
        # Each alone: a product of matrices rounds differently than that of a vector and a matrix.
        rows = [vector @ projection for vector in tower.encode_queries(texts)]
        vectors = np.asarray(rows, np.float32).reshape(-1, width)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return card.with_constant(vectors / np.maximum(lengths, np.float32(1e-12)))

    return encode


def back_projected(vector: Vectors, projection: NDArray[np.float32]) -> Vectors:
    """Return the unit vector, (d',), whose product with a text's vector ranks as `vector`, (d,), with its projection.

    (text @ projection) @ vector = text @ (projection @ vector), but for the length of the projected text. A picture's
    bias says nothing about texts.
    """
    back = projection @ vector[: projection.shape[1]]
    unit: Vectors = back / np.maximum(np.linalg.norm(back), np.float32(1e-12))
    return unit


def check_pixels(card: ImageCard, pixels: Sequence[Pixels], preprocessing: Preprocessing | None = None) -> None:
    """Refuse pixels of another size or type than the model takes.

    Args:
        preprocessing: the card's where None.

    Raises:
        ModelError: they are.
    """
    asked = preprocessing or card.preprocessing
    shape = (asked.height, asked.width, 3)
    for picture in pixels:
        if picture.shape != shape or picture.dtype != np.uint8:
            raise ModelError(
                f"the image model {card.name} takes pixels of {shape} uint8, not {picture.shape} {picture.dtype}: "
                "fit pictures to its preprocessing."
            )


def checked(card: ImageCard, vectors: Vectors, what: str) -> Vectors:
    """Return (n, d) vectors whose length is 1.

    Raises:
        ModelError: one has another length, or is not finite.
    """
    lengths = np.einsum("ij,ij->i", vectors, vectors)
    if not np.all(np.abs(lengths - 1.0) < 1e-3):  # also true of NaN
        raise ModelError(f"the image model {card.name} gives no usable vector for {what}.")
    return vectors
