"""A replica that follows: from a server, by a process of its own, under a server that answers meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from quarry.api import Library, Text
from quarry.api.cli.replicating import _print
from quarry.api.client.source import ServerSource
from quarry.api.members.replicating import replicate
from quarry.api.server.held_commits import HeldCommits
from quarry.api.server.keys import Keys
from quarry.indexer.exchange import following as following_module
from quarry.indexer.exchange.commit_files import CommitState
from quarry.indexer.exchange.replicating import replicate as brought
from quarry.indexer.exchange.sources import FolderSource, HeldFolder
from quarry.indexer.report import NoProgress
from quarry.search.errors import Busy, InvalidRequest, LibraryError, NotFound
from quarry.search.models.fake import FakeModels
from quarry.search.stores.replicas import Replica
from tests.processes import QUARRY, quarry, served


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A library of two texts, of the real model."""
    with Library(tmp_path / "source") as library:
        library.add([Text("a text about stars", id="stars"), Text("a text about bread", id="bread")])
        library.compact()
    return tmp_path / "source"


def add(source: Path, *ids: str) -> None:
    with Library(source) as library:
        library.add([Text(f"a text about {id}", id=id) for id in ids])


def wait_until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def found(client: httpx.Client, query: str = "a text") -> set[str]:
    answer = client.post("/v1/search", json={"query": query, "mode": "lexical", "limit": 100})
    assert answer.status_code == 200, answer.text
    return {hit["document"]["id"] for hit in answer.json()["hits"]}


@contextmanager
def following(source: str | Path, target: Path, log: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as file:
        command = [str(QUARRY), "replicate", str(source), str(target), "--follow", "--json"]
        process = subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, **env})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_server_over_a_replica_follows_while_it_answers(source: Path, tmp_path: Path) -> None:
    """Each answer is of one generation; none fails; models and process stay."""
    target, stop = tmp_path / "replica", threading.Event()
    replicate(source, target)
    answers: list[set[str]] = []
    with served(target, tmp_path / "log") as server:

        def ask() -> None:
            with httpx.Client(base_url=server.client.base_url, timeout=60, trust_env=False) as client:
                while not stop.is_set():
                    answers.append(found(client))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        with following(source, target, tmp_path / "following"):
            for number in range(4):
                add(source, f"left-{number}", f"right-{number}")
                wait_until(lambda number=number: f"left-{number}" in found(server.client))  # type: ignore[misc]
        stop.set()
        for thread in threads:
            thread.join()
        assert all((f"left-{n}" in one) == (f"right-{n}" in one) for one in answers for n in range(4))
        assert server.client.post("/v1/documents", json={"documents": [{"text": "new"}]}).status_code == 503
        assert "replica of" in server.client.delete("/v1/documents/stars").json()["detail"]
        assert server.client.get("/v1/status").json()["replica"]["source"] == str(source)
        replicate(source, target)
        wait_until(lambda: len(list(target.glob("generations/*"))) == 1 or not replicate(source, target))
    assert {len(one) for one in answers} >= {2, 10}


def test_from_a_server_with_a_key_for_it(source: Path, tmp_path: Path) -> None:
    """Only a key that may copy the library is let at its files; they stay while the library is compacted."""
    keys = {scope: Keys(source).add(scope, scope) for scope in ("read", "replicate", "write")}  # type: ignore[arg-type]
    target = tmp_path / "replica"
    with served(source, tmp_path / "log", "--workers", "2") as server:
        address = str(server.client.base_url).rstrip("/")

        def asked(path: str, key: str = "replicate", **headers: str) -> httpx.Response:
            return server.client.get(path, headers={"Authorization": f"Bearer {keys[key]}", **headers})

        for path in ("/v1/commit", "/v1/commit/", "/v1/commit/files", f"/v1/commit/files/{'0' * 64}"):
            assert server.client.get(path).status_code == 401
            assert asked(
                path,
                "read",
            ).status_code in (403, 307)
            assert asked(path.rstrip("/"), "read").status_code == 403
        with pytest.raises(LibraryError, match="refuses: The key read may read, and not copy"):
            replicate(address, target, key=keys["read"])
        assert asked("/v1/commit", "write").status_code == 200
        assert (
            server.client.delete(
                "/v1/documents/bread", headers={"Authorization": f"Bearer {keys['replicate']}"}
            ).status_code
            == 403
        )

        listed = asked("/v1/commit/files").json()
        (segment,) = (one for one in listed["files"] if one["name"].startswith("segments/"))
        path = f"/v1/commit/files/{segment['sha256']}"
        with Library(source) as library:
            library.add(Text("a text about rivers", id="rivers"))
            library.compact()
        whole = asked(path)
        assert (whole.status_code, len(whole.content)) == (200, segment["bytes"])
        part = asked(path, Range="bytes=10-19")
        assert (part.status_code, part.content) == (206, whole.content[10:20])
        assert asked(path, Range="bytes=999999999-").status_code == 416
        assert asked(path, **{"If-None-Match": whole.headers["etag"]}).status_code == 304
        for wrong in ("..%2f..%2fcatalog.db", "../../catalog.db", "catalog.db", "0" * 63, "0" * 64 + "x", "%00"):
            assert asked(f"/v1/commit/files/{wrong}").status_code in (404, 422)
        assert asked(f"/v1/commit/files/{'0' * 64}").status_code == 404

        assert replicate(address, target, key=keys["replicate"]).documents == 3
        add(source, "lakes")
        done = json.loads(quarry("replicate", address, target, "--json", env={"QUARRY_KEY": keys["write"]}).stdout)
        assert done["is_new"] and done["fetched_bytes"] < done["bytes"] and done["source"] == address
        assert not replicate(f"{address}/v1/libraries/default", target, key=keys["replicate"]).is_new
        with pytest.raises(NotFound):
            replicate(f"{address}/v1/libraries/none", target, key=keys["replicate"])
        assert server.stop(signal.SIGTERM) == 0  # with its workers, which a kill leaves for a second
    with Library(target) as library:
        assert {hit.document.id for hit in library.search("a text").hits} == {"stars", "bread", "rivers", "lakes"}
        assert [finding for finding in library.doctor() if finding.level == "damage"] == []
    with pytest.raises(LibraryError, match="can't be reached"):
        replicate(address, target)


