from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from quarry.search.stores.database import sqlite, wal


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of two commits in its log, of three pages and of one, as a process that is killed leaves it."""
    folder = tmp_path_factory.mktemp("left")
    writer = sqlite.open_writer(folder / "of.db")
    writer.execute("PRAGMA page_size=512")
    for statement in ("CREATE TABLE numbers (n)", "PRAGMA wal_checkpoint(TRUNCATE)", "BEGIN"):
        writer.execute(statement)
    writer.executemany("INSERT INTO numbers VALUES (?)", [("x" * 1500,)] * 2)
    writer.execute("COMMIT")
    writer.execute("INSERT INTO numbers VALUES (3)")
    (folder / "db").write_bytes((folder / "of.db").read_bytes())
    (folder / "log").write_bytes((folder / "of.db-wal").read_bytes())
    writer.close()
    return folder


def seen(left: Path, log: bytes, place: Path) -> int:
    """How many rows SQLite finds."""
    for path in place.iterdir():
        path.unlink()
    shutil.copy(left / "db", place / "copy.db")
    (place / "copy.db-wal").write_bytes(log)
    connection = sqlite.open_reader(place / "copy.db")
    try:
        return int(connection.execute("SELECT count(*) FROM numbers").fetchone()[0])
    finally:
        connection.close()


@pytest.mark.fault("3")
def test_what_holds_a_commit_is_what_sqlite_finds_one_in(left: Path, tmp_path: Path) -> None:
    """However much of it is there, and whatever bit of it is wrong."""
    log = (left / "log").read_bytes()
    assert seen(left, log, tmp_path) == 3
    cut = [log[:length] for length in [*range(64), *range(64, len(log) + 1, 97), len(log)]]
    flipped = []
    for at in [*range(56), *range(56, len(log), 61)]:
        damaged = bytearray(log)
        damaged[at] ^= 1 << at % 8
        flipped.append(bytes(damaged))
    answers = set()
    (tmp_path / "seen").mkdir()
    for one in [*cut, *flipped]:
        (tmp_path / "log").write_bytes(one)
        found = seen(left, one, tmp_path / "seen") > 0
        assert wal.holds_commit(tmp_path / "log") == found
        answers.add(found)
    assert answers == {True, False}


def test_no_log_holds_no_commit(tmp_path: Path) -> None:
    assert not wal.holds_commit(tmp_path / "none")
