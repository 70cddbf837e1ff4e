"""Indexing on a cluster, whatever it runs on: what is sent, what is believed, what a lost worker costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import quarry.indexer.pipeline
from quarry.api.library import Library
from quarry.indexer.cluster import base, messages, portions, sending, table
from quarry.indexer.cluster.messages import EmbedJob, Model, ReadJob, SentFile
from quarry.indexer.cluster.worker import Worker
from quarry.indexer.loaders.base import LoadOptions
from quarry.indexer.loaders.sandbox.wire import End, Failure
from quarry.indexer.report import NoProgress, Report
from quarry.search.errors import ClusterUnavailable, InvalidRequest, ModelMismatch, ModelMissing
from quarry.search.models.fake import FakeModels
from quarry.search.models.live import SharedModels
from quarry.search.models.names import DEFAULT_TEXT_MODEL
from tests.clusters import ROWS, InProcess, holdings, mixed_folder

LIVE = SharedModels()  # loaded once for all of these libraries
Index = Callable[[InProcess], tuple[Path, Report]]
OWN = Model("text", DEFAULT_TEXT_MODEL)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mixed_folder(tmp_path_factory.mktemp("mixed") / "root")


@pytest.fixture(scope="module")
def alone(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """The library of a run without a cluster."""
    place = tmp_path_factory.mktemp("alone") / "library"
    with Library(place, models=LIVE) as library:
        return place, library.index(root)


@pytest.fixture
def index(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """What indexes the folder on a cluster, in batches and portions so small that there are many."""
    monkeypatch.setattr(quarry.indexer.pipeline, "BATCH_PASSAGES", 32)
    monkeypatch.setattr(sending, "_TOGETHER", 4)
    monkeypatch.setattr(portions, "PORTION", 8)

    def run(cluster: InProcess) -> tuple[Path, Report]:
        monkeypatch.setattr(table, "backend", lambda on: lambda: cluster)
        with Library(tmp_path / "library", models=LIVE) as library:
            return tmp_path / "library", library.index(root, on="here")

    return run


@pytest.fixture(scope="module")
def one() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


def told(report: Report) -> dict[str, object]:
    return {name: getattr(report, name) for name in Report.__slots__ if name != "seconds"}


def test_it_is_the_library_of_a_run_without(index: Index, one: Worker, alone: tuple[Path, Report]) -> None:
    cluster = InProcess(one)
    place, report = index(cluster)
    assert told(report) == told(alone[1])
    assert report.failed.keys() and report.skipped_files  # the bad ones, as without
    assert holdings(place) == holdings(alone[0])
    assert cluster.most_open == 2 and cluster.closed
    assert cluster.embedded == len(holdings(place)["vectors"])  # each once


@pytest.mark.parametrize("kind", ["read", "embed"])
def test_a_lost_worker_costs_nothing(
    index: Index, one: Worker, alone: tuple[Path, Report], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs are lost once: of reading each, before its first block, or after it, when some documents are written."""
    monkeypatch.setattr(quarry.indexer.cluster.worker, "_BLOCK", 2_000)
    lost: set[Sequence[str]] = set()

    def loses(what: str, job: int, block: int, names: Sequence[str]) -> bool:
        if what != kind or block < job % 2 or tuple(names) in lost:
            return False
        if kind == "embed" and (block < 4 or len(lost) > 1):  # one by itself would be taken for what ends workers
            return False
        lost.add(tuple(names) or (str(job),))
        return True

    place, report = index(InProcess(one, loses=loses))
    assert len(lost) > 1
    assert told(report) == told(alone[1])
    assert holdings(place) == holdings(alone[0])


