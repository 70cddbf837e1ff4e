"""The contract of vector engines, run on each of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from quarry.api.library import Library, Text
from quarry.search.engines.base import OpenEngine, VectorEngine
from quarry.search.engines.contract import CHECKS, Check
from quarry.search.engines.exact import ExactVectors
from quarry.search.engines.faiss import segment
from quarry.search.engines.faiss.segment_writer import SegmentWriter
from quarry.search.engines.faiss.segments import SegmentedVectors
from quarry.search.engines.opened import OpenedVectors
from quarry.search.engines.trial import Trial
from quarry.search.models.fake import FakeModels
from tests.toys.elsewhere import Elsewhere


class Flushed(SegmentedVectors):
    """Makes a segment of whatever is new: searches span several, and the tail."""

    def catch_up(self) -> None:
        SegmentWriter(self.catalog, self.space).flush(minimum=1)


class Compacted(SegmentedVectors):
    """Makes one segment of all there is."""

    def catch_up(self) -> None:
        self.compact()


@dataclass(frozen=True)
class Kind:
    open_engine: OpenEngine
    damage: Callable[[VectorEngine], None] | None = None
    graph_from: int = segment.GRAPH_FROM


def flip(engine: VectorEngine) -> None:
    """Flip a bit in the middle of a segment file."""
    assert isinstance(engine, SegmentedVectors)
    (path,) = engine.directory.glob("*.faiss")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()  # what is mapped stays what it was
    path.write_bytes(data)


KINDS = {
    "exact": Kind(ExactVectors),
    "elsewhere": Kind(Elsewhere),
    "tail": Kind(SegmentedVectors, flip),
    "segments and tail": Kind(Flushed, flip),
    "one segment": Kind(Compacted, flip),
    "graphs": Kind(Flushed, flip, graph_from=1),
}


@pytest.fixture(params=KINDS)
def trial(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    kind = KINDS[request.param]
    monkeypatch.setattr(segment, "GRAPH_FROM", kind.graph_from)
    with closing(Trial(tmp_path / "library", kind.open_engine, kind.damage)) as trial:
        yield trial


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(trial: Trial, check: Check) -> None:
    check(trial)


def test_every_check_is_run() -> None:
    from quarry.search.engines import contract

    named = {name for name, value in vars(contract).items() if getattr(value, "__annotations__", {}).get("trial")}
    assert named == {check.__name__ for check in CHECKS}


def test_engines_stay_open(tmp_path: Path) -> None:
    with closing(Trial(tmp_path / "library", SegmentedVectors)) as trial:
        opened = OpenedVectors(trial.catalog, SegmentedVectors)
        assert opened.of(trial.space) is opened.of(trial.space)


@pytest.mark.parametrize("engine", [ExactVectors, Elsewhere, Flushed])
def test_a_library_is_searched_by_any_engine(
    tmp_path: Path, models: FakeModels, monkeypatch: pytest.MonkeyPatch, engine: OpenEngine
) -> None:
    """Which one it is, is said in one place: writing, searching, compacting, the status and the doctor follow."""

    def told(directory: Path) -> object:
        with Library(directory, models=models) as library:
            library.add([Text(f"Text number{n} about stars.", id=f"d{n}") for n in range(30)])
            library.delete(["d3"])
            library.compact()
            library.add([Text("One more about stars.", id="more")])
            assert {finding.level for finding in library.doctor()} <= {"ok", "warning"}
            (space,) = library.status()["spaces"]
            hits = library.search("number3 stars", filter={"id": {"$ne": "d4"}}, limit=50).hits
            return space["vectors"], [(hit.document.id, hit.score) for hit in hits]

    expected = told(tmp_path / "segments")
    monkeypatch.setattr("quarry.search.wiring.ENGINE", engine)
    assert told(tmp_path / "other") == expected
    assert (tmp_path / "other" / "segments").exists() == (engine is Flushed)
