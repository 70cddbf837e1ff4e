"""Fit what scores mean by chance (`search.relevance`) to the library, as it grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from quarry.indexer.writer import Writer
from quarry.search.engines.opened import OpenedVectors
from quarry.search.models.shipped import shipped
from quarry.search.relevance import FITTED_FROM, MULTILINGUAL, PRIORS, fit
from quarry.search.stores.rows.nulls import fitted_on, keep_null
from quarry.search.stores.spaces import Space
from quarry.search.types import Vectors

_SAMPLE = 2_000  # items; 128 queries times as many scores give a mean to a thousandth
_GROWN = 1.1  # times as many items as it was fitted on, at which a null is fitted anew

Encode = Callable[[Sequence[str]], Vectors]


def fit_nulls(writer: Writer) -> None:
    """Fit the nulls of spaces that grew or shrank by a tenth since the last time; costs a few tenths of a second."""
    for embedder in writer.embedders.values():
        if embedder.is_open and (space := embedder.known) is not None:
            fit_null(writer.vectors, space, embedder.encode_queries)


def fit_null(vectors: OpenedVectors, space: Space, encode: Encode) -> None:
    """Fit the null of one space, by what encodes queries for it."""
    if space.model in MULTILINGUAL:
        return
    prior = PRIORS.get(space.model)
    with vectors.catalog.snapshot() as snapshot:
        before, engine = fitted_on(snapshot.connection, space), vectors.of(space)
        count = engine.count(snapshot)
        if count < (FITTED_FROM if prior else 1) or before / _GROWN < count < before * _GROWN:
            return
        items = engine.view(snapshot).sample(_SAMPLE)
    bank = encode(shipped("background.txt").read_text(encoding="utf-8").splitlines())
    null = fit(bank, items)
    with vectors.catalog.transaction(bump=False) as connection:
        keep_null(connection, space, null.blended(prior, count) if prior else null, count)