def test_a_file_that_ends_every_worker_is_reported(
    index: Index, one: Worker, alone: tuple[Path, Report], root: Path
) -> None:
    cluster = InProcess(one, loses=lambda kind, job, block, names: "rows.jsonl" in names)
    place, report = index(cluster)
    bad = str(root / "rows.jsonl")
    assert "ended 3 workers" in report.failed.pop(bad)
    assert report.failed == alone[1].failed
    assert report.added == alone[1].added - ROWS
    assert [names for kind, names in cluster.jobs if "rows.jsonl" in names][1:] == [("rows.jsonl",)] * 3
    with Library(place, models=LIVE) as library:  # the next run tries it again
        assert library.index().added == ROWS
    assert [row[:3] for row in holdings(place)["chunks"]] == [row[:3] for row in holdings(alone[0])["chunks"]]


def test_a_thing_that_ends_every_worker_is_reported(
    tmp_path: Path, one: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root").mkdir()
    for word in ("harbour", "poison", "tower"):
        (tmp_path / "root" / f"{word}.txt").write_text(f"Words about a {word}.")
    cluster = InProcess(one)
    embed = cluster.embed

    class Poisoned:
        def __init__(self, job: bytes) -> None:
            self._job = job

        def take(self) -> bytes:
            if b"poison" in self._job:
                raise base.WorkerLost
            return embed(self._job).take()

    monkeypatch.setattr(cluster, "embed", Poisoned)
    monkeypatch.setattr(table, "backend", lambda on: lambda: cluster)
    with Library(tmp_path / "library", models=LIVE) as library:
        report = library.index(tmp_path / "root", on="here")
        assert [Path(path).name for path in report.failed] == ["poison.txt"]
        assert "ended several workers" in next(iter(report.failed.values()))
        assert {hit.document.uri[-11:] for hit in library.search("harbour or tower", mode="semantic").hits} == {
            "harbour.txt"[-11:],
            "oot/tower.txt"[-11:],
        }


def test_an_interrupted_run_goes_on(
    tmp_path: Path, root: Path, one: Worker, alone: tuple[Path, Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarry.indexer.pipeline, "BATCH_PASSAGES", 32)
    cluster = InProcess(one)
    monkeypatch.setattr(table, "backend", lambda on: lambda: cluster)

    class Interrupted(NoProgress):
        def advance(self, files: int, size: int, passages: int) -> None:
            raise KeyboardInterrupt

    with Library(tmp_path / "library", models=LIVE) as library:
        with pytest.raises(KeyboardInterrupt):
            library.index(root, on="here", progress=Interrupted())
        assert cluster.closed
        before = library.status()["documents"]
        assert 0 < before < alone[1].added
        report = library.index(on="here")
        assert report.added == alone[1].added - before and not report.changed and not report.dropped
    assert holdings(tmp_path / "library") == holdings(alone[0])


def test_what_is_too_large_to_be_sent_is_read_here(
    index: Index, one: Worker, alone: tuple[Path, Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "MOST_SENT", 1_000)
    cluster = InProcess(one)
    place, report = index(cluster)
    sent = {name for _, names in cluster.jobs for name in names}
    assert "rows.jsonl" not in sent and "red.png" in sent
    assert told(report) == told(alone[1])
    assert holdings(place) == holdings(alone[0])


def test_what_grows_too_large_meanwhile_is_read_here(
    tmp_path: Path, one: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that was written to since the folder was looked at does not keep changing."""
    monkeypatch.setattr(sending, "MOST_SENT", 100)
    log = tmp_path / "root" / "log.txt"
    log.parent.mkdir()
    log.write_text("a line")
    cluster = InProcess(one)

    def opened() -> InProcess:
        log.write_text("a line of many" * 20)
        return cluster

    monkeypatch.setattr(table, "backend", lambda on: opened)
    with Library(tmp_path / "library", models=LIVE) as library:
        report = library.index(log.parent, on="here")
    assert report.added == 1 and not report.failed
    assert "read" not in {kind for kind, _ in cluster.jobs}


def test_what_has_a_vector_is_not_sent(tmp_path: Path, one: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.txt").write_text("the words of a text")
    cluster = InProcess(one)
    monkeypatch.setattr(table, "backend", lambda on: lambda: cluster)
    with Library(tmp_path / "library", models=LIVE) as library:
        library.index(root)
        assert not library.index(root, on="here").files_read
        assert cluster.jobs == []  # it was not even opened
        report = library.index(root, on="here", metadata={"colour": "blue"})  # all is read again
        assert report.changed and not report.embedded
    assert {kind for kind, _ in cluster.jobs} == {"read"}


def test_of_pictures_few_are_out_at_once(tmp_path: Path, one: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their pixels are in memory meanwhile: however many workers there are, it is a few for each."""
    monkeypatch.setattr(quarry.indexer.pipeline, "BATCH_PASSAGES", 16)
    monkeypatch.setattr(portions, "PORTION", 16)
    (tmp_path / "root").mkdir()
    for number in range(6):
        Image.new("RGB", (32, 32), (40 * number, 0, 0)).save(tmp_path / "root" / f"{number}.png")
    cluster, out, most = InProcess(one), 0, 0
    embed = cluster.embed

    class Counted:
        def __init__(self, job: bytes) -> None:
            nonlocal out, most
            self._things = len(messages.unpack_embedding(job).things)
            out += self._things
            most = max(most, out)
            self._answer = embed(job)

        def take(self) -> bytes:
            nonlocal out
            out -= self._things
            return self._answer.take()

    cluster.workers = 1
    monkeypatch.setattr(cluster, "embed", Counted)
    monkeypatch.setattr(table, "backend", lambda on: lambda: cluster)
    with Library(tmp_path / "library", models=LIVE) as library:
        assert library.index(tmp_path / "root", on="here", ocr="off").embedded == 6
    assert 2 <= most <= 4


# --- what is sent, and what is believed -----------------------------------------------------------------------------


def test_another_version_is_refused_by_name(one: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    job = messages.pack_reading(ReadJob([SentFile("a.txt", b"words", {})], LoadOptions(), OWN, None))
    embedding = messages.pack_embedding(EmbedJob(OWN, ["words"], whole=False))
    monkeypatch.setattr(messages, "own_version", lambda: "0.0.1 (passages 1)")
    (refusal,) = one.read(job)
    with pytest.raises(ClusterUnavailable, match=r"refuses: it has Quarry 0\.0\.1 \(passages 1\)"):
        list(messages.unpack_pieces(refusal, 1))
    with pytest.raises(ClusterUnavailable, match=r"refuses: it has Quarry 0\.0\.1"):
        messages.unpack_vectors(one.embed(embedding), 1, 384)


def test_who_can_read_less_is_refused_by_name(one: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a film would be of no kind that can be read, and what the library has of it be dropped."""
    monkeypatch.setattr(messages, "installed", lambda: {"pip install 'quarry-search[sound]'"})
    job = messages.pack_reading(ReadJob([SentFile("a.mp4", b"film", {})], LoadOptions(), OWN, None))
    monkeypatch.setattr(messages, "installed", set)
    with pytest.raises(ClusterUnavailable, match=r"The worker on .* refuses: .*There, too: .*quarry-search\[sound\]"):
        list(messages.unpack_pieces(b"".join(one.read(job)), 1))


def test_another_model_is_refused_by_name(one: Worker) -> None:
    for model, error in (
        (replace(OWN, identity="ab" * 32), ModelMismatch),
        (Model("text", "/no/such/model"), ModelMissing),
    ):
        with pytest.raises(error, match=model.name):
            answer = one.embed(messages.pack_embedding(EmbedJob(model, ["words"], whole=False)))
            messages.unpack_vectors(answer, 1, 384)
        job = ReadJob([SentFile("a.txt", b"words", {})], LoadOptions(), model, None)
        with pytest.raises(error, match=model.name):
            list(messages.unpack_pieces(b"".join(one.read(messages.pack_reading(job))), 1))


@pytest.mark.parametrize("content", [b"words", b"\xff\xfe\x00"])
def test_jobs_come_as_they_were_sent(content: bytes) -> None:
    files = [SentFile("na\udcffme.png", content, {"na\udcffme.txt": b"said", "b.xmp": b""}), SentFile("b", b"", {})]
    job = ReadJob(files, LoadOptions(text_fields=("a",), id_field="b"), OWN, replace(OWN, identity="x"))
    assert messages.unpack_reading(messages.pack_reading(job)) == job
    texts = EmbedJob(OWN, ["", "한국어", "lone \ud800", "x" * 10_000], whole=True)
    assert messages.unpack_embedding(messages.pack_embedding(texts)) == texts


def test_a_name_leads_nowhere_else(one: Worker) -> None:
    job = ReadJob([SentFile("../../a.txt", b"words", {"../b.txt": b"said"})], LoadOptions(), OWN, None)
    pieces = [piece for _, piece in messages.unpack_pieces(b"".join(one.read(messages.pack_reading(job))), 1)]
    assert isinstance(pieces[0], messages.CutDocument) and pieces[0].parsed.text == "words"
    assert pieces[1:] == [End()]


@pytest.mark.parametrize("damage", ["cut", "noise", "backwards", "beyond", "empty", "of another file", "endless"])
def test_what_is_no_answer_is_believed_by_nobody(one: Worker, damage: str) -> None:
    job = ReadJob([SentFile("a.txt", b"Some words.\n\nMore words.", {})], LoadOptions(), OWN, None)
    block = b"".join(one.read(messages.pack_reading(job)))
    edits: dict[str, Callable[[bytes], bytes]] = {
        "cut": lambda data: data[:-7],
        "noise": lambda data: b"\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00[]",
        "backwards": lambda data: data.replace(b"[[0,", b"[[99,", 1),
        "beyond": lambda data: data.replace(b",24,", b",99,", 1).replace(b",23,", b",99,", 1),
        "empty": lambda data: b"\x00",
        "of another file": lambda data: data.replace(b"[0,", b"[7,", 1),
        "endless": lambda data: b"".join(messages.framed([0]) + messages.framed(["Reached", {"share": 10**400}])),
    }
    assert edits[damage](block) != block
    with pytest.raises(ClusterUnavailable, match="no answer"):
        list(messages.unpack_pieces(edits[damage](block), 1))


def test_vectors_of_another_shape_are_refused() -> None:
    answer = messages.pack_vectors((np.zeros((2, 8), np.float32), {1: "why"}))
    vectors, bad = messages.unpack_vectors(answer, 2, 8)
    assert vectors.shape == (2, 8) and bad == {1: "why"}
    for count, dimension, data in ((3, 8, answer), (2, 4, answer), (2, 8, answer[:-4]), (2, 8, b"")):
        with pytest.raises(ClusterUnavailable, match="no answer"):
            messages.unpack_vectors(data, count, dimension)


def test_a_failure_says_what_the_child_said(one: Worker) -> None:
    job = ReadJob([SentFile("a.pdf", b"%PDF-nothing", {}), SentFile("b.xyz", b"\x00", {})], LoadOptions(), OWN, None)
    found = list(messages.unpack_pieces(b"".join(one.read(messages.pack_reading(job))), 2))
    assert [(number, type(piece)) for number, piece in found] == [(0, Failure), (1, Failure)]


def test_who_asks_for_what_is_not_there_is_told(tmp_path: Path) -> None:
    with Library(tmp_path / "library", models=LIVE) as library:
        with pytest.raises(InvalidRequest, match="there is no 'dask'"):
            library.index(tmp_path, on="dask")
        for address in ("ray://head:10001", "head", "head:ten", "head:6379/x", " "):
            with pytest.raises(InvalidRequest, match="no HOST:PORT"):
                library.index(tmp_path, on=f"ray={address}")
        with pytest.raises(InvalidRequest, match="on is 3"):
            library.index(tmp_path, on=3)  # type: ignore[arg-type]
    with Library(tmp_path / "other", models=FakeModels()) as library, pytest.raises(InvalidRequest, match="named ones"):
        library.index(tmp_path, on="ray")
