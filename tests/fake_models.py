"""Libraries that embed by `FakeTextEncoder`: for tests in which meaning does not matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

import search.encoders.text
from search.encoders.fake import FakeTextEncoder
from search.types import Vectors

DIMENSION = 16


class CountingEncoder(FakeTextEncoder):
    """A fake encoder that keeps what it was given to embed."""

    def __init__(self, name: str, max_tokens: int, broken: Mapping[str, float]) -> None:
        super().__init__(DIMENSION, max_tokens=max_tokens, name=name, broken=broken)
        self.embedded: list[str] = []

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        self.embedded += texts
        return super().encode_documents(texts)


class FakeModels:
    """Stands in for every text model. A name such as `short@24` has 24 tokens at most, other names have 254.

    Args:
        broken: texts that get a constant vector of this value.
    """

    def __init__(self, broken: Mapping[str, float] | None = None) -> None:
        self.broken = dict(broken or {})
        self.loaded: dict[str, CountingEncoder] = {}
        self.on_load: Callable[[str], None] = lambda name: None

    def load_text_encoder(
        self,
        name: str = "default",
        *,
        prepare: bool = False,
        progress: Callable[[str], None] | None = None,
        threads: int | None = None,
    ) -> CountingEncoder:
        """Stand in for `search.encoders.text.load_text_encoder`."""
        self.on_load(name)
        if name not in self.loaded:
            _, _, tokens = name.partition("@")
            self.loaded[name] = CountingEncoder(name, int(tokens or 254), self.broken)
        return self.loaded[name]

    @property
    def embedded(self) -> list[str]:
        """All texts that were embedded, by any model."""
        return [text for encoder in self.loaded.values() for text in encoder.embedded]

    def install(self, monkeypatch: pytest.MonkeyPatch) -> FakeModels:
        """Take the place of real models."""
        monkeypatch.setattr(search.encoders.text, "load_text_encoder", self.load_text_encoder)
        return self
