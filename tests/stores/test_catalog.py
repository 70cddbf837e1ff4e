from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from quarry.search.errors import LibraryDamaged, LibraryError, LibraryReadOnly, ModelMismatch, NoLibrary, StorageFull
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database import sqlite
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lineage import compacted, mark_compacted
from quarry.search.stores.spaces import active_space, add_space


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog(tmp_path / "library", writable=True)
    yield opened
    opened.close()


def put(connection: Connection, path: str) -> None:
    connection.execute("INSERT INTO roots (path, options, added) VALUES (?, '{}', 'now')", (path,))


def paths(catalog: Catalog) -> list[str]:
    with catalog.snapshot() as snapshot:
        return [path for (path,) in snapshot.connection.execute("SELECT path FROM roots ORDER BY path")]


def generation(catalog: Catalog) -> int:
    with catalog.snapshot() as snapshot:
        return snapshot.generation


def test_there_must_be_a_library_to_read(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NoLibrary, match="quarry index PATH"):
            Catalog(place)
    (tmp_path / "file").touch()
    with pytest.raises(LibraryReadOnly, match="No library can be made"):
        Catalog(tmp_path / "file", writable=True)
    with pytest.raises(NoLibrary):
        Catalog(tmp_path / "file")


def test_every_commit_is_a_generation_but_one_that_shows_nothing(catalog: Catalog) -> None:
    before = generation(catalog)
    with catalog.transaction() as connection:
        put(connection, "a")
    with catalog.transaction(bump=False) as connection:
        put(connection, "b")
    assert (generation(catalog), paths(catalog)) == (before + 1, ["a", "b"])


def test_an_error_rolls_everything_back(catalog: Catalog) -> None:
    before = generation(catalog)
    with pytest.raises(ZeroDivisionError), catalog.transaction() as connection:
        put(connection, "a")
        raise ZeroDivisionError
    assert (generation(catalog), paths(catalog)) == (before, [])


@pytest.mark.fault("1")
def test_a_process_killed_inside_leaves_nothing(catalog: Catalog) -> None:
    program = (
        "import os, sys; from pathlib import Path; from quarry.search.stores.catalog import Catalog\n"
        "with Catalog(Path(sys.argv[1]), writable=True).transaction() as connection:\n"
        "    connection.execute(\"INSERT INTO roots (path, options, added) VALUES ('a', '{}', 'now')\")\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, catalog.directory]).returncode == -9
    assert paths(catalog) == []
    with catalog.transaction() as connection:
        put(connection, "b")
    assert paths(catalog) == ["b"]


def test_a_snapshot_stays_at_its_generation(catalog: Catalog) -> None:
    with catalog.snapshot() as outer:

        def write() -> None:
            with catalog.transaction() as connection:
                put(connection, "a")

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        assert outer.connection.execute("SELECT count(*) FROM roots").fetchone() == (0,)
        with catalog.snapshot() as inner:
            assert inner == outer
    assert paths(catalog) == ["a"]


def test_readers_cannot_write(catalog: Catalog) -> None:
    with pytest.raises(LibraryReadOnly), catalog.snapshot() as snapshot:
        put(snapshot.connection, "a")


def test_a_space_belongs_to_one_model(catalog: Catalog) -> None:
    assert catalog.space("text") is None
    space = catalog.ensure_space("text", "identity-1", "one", 8)
    assert catalog.ensure_space("text", "identity-1", "one", 8) == space == catalog.space("text")
    with pytest.raises(
        ModelMismatch, match=r"embedded by one \(identity-1\), not by two \(identity-2\).*--text-model two"
    ):
        catalog.ensure_space("text", "identity-2", "two", 8)
    with catalog.transaction() as connection:
        other = add_space(connection, "text", "text", "identity-2", "two", 8, state="staged")
        assert add_space(connection, "text", "text", "identity-2", "two", 8) == other
        assert active_space(connection, "text") == space


def test_compactions_are_remembered(catalog: Catalog) -> None:
    with catalog.transaction() as connection:
        assert compacted(connection) == -1
        mark_compacted(connection, 3)
        mark_compacted(connection, 5)
        assert compacted(connection) == 5


def test_vacuum_gives_space_back(catalog: Catalog) -> None:
    with catalog.transaction() as connection:
        for number in range(2000):
            put(connection, f"{number}" * 200)
    with catalog.transaction() as connection:
        connection.execute("DELETE FROM roots")
    catalog.close()  # which folds the log in
    catalog = Catalog(catalog.directory)
    before = catalog.path.stat().st_size
    catalog.vacuum()
    assert catalog.path.stat().st_size < before / 4
    catalog.close()
    assert sorted(path.name for path in catalog.directory.iterdir()) == ["catalog.db", "writer.lock", "writer.turn"]


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        (
            "PRAGMA max_page_count=1; INSERT INTO roots (path, options, added) VALUES (hex(randomblob(99999)), '', '')",
            StorageFull,
        ),
        ("SELECT * FROM theirs", LibraryDamaged),  # a schema that is not ours any more
        ("SELECT", None),
    ],
)
def test_errors_of_sqlite_are_told_in_our_words(
    catalog: Catalog, statement: str, error: type[Exception] | None
) -> None:
    with pytest.raises(error or sqlite.OperationalError), catalog.transaction() as connection:
        for part in statement.split(";"):
            connection.execute(part)
    assert paths(catalog) == []


@pytest.mark.fault("10")
def test_a_signal_within_a_function_of_a_statement_is_no_damage(catalog: Catalog) -> None:
    """Python hears signals between its own instructions: while SQLite works, only within the functions it calls."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt), catalog.transaction() as connection:
            connection.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) "
                "SELECT max(folded(i || '')) FROM n"
            ).fetchall()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_another_program_that_holds_the_file(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_MS", 50)
    other = sqlite.open_writer(catalog.path)
    other.execute("BEGIN IMMEDIATE")
    mine = Catalog(catalog.directory)
    with pytest.raises(LibraryError, match="locked by another program"), mine.transaction():
        pass
    other.close()


def test_damage_is_named(catalog: Catalog) -> None:
    with catalog.transaction() as connection:
        for number in range(500):
            put(connection, f"{number}" * 20)
    catalog.close()
    data = bytearray(catalog.path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    catalog.path.write_bytes(data)
    with pytest.raises(LibraryDamaged, match="quarry doctor"):
        paths(Catalog(catalog.directory))


def test_the_sqlite_module_is_the_one_that_sqlite_utils_takes() -> None:
    from sqlite_utils.utils import sqlite3 as theirs

    assert theirs.__name__ == sqlite.MODULE
