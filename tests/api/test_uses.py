"""One library, many threads, forks and ends: what runs is waited for, what comes after is refused by name."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quarry.api import Library
from quarry.api.library import Text
from quarry.search.errors import LibraryClosed, LibraryError, ModelMismatch, QuarryError
from quarry.search.models.fake import FakeModels
from quarry.search.stores.catalog import Catalog

CALLS: dict[str, Callable[[Library], object]] = {
    "search": lambda library: library.search("stars"),
    "lexical": lambda library: library.search("stars", mode="lexical"),
    "add": lambda library: library.add([Text("More of it.")]),
    "add_file": lambda library: library.add_file(b"More.", "more.md"),
    "delete": lambda library: library.delete(["nothing"]),
    "undelete": lambda library: library.undelete(),
    "documents": lambda library: library.documents(),
    "fields": lambda library: library.fields(),
    "get": lambda library: library.get("one"),
    "index": lambda library: library.index(),
    "compact": lambda library: library.compact(),
    "reembed": lambda library: library.reembed("other"),
    "status": lambda library: library.status(),
    "doctor": lambda library: library.doctor(),
    "catalog": lambda library: library.catalog(),
    "searcher": lambda library: library.searcher,
}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "library", models=FakeModels())
    library.add([Text(f"Number {number} of the stars.", id=f"{number}") for number in range(20)])
    library.add([Text("One star.", id="one")])
    yield library
    library.close()


@pytest.mark.parametrize("name", CALLS)
def test_use_after_close_is_refused(library: Library, name: str) -> None:
    library.close()
    library.close()
    with pytest.raises(LibraryClosed, match="open it anew"):
        CALLS[name](library)


def test_parts_of_a_closed_library_are_refused(library: Library) -> None:
    catalog, searcher = library.catalog(), library.searcher
    library.close()
    with pytest.raises(LibraryClosed), catalog.snapshot():
        pass
    with pytest.raises(LibraryClosed), catalog.transaction():
        pass
    with pytest.raises(LibraryClosed):
        catalog.checkpoint()
    with pytest.raises(LibraryClosed):
        searcher.encoder()
    with pytest.raises(LibraryClosed):
        searcher.warm()


def test_closing_waits_for_what_runs(library: Library) -> None:
    inside, go_on = threading.Event(), threading.Event()
    found: list[int] = []

    def write() -> None:
        with library.opened.used(), library.catalog().transaction() as connection:
            inside.set()
            go_on.wait(10)
            found.append(connection.execute("SELECT count(*) FROM documents").fetchone()[0])

    writer, closer = threading.Thread(target=write), threading.Thread(target=library.close)
    writer.start()
    inside.wait(10)
    closer.start()
    closer.join(0.2)
    assert closer.is_alive()
    with pytest.raises(LibraryClosed):
        library.search("stars")
    go_on.set()
    writer.join(10)
    closer.join(10)
    assert (found, closer.is_alive()) == ([21], False)


def test_what_runs_can_not_close_its_library(library: Library, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Some text.")

    class Closing:
        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_, **__: library.close()

    with pytest.raises(LibraryClosed, match="by what it runs"):
        library.index(tmp_path / "a.md", progress=Closing())  # type: ignore[arg-type]
    assert library.search("stars").hits  # it was not closed


def test_threads_share_one_library(library: Library) -> None:
    """Searching, adding, deleting, compacting and embedding anew at once, and closing in the middle of it all."""
    seconds = float(os.environ.get("QUARRY_STRESS_S", "3"))
    stop = threading.Event()
    wrong: list[BaseException] = []
    done: dict[str, int] = {}

    def repeated(name: str, call: Callable[[int], object]) -> Callable[[], None]:
        def run() -> None:
            turn = 0
            while not stop.is_set():
                turn += 1
                try:
                    call(turn)
                    done[name] = done.get(name, 0) + 1
                except ModelMismatch:
                    pass  # the library was embedded anew meanwhile
                except LibraryClosed:
                    return
                except BaseException as error:
                    wrong.append(error)
                    raise

        return run

    def search(turn: int) -> None:
        hits = library.search("one star", limit=50, mode=("hybrid", "lexical", "semantic")[turn % 3]).hits
        assert "One star." in [hit.text for hit in hits] and len({hit.id for hit in hits}) == len(hits)

    def replace(turn: int) -> None:
        library.add([Text(f"Star {turn}.", id=f"own-{threading.get_ident()}")])
        library.delete([f"own-{threading.get_ident()}"])

    jobs: list[tuple[str, Callable[[int], object]]] = [
        *[("search", search)] * 3,
        *[("replace", replace)] * 2,
        ("list", lambda turn: library.documents(filter={"id": "one"})),
        ("compact", lambda turn: library.compact()),
    ]
    jobs += [("reembed", lambda turn: library.reembed(("other", "third")[turn % 2]))]
    threads = [threading.Thread(target=repeated(name, call)) for name, call in jobs]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    library.close()
    stop.set()
    for thread in threads:
        thread.join(60)
    assert not wrong, wrong
    assert set(done) == {"search", "replace", "list", "compact", "reembed"}, done
    with Library(library.settings.library, models=FakeModels()) as again:
        assert {document.id for document in again.documents()[0]} >= {"one", *map(str, range(20))}
        assert not [finding for finding in again.doctor() if finding.level == "damage"]


def _refusals(library: Library, results: multiprocessing.Queue[list[str]]) -> None:
    names = []
    for name, call in CALLS.items():
        try:
            call(library)
        except LibraryClosed as error:
            names.append(name if f"process {os.getppid()}" in str(error) else str(error))
    library.close()
    results.put(names)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_opens_a_library_of_its_own(library: Library) -> None:
    assert library.search("stars").hits
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_refusals, args=(library, results))
    child.start()
    assert results.get(timeout=30) == list(CALLS)
    child.join(30)
    assert child.exitcode == 0
    assert library.search("stars").hits
    library.add([Text("Still written.")])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_keeps_no_lock(library: Library) -> None:
    with library.catalog().lock.held():
        child = os.fork()
        if not child:
            signal.pause()
    try:
        with Catalog(library.settings.library, wait_s=1).transaction() as connection:
            connection.execute("SELECT 1")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _run(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120)


PARENT_DIES = """
import os, signal, sys, time
from pathlib import Path
from quarry.search.stores.catalog import Catalog
catalog = Catalog(Path(sys.argv[1]))
with catalog.lock.held():
    if os.fork():
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(1), os.close(2)
    time.sleep(20)
