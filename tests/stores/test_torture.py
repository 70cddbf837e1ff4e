"""Each part of `make torture` for some seconds. `make torture SEED=7 DURATION=3600` goes on for longer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quarry.search.models.fake import FakeModels
from tests.torture import crasher, failing_disk, flips, model, readers
from tests.torture.tally import Tally

KILLS = int(os.environ.get("QUARRY_KILLS", "10"))


def passed(tally: Tally) -> None:
    if tally.skipped:
        pytest.skip(tally.skipped)
    assert tally.failed == []
    assert tally.tried >= tally.most


@pytest.mark.fault("1")
@pytest.mark.timeout(3600)
def test_kills(tmp_path: Path, models: FakeModels) -> None:
    """`QUARRY_KILLS=200` kills as often as the table of faults wants it."""
    tally = Tally("crasher", seed=20, most=KILLS)
    crasher.run(tally, tmp_path, models)
    passed(tally)


@pytest.mark.fault("3")
def test_a_disk_that_fails(tmp_path: Path, models: FakeModels) -> None:
    tally = Tally("failing_disk", seed=3, most=8)
    failing_disk.run(tally, tmp_path, models)
    passed(tally)


@pytest.mark.fault("5")
@pytest.mark.fault("6")
@pytest.mark.fault("7")
def test_flipped_bits(tmp_path: Path, models: FakeModels) -> None:
    tally = Tally("flips", seed=5, most=12)
    flips.run(tally, tmp_path, models)
    passed(tally)


@pytest.mark.fault("9")
def test_readers(tmp_path: Path, models: FakeModels) -> None:
    tally = Tally("readers", seed=9, most=20)
    readers.run(tally, tmp_path, models)
    passed(tally)


@pytest.mark.fault("7")
def test_a_library_and_a_dictionary(tmp_path: Path, models: FakeModels) -> None:
    tally = Tally("model", seed=7, most=model.EXAMPLES)
    model.run(tally, tmp_path, models, steps=12)
    passed(tally)
