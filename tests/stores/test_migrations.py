from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quarry.api.library import Library, Text
from quarry.search.errors import LibraryDamaged, LibraryFormat
from quarry.search.models.fake import FakeModels
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database import checksums, migrations, sqlite
from quarry.search.stores.database.content import content_digest

NOW = len(migrations.STEPS)


def contents(directory: Path) -> dict[str, str]:
    """Digests of all files but the memory that SQLite's readers share."""
    files = (path for path in directory.iterdir() if path.suffix not in (".db-shm", ".db-wal"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def version(path: Path) -> int:
    connection = sqlite.open_reader(path)
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def put_as_of_old(path: Path, text: str) -> None:
    """Write a document in the columns that every format has."""
    connection = sqlite.open_writer(path)
    checksums.keep(connection)  # where the format has them
    connection.execute(
        "INSERT INTO documents (id, public_id, uri, kind, type, title, metadata, structure, indexed, hash, characters,"
        " chunks, generation) VALUES (1, 'old', '/old.txt', 'text', 'text/plain', '', '{}', '{}', '2024', ?, ?, 1, 0)",
        (content_digest("text/plain", text, {}, {}), len(text)),
    )
    connection.execute(
        'INSERT INTO chunks (document_id, ordinal, "start", "end", heading, text, key, generation)'
        " VALUES (1, 0, 0, ?, '', ?, x'00', 0)",
        (len(text), text),
    )
    connection.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A library of the present format, with something in it."""
    catalog = Catalog(tmp_path / "library", writable=True)
    with catalog.transaction() as connection:
        connection.execute("INSERT INTO roots (path, options, added) VALUES ('/a', '{}', 'now')")
    catalog.close()
    return tmp_path / "library"


@pytest.fixture
def next_format(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As the version after this one, which has a column more."""

    def step(db: Any) -> None:
        db["roots"].add_column("note", str, not_null_default="none")
        db["later"].create({"id": int}, pk="id", strict=True)

    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, step))
    yield


@pytest.mark.fault("11")
@pytest.mark.parametrize("format", range(1, NOW))
def test_a_library_of_each_released_format_is_searched_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: int
) -> None:
    """Row 11. Columns and tables of later steps are not there when it is opened."""
    steps = migrations.STEPS
    monkeypatch.setattr(migrations, "STEPS", steps[:format])
    Catalog(tmp_path, writable=True).close()
    monkeypatch.setattr(migrations, "STEPS", steps)
    put_as_of_old(tmp_path / "catalog.db", "Three tomatoes.")
    with Library(tmp_path, models=FakeModels()) as library:
        assert library.text("old") == "Three tomatoes."
        library.add([Text("One potato.", id="a"), Text("Two potatoes.", id="b")])
        library.delete(["b"])
        library.undelete()
        assert {hit.document.id for hit in library.search("potatoes", mode="lexical").hits} == {"a", "b"}
    assert version(tmp_path / "catalog.db") == NOW


def test_a_new_library_has_the_newest_format(directory: Path) -> None:
    assert version(directory / "catalog.db") == len(migrations.STEPS)
    assert not list(directory.glob("*.bak"))


@pytest.mark.fault("11")
def test_a_newer_format_is_refused_untouched(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 11."""
    connection = sqlite.open_writer(directory / "catalog.db")
    connection.execute(f"PRAGMA user_version = {len(migrations.STEPS) + 1}")
    connection.close()
    before = contents(directory)
    for writable in (False, True):
        known = f"format {NOW + 1}; this version of Quarry knows up to {NOW}.*Nothing was changed"
        with pytest.raises(LibraryFormat, match=known):
            Catalog(directory, writable=writable)
    assert contents(directory) == before


@pytest.mark.fault("11")
@pytest.mark.parametrize("writable", [False, True])
def test_an_older_format_is_migrated_after_a_backup_copy(directory: Path, next_format: None, writable: bool) -> None:
    """Row 11."""
    catalog = Catalog(directory, writable=writable)
    with catalog.snapshot() as snapshot:
        assert snapshot.connection.execute("SELECT path, note FROM roots").fetchall() == [("/a", "none")]
    catalog.close()
    backup = directory / f"catalog.db.format-{NOW}.bak"
    assert (version(directory / "catalog.db"), version(backup)) == (NOW + 1, NOW)
    connection = sqlite.open_reader(backup)
    assert connection.execute("SELECT path FROM roots").fetchall() == [("/a",)]
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    assert sorted(path.name for path in directory.glob("*.bak*")) == [backup.name]


def test_the_backup_holds_what_is_in_the_log_only(directory: Path, next_format: None) -> None:
    writer = sqlite.open_writer(directory / "catalog.db")  # keeps the log from being folded in
    writer.execute("INSERT INTO roots (path, options, added) VALUES ('/b', '{}', 'now')")
    Catalog(directory).close()
    connection = sqlite.open_reader(directory / f"catalog.db.format-{NOW}.bak")
    assert connection.execute("SELECT count(*) FROM roots").fetchone() == (2,)
    connection.close()
    writer.close()


def test_a_step_that_fails_leaves_nothing_of_itself(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(db: Any) -> None:
        db["later"].create({"id": int}, pk="id", strict=True)
        db["later"].insert({"id": 1})
        db["later"].create_index(["id"])
        raise ZeroDivisionError

    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, step))
    with pytest.raises(ZeroDivisionError):
        Catalog(directory)
    assert version(directory / "catalog.db") == NOW
    monkeypatch.undo()
    catalog = Catalog(directory)
    with catalog.snapshot() as snapshot:
        tables = {name for (name,) in snapshot.connection.execute("SELECT name FROM sqlite_schema")}
    assert "later" not in tables and "roots" in tables
    catalog.close()


def test_an_empty_file_becomes_a_catalog(tmp_path: Path) -> None:
    """As a process leaves it that dies while it makes a library."""
    (tmp_path / "catalog.db").touch()
    Catalog(tmp_path, writable=True).close()
    assert version(tmp_path / "catalog.db") == len(migrations.STEPS)


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    connection = sqlite.open_writer(tmp_path / "catalog.db")
    connection.execute("CREATE TABLE theirs (id)")
    connection.close()
    before = contents(tmp_path)
    with pytest.raises(LibraryDamaged, match="not a Quarry catalog"):
        Catalog(tmp_path, writable=True)
    assert contents(tmp_path) == before


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"not a database at all " * 500)
    with pytest.raises(LibraryDamaged, match="quarry doctor"):
        Catalog(tmp_path)
