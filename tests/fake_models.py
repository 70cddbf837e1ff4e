"""Libraries that embed by fake encoders: for tests in which meaning does not matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

import quarry.search.models.loading
from quarry.search.models.contracts import TextEncoder
from quarry.search.models.fake import FakeImageEncoder, FakeTextEncoder
from quarry.search.types import Pixels, Vectors

DIMENSION = 16


class CountingEncoder(FakeTextEncoder):
    """A fake encoder that keeps what it was given to embed."""

    def __init__(self, name: str, max_tokens: int, broken: Mapping[str, float]) -> None:
        super().__init__(DIMENSION, max_tokens=max_tokens, name=name, broken=broken)
        self.embedded: list[str] = []
        self.on_embed: Callable[[int], object] = lambda count: None

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        self.embedded += texts
        self.on_embed(len(texts))
        return super().encode_documents(texts)

    def _encode(self, texts: Sequence[str]) -> Vectors:
        return np.roll(super()._encode(texts), self.card.name.startswith("turned"), axis=1)


class CountingImageEncoder(FakeImageEncoder):
    """A fake encoder that counts the pictures which it was given to embed."""

    def __init__(self, name: str, size: int, broken: Mapping[tuple[int, int, int], float]) -> None:
        super().__init__(DIMENSION, size=size, name=name, broken=broken)
        self.embedded = 0

    def encode_pictures(self, pixels: Sequence[Pixels]) -> Vectors:
        self.embedded += len(pixels)
        return super().encode_pictures(pixels)


class FakeModels:
    """Stands in for every model. A name such as `short@24` has 24 tokens at most, other names have 254; a name such as
    `turned` gives other vectors.

    An image model such as `large@64` takes 64 x 64 pixels, others take 32 x 32.

    Args:
        broken: texts that get a constant vector of this value.
        broken_pictures: colours in their middle that give pictures such a vector.
    """

    def __init__(
        self,
        broken: Mapping[str, float] | None = None,
        broken_pictures: Mapping[tuple[int, int, int], float] | None = None,
    ) -> None:
        self.broken = dict(broken or {})
        self.broken_pictures = dict(broken_pictures or {})
        self.loaded: dict[str, CountingEncoder] = {}
        self.loaded_images: dict[str, CountingImageEncoder] = {}
        self.on_load: Callable[[str], None] = lambda name: None
        self.on_embed: Callable[[int], object] = lambda count: None

    def load_text_encoder(
        self,
        name: str = "default",
        *,
        prepare: bool = False,
        fetch: bool = True,
        progress: Callable[[str], None] | None = None,
        threads: int | None = None,
    ) -> CountingEncoder:
        """Stand in for `search.models.loading.load_text_encoder`."""
        self.on_load(name)
        if name not in self.loaded:
            _, _, tokens = name.partition("@")
            self.loaded[name] = CountingEncoder(name, int(tokens or 254), self.broken)
            self.loaded[name].on_embed = self.on_embed
        return self.loaded[name]

    def load_image_encoder(
        self,
        name: str = "image",
        *,
        prepare: bool = False,
        fetch: bool = True,
        progress: Callable[[str], None] | None = None,
        threads: int | None = None,
        text_encoder: TextEncoder | None = None,
    ) -> CountingImageEncoder:
        """Stand in for `search.models.loading.load_image_encoder`."""
        self.on_load(name)
        if name not in self.loaded_images:
            _, _, size = name.partition("@")
            self.loaded_images[name] = CountingImageEncoder(name, int(size or 32), self.broken_pictures)
        return self.loaded_images[name]

    @property
    def embedded(self) -> list[str]:
        """All texts that were embedded, by any model."""
        return [text for encoder in self.loaded.values() for text in encoder.embedded]

    def install(self, monkeypatch: pytest.MonkeyPatch) -> FakeModels:
        """Take the place of real models."""
        monkeypatch.setattr(quarry.search.models.loading, "load_text_encoder", self.load_text_encoder)
        monkeypatch.setattr(quarry.search.models.loading, "load_image_encoder", self.load_image_encoder)
        return self
