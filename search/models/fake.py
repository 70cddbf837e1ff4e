"""Fakes: live models that load nothing, for tests in which meaning does not matter."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import lru_cache
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from quarry.search.models.contracts import OfCard, OfImageCard, PatchShares, Prompt, TextEncoder, TokenStates
from quarry.search.models.image.card import ImageCard
from quarry.search.models.live import How
from quarry.search.models.pair.card import PairCard
from quarry.search.models.text.card import TextCard
from quarry.search.types import Pixels, Preprocessing, Reading, Vectors

DIMENSION = 16  # of `FakeModels`

_TOKENS = re.compile(r"\w+|[^\w\s]")


class FakeTextEncoder(OfCard[TextCard]):
    """A `TextEncoder` whose tokens are words and signs, and whose vectors are sums of the words' pseudo-random ones.

    The same text always gets the same vector, and texts that share words are near each other. Nothing is loaded.
    `embedded` keeps the documents that were encoded, and `on_embed` is told how many.

    Args:
        dimension: of the vectors.
        max_tokens: as `TextEncoder.max_tokens`; longer texts are cut.
        name: goes into the identity, so that two names are two models.
        turned: give the numbers of a vector in another order, as another model might.
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
        turned: bool = False,
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
        self._turned = turned
        self.embedded: list[str] = []
        self.on_embed: Callable[[int], object] = lambda count: None

    @property
    def max_tokens(self) -> int:
        """Most tokens that a text may have before it is cut."""
        return self.card.max_tokens

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encode queries, (n, dimension)."""
        return self._encode(texts)

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Encode passages, (n, dimension); a query of the same words gets the same vector."""
        self.embedded += texts
        self.on_embed(len(texts))
        return self._encode(texts)

    def token_states(self, text: str) -> TokenStates | None:
        """Return the words and signs of a text with what each adds to its vector."""
        offsets = self.token_offsets(text)[: self.max_tokens]
        if not len(offsets):
            return None
        parts = np.stack([_word_vector(text[start:end].casefold(), self.dimension) for start, end in offsets])
        parts = np.roll(parts, self._turned, axis=1)
        return TokenStates(offsets, parts / np.linalg.norm(parts.sum(axis=0)))

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
        return np.roll(vectors, self._turned, axis=1)


