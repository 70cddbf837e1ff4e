"""Engines that die, are cut off, refuse, or hold what is another's: named, searched in the catalog, filled again."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from quarry.search.engines.base import Unreached
from quarry.search.engines.following import collection, link, view
from quarry.search.engines.following.store import Mark
from quarry.search.engines.following.vectors import FollowingVectors
from quarry.search.engines.milvus import MilvusStore
from quarry.search.engines.qdrant import QdrantStore
from quarry.search.engines.trial import DIMENSION, Trial, unit_vectors
from quarry.search.errors import EngineUnavailable, ModelMismatch
from quarry.search.fields.filters import EVERYTHING
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.lineage import Commit
from tests.engines.stores import STORES, Engine, lose_a_commit, stop_lite, store_of

VECTORS = unit_vectors(300)


@pytest.fixture(params=STORES)
def engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr(collection, "_PORTION", 100)
    monkeypatch.setattr(link, "AGAIN_S", 0.0)
    yield STORES[request.param]
    STORES[request.param].close(tmp_path / "elsewhere")


def filled(trial: Trial) -> FollowingVectors:
    """Commit 300 vectors in three commits, and have the engine hold them."""
    for start in range(0, 300, 100):
        trial.add(VECTORS[start : start + 100])
    trial.engine.compact()
    assert isinstance(trial.engine, FollowingVectors)
    return trial.engine


def same_answers(trial: Trial) -> None:
    for query in VECTORS[::60]:
        expected = np.lexsort((np.arange(300), -(VECTORS.astype(np.float16).astype(np.float32) @ query)))[:20]
        assert trial.view().search(query, 20).ids.tolist() == (expected + 1).tolist()


@pytest.mark.parametrize("store", STORES)
def test_who_is_killed_while_it_fills_an_engine_has_the_next_one_go_on(store: str, tmp_path: Path) -> None:
    with closing(Trial(tmp_path / "library", STORES[store])) as trial:
        for start in range(0, 300, 50):
            trial.add(VECTORS[start : start + 50])
    killed = subprocess.run([sys.executable, "-m", "tests.engines.killed", store, str(tmp_path)], timeout=240)
    assert killed.returncode == -signal.SIGKILL
    with closing(Trial(tmp_path / "library", STORES[store])) as trial:
        with trial.catalog.snapshot() as snapshot:
            covered = trial.engine.collection.state(snapshot).covered
        assert 0 < covered < 7, "what was marked stays"
        same_answers(trial)
        trial.delete(["added-1"])
        trial.engine.compact()
        assert not trial.engine.verify()
        assert trial.view().count == 250 and trial.view().tail == 0
    STORES[store].close(tmp_path / "elsewhere")


def test_what_another_model_filled_is_left_as_it_is_and_both_are_named(engine: Engine, tmp_path: Path) -> None:
    with closing(Trial(tmp_path / "library", engine)) as trial:
        own = filled(trial)
        store = store_of(own)
        mark = store.mark()
        assert mark is not None
        store.settle(replace(mark, identity="other:7", model="someone/else", dimension=32))
        own.collection.link.changed()
        (note,) = trial.view().notes
        assert isinstance(note, Unreached) and "someone/else" in note and "fake" in note and "300 passages" in note
        same_answers(trial)
        with pytest.raises(ModelMismatch, match=r"someone/else.*fake"):
            own.fill(lambda done, of: None)
        assert "someone/else" in own.repair()[0].what
        assert (store.count(), str(store.mark())) == (300, str(replace(mark, identity="other:7", model="someone/else")))


def test_another_state_of_the_library_is_named_and_mended_by_a_repair_alone(engine: Engine, tmp_path: Path) -> None:
    with closing(Trial(tmp_path / "library", engine)) as trial:
        own = filled(trial)
        lose_a_commit(own)
        assert "another state of this library" in trial.view().notes[0]
        own.compact()
        with pytest.raises(EngineUnavailable, match="another state"):
            own.fill(lambda done, of: None)
        assert own.repair() and not own.verify() and trial.view().notes == ()


def test_values_that_were_changed_are_found_and_mended(engine: Engine, tmp_path: Path) -> None:
    with closing(Trial(tmp_path / "library", engine)) as trial:
        own = filled(trial)
        store = store_of(own)
        store.put(np.array([7, 1_000]), unit_vectors(2, seed=9).astype(np.float16))
        store.remove(np.array([9]))
        told = " ".join(one.what for one in own.verify())
        assert (
            told == "1 vectors are missing 1 vectors are not what was written 1 vectors are of nothing in the library"
        )
        assert own.repair() and not own.verify()
        same_answers(trial)


def test_collections_of_spaces_that_are_no_more_are_let_go(engine: Engine, tmp_path: Path) -> None:
    with closing(Trial(tmp_path / "library", engine)) as trial:
        filled(trial)
        gone = engine(trial.catalog, replace(trial.space, identity="fake:0"))
        gone.fill(lambda done, of: None)
        trial.engine.release(is_read=False)
        assert store_of(trial.engine).count() == 300
        with trial.catalog.snapshot() as snapshot:
            gone.collection.link.changed()
            assert gone.collection.state(snapshot).covered == 0
        trial.engine.leave()
        assert trial.view().tail == 300 and trial.view().notes == ()


def test_a_shard_that_another_process_uses_is_neither_read_nor_written_nor_removed(tmp_path: Path) -> None:
    """Qdrant itself would open it, and show what it held then for ever."""
    with closing(Trial(tmp_path / "library", STORES["qdrant"])) as trial:
        own = filled(trial)
        store = store_of(own)
        assert isinstance(store, QdrantStore)
        shutil.rmtree(store._path)  # as another process does whose library moves away
        assert len(trial.view().search(VECTORS[0], 20)) == 20
        own.collection.link.changed()
        assert trial.view().tail == 300 and trial.view().notes == ()
        store._path.mkdir()
        with (store._path / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            own.collection.link.changed()
            (store._path / "mark.json").write_text(str(Mark.of(own.space, newest_commit(trial))))
            assert "is used by another process" in trial.view().notes[0]
            same_answers(trial)
            own.compact()
            assert "is used by another process" in own.repair()[0].what
            assert {path.name for path in store._path.iterdir()} == {"lock", "mark.json"}
        own.repair()
        assert not own.verify() and trial.view().tail == 0
        same_answers(trial)


def test_the_lock_of_a_library_of_a_group_is_for_the_group(tmp_path: Path) -> None:
    with closing(Catalog(tmp_path / "library", writable=True, shared=True)) as catalog:
        STORES["qdrant"](catalog, catalog.ensure_space("text", "fake:1", "fake", DIMENSION)).compact()
        modes = {(catalog.directory / f"{name}.lock").stat().st_mode for name in ("engine", "writer")}
    assert len(modes) == 1


def newest_commit(trial: Trial) -> Commit:
    with trial.catalog.snapshot() as snapshot:
        return snapshot.commit


def comes_back(trial: Trial) -> bool:
    """Wait until an engine is asked again."""
    end = time.monotonic() + 60
    while trial.view().notes and time.monotonic() < end:
        time.sleep(0.1)
    return trial.view().notes == ()


Serve = Callable[[], Any]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[tuple[Serve, str]]:
    """What starts Milvus (lite) as a server of its own, always at one address; and that address."""
    from milvus_lite.adapter.grpc.server import start_server_in_thread

    started: list[tuple[Any, Any]] = []

    def start(port: int = 0) -> Any:
        server, db, port = start_server_in_thread(data_dir=str(tmp_path / "milvus.db"), host="127.0.0.1", port=port)
        started.append((server, db))

        def stop() -> int:
            server.stop(grace=0).wait()
            db.close()
            started.remove((server, db))
            return int(port)

        return stop

    port = start()()
    yield partial(start, port), f"http://127.0.0.1:{port}"
    for server, db in started:
        server.stop(grace=0).wait()
        db.close()


def test_a_server_that_is_cut_off_is_named_searched_around_and_comes_back(
    serve: tuple[Serve, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "AGAIN_S", 0.0)
    monkeypatch.setattr(link, "KNOWN_S", 0.0)
    monkeypatch.setattr(collection, "_PORTION", 100)
    start, uri = serve
    opened = partial(FollowingVectors, label="Milvus", open_store=partial(MilvusStore, uri))
    with closing(Trial(tmp_path / "library", opened)) as trial:
        for at in range(0, 300, 100):
            trial.add(VECTORS[at : at + 100])
        stop = start()

        def cut(done: int, of: int) -> None:
            if done >= 200:
                stop()

        with pytest.raises(EngineUnavailable, match=r"does not answer"):
            trial.engine.fill(cut)
        (note,) = trial.view().notes
        assert isinstance(note, Unreached) and uri in note and "300 passages are searched one by one" in note
        same_answers(trial)
        trial.engine.compact()  # a run goes on without it
        stop = start()
        assert comes_back(trial) and 0 < trial.view().tail < 300
        trial.engine.fill(lambda done, of: None)
        assert not trial.engine.verify()
        same_answers(trial)
        held = trial.view()
        stop()  # between the opening of a view and its search
        assert len(held.search(VECTORS[0], 20)) == 20
        assert "does not answer" in held.notes[0]
        monkeypatch.setattr(view, "MOST", 50)
        monkeypatch.setattr("quarry.search.engines.following.vectors.MOST", 50)
        assert "300 passages are found by their words alone" in trial.view().notes[0]
        assert len(trial.view().search(VECTORS[0], 20, EVERYTHING)) == 0
        start()
        assert comes_back(trial) and len(trial.view().search(VECTORS[0], 20)) == 20


def refusing(code: grpc.StatusCode, said: str) -> tuple[grpc.Server, str]:
    """Serve something that refuses every call."""

    class Refusing(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            return grpc.unary_unary_rpc_method_handler(lambda request, context: context.abort(code, said))

    server = grpc.server(ThreadPoolExecutor(1), handlers=[Refusing()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"http://127.0.0.1:{port}"


def test_a_proxy_is_not_asked_for_a_file_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert MilvusStore(str(tmp_path / "milvus.db"), "quarry_test", DIMENSION).mark() is None
    stop_lite(tmp_path)


def test_wrong_credentials_say_where_to_put_the_right_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARRY_MILVUS_TOKEN", "root:wrong")
    server, uri = refusing(grpc.StatusCode.UNAUTHENTICATED, "auth check failure, please check username and password")
    with pytest.raises(EngineUnavailable, match=r"refuses who asks: set QUARRY_MILVUS_TOKEN") as caught:
        MilvusStore(uri, "quarry_test", DIMENSION)
    server.stop(None)
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("version", ["v2.2.16", "2.1.4-lite"])
def test_a_version_that_is_too_old_is_named(version: str) -> None:
    server, uri = versioned(version)
    with pytest.raises(EngineUnavailable, match=rf"{uri} is {version}; it must be 2\.3 or newer"):
        MilvusStore(uri, "quarry_test", DIMENSION)
    server.stop(None)


def versioned(version: str) -> tuple[grpc.Server, str]:
    """Serve what says which version of Milvus it is, and nothing else."""
    from pymilvus.grpc_gen import milvus_pb2

    answers = {"GetVersion": milvus_pb2.GetVersionResponse(version=version), "Connect": milvus_pb2.ConnectResponse()}

    class Versioned(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
            answer = answers.get(str(call.method).rpartition("/")[2])
            if answer is None:
                return None
            return grpc.unary_unary_rpc_method_handler(lambda request, context: answer.SerializeToString())

    server = grpc.server(ThreadPoolExecutor(1), handlers=[Versioned()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("store", STORES)
def test_an_engine_whose_disk_is_full_is_named_searched_around_and_goes_on(
    store: str, tmp_path: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Qdrant would end the process: it writes to maps of files that the disk has no room for."""
    monkeypatch.setattr(collection, "_PORTION", 100)
    monkeypatch.setattr(link, "AGAIN_S", 0.0)
    subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
    opened = partial(FollowingVectors, label=store, open_store=STORES[store].open_store(disk))
    with closing(Trial(tmp_path / "library", opened)) as trial:
        trial.add(VECTORS[:100])
        trial.engine.fill(lambda done, of: None)
        trial.add(VECTORS[100:200])
        trial.add(VECTORS[200:])
        with (disk / "filler").open("wb") as stream, contextlib.suppress(OSError):
            while True:
                stream.write(bytes(1 << 16))
        with pytest.raises(EngineUnavailable, match=r"full|No space left"):
            trial.engine.fill(lambda done, of: None)
        trial.engine.compact()  # a run goes on without it
        assert trial.view().tail >= 200
        same_answers(trial)
        (disk / "filler").unlink()
        assert comes_back(trial)
        trial.engine.fill(lambda done, of: None)
        assert not trial.engine.verify() and trial.view().tail == 0
        same_answers(trial)
    STORES[store].close(disk)
