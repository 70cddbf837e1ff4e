"""Row 6: whatever bit of the catalog is flipped, it is found and named, or it is in nothing that is read."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quarry.api.library import Library, Text
from quarry.indexer.doctor.catalog import look_at_catalog
from quarry.search.stores import checksums, sqlite
from quarry.search.stores.catalog import Catalog
from tests.fake_models import FakeModels


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A closed library that has rows in every table, and all of it in one file."""
    FakeModels().install(monkeypatch)
    files = tmp_path / "files"
    files.mkdir()
    for n in range(6):
        (files / f"{n}.md").write_text(f"---\ntitle: Title {n}\nyear: {2000 + n}\n---\n" + f"Of number {n}. " * 60)
    with Library(tmp_path / "library") as library:
        library.index(files)
        library.add([Text(f"Posted text number {n}. " * 20, id=f"p{n}", metadata={"n": n}) for n in range(6)])
        library.compact()
        library.delete(["p1"])
        library.add([Text("What came after. " * 20, id="late")])
    yield tmp_path / "library"


def everything(path: Path) -> Any:
    """All that a catalog's tables hold, as it is stored."""
    connection = sqlite.open_reader(path)
    try:
        connection.text_factory = bytes
        names = [b.decode() for (b,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: connection.execute(f"SELECT rowid, * FROM {name} ORDER BY rowid").fetchall() for name in names}
    finally:
        connection.close()


def findings(directory: Path) -> list[str]:
    catalog = Catalog(directory)
    try:
        return [finding.text for finding in look_at_catalog(catalog) if finding.level == "damage"]
    finally:
        catalog.close()


def flip(path: Path, place: int, bit: int) -> None:
    with path.open("r+b") as stream:
        stream.seek(place)
        (byte,) = stream.read(1)
        stream.seek(place)
        stream.write(bytes([byte ^ 1 << bit]))


def places_of(data: bytes, values: Any) -> list[int]:
    """Where in a file a row lies, found by its checksum; the values come before it, one after the other."""
    return [place for place in range(len(data)) if data.startswith(values, place)]


def test_every_column_of_every_table(directory: Path) -> None:
    """A bit of each value of some rows is flipped, where it is stored, and each is named with its table and row."""
    path = directory / "catalog.db"
    connection = sqlite.open_reader(path)
    tried = 0
    for table in checksums.tables(connection):
        rows = list(checksums.rows(connection, table))
        assert rows, table
        for row in rows[:: max(1, len(rows) // 3)]:
            for column, value in row.values.items():
                for other in others(value):
                    tried += 1
                    wrong = replace(row, values=row.values | {column: other})
                    assert not wrong.is_whole, (table, column, value, other)
    connection.close()
    assert tried > 500


def test_random_bits_of_the_file(directory: Path) -> None:
    path = directory / "catalog.db"
    whole, before = path.read_bytes(), everything(path)
    seed = random.Random(11)
    for _ in range(int(os.environ.get("QUARRY_FLIPS", "150"))):
        place, bit = seed.randrange(len(whole)), seed.randrange(8)
        flip(path, place, bit)
        try:
            found = findings(directory)
        except LibraryError as error:  # it can't even be opened, which is said
            found = [str(error)]
        if not found:
            assert everything(path) == before, (place, bit)
        path.write_bytes(whole)
