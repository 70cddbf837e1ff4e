"""Chunks -> vectors, wherever that is done: that no bad vector is ever stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from quarry.search.errors import ModelError
from quarry.search.media.base import Medium
from quarry.search.types import Vectors

Embedded = tuple[Vectors, dict[int, str]]  # (n, d) unit vectors, and by position why there is none

_LEAST = 1e-3  # length of a mean that still has a direction


class Embeds(Protocol):
    """Where things are embedded: in this process, or on a cluster (`indexer/cluster/portions.py`)."""

    @property
    def ahead(self) -> int:
        """How many passages may be begun before they are asked for; 0 where nothing can."""
        ...

    def begin(self, medium: Medium, encoder: Any, things: Sequence[Any], *, whole: bool) -> None:
        """Begin to embed what will be asked for."""
        ...

    def embed(self, medium: Medium, encoder: Any, things: Sequence[Any], *, whole: bool) -> Embedded:
        """Embed things, those that are longer than the model takes where `whole` says that there may be any."""
        ...


class Here:
    """Embeds in this process."""

    ahead = 0

    def begin(self, medium: Medium, encoder: Any, things: Sequence[Any], *, whole: bool) -> None:
        """Do nothing."""

    def embed(self, medium: Medium, encoder: Any, things: Sequence[Any], *, whole: bool) -> Embedded:
        """Embed things."""
        return (embed_whole if whole else embed)(medium, encoder, things)


def embed(medium: Medium, encoder: Any, things: Sequence[Any]) -> Embedded:
    """Embed things of a medium; return (n, d) unit vectors, and by position why one has none (its row is zero).

    A model may give NaN, Inf or zero for one of them; the others of the batch are embedded all the same.
    """
    try:
        vectors = medium.encode(encoder, things)
        bad = ~usable(vectors)
        if not bad.any():
            return vectors, {}
    except ModelError as error:
        if type(error) is not ModelError:  # the model itself is missing or damaged
            raise
        if len(things) == 1:
            bad = np.ones(1, bool)
            vectors = np.zeros((1, encoder.dimension), np.float32)
        else:
            middle = len(things) // 2
            halves = [embed(medium, encoder, part) for part in (things[:middle], things[middle:])]
            shifted = {middle + position: why for position, why in halves[1][1].items()}
            return np.concatenate([vectors for vectors, _ in halves]), halves[0][1] | shifted
    vectors = np.where(bad[:, None], np.float32(0), vectors)
    reason = f"{encoder.card.name} gave no usable vector (NaN, infinite or zero) for a {medium.one}."
    return vectors, {int(position): reason for position in np.flatnonzero(bad)}


def embed_whole(medium: Medium, encoder: Any, things: Sequence[Any]) -> Embedded:
    """Embed things as `embed` does, also those that are longer than the model takes: nothing of them is truncated.

    Such a one, as a text cut for a model that takes more, is embedded in windows, and their mean is its vector.
    """
    cut = [medium.windows(encoder, thing) for thing in things]
    vectors, bad = embed(medium, encoder, [window for own in cut for window in own])
    if all(len(own) == 1 for own in cut):
        return vectors, bad
    whole = np.zeros((len(things), vectors.shape[1]), np.float32)
    reasons: dict[int, str] = {}
    start = 0
    for position, own in enumerate(cut):
        end = start + len(own)
        mean = vectors[start:end].mean(axis=0)
        length = float(np.linalg.norm(mean))
        if why := next((bad[at] for at in range(start, end) if at in bad), ""):
            reasons[position] = why
        elif length < _LEAST:
            reasons[position] = f"{encoder.card.name} gave parts of a {medium.one} vectors that cancel each other."
        else:
            whole[position] = mean / np.float32(length)
        start = end
    return whole, reasons


def usable(vectors: Vectors) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell which rows are unit vectors."""
    lengths = np.linalg.norm(vectors, axis=1)
    usable: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.isfinite(lengths) & (np.abs(lengths - 1) < 0.01)
    return usable