def test_a_source_that_is_away_is_waited_for(source: Path, tmp_path: Path) -> None:
    target, log = tmp_path / "replica", tmp_path / "following"
    away = source.with_name("away")
    with following(source, target, log) as process:
        wait_until(lambda: (target / "current").exists())
        source.rename(away)
        wait_until(lambda: "There is no library at" in log.read_text())
        said = quarry("status", "--library", target)
        assert "There is no library at" in said.stderr and "replica of" in said.stdout
        add(away, "rivers")
        away.rename(source)
        wait_until(lambda: "is there again" in log.read_text())
        with Library(target) as library:
            assert library.documents()[1] == 3 and library.status()["replica"]["problem"] == ""
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (0, 130, -signal.SIGINT)
    assert "Traceback" not in log.read_text()


def test_a_source_that_is_back_is_no_problem_though_nothing_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Library(tmp_path / "source", models=FakeModels()) as library:
        library.add(Text("a text"))
    looks, stop, said = iter((False, True, False)), threading.Event(), list[str]()

    class Away(FolderSource):
        def newest(self) -> CommitState:
            if next(looks, False):
                raise LibraryError("away")
            return super().newest()

    def tell(text: str) -> None:
        said.append(text)
        if "again" in text:
            stop.set()

    monkeypatch.setattr(following_module, "EVERY_S", 0.01)
    source, target = Away(tmp_path / "source"), tmp_path / "replica"
    brought(source, target, NoProgress())
    following_module.follow(source, target, stop, lambda made: None, tell, NoProgress())
    replica = Replica.find(target)
    assert said == ["away", f"{source.name} is there again"]
    assert replica is not None and (seen := replica.seen()) is not None and seen.problem == ""


def test_what_is_no_quarry_is_said_to_be_none(tmp_path: Path) -> None:
    answers = [
        (httpx.Response(200, text="<html>"), "answers otherwise"),
        (httpx.Response(404, text="nothing"), "answers otherwise"),
        (
            httpx.Response(200, json={"library": "x", "generation": -1, "commit": "", "derived": "x"}),
            "nothing that Quarry",
        ),
        (httpx.Response(302, headers={"Location": "http://elsewhere"}), "answers otherwise"),
    ]
    for answer, said in answers:
        transport = httpx.MockTransport(lambda request, answer=answer: answer)
        with pytest.raises(Exception, match=said):
            brought(ServerSource("http://host", transport=transport), tmp_path / "replica", NoProgress())
    assert not (tmp_path / "replica").exists()
    with pytest.raises(InvalidRequest):
        ServerSource("http://name:secret@host")  # a replica's source is shown to all who read it


