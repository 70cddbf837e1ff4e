"""Engines that keep their vectors elsewhere: the contract, run on a real one of each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from quarry.search.engines.contract import CHECKS, Check
from quarry.search.engines.following import vectors as following
from quarry.search.engines.following import view
from quarry.search.engines.following.store import VectorStore
from quarry.search.engines.trial import Trial, unit_vectors
from quarry.search.fields.filters import Allowed
from quarry.search.types import Ids, Vectors
from tests.engines.stores import STORES, Engine, store_of


@pytest.fixture(params=STORES)
def engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """One that takes in whatever is new at once, and is asked whatever a filter leaves."""
    monkeypatch.setattr(following, "WORTH_WHILE", 1)
    monkeypatch.setattr(view, "FEW", 20)
    yield STORES[request.param]
    STORES[request.param].close(tmp_path / "elsewhere")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(engine: Engine, tmp_path: Path, check: Check) -> None:
    with closing(Trial(tmp_path / "library", engine, engine.damage)) as trial:
        check(trial)


@pytest.mark.parametrize("allowed", [600, 2_400], ids=["few", "most"])
def test_what_a_filter_allows_far_from_the_query_is_scored_here_where_the_engine_finds_none_of_it(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    """A graph that is given ids walks past most of them: of milvus-lite's tenth farthest of 20,000, a quarter came."""
    monkeypatch.setattr(view, "WIDER", 500)
    vectors = unit_vectors(3_000)
    with closing(Trial(tmp_path / "library", engine)) as trial:
        ids = trial.add(vectors)
        trial.engine.compact()
        store, asked = type(store_of(trial.engine)), list[Ids | None]()
        nearest = store.nearest

        def noted(self: VectorStore, query: Vectors, k: int, among: Ids | None) -> Ids:
            asked.append(among)
            return nearest(self, query, k, among)

        monkeypatch.setattr(store, "nearest", noted)
        for query in vectors[::1_000]:
            scores = vectors.astype(np.float16).astype(np.float32) @ query
            far = np.sort(np.argsort(scores, kind="stable")[:allowed])
            expected = far[np.lexsort((far, -scores[far]))][:10]
            found = trial.view().search(query, 10, Allowed(ids[far]))
            assert found.ids.tolist() == ids[expected].tolist()
    assert asked and all(among is None for among in asked)
