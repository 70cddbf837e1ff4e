"""One contract, run on everything that is derived: vectors, words and thumbnails."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from quarry.api.library import Library, Text
from quarry.indexer.derived.all import derived
from quarry.indexer.derived.base import Derived
from quarry.indexer.derived.thumbnails import DerivedThumbnails
from quarry.indexer.derived.vectors import DerivedVectors
from quarry.indexer.derived.words import DerivedWords
from quarry.indexer.doctor.findings import Finding
from quarry.search.engines.faiss import segment_writer
from quarry.search.models.fake import FakeModels
from quarry.search.stores.thumbnails import FILE
from quarry.search.wiring import open_vectors
from tests.drawn_pictures import draw
from tests.indexing_process import CRASHED, Crash, Task, start

TEXTS, PICTURES = 40, 3


@dataclass(frozen=True)
class Kind:
    """Args:
    of: the class.
    part: what the doctor calls it.
    place: where its files are, within the library.
    steps: what a process dies at, before and after: functions of tests.indexing_process.
    """

    of: type
    part: str
    place: str
    steps: tuple[str, ...]


KINDS = {
    "vectors": Kind(
        DerivedVectors,
        "segments",
        "segments",
        (
            "quarry.search.engines.faiss.segment_writer:write_segment",
            "quarry.search.engines.faiss.segment_writer:list_segment",
            "quarry.search.engines.faiss.segment_writer:SegmentWriter._move",
        ),
    ),
    "words": Kind(
        DerivedWords,
        "lexical",
        "lexical",
        (
            "quarry.search.lexical.writer:LexicalWriter.commit",
            "quarry.search.lexical.writer:State.write",
            "quarry.search.lexical.writer:LexicalWriter.close",
        ),
    ),
    "thumbnails": Kind(DerivedThumbnails, "thumbnails", FILE, ("quarry.search.stores.thumbnails:Thumbnails._write",)),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with texts and pictures, some of them deleted, and segments of both."""
    made = tmp_path_factory.mktemp("made")
    root = made / "root"
    root.mkdir()
    for number in range(PICTURES):
        draw(root / f"{number}.png", number, (640, 400))
    with pytest.MonkeyPatch.context() as patch, Library(made / "library", models=FakeModels()) as library:
        patch.setattr(segment_writer.SegmentWriter.flush, "__defaults__", (1,))
        assert library.index(root).complete
        library.add([Text(f"Text number{n} about stars.", id=f"d{n}") for n in range(TEXTS)])
        library.delete([f"d{n}" for n in range(0, TEXTS, 4)])
    return made / "library"


