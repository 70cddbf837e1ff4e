"""Indexing on Ray: a real cluster of two nodes, with a core each. What holds of any cluster is in `test_cluster`."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

import quarry.indexer.pipeline
from quarry.api.library import Library
from quarry.indexer.cluster import messages, on_ray, portions, sending
from quarry.indexer.cluster.messages import Model
from quarry.indexer.report import NoProgress, Report
from quarry.search.errors import ClusterUnavailable, MissingExtra, ModelMismatch
from quarry.search.models.live import SharedModels
from tests.clusters import holdings, mixed_folder

LIVE = SharedModels()
QUESTIONS = ("how is cheese made", "a red wall", "한국어", "the row of seven boats")


class Nodes:
    """A cluster; `on` is what the command line takes."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        settings = {"num_cpus": 1, "object_store_memory": 100 << 20}
        self.cluster = Cluster(initialize_head=True, head_node_args={**settings, "include_dashboard": False})
        self.second = self.cluster.add_node(**settings)
        self.on = f"ray={self.cluster.address}"


@pytest.fixture(scope="module")
def started() -> Iterator[Nodes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", on_ray._NEVER)  # this process outlives the cluster
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        pytest.importorskip("ray")
        started = Nodes()
        yield started
        started.cluster.shutdown()


@pytest.fixture(scope="module")
def nodes(started: Nodes) -> Iterator[Nodes]:
    """The cluster, joined once: what workers have loaded for one run is there for the next."""
    import ray

    ray.init(address=started.cluster.address, log_to_driver=False, configure_logging=False)
    yield started
    ray.shutdown()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = mixed_folder(tmp_path_factory.mktemp("mixed") / "root")
    for number in range(16):
        (root / f"{number}.txt").write_text(f"The ferry number {number} leaves at {number % 24} o'clock. " * 30)
    return root


@pytest.fixture(scope="module")
def alone(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """The library of a run without a cluster."""
    place = tmp_path_factory.mktemp("alone") / "library"
    with Library(place, models=LIVE) as library:
        return place, library.index(root)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many commits, of many jobs."""
    monkeypatch.setattr(quarry.indexer.pipeline, "BATCH_PASSAGES", 16)
    monkeypatch.setattr(sending, "_TOGETHER", 4)
    monkeypatch.setattr(portions, "PORTION", 8)


def told(report: Report) -> dict[str, object]:
    return {name: getattr(report, name) for name in Report.__slots__ if name != "seconds"}


def found(place: Path) -> tuple[list[tuple[str, str]], list[float]]:
    """All hits in their order, and their scores, whose last bits depend on which commit a passage came with."""
    with Library(place, models=LIVE) as library:
        hits = [hit for question in QUESTIONS for hit in library.search(question, limit=20).hits]
    return [(hit.document.uri, hit.text) for hit in hits], [hit.score for hit in hits]


class At(NoProgress):
    """Does something once, when so many passages are written."""

    def __init__(self, passages: int, what: Callable[[], object]) -> None:
        self._left, self._what = passages, what
        self.done: object = None

    def advance(self, files: int, size: int, passages: int) -> None:
        before, self._left = self._left, self._left - passages
        if before > 0 >= self._left:
            self.done = self._what()


class Killer(threading.Thread):
    """Kills one worker of this process's cluster that reads and one that embeds, in the middle of that."""

    def __init__(self) -> None:
        super().__init__(name="killer", daemon=True)
        self.killed: set[str] = set()
        self.over = threading.Event()

    def run(self) -> None:
        while len(self.killed) < 2 and not self.over.wait(0.01):
            for one in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    title = (one.cmdline() or [""])[0].strip()
                    if title in {"ray::read", "ray::embed"} - self.killed:
                        one.kill()
                        self.killed.add(title)


def test_a_run_joins_a_cluster_and_leaves_it(tmp_path: Path, started: Nodes) -> None:
    """The first test: all others keep to what this process has joined."""
    import ray

    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.txt").write_text("the words of a text")
    stopping = signal.getsignal(signal.SIGTERM)
    with Library(tmp_path / "library", models=LIVE) as library:
        assert library.index(tmp_path / "root", on=started.on).added == 1
    assert not ray.is_initialized() and signal.getsignal(signal.SIGTERM) == stopping


def test_it_is_the_library_of_a_run_without(
    nodes: Nodes, root: Path, alone: tuple[Path, Report], tmp_path: Path
) -> None:
    with Library(tmp_path / "library", models=LIVE) as library:
        report = library.index(root, on=nodes.on)
    assert told(report) == told(alone[1])
    assert report.failed.keys() and report.skipped_files  # the bad ones, as without
    assert holdings(tmp_path / "library") == holdings(alone[0])
    (hits, scores), (wanted, expected) = found(tmp_path / "library"), found(alone[0])
    assert hits == wanted and scores == pytest.approx(expected, abs=1e-5)


@pytest.mark.usefixtures("often")
def test_workers_killed_midway_double_and_lose_nothing(
    nodes: Nodes, root: Path, alone: tuple[Path, Report], tmp_path: Path
) -> None:
    killer = Killer()
    killer.start()
    with Library(tmp_path / "library", models=LIVE) as library:
        report = library.index(root, on=nodes.on)
    killer.over.set()
    killer.join()
    assert killer.killed
    assert told(report) == told(alone[1])
    assert holdings(tmp_path / "library") == holdings(alone[0])


@pytest.mark.usefixtures("often")
def test_an_interrupted_run_goes_on(nodes: Nodes, root: Path, alone: tuple[Path, Report], tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with Library(tmp_path / "library", models=LIVE) as library:
        with pytest.raises(KeyboardInterrupt):
            library.index(root, on=nodes.on, progress=At(20, interrupt))
        before = library.status()["documents"]
        assert 0 < before < alone[1].added
        assert library.index(on=nodes.on).added == alone[1].added - before
    assert holdings(tmp_path / "library") == holdings(alone[0])


def test_a_cluster_that_is_not_there_is_told_of_at_once(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with (
        socket.socket() as held,  # a port that nobody listens at
        Library(tmp_path / "library", models=LIVE) as library,
    ):
        held.bind(("127.0.0.1", 0))
        with pytest.raises(ClusterUnavailable, match=r"No Ray cluster can be used at 127\.0\.0\.1:\d+.*refused"):
            library.index(root, on=f"ray=127.0.0.1:{held.getsockname()[1]}")


def test_another_version_is_refused_by_name(
    nodes: Nodes, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = messages.own_version()
    monkeypatch.setattr(messages, "own_version", lambda: "9.9.9")  # here, and not in the workers
    with (
        Library(tmp_path / "library", models=LIVE) as library,
        pytest.raises(ClusterUnavailable, match=r"The worker on .* has Quarry .* written by 9\.9\.9") as refused,
    ):
        library.index(root, on=nodes.on)
    assert version in str(refused.value)


def test_another_model_is_refused_by_name(
    nodes: Nodes, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes by the model's name on the worker is not what the library has vectors of."""
    monkeypatch.setattr(portions, "Model", lambda medium, name, identity: Model(medium, name, "ab" * 32))
    with (
        Library(tmp_path / "library", models=LIVE) as library,
        pytest.raises(ModelMismatch, match=r"The worker on .*: all-MiniLM-L6-v2 is another model there.*abababab"),
    ):
        library.index(root, on=nodes.on)


def test_without_ray_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_ray, "find_spec", lambda name: None)
    with (
        Library(tmp_path / "library", models=LIVE) as library,
        pytest.raises(MissingExtra, match=r"pip install quarry-search\[ray\]"),
    ):
        library.index(tmp_path, on="ray")


@pytest.mark.usefixtures("often")
def test_a_machine_that_leaves_costs_nothing(
    nodes: Nodes, root: Path, alone: tuple[Path, Report], tmp_path: Path
) -> None:
    leave = At(20, lambda: nodes.cluster.remove_node(nodes.second, allow_graceful=False) or True)
    with Library(tmp_path / "library", models=LIVE) as library:
        report = library.index(root, on=nodes.on, progress=leave)
    assert leave.done
    assert told(report) == told(alone[1])
    assert holdings(tmp_path / "library") == holdings(alone[0])


@pytest.mark.usefixtures("often")
def test_a_cluster_that_goes_away_is_told_of(
    nodes: Nodes, root: Path, alone: tuple[Path, Report], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last test: it takes the cluster away, of which one machine left before."""
    monkeypatch.setattr(on_ray, "_LOOKING", 1.0)
    head = nodes.cluster.head_node
    processes = [one for kind in head.all_processes.values() for one in kind]

    def gone() -> int:
        for one in processes:
            os.kill(one.process.pid, signal.SIGKILL)
        return len(processes)

    with Library(tmp_path / "library", models=LIVE) as library:
        with pytest.raises(ClusterUnavailable, match=r"is gone\. What was committed stays"):
            library.index(root, on=nodes.on, progress=At(20, gone))
        before = library.status()["documents"]
        assert 0 < before < alone[1].added
        assert library.index().added == alone[1].added - before
    assert holdings(tmp_path / "library") == holdings(alone[0])
    assert not [one for one in threading.enumerate() if one.name == "quarry-prefetch"]