"""


def test_a_lock_ends_with_its_holder_though_a_child_lives(library: Library) -> None:
    library.catalog().checkpoint()
    assert _run(PARENT_DIES, library.settings.library).returncode == -signal.SIGKILL
    with Catalog(library.settings.library, wait_s=1).transaction():
        pass


CHILD_ENDS = """
import os, sys
from pathlib import Path
from quarry.search.stores.catalog import Catalog
catalog = Catalog(Path(sys.argv[1]))
with catalog.snapshot() as snapshot:
    before = snapshot.generation
with catalog.transaction() as connection:
    pass
if not os.fork():
    sys.exit(0)  # which takes down all that it has, as an ordinary end does
assert os.wait()[1] == 0
assert os.path.exists(sys.argv[1] + "/catalog.db-wal")
with catalog.transaction() as connection:
    pass
with catalog.snapshot() as snapshot:
    assert snapshot.generation == before + 2
"""


def test_a_forked_child_that_ends_leaves_the_parents_connections(library: Library) -> None:
    library.close()
    done = _run(CHILD_ENDS, library.settings.library)
    assert (done.returncode, done.stderr) == (0, "")


ENDS = """
import sys, threading, time
from quarry.api import Library
library = Library(sys.argv[1])
begun = threading.Event()
def search():
    while True:
        library.search("star", mode="lexical")
        begun.set()
for _ in range(4):
    threading.Thread(target=search, daemon=True).start()
begun.wait(60)
"""


def test_the_interpreter_ends_while_threads_run(library: Library) -> None:
    library.close()
    done = _run(ENDS, library.settings.library)
    assert (done.returncode, done.stderr) == (0, "")


def test_libraries_that_are_never_closed(library: Library) -> None:
    directory = library.settings.library

    def texts() -> Iterator[str]:
        with Library(directory, models=FakeModels()) as inner:
            for document in inner.documents()[0]:
                yield document.id

    begun = texts()
    next(begun)
    del begun
    Library(directory, models=FakeModels()).search("stars")
    gc.collect()
    with Library(directory, models=FakeModels()) as again:
        assert again.search("stars").hits


def test_every_error_is_of_the_tree() -> None:
    assert issubclass(LibraryClosed, LibraryError) and issubclass(LibraryClosed, QuarryError)