class FakeImageEncoder(OfImageCard):
    """An `ImageEncoder` whose vectors are made of a picture's colours in sixteen places; texts are `FakeTextEncoder`'s.

    The same pixels always get the same vector, and pictures that look alike are near each other. Nothing is loaded.
    `embedded` counts the pictures that were encoded.

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
        self.embedded = 0

    def encode_pictures(self, pixels: Sequence[Pixels]) -> Vectors:
        """Encode pictures, (n, dimension)."""
        self.embedded += len(pixels)
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

    def patch_shares(self, pixels: Pixels, query: Vectors) -> PatchShares | None:
        """Return None: colours say nothing of a place by themselves."""
        return None

    def class_shares(self, pixels: Sequence[Pixels]) -> NDArray[np.float32] | None:
        """Return None: it knows no classes."""
        return None


@lru_cache(maxsize=100_000)
def _word_vector(word: str, dimension: int) -> Vectors:
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    generator = np.random.default_rng(int.from_bytes(digest, "little"))
    return generator.standard_normal(dimension, np.float32)


class FakeReader:
    """A `Reader` that finds the texts of `says` wherever they stand in a passage, each with its score.

    `asked` keeps the pairs of question and passage that it read.
    """

    def __init__(self, says: Mapping[str, float], *, name: str = "fake-reader") -> None:
        self.card = PairCard(name=name, task="reader", family="fake", max_tokens=512, scripts=("Latin",))
        self.says = says
        self.asked: list[tuple[str, str]] = []

    def read(self, question: str, passages: Sequence[str], count: int = 1) -> list[list[Reading]]:
        """Return for each passage the spans of what is to be said, best first, at most `count`."""
        self.asked += [(question, passage) for passage in passages]
        return [self._read(passage)[:count] for passage in passages]

    def _read(self, passage: str) -> list[Reading]:
        found = [
            Reading(passage.find(text), passage.find(text) + len(text), score)
            for text, score in self.says.items()
            if text in passage
        ]
        return sorted(found, key=lambda reading: -reading.score)


class FakeCrossEncoder:
    """A `CrossEncoder` that counts the words which a query and a passage share."""

    def __init__(self, *, name: str = "fake-cross-encoder") -> None:
        self.card = PairCard(name=name, task="cross-encoder", family="fake", max_tokens=512)

    def score(self, query: str, passages: Sequence[str]) -> NDArray[np.float32]:
        """Return (n,) numbers of words."""
        words = set(query.casefold().split())
        return np.asarray([len(words & set(passage.casefold().split())) for passage in passages], np.float32)


class FakeWriter:
    """A `WritingModel` whose tokens are words, and which writes what `script` makes of a prompt; `asked` keeps these.

    Args:
        positions: tokens that it takes and writes.
    """

    def __init__(self, script: Callable[[Prompt], str], positions: int = 1_000, *, name: str = "fake-writer") -> None:
        self.name = name
        self.script = script
        self.positions = positions
        self.asked: list[Prompt] = []

    def room(self, max_tokens: int) -> int:
        """Return how many tokens a prompt may have where `max_tokens` are to be written."""
        return self.positions - max_tokens

    def count(self, prompt: Prompt) -> int:
        """Return how many words the whole of `prompt` has."""
        return len(f"{prompt.instruction} {prompt.text} {prompt.cue}".split())

    def write(self, prompt: Prompt, max_tokens: int) -> Generator[str, None, None]:
        """Write at most `max_tokens` words, one at a time."""
        assert 0 < self.count(prompt) <= self.room(max_tokens)
        self.asked.append(prompt)
        return self._pieces(self.script(prompt).split(" ")[:max_tokens])

    def _pieces(self, words: list[str]) -> Generator[str, None, None]:
        for number, word in enumerate(words):
            yield " " * bool(number) + word


class FakeModels:
    """`LiveModels` of fakes under any name, each made once; `loaded` and `loaded_images` keep them.

    A text model such as `short@24` takes 24 tokens at most, others 254, and one such as `turned` gives other vectors;
    an image model such as `large@64` takes 64 x 64 pixels, others 32 x 32.

    Args:
        broken, broken_pictures: as `broken` of the encoders.
    """

    def __init__(
        self,
        broken: Mapping[str, float] | None = None,
        broken_pictures: Mapping[tuple[int, int, int], float] | None = None,
    ) -> None:
        self.broken = dict(broken or {})
        self.broken_pictures = dict(broken_pictures or {})
        self.loaded: dict[str, FakeTextEncoder] = {}
        self.loaded_images: dict[str, FakeImageEncoder] = {}
        self.on_load: Callable[[str], None] = lambda name: None
        self.on_embed: Callable[[int], object] = lambda count: None

    @property
    def names(self) -> Mapping[str, str]:
        """Nothing: any name will do."""
        return {}

    @property
    def embedded(self) -> list[str]:
        """All texts that were embedded, by any model."""
        return [text for encoder in self.loaded.values() for text in encoder.embedded]

    def text(self, name: str, **how: Unpack[How]) -> FakeTextEncoder:
        """Return the encoder of that name."""
        self.on_load(name)
        if name not in self.loaded:
            tokens = int(name.partition("@")[2] or 254)
            turned = name.startswith("turned")
            made = FakeTextEncoder(DIMENSION, max_tokens=tokens, name=name, turned=turned, broken=self.broken)
            made.on_embed = self.on_embed
            self.loaded[name] = made
        return self.loaded[name]

    def image(self, name: str, *, text_encoder: TextEncoder | None = None, **how: Unpack[How]) -> FakeImageEncoder:
        """Return the encoder of that name."""
        self.on_load(name)
        if name not in self.loaded_images:
            size = int(name.partition("@")[2] or 32)
            self.loaded_images[name] = FakeImageEncoder(DIMENSION, size=size, name=name, broken=self.broken_pictures)
        return self.loaded_images[name]

    def reader(self, name: str, **how: Unpack[How]) -> FakeReader:
        """Return one that finds nothing."""
        return FakeReader({}, name=name)

    def cross_encoder(self, name: str, **how: Unpack[How]) -> FakeCrossEncoder:
        """Return one of that name."""
        return FakeCrossEncoder(name=name)

    def writer(self, name: str, **how: Unpack[How]) -> FakeWriter:
        """Return one that writes what it is given."""
        return FakeWriter(lambda prompt: prompt.text, name=name)
