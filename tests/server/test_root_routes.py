"""Roots and jobs over HTTP, from a real server: what is brought in sync, watched, cancelled, and refused."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from quarry.api import Library
from quarry.api.routes.jobs import JobBody, JobList
from quarry.api.routes.roots import ForgetResponse, RootList
from quarry.api.server.app import create_app
from quarry.api.server.jobs import MAX_WAITING, Job, Jobs
from quarry.indexer.report import Report
from quarry.search.errors import Busy, NotFound
from quarry.search.models.fake import FakeModels
from tests.processes import Served, served
from tests.replies import described, refused


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("roots").resolve()


@pytest.fixture(scope="module")
def running(place: Path) -> Iterator[Served]:
    """A server that may add what lies below `allowed`; each test has a folder of its own there."""
    (place / "allowed").mkdir()
    with Library(place / "library") as library:
        library.add([])
    with served(place / "library", place / "log", "--roots", str(place / "allowed")) as server:
        yield server


@pytest.fixture
def folder(running: Served, place: Path, request: pytest.FixtureRequest) -> Path:
    """A folder of two files."""
    made = place / "allowed" / request.node.name.partition("[")[0]
    made.mkdir()
    for name in ("one", "two"):
        (made / f"{name}.md").write_text(f"# {name}\n\nThe file {name} of {made.name}.\n")
    return made


def over(client: Any, response: Any) -> dict[str, Any]:
    """Return the job that a response is, when it is over."""
    job = described(response, JobBody, 202)
    assert response.headers["location"] == f"/v1/jobs/{job['id']}"
    for _ in range(600):
        job = described(client.get(response.headers["location"]), JobBody)
        if job["state"] not in ("waiting", "running"):
            return job
        time.sleep(0.05)
    raise AssertionError(job)


def roots(client: httpx.Client) -> dict[str, dict[str, Any]]:
    return {one["path"]: one for one in described(client.get("/v1/roots"), RootList)["roots"]}


def test_a_root_is_added_brought_in_sync_and_removed(running: Served, folder: Path) -> None:
    client = running.client
    job = over(client, client.post("/v1/roots", json={"path": str(folder), "metadata": {"team": "a"}}))
    assert (job["state"], job["report"]["added"], job["problem"], job["about"]) == ("done", 2, None, [str(folder)])
    assert job["progress"]["done_files"] == job["progress"]["files"] == 2
    root = roots(client)[str(folder)]
    assert (root["documents"], root["is_there"], root["job"]) == (2, True, None)
    assert root["options"]["metadata"] == {"team": "a"} and root["synced"]
    found = client.get("/v1/documents", params={"filter": json.dumps({"team": "a"})}).json()
    assert found["total"] == 2

    (folder / "one.md").unlink()
    (folder / "three.md").write_text("# three\n")
    dry = over(client, client.post("/v1/roots/sync", json={"paths": [str(folder)], "dry_run": True}))
    assert (dry["report"]["added"], dry["report"]["dropped"], dry["report"]["dry_run"]) == (1, 1, True)
    done = over(client, client.post("/v1/roots/sync"))
    assert (done["report"]["added"], done["report"]["dropped"], done["about"]) == (1, 1, [])
    assert [one["id"] for one in described(client.get("/v1/jobs"), JobList)["jobs"]][:2] == [done["id"], dry["id"]]

    assert described(client.delete("/v1/roots", params={"path": str(folder)}), ForgetResponse) == {"dropped": 2}
    assert str(folder) not in roots(client)
    refused(client.delete("/v1/roots", params={"path": str(folder)}), 404)


@pytest.mark.fault("33")
def test_a_client_names_no_path_that_the_server_was_not_given(running: Served, folder: Path, place: Path) -> None:
    """Row 33: nor learns whether there is anything at one."""
    client = running.client
    (place / "secret").mkdir(exist_ok=True)
    (place / "secret" / "a.md").write_text("A secret.")
    (folder / "link").symlink_to(place / "secret")
    said = set()
    for path in (place / "secret", place / "nothing", folder / ".." / ".." / "secret", folder / "link", "/", "/etc",
                 f"{place}/allowed-not", place, "file:///etc"):  # fmt: skip
        for route, body in (("/v1/roots", {"path": str(path)}), ("/v1/roots/sync", {"paths": [str(path)]})):
            said.add(refused(client.post(route, json=body), 403).replace(repr(str(path)), "PATH"))
    assert len(said) == 1
    for path in ("notes", "", "~/notes", "\0", "/a\0b", "x" * 5_000):
        refused(client.post("/v1/roots", json={"path": path}), 422)
    assert client.get("/v1/jobs").json()["jobs"] == [] or str(place / "secret") not in client.get("/v1/jobs").text


def test_without_folders_only_roots_that_are_there_are_synced(server: Served) -> None:
    (path,) = [root["path"] for root in server.client.get("/v1/roots").json()["roots"]]
    assert server.client.get("/v1/roots").json()["folders"] == []
    assert over(server.client, server.client.post("/v1/roots/sync", json={"paths": [path], "dry_run": True}))
    refused(server.client.post("/v1/roots", json={"path": str(Path(path).parent)}), 403)


def test_a_job_is_watched(running: Served, folder: Path) -> None:
    client = running.client
    id = client.post("/v1/roots", json={"path": str(folder)}).json()["id"]
    with client.stream("GET", f"/v1/jobs/{id}/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in response.iter_lines() if line]
    told = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert set(lines[::2]) == {"event: job"} and told[-1]["state"] == "done"
    assert told[-1] == client.get(f"/v1/jobs/{id}").json()
    for what in ("", "/events"):
        assert "no job" in refused(client.get(f"/v1/jobs/nothing{what}"), 404)
    assert "no job" in refused(client.delete("/v1/jobs/nothing"), 404)


def test_a_job_that_fails_says_why(running: Served, folder: Path) -> None:
    client = running.client
    job = over(client, client.post("/v1/roots", json={"path": str(folder / "nothing")}))
    assert (job["state"], job["problem"]["status"], job["problem"]["type"]) == ("failed", 404, "urn:quarry:not-found")
    assert over(client, client.post("/v1/roots", json={"path": str(folder), "metadata": {"x" * 70_000: 1}}))["problem"]


def test_what_was_committed_stays_when_a_job_is_cancelled(tmp_path: Path, models: FakeModels) -> None:
    root = tmp_path / "files"
    root.mkdir()
    for number in range(1_500):
        (root / f"{number}.md").write_text(f"# Number {number}\n\nWords of the number {number}.")
    with (
        Library(tmp_path / "library", models=models) as library,
        TestClient(create_app(library, folders=[str(root.resolve())]), base_url="http://localhost") as tested,
    ):
        client: Any = tested
        library.add([])
        job = client.post("/v1/roots", json={"path": str(root)}).json()
        waiting = client.post("/v1/roots/sync", json={"paths": [str(root)]}).json()
        assert waiting["state"] == "waiting"
        while not job["progress"]["done_files"]:
            job = client.get(f"/v1/jobs/{job['id']}").json()
        assert client.get("/v1/roots").json()["roots"][0]["job"] == job["id"]
        cancelled = described(client.delete(f"/v1/jobs/{waiting['id']}"), JobBody, 202)
        assert (cancelled["state"], cancelled["started"]) == ("cancelled", None)
        assert client.delete(f"/v1/jobs/{job['id']}").status_code == 202
        while job["state"] == "running":
            job = client.get(f"/v1/jobs/{job['id']}").json()
        assert (job["state"], job["report"], job["problem"]) == ("cancelled", None, None)
        held = client.get("/v1/documents", params={"limit": 0}).json()["total"]
        assert job["progress"]["done_files"] == held < 1_500
        done = over(client, client.post("/v1/roots/sync"))  # which goes on from there
        assert (done["state"], done["report"]["added"]) == ("done", 1_500 - held)


@pytest.mark.fault("10")
def test_a_server_that_ends_cancels_its_jobs(tmp_path: Path) -> None:
    """Row 10: those who watch are told, and it ends in time."""
    root = tmp_path / "files"
    root.mkdir()
    for number in range(2_000):
        (root / f"{number:04}.md").write_text(f"# Number {number}\n\nWords of the number {number}.")
    with Library(tmp_path / "library") as library:
        library.add([])
    with served(tmp_path / "library", tmp_path / "log", "--roots", str(root)) as server:
        id = server.client.post("/v1/roots", json={"path": str(root)}).json()["id"]
        ending, states = threading.Thread(target=server.stop, args=(signal.SIGTERM,)), list[str]()
        with server.client.stream("GET", f"/v1/jobs/{id}/events") as response:
            for line in response.iter_lines():
                if line.startswith("data: "):
                    job = json.loads(line.removeprefix("data: "))
                    states.append(job["state"])
                    if job["progress"]["files"] and not ending.ident:
                        ending.start()
        ending.join(30)
        assert (states[-1], server.process.returncode) == ("interrupted", 0)
    with Library(tmp_path / "library") as library:
        assert {finding.level for finding in library.doctor()} == {"ok"}


@pytest.mark.fault("10")
def test_a_job_is_known_after_a_restart(tmp_path: Path) -> None:
    """Row 10: one that the end of the server broke off is told as that, with what it had done."""
    root = tmp_path / "files"
    (root / "more").mkdir(parents=True)
    (root / "one.md").write_text("# One\n\nWords.")
    with Library(tmp_path / "library") as library:
        library.add([])
    with served(tmp_path / "library", tmp_path / "log", "--roots", str(root)) as server:
        done = over(server.client, server.client.post("/v1/roots", json={"path": str(root)}))
        for number in range(800):
            (root / "more" / f"{number:04}.md").write_text(f"# Number {number}\n\nWords of the number {number}.")
        id = server.client.post("/v1/roots/sync").json()["id"]
        while not server.client.get(f"/v1/jobs/{id}").json()["progress"]["files"]:
            time.sleep(0.01)
        server.process.kill()
        server.process.wait(20)
    with served(tmp_path / "library", tmp_path / "log", "--roots", str(root)) as server:
        job = described(server.client.get(f"/v1/jobs/{id}"), JobBody)
        assert (job["state"], job["kind"], job["report"]) == ("interrupted", "sync", None) and job["ended"]
        assert described(server.client.get(f"/v1/jobs/{done['id']}"), JobBody) == done
        assert [one["id"] for one in described(server.client.get("/v1/jobs"), JobList)["jobs"]] == [id, done["id"]]
        assert '"interrupted"' in server.client.get(f"/v1/jobs/{id}/events").text
        assert described(server.client.delete(f"/v1/jobs/{id}"), JobBody, 202)["state"] == "interrupted"


# --- the jobs themselves --------------------------------------------------------------------------------------------


def test_jobs_run_one_after_the_other() -> None:
    jobs, order, running = Jobs(), list[int](), list[int]()

    def work(number: int) -> Any:
        def done(job: Job) -> Report:
            running.append(number)
            assert len(running) == 1
            time.sleep(0.002)
            order.append(number)
            running.remove(number)
            return Report()

        return done

    begun = [jobs.begin(Job("test", work(number))) for number in range(10)]
    jobs.join(10)
    assert order == list(range(10)) and {job.state for job in begun} == {"done"}
    assert jobs.listed() == begun[::-1] and jobs.get(begun[0].id) is begun[0]


def test_jobs_that_wait_are_counted_and_stopped() -> None:
    jobs, may_end = Jobs(), threading.Event()

    def work(job: Job) -> Report:
        may_end.wait(10)
        job.note("is told that it is cancelled")
        return Report()

    def fail(job: Job) -> Report:
        raise ValueError("x")

    first = jobs.begin(Job("test", fail))
    jobs.join(10)
    assert (first.state, str(first.error)) == ("failed", "x")
    every = [jobs.begin(Job("test", work)) for _ in range(MAX_WAITING)]
    with pytest.raises(Busy):
        for _ in range(3):
            every.append(jobs.begin(Job("test", work)))
    jobs.stop()
    may_end.set()
    jobs.join(10)
    assert {job.state for job in every} == {"interrupted"}
    with pytest.raises(Busy):
        jobs.begin(Job("test", work))
    with pytest.raises(NotFound):
        jobs.get("x")