def test_commits_that_nobody_asks_for_are_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Library(tmp_path / "library", models=FakeModels()) as library:
        library.add(Text("a text"))
        commits = HeldCommits(library)
        first = commits.hold()
        assert commits.hold() is first
        name = first.listing.files[0].sha256
        stream, size = commits.opened(name)
        for number in range(2):
            library.add(Text(f"text {number}"))
            commits.hold()
        with pytest.raises(NotFound):
            commits.opened(name)
        with stream:
            assert len(stream.read()) == size  # who has begun comes to the end
        kept = commits.hold().listing.files[0].sha256
        library.add(Text("text 2"))
        open_ = commits._opened

        def opened() -> Any:
            assert not commits._lock.locked()  # others get files meanwhile
            return open_()

        monkeypatch.setattr(commits, "_opened", opened)
        commits.hold()
        commits.opened(kept)[0].close()
        library.add(Text("text 3"))
        commits.hold()
        commits.opened(kept)[0].close()  # who is slow comes to the end, though others ask for each commit
        monkeypatch.setattr("quarry.api.server.held_commits.IDLE_S", 0.0)
        commits._let_idle_go()
        assert commits.hold().listing.state.commit.generation == library.status()["generation"]
        commits.close()
        library.add(Text("text 4"))
        with pytest.raises(Busy):
            commits.hold()


def test_copies_that_are_slow_all_come_to_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third one joins the newest commit that is copied, in place of taking the first one's away."""
    with Library(tmp_path / "library", models=FakeModels()) as library:
        commits, held, numbers = HeldCommits(library), dict[str, HeldFolder](), count()

        def newest(copy: str) -> bool:
            library.add(Text(f"text {next(numbers)}"))
            held[copy] = commits.hold(copy)
            return held[copy].listing.state.commit.generation == library.status()["generation"]

        assert newest("slow") and newest("slower")
        assert not newest("slowest") and held["slowest"] is held["slower"]
        for copy, one in held.items():
            for file in one.listing.files:
                commits.opened(file.sha256, copy)[0].close()
        assert newest("slow")  # which is done with the first
        commits.opened(held["slower"].listing.files[0].sha256, "slower")[0].close()
        assert newest("slow") and not newest("another")
        open_ = commits._opened

        def opened() -> Any:
            made = open_()
            monkeypatch.undo()
            for copy in ("slow", "slower"):
                commits.opened(held[copy].listing.files[0].sha256, copy)[0].close()
            return made

        monkeypatch.setattr(commits, "_opened", opened)
        monkeypatch.setattr("quarry.api.server.held_commits.COPYING_S", 0.0)
        assert not newest("another")  # those that were silent go on while it is opened
        for copy in ("slow", "slower"):
            commits.opened(held[copy].listing.files[0].sha256, copy)[0].close()
        monkeypatch.setattr("quarry.api.server.held_commits.COPYING_S", 0.0)
        assert newest("another")  # nobody waits for what was given up
        commits.close()


def test_a_commit_that_is_there_already_is_not_put_together_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server may hold an older commit than its newest, for those who copy it still: that it is older is said."""

    class Behind(FolderSource):
        def newest(self) -> CommitState:
            state = super().newest()
            commit = replace(state.commit, generation=state.commit.generation + 2)
            return replace(state, commit=commit, derived="f" * 64)

    with Library(tmp_path / "source", models=FakeModels()) as library:
        library.add(Text("a text"))
    source, target = Behind(tmp_path / "source"), tmp_path / "replica"
    assert brought(source, target, NoProgress()).is_new
    place = (target / "current").resolve()
    again = brought(source, target, NoProgress())
    assert (again.is_new, again.documents, again.behind) == (False, 1, 2)
    _print(again, as_json=False)
    assert "newest" not in (said := capsys.readouterr().out) and "Try again" in said
    assert (target / "current").resolve() == place


def test_clocks_that_differ_decide_nothing(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source's is an hour ahead, then an hour behind; its files are of 2099, the replica's of 1970."""
    target, now = tmp_path / "replica", time.time

    def set_clock(ahead_s: float) -> None:
        monkeypatch.setattr(time, "time", lambda: now() + ahead_s)

    def date(place: Path, year: int) -> None:
        moment = (year - 1970) * 365.25 * 86_400
        for path in place.rglob("*"):
            os.utime(path, (moment, moment), follow_symlinks=False)

    def ids() -> set[str]:
        with Library(target) as library:
            return {document.id for document in library.documents(limit=100)[0]}

    expected = {"stars", "bread"}
    for ahead_s, id in ((3_600, "early"), (-3_600, "late"), (0, "now"), (-3_600, "late again")):
        set_clock(ahead_s)
        add(source, id)
        date(source, 2099)
        set_clock(0)
        expected.add(id)
        assert replicate(source, target).is_new and ids() == expected
        date(target, 1970)
        assert not replicate(source, target).is_new
    set_clock(3_600)
    with Library(target) as library:
        assert library.search("bread").hits[0].document.id == "bread"
        assert library.status()["replica"]["behind"] == 0
        assert [finding for finding in library.doctor() if finding.level == "damage"] == []
        found = [library.search("a text about", sort="-indexed", mode="lexical", limit=100).hits for _ in range(2)]
    assert found[0] and found[0] == found[1]
