"""Engines that keep their vectors elsewhere: the contract, run on a real one of each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from quarry.search.engines.contract import CHECKS, Check
from quarry.search.engines.following import vectors as following
from quarry.search.engines.following import view
from quarry.search.engines.trial import Trial
from tests.engines.stores import STORES, Engine


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