@pytest.fixture
def library(made: Path, tmp_path: Path, models: FakeModels, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """A copy of it."""
    monkeypatch.setattr(segment_writer.SegmentWriter.flush, "__defaults__", (1,))
    shutil.copytree(made, tmp_path / "library")
    with Library(tmp_path / "library", models=models) as library:
        yield library


def one_of(library: Library, kind: Kind) -> Derived:
    """The derived thing as a process that has just begun sees it."""
    return next(one for one in derived(open_vectors(library.catalog())) if isinstance(one, kind.of))


def levels(library: Library, kind: Kind) -> set[str]:
    found = list(one_of(library, kind).verify())
    assert {finding.part for finding in found} == {kind.part}
    assert all(isinstance(finding, Finding) and finding.text for finding in found)
    return {finding.level for finding in found}


def state(directory: Path) -> dict[str, Any]:
    """What a user sees, in a process that has just begun."""
    with Library(directory, models=FakeModels()) as library:
        pictures = [hit.document for hit in library.search("a picture", kinds=("image",), limit=100).hits]
        return {
            # Without scores: BM25 counts what was deleted until it is merged away.
            "words": {hit.id for hit in library.search("number1 stars", mode="lexical", limit=100).hits},
            "meaning": [(hit.id, hit.score) for hit in library.search("number1", mode="semantic", limit=100).hits],
            "thumbnails": {document.uri: library.thumbnail(document.id) for document in pictures},
            "counts": [space["vectors"] for space in library.status()["spaces"]],
        }


def wipe(library: Library, kind: Kind) -> None:
    place = library.settings.library / kind.place
    shutil.rmtree(place) if place.is_dir() else place.unlink()


def spoil(library: Library, kind: Kind) -> None:
    """Flip bits in every file that is kept."""
    place = library.settings.library / kind.place
    for path in [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else [place]:
        data = bytearray(path.read_bytes())
        for at in range(min(20, len(data) // 2), len(data), 97):
            data[at] ^= 0x10
        path.unlink()  # what another has mapped stays what it was
        path.write_bytes(data)


def test_all_are_known(library: Library) -> None:
    assert {type(one) for one in derived(open_vectors(library.catalog()))} == {kind.of for kind in KINDS.values()}


@pytest.mark.parametrize("harm", [wipe, spoil])
def test_what_is_lost_or_damaged_is_named_and_made_anew(
    library: Library, kind: Kind, harm: Callable[[Library, Kind], None]
) -> None:
    expected = state(library.settings.library)
    assert levels(library, kind) == {"ok"}
    harm(library, kind)
    assert "damage" in levels(library, kind)
    one_of(library, kind).repair()
    assert levels(library, kind) == {"ok"}
    assert state(library.settings.library) == expected
    one_of(library, kind).repair()  # nothing to do
    assert levels(library, kind) == {"ok"}


def test_it_catches_up(library: Library, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """With commits that nothing followed, as where a process died after each."""
    with monkeypatch.context() as patch:
        patch.setattr("quarry.indexer.writer.derived", lambda catalog: ())
        library.add([Text(f"More number{n} of them.", id=f"m{n}") for n in range(10)])
        library.delete(["d1", "m3"])
    assert "damage" not in levels(library, kind)
    one = one_of(library, kind)
    one.catch_up()
    assert levels(library, kind) == {"ok"}
    before = state(library.settings.library)
    one.catch_up()
    with library.catalog().snapshot() as snapshot:
        newest = snapshot.generation
    assert one.compact() == newest
    assert levels(library, kind) == {"ok"}
    assert state(library.settings.library) == before


def test_a_compaction_forgets_no_deletion_before_all_have_followed_it(
    library: Library, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.compact()
    monkeypatch.setattr(kind.of, "compact", lambda self: 1)  # it is behind
    library.delete(["d1"])
    for _ in range(3):
        library.compact()
    with library.catalog().snapshot() as snapshot:
        assert snapshot.connection.execute("SELECT count(*) FROM deletions").fetchone()[0] > 0
    monkeypatch.undo()
    for _ in range(2):
        library.compact()
    assert levels(library, kind) == {"ok"}


@pytest.mark.fault("2")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", ["compact", "doctor"])
def test_death_half_way(library: Library, kind: Kind, operation: str, when: str) -> None:
    """Nothing that is seen changes, and the next repair completes it."""
    directory = library.settings.library
    expected = state(directory)
    library.close()
    reached = 0
    for step in kind.steps:
        with Library(directory, models=FakeModels()) as harmed:
            if operation == "doctor":
                wipe(harmed, kind)
            else:
                harmed.add(Text("Once more.", id="again"))
                harmed.delete(["again"])
        options = {"repair": True} if operation == "doctor" else {}
        process = start(Task(directory, operation, options=options, crash=Crash(step, when), segment_from=1))
        process.join(60)
        assert process.exitcode in (0, CRASHED)
        reached += process.exitcode == CRASHED
        with Library(directory, models=FakeModels()) as again:
            for one in derived(open_vectors(again.catalog())):
                one.repair()
            assert levels(again, kind) == {"ok"}
        assert state(directory) == expected
    assert reached or (operation == "compact" and kind.part != "segments")  # the others have nothing to build then


def test_status_tells_what_there_is(library: Library, kind: Kind) -> None:
    with library.catalog().snapshot() as snapshot:
        told = one_of(library, kind).status(snapshot)
    whole = library.status()
    assert {name: whole[name] for name in told} == told
    if told:
        wipe(library, kind)
        with library.catalog().snapshot() as snapshot:
            told = one_of(library, kind).status(snapshot)
        parts = [part for value in told.values() for part in (value if isinstance(value, list) else [value])]
        assert all(part["degraded"] for part in parts)
