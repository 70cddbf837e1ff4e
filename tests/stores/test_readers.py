from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database.readers import Readers
from quarry.search.stores.database.sqlite import Connection, DatabaseError


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    made = Catalog(tmp_path, writable=True)
    made.close()
    return made.path


def works(connection: Connection) -> bool:
    return bool(connection.execute("SELECT count(*) FROM meta").fetchone()[0])


def open_files(path: Path) -> int:
    return sum(os.path.realpath(link) == str(path.resolve()) for link in Path("/proc/self/fd").iterdir())


def test_a_connection_is_lent_again(catalog: Path) -> None:
    readers = Readers(catalog)
    with readers.connection() as first:
        first.execute("BEGIN")
        assert works(first)
    with readers.connection() as second, readers.connection() as other:
        assert second is first
        assert not second.in_transaction
        assert other is not first
    readers.close()


def test_threads_that_come_and_go_leave_nothing_open(catalog: Path) -> None:
    readers = Readers(catalog)
    for _ in range(5):
        together = threading.Barrier(20)

        def read(together: threading.Barrier = together) -> bool:
            with readers.connection() as connection:
                together.wait(10)
                return works(connection)

        with ThreadPoolExecutor(20) as threads:
            assert all(one.result() for one in [threads.submit(read) for _ in range(20)])
    assert open_files(catalog) <= 20  # SQLite keeps those of closed connections for its next ones
    readers.close()
    assert open_files(catalog) == 0


def test_closing_spares_who_reads(catalog: Path) -> None:
    readers = Readers(catalog)
    with readers.connection() as lent:
        readers.close()
        assert works(lent)
    with pytest.raises(DatabaseError, match="closed"):
        works(lent)
    with readers.connection() as anew:
        assert works(anew)
    readers.close()


def test_a_snapshot_within_a_snapshot_is_the_same(catalog: Path) -> None:
    opened = Catalog(catalog.parent, writable=True)
    with opened.snapshot() as outer:
        with opened.transaction():
            pass
        with opened.snapshot() as inner:
            assert inner is outer
    with opened.snapshot() as later:
        assert later.generation == outer.generation + 1
    opened.close()
