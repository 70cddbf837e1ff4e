"""What makes the vectors of a library: for each of its spaces a model, opened when there is first anything to embed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from quarry.indexer.embedding.checked import Embedded, Embeds, Here
from quarry.search.errors import ModelError, ModelMismatch
from quarry.search.media.base import medium as medium_of
from quarry.search.models.contracts import Encoder
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.spaces import Space, check_identity
from quarry.search.types import Kind, Preprocessing, Vectors


class Embedder:
    """Embeds what chunks of one medium are into one space.

    Args:
        name, medium: of the space.
        open_encoder: loads its model, exporting it first where that was not done yet.
        is_cut_for: whether texts were cut for the model, so that none is longer than it takes.
        takes: which chunks the library's active space of that name takes, where it is made on first use.
        space: where it is not that one.
        embeds: where it is done.
    """

    def __init__(
        self,
        catalog: Catalog,
        name: str,
        medium: Kind,
        open_encoder: Callable[[], Encoder],
        *,
        is_cut_for: bool = False,
        takes: Mapping[str, Any] | None = None,
        space: Space | None = None,
        embeds: Embeds | None = None,
    ) -> None:
        self.name = name
        self.medium = medium
        self._catalog = catalog
        self._open = open_encoder
        self._given = space
        self._takes = takes or {}
        self.is_cut_for = is_cut_for
        self._embeds: Embeds = embeds or Here()
        self._failure: ModelError | None = None

    @property
    def is_open(self) -> bool:
        """Whether the model was loaded: a library of texts never loads an image model."""
        return "encoder" in self.__dict__

    @cached_property
    def encoder(self) -> Any:  # of the medium: such as a TextEncoder
        """The model; ModelError where it can't be used, which holds for all of a run."""
        if self._failure is not None:
            raise self._failure
        try:
            return self._open()
        except ModelError as error:
            self._failure = error  # pixels were made for no model: one that comes later must not get them
            raise

    @property
    def known(self) -> Space | None:
        """The space, None where the library has none of that name yet."""
        return self._given or self._catalog.space(self.name)

    @property
    def takes(self) -> Mapping[str, Any]:
        """Which chunks of its medium the space takes, or will."""
        return self._takes if (space := self.known) is None else space.takes

    @cached_property
    def space(self) -> Space:
        """The space of the vectors; ModelMismatch where another model made them."""
        encoder = self.encoder
        if (space := self.known) is None:
            card = encoder.card
            return self._catalog.ensure_space(
                self.medium, encoder.identity, card.name, encoder.dimension, name=self.name, takes=self._takes
            )
        check_identity(space, encoder.identity, encoder.card.name)
        return space

    @property
    def preprocessing(self) -> Preprocessing | None:
        """The size and cut of pixels that it takes; None where it takes none, or can't be used."""
        try:
            taken: Preprocessing | None = getattr(self.encoder, "preprocessing", None)
        except ModelMismatch:
            raise
        except ModelError:  # the pictures are kept without a vector, and reported
            return None
        return taken

    def elsewhere(self, embeds: Embeds) -> Embedder:
        """Return one of the same space whose things are embedded elsewhere."""
        return Embedder(
            self._catalog,
            self.name,
            self.medium,
            lambda: self.encoder,
            is_cut_for=self.is_cut_for,
            takes=self._takes,
            space=self._given,
            embeds=embeds,
        )

    @property
    def ahead(self) -> int:
        """How many things may be begun before they are asked for."""
        return self._embeds.ahead // medium_of(self.medium).weight

    def begin(self, items: Sequence[Any], *, whole: bool = False) -> None:
        """Begin to embed what `embed` will be asked for in the same words, as much of it as may be begun."""
        items = items[: self.ahead]
        self._embeds.begin(medium_of(self.medium), self.encoder, items, whole=whole or not self.is_cut_for)

    def embed(self, items: Sequence[Any], *, whole: bool = False) -> Embedded:
        """Embed what chunks are: texts as they are embedded, or things of another medium.

        A model that can't be used spoils them all, but for that which texts are cut for: nothing is written without it.

        Args:
            whole: whether there may be texts that were cut for another model, and are longer than this one takes.
        """
        try:
            whole = whole or not self.is_cut_for
            return self._embeds.embed(medium_of(self.medium), self.encoder, items, whole=whole)
        except ModelMismatch:
            raise
        except ModelError as error:  # a damaged file of a model is found when it is first used
            if self.is_cut_for:
                raise
            self._failure = error
            return np.zeros((len(items), 1), np.float32), dict.fromkeys(range(len(items)), self.reason(error))

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encode what is looked for in the space."""
        vectors: Vectors = self.encoder.encode_queries(texts)
        return vectors

    def reason(self, error: ModelError) -> str:
        """Say why nothing can be embedded."""
        return f"{medium_of(self.medium).many} can't be embedded: {error}"
