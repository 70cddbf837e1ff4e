"""Embedding on a cluster: portions of things go out, before they are asked for where that is known, and come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from quarry.indexer.cluster.base import Cluster, Pending, WorkerLost
from quarry.indexer.cluster.messages import EmbedJob, Model, pack_embedding, unpack_vectors
from quarry.indexer.embedding.checked import Embedded, usable
from quarry.indexer.writer import Writer
from quarry.search.media.base import Medium
from quarry.search.types import Vectors

PORTION = 64  # passages that a worker embeds at once, or what weighs as much: it takes a core half a second
_FOR_EACH = 3  # portions of each worker: one in its hands, one that waits for it, one that is being written

Key = tuple[str, bytes]  # by which model, and the thing's own


def embedding_elsewhere(writer: Writer, cluster: Cluster) -> Writer:
    """Return a writer whose vectors are made on a cluster."""
    portions = Portions(cluster)
    return replace(writer, embedders={name: one.elsewhere(portions) for name, one in writer.embedders.items()})


@dataclass(slots=True)
class _Portion:
    """Things that are embedded at once, and what came of it, when that was taken."""

    medium: Medium
    encoder: Any
    things: Sequence[Any]
    whole: bool
    answer: Pending
    done: Embedded | None = None


class Portions:
    """`Embeds` on a cluster; what has been begun is known by what it is, and taken once.

    Whether there may be things that are longer than their model takes is no part of that: what is begun when there were
    none is not, whatever is read before it is asked for.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._begun: dict[Key, tuple[_Portion, int]] = {}

    @property
    def ahead(self) -> int:
        """As many passages as keep all workers busy while some are written."""
        return _FOR_EACH * PORTION * self._cluster.workers

    def begin(self, medium: Medium, encoder: Any, things: Sequence[Any], *, whole: bool) -> None:
        """Send out what is not out yet."""
        keys = {(encoder.identity, medium.key(thing)): thing for thing in things}
        missing = [key for key in keys if key not in self._begun]
        together = max(1, PORTION // medium.weight)
        for start in range(0, len(missing), together):
            some = missing[start : start + together]
            portion = self._sent(medium, encoder, [keys[key] for key in some], whole)
            self._begun.update((key, (portion, row)) for row, key in enumerate(some))

    def embed(self, medium: Medium, encoder: Any, things: Sequence[Any], *, whole: bool) -> Embedded:
        """Embed things.

        Raises:
            ModelError: a worker can't use the model, or has another one by its name.
            ClusterUnavailable: the cluster is gone, or a worker is of another version.
        """
        self.begin(medium, encoder, things, whole=whole)
        vectors: Vectors = np.zeros((len(things), encoder.dimension), np.float32)
        bad: dict[int, str] = {}
        keys = [(encoder.identity, medium.key(thing)) for thing in things]
        for position, key in enumerate(keys):
            portion, row = self._begun[key]
            made, why = self._done(portion)
            vectors[position] = made[row]
            if row in why:
                bad[position] = why[row]
        for key in set(keys):
            del self._begun[key]
        return vectors, bad

    def _sent(self, medium: Medium, encoder: Any, things: Sequence[Any], whole: bool) -> _Portion:
        job = EmbedJob(Model(medium.name, encoder.card.name, encoder.identity), things, whole)
        return _Portion(medium, encoder, things, whole, self._cluster.embed(pack_embedding(job)))

    def _done(self, portion: _Portion) -> Embedded:
        if portion.done is None:
            portion.done = self._awaited(portion)
        return portion.done

    def _awaited(self, portion: _Portion) -> Embedded:
        """Wait for a portion; of one that ends its workers again and again each half is tried by itself."""
        medium, encoder, things = portion.medium, portion.encoder, portion.things
        try:
            vectors, bad = unpack_vectors(portion.answer.take(), len(things), encoder.dimension)
        except WorkerLost:
            if len(things) == 1:
                reason = f"embedding this {medium.one} ended several workers, one after the other."
                return np.zeros((1, encoder.dimension), np.float32), {0: reason}
            middle = len(things) // 2
            halves = [self._sent(medium, encoder, some, portion.whole) for some in (things[:middle], things[middle:])]
            (first, bad), (second, more) = map(self._awaited, halves)
            return np.concatenate([first, second]), bad | {middle + at: why for at, why in more.items()}
        reason = f"a worker gave no usable vector (NaN, infinite or zero) for a {medium.one}."
        return vectors, {int(at): bad.get(int(at), reason) for at in np.flatnonzero(~usable(vectors))} | bad
