"""What takes longer than it may is stopped, named, and leaves nothing half-done; the rest is served meanwhile."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import pytest

from quarry.api import Library
from quarry.api.library import Text
from quarry.api.server import deadlines
from quarry.api.server.app import create_app
from quarry.indexer import writer
from quarry.search.errors import DeadlineExceeded, InvalidRequest
from quarry.search.fields.allowed import Filters
from quarry.search.fields.filters import allowed_chunks
from quarry.search.models.fake import FakeModels
from quarry.search.models.runtime import each
from quarry.search.requests import deadline
from quarry.search.requests.deadline import Deadline
from quarry.search.stores.catalog import Catalog, Snapshot
from quarry.search.stores.rows import documents
from quarry.search.types import Chunk
from tests.processes import quarry, served

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    with Library(tmp_path / "library", models=FakeModels()) as library:
        library.add([Text(f"Number {number} of the stars.", id=f"{number}") for number in range(20)])
        yield library


def endless(library: Library) -> None:
    with library.catalog().snapshot() as snapshot:
        snapshot.connection.execute(ENDLESS).fetchone()


@pytest.mark.fault("39")
def test_a_statement_is_interrupted_and_its_connection_used_again(library: Library) -> None:
    for _ in range(3):
        with pytest.raises(DeadlineExceeded, match=r"longer than the 0\.05 s"), deadline.within(0.05):
            endless(library)
        assert library.documents()[1] == 20
    assert library.search("stars").hits


def test_what_ends_sooner_is_interrupted_beside_what_may_take_longer(library: Library) -> None:
    def late() -> None:
        with pytest.raises(DeadlineExceeded, match=r"longer than the 0\.05 s"), deadline.within(0.05):
            endless(library)

    with deadline.within(600), library.catalog().snapshot(), ThreadPoolExecutor(1) as pool:
        pool.submit(late).result()


@pytest.mark.fault("39")
def test_a_write_that_is_late_changes_nothing(library: Library) -> None:
    generation = library.search("stars").generation
    with pytest.raises(DeadlineExceeded), deadline.within(0.05), library.catalog().transaction() as connection:
        connection.execute("UPDATE documents SET title = 'late'")
        connection.execute(ENDLESS).fetchone()
    with pytest.raises(DeadlineExceeded), deadline.within(0.05), library.catalog().transaction() as connection:
        connection.execute("UPDATE documents SET title = 'late'")
        time.sleep(0.1)  # late, and no statement runs
    assert "late" not in {document.title for document in library.documents()[0]}
    assert library.search("stars").generation == generation
    assert library.add([Text("More.")])


@pytest.mark.fault("39")
def test_what_is_committed_is_finished(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    followed: list[Catalog] = []
    catch_up = writer.catch_up

    def late(catalog: Catalog) -> None:
        time.sleep(0.15)
        catch_up(catalog)
        followed.append(catalog)

    monkeypatch.setattr(writer, "catch_up", late)
    library.opened.change(replace(library.settings, deadline_s=0.1 / deadline.WRITING))
    with deadline.within(0.1):
        assert library.delete(["1"]) == 1
    assert followed
    library.opened.change(replace(library.settings, deadline_s=None))
    assert "1" not in {hit.document.id for hit in library.search("number", mode="lexical", limit=50).hits}


CALLS: dict[str, Callable[[Library], object]] = {
    "semantic": lambda library: library.search("stars", mode="semantic"),
    "lexical": lambda library: library.search("star " * 2_000, mode="lexical"),
    "hybrid": lambda library: library.search("stars"),
    "like": lambda library: library.search(like="1"),
    "documents": lambda library: library.documents(filter={"title": "x"}),
    "fields": lambda library: library.fields(),
    "notes": lambda library: library.filter_notes({"x": 1}),
    "get": lambda library: library.get("1"),
    "text": lambda library: library.text("1"),
    "status": lambda library: library.status(),
    "roots": lambda library: library.roots(),
    "add": lambda library: library.add([Text("More.")]),
    "add_file": lambda library: library.add_file(b"More.", "more.md"),
    "delete": lambda library: library.delete(["1"]),
    "undelete": lambda library: library.undelete(),
    "forget": lambda library: library.forget("/nowhere"),
    "choose": lambda library: library.choose("which", ["a", "b"]),
    "ask": lambda library: library.ask("which"),
    "summarize": lambda library: library.summarize("1"),
}


@pytest.mark.fault("39")
@pytest.mark.parametrize("name", CALLS)
def test_every_call_has_a_deadline(library: Library, name: str) -> None:
    with (
        Library(library.settings.library, deadline_s=1e-9, models=FakeModels()) as late,
        pytest.raises(DeadlineExceeded),
    ):
        CALLS[name](late)
    assert library.documents()[1] == 20


def test_a_deadline_is_chosen_in_the_settings(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARRY_DEADLINE", "1e-9")
    assert "QUARRY_DEADLINE" in quarry("fields", "--library", library.settings.library, code=1).stderr
    assert Library(library.settings.library, deadline_s=5, models=FakeModels()).deadline_s == 5
    for wrong in ("0", "-1", "x", "nan", "inf"):
        monkeypatch.setenv("QUARRY_DEADLINE", wrong)
        with pytest.raises(InvalidRequest, match="QUARRY_DEADLINE"):
            Library(library.settings.library, models=FakeModels())


@pytest.mark.fault("39")
def test_models_stop_between_two_passages() -> None:
    done: list[int] = []

    def run(turn: int) -> None:
        done.append(turn)
        time.sleep(0.02)

    with pytest.raises(DeadlineExceeded), deadline.within(0.1):
        each(1_000, 2, run)
    assert 0 < len(done) < 100


def test_a_lock_is_waited_for_no_longer_than_the_request_may_take(library: Library) -> None:
    held, late = threading.Lock(), Deadline(60)
    with held:
        with pytest.raises(DeadlineExceeded), deadline.within(0.05), deadline.holding(held):
            pass
        threading.Timer(0.05, lambda: late.stop("it held up others")).start()
        with pytest.raises(DeadlineExceeded, match="held up others"), late.current(), deadline.holding(held):
            pass
    with deadline.within(0.05), deadline.holding(held):
        assert held.locked()


def test_time_counts_from_the_whole_body_and_ends_with_what_is_committed() -> None:
    late = Deadline(0.05)
    with late.current():
        time.sleep(0.1)
        late.restart()
        deadline.check()
        time.sleep(0.1)
        with deadline.shielded():
            deadline.check()
        with pytest.raises(DeadlineExceeded):
            deadline.check()
        deadline.lift()
        deadline.check()


# --- filters --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    """A catalog of 40 documents with 300 fields of every kind."""
    catalog = Catalog(tmp_path_factory.mktemp("wide"), writable=True)
    rng = random.Random(7)
    values: list[Any] = [
        "12",
        "x",
        "É",
        "e\u0301",
        3,
        3.5,
        True,
        None,
        ["x", 4],
        {"in": "y"},
        "2024-05-31",
        "31 May 2024",
    ]
    with catalog.transaction() as connection:
        for number in range(40):
            metadata = {f"{'cé?'[at % 3]}{at}": rng.choice(values) for at in range(300)}
            new = documents.NewDocument(
                uri=f"/{number}", type="text/plain", title="T", text="x", hash=b"", chunks=[Chunk(0, 0, 1, "x")],
                keys=[b"k"], metadata=metadata,
            )  # fmt: skip
            documents.put(connection, new, "2024-07-01T00:00:00Z")
    with catalog.snapshot() as snapshot:
        yield snapshot
    catalog.close()


def _condition(rng: random.Random) -> dict[str, Any]:
    at = rng.randrange(300)
    name = f"{'cé?'[at % 3]}{at}" + rng.choice(("", "", "", ".in"))
    tests: list[Any] = ["x", 3, True, None, {"$gte": 3}, {"$lt": "y"}, {"$in": ["É", 4, 3.5]}, {"$contains": "É"}]
    tests += [{"$gte": "2024-05"}, {"$lte": "2024-05-31"}, {"$exists": True}, {"$ne": "x"}, {"$not": {"$gt": 1}}]
    return {name: rng.choice(tests)}


@pytest.mark.parametrize("count", [3, 30, 200])
@pytest.mark.parametrize("same", [False, True], ids=["many fields", "one field"])
def test_long_filters_mean_what_their_parts_do(wide: Snapshot, count: int, same: bool) -> None:
    rng = random.Random(count)
    parts = [_condition(rng) for _ in range(count)]
    if same:
        parts = [{"c0": next(iter(part.values()))} for part in parts]
    found = [set(allowed_chunks(wide.connection, part).tolist()) for part in parts]
    one_of, all_of = {"$or": parts}, {"$and": parts}
    assert set(allowed_chunks(wide.connection, one_of).tolist()) == set.union(*found)
    assert set(allowed_chunks(wide.connection, all_of).tolist()) == set.intersection(*found)
    assert set(allowed_chunks(wide.connection, {"$not": one_of}).tolist()) == set(range(1, 41)) - set.union(*found)


@pytest.mark.fault("39")
def test_a_filter_of_900_conditions_is_answered(wide: Snapshot) -> None:
    filters = Filters()
    deep = {"$not": {"$or": [{"a.b.c.d.e.f.g.h": {"$gte": number}} for number in range(900)]}}
    names = {"$not": {"$or": [{f"x{number}.é": {"$lt": number}} for number in range(900)]}}
    with deadline.within(20):
        for filter in (deep, names):
            ids = filters.allowed(wide, filter).ids
            assert ids is not None and len(ids) == 40
            assert all("No document has the field" in note.text for note in filters.notes(wide, filter))


# --- the server -----------------------------------------------------------------------------------------------------


@pytest.mark.fault("39")
def test_a_server_names_what_was_late(library: Library, tmp_path: Path) -> None:
    library.close()
    with served(library.settings.library, tmp_path / "log", "--deadline", "1e-9") as server:
        for method, path, body in (
            ("POST", "/v1/search", {"query": "stars"}),
            ("POST", "/v1/answer", {"query": "stars"}),
            ("GET", "/v1/documents", None),
            ("GET", "/v1/fields", None),
            ("DELETE", "/v1/documents/1", None),
            ("POST", "/v1/documents", {"documents": [{"text": "More."}]}),
        ):
            response = server.client.request(method, path, json=body)
            assert (response.status_code, response.json()["title"]) == (503, "Deadline exceeded"), path
            assert "--deadline" in response.json()["detail"] and response.headers["retry-after"]
        assert server.client.get("/healthz").status_code == 200
        assert server.client.get("/readyz").status_code == 503


@pytest.mark.fault("39")
def test_requests_that_hold_all_threads_give_way(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "GIVE_WAY_S", 0.2)
    search = library.search

    def searched(text: str, **given: Any) -> Any:
        if text == "slow":
            endless(library)
        return search(text, **given)

    monkeypatch.setattr(library, "search", searched)

    async def run() -> tuple[list[httpx.Response], httpx.Response]:
        app = create_app(library)
        async with app.router.lifespan_context(app):
            anyio.to_thread.current_default_thread_limiter().total_tokens = 2
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                slow = [asyncio.create_task(client.post("/v1/search", json={"query": "slow"})) for _ in range(2)]
                await asyncio.sleep(0.1)
                plain = await client.post("/v1/search", json={"query": "stars"})
                assert sum(one.done() for one in slow) >= 1
                app.state.running.stop("the server is shutting down")
                return list(await asyncio.gather(*slow)), plain

    slow, plain = asyncio.run(run())
    assert plain.status_code == 200 and plain.json()["hits"]
    assert [one.status_code for one in slow] == [503, 503]
    assert any("held up other requests" in one.json()["detail"] for one in slow)
