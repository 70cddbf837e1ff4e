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
from quarry.search.engines.faiss import segment, segment_writer
from quarry.search.engines.faiss.segment_writer import SegmentWriter
from quarry.search.engines.faiss.segments import SegmentedVectors
from quarry.search.engines.opened import OpenedVectors
from quarry.search.engines.trial import Trial
from quarry.search.errors import InvalidRequest
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
    lists_from: int = segment_writer.LISTS_FROM


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
    "lists": Kind(Flushed, flip, lists_from=1),
}


@pytest.fixture(params=KINDS)
def trial(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    kind = KINDS[request.param]
    monkeypatch.setattr(segment, "GRAPH_FROM", kind.graph_from)
    monkeypatch.setattr(segment_writer, "LISTS_FROM", kind.lists_from)
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


@pytest.mark.parametrize("engine", ["exact", Elsewhere, Flushed])
def test_a_library_is_searched_by_any_engine(tmp_path: Path, models: FakeModels, engine: str | OpenEngine) -> None:
    """Which one it is, the library is told: writing, searching, compacting, the status and the doctor follow."""

    def told(directory: Path, **engines: str | OpenEngine) -> object:
        with Library(directory, models=models, engines=engines) as library:
            library.add([Text(f"Text number{n} about stars.", id=f"d{n}") for n in range(30)])
            library.delete(["d3"])
            library.compact()
            library.add([Text("One more about stars.", id="more")])
            assert {finding.level for finding in library.doctor()} <= {"ok", "warning"}
            (space,) = library.status()["spaces"]
            hits = library.search("number3 stars", filter={"id": {"$ne": "d4"}}, limit=50).hits
            return space["vectors"], [(hit.document.id, hit.score) for hit in hits]

    expected = told(tmp_path / "segments")
    assert told(tmp_path / "other", text=engine) == expected
    assert (tmp_path / "other" / "segments").exists() == (engine is Flushed)


def test_an_engine_that_comes_back_takes_nothing_for_alive_that_was_deleted(tmp_path: Path, models: FakeModels) -> None:
    """What was deleted while another was used is forgotten: what it keeps from before is as if it were damaged."""
    directory, exact = tmp_path / "library", {"text": "exact"}
    with Library(directory, models=models) as library:
        library.add([Text(f"Text number{n} about stars.", id=f"d{n}") for n in range(30)])
        library.compact()
    with Library(directory, models=models, engines=exact) as library:
        library.delete(["d3"])
        for _ in range(2):
            library.compact()
        expected = [hit.document.id for hit in library.search("number3 stars", mode="semantic", limit=50).hits]
    with Library(directory, models=models) as library:
        response = library.search("number3 stars", mode="semantic", limit=50)
        assert [hit.document.id for hit in response.hits] == expected and len(expected) == 29
        assert "is not known any more" in response.degraded[0]
        assert "is not known any more" in next(one.text for one in library.doctor() if one.level == "damage")
        library.compact()
        assert not [finding for finding in library.doctor() if finding.level == "damage"]
        assert library.search("number3 stars", mode="semantic", limit=50).degraded == ()


def test_an_engine_that_there_is_not_is_named(tmp_path: Path) -> None:
    with Library(tmp_path, engines={"text": "slow"}) as library, pytest.raises(InvalidRequest, match=r"'slow'.*faiss"):
        library.add([Text("One.")])
