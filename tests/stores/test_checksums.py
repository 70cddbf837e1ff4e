"""Row 6: whatever bit of the catalog is flipped, it is found and named, or it is in nothing that is read."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from quarry.api.library import Library, Text
from quarry.indexer.doctor.bits import undone
from quarry.indexer.doctor.catalog import describe, look_at_catalog
from quarry.search.errors import LibraryDamaged, LibraryError, QuarryError
from quarry.search.models.fake import FakeModels
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database import checksums, sqlite


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A closed library that has rows in every table, and all of it in one file."""
    files = tmp_path / "files"
    files.mkdir()
    for n in range(6):
        (files / f"{n}.md").write_text(f"---\ntitle: Title {n}\nyear: {2000 + n}\n---\n" + f"Of number {n}. " * 60)
    with Library(tmp_path / "library", models=FakeModels()) as library:
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


def damage(directory: Path) -> list[str]:
    """What the doctor finds wrong with the catalog."""
    try:
        catalog = Catalog(directory)
    except LibraryError as error:  # it can't be opened, which is said
        return [str(error)]
    try:
        return [finding.text for finding in look_at_catalog(catalog) if finding.level == "damage"]
    finally:
        catalog.close()


def break_row(directory: Path, sql: str) -> None:
    """Change a row as no writer of ours does."""
    connection = sqlite.open_writer(directory / "catalog.db")
    connection.execute(sql)
    connection.close()


def flip(path: Path, place: int, bit: int) -> None:
    with path.open("r+b") as stream:
        stream.seek(place)
        (byte,) = stream.read(1)
        stream.seek(place)
        stream.write(bytes([byte ^ 1 << bit]))


def flipped(value: Any) -> Iterator[Any]:
    """A value with one bit of it flipped, for a sample of its bits."""
    if isinstance(value, bytes):
        kind, data = type(value), bytearray(value)
        for bit in range(0, 8 * len(data), max(1, len(data) // 2)):
            data[bit // 8] ^= 1 << bit % 8
            yield kind(data)
            data[bit // 8] ^= 1 << bit % 8
    elif isinstance(value, int):
        yield from (value ^ 1 << bit for bit in range(0, 62, 9))


@pytest.mark.fault("6")
def test_a_flipped_bit_of_any_column_of_any_table_is_found_and_named(directory: Path) -> None:
    """Row 6. The indexes are brought up to it, so that nothing but the checksum can tell."""
    connection = sqlite.open_writer(directory / "catalog.db")
    connection.execute("PRAGMA foreign_keys=OFF")
    tried: Counter[tuple[str, str]] = Counter()
    for table in checksums.tables(connection):
        rows = list(checksums.rows(connection, table))
        for row in rows[:: max(1, len(rows) // 2)]:
            columns = [*row.values.items(), (checksums.COLUMN, row.checksum)]
            for column, value in columns:
                mark = "CAST(? AS TEXT)" if isinstance(value, checksums.RawText) else "?"
                for other in flipped(value):
                    connection.execute("BEGIN")
                    with suppress(sqlite.DatabaseError):  # two rows would be one
                        connection.execute(
                            f'UPDATE {table} SET "{column}" = {mark} WHERE rowid = ?', (other, row.rowid)
                        )
                        (wrong,) = checksums.damaged_rows(connection, table)
                        tried[table, column] += 1
                        if tried[table, column] % 4 == 1:
                            undo = undone(wrong)
                            assert undo is not None and (undo.column, undo.value) == (column, value), (table, other)
                            assert f"bit of its {column} is flipped" in describe(connection, wrong)
                    connection.execute("ROLLBACK")
    connection.close()
    assert len(tried) >= 75 and sum(tried.values()) > 1_000, tried


@pytest.mark.fault("6")
def test_random_bits_of_the_file_are_found_or_nobodys(directory: Path) -> None:
    """Row 6: where the doctor finds nothing, every row is what it was. Whatever is asked, an error is one of ours."""
    path = directory / "catalog.db"
    whole, before = path.read_bytes(), everything(path)
    written = [place for place, byte in enumerate(whole) if byte]
    seed = random.Random(11)
    found = 0
    for _ in range(int(os.environ.get("QUARRY_FLIPS", "60"))):
        place, bit = seed.choice(written), seed.randrange(8)
        flip(path, place, bit)
        if damage(directory):
            found += 1
        else:
            assert everything(path) == before, (place, bit)
        with Library(directory, models=FakeModels()) as library, suppress(QuarryError):
            library.search("posted", filter={"n": {"$gt": 1}})
            library.documents()
            library.status()
            library.text("p2")
        for name in ("catalog.db-wal", "catalog.db-shm"):
            (directory / name).unlink(missing_ok=True)
        path.write_bytes(whole)
    assert found > 10


@pytest.mark.fault("6")
def test_a_hit_whose_row_is_damaged_is_left_out_and_told(directory: Path) -> None:
    with Library(directory, models=FakeModels()) as library:
        whole = {hit.document.id: hit.text for hit in library.search("posted text", limit=100).hits}
    break_row(directory, "UPDATE chunks SET text = replace(text, 'Posted', 'Pasted') WHERE text LIKE '%number 2%'")
    break_row(directory, "UPDATE documents SET title = CAST(x'c3' AS TEXT) WHERE public_id = 'p3'")
    with Library(directory, models=FakeModels()) as library:
        response = library.search("posted text", limit=100)
        shown = {hit.document.id: hit.text for hit in response.hits}
        assert shown == {id: text for id, text in whole.items() if id not in ("p2", "p3")}
        assert any("2 hits are left out" in note and "quarry doctor" in note for note in response.degraded)
        for ask in (library.text, library.get):
            with pytest.raises(LibraryDamaged, match=r"not what was written.*quarry doctor"):
                ask("p3" if ask == library.get else "p2")
        with pytest.raises(LibraryDamaged):
            library.documents()


@pytest.mark.fault("6")
def test_what_is_written_to_a_damaged_row_does_not_make_it_whole(directory: Path) -> None:
    break_row(directory, "UPDATE documents SET title = 'Tytle 3' WHERE title = 'Title 3'")
    catalog = Catalog(directory)
    with catalog.transaction() as connection:
        connection.execute("UPDATE documents SET modified = 'now' WHERE title IN ('Tytle 3', 'Title 4')")
    catalog.close()
    (found,) = damage(directory)
    assert "3.md): it is not what was written" in found
    with Library(directory, models=FakeModels()) as library:
        library.delete([str(directory.parent / "files" / "4.md")])
        with pytest.raises(LibraryDamaged):
            library.get(str(directory.parent / "files" / "3.md"))


def test_a_file_that_is_read_again_takes_the_place_of_what_is_damaged(directory: Path) -> None:
    break_row(directory, "UPDATE documents SET title = 'Tytle 3' WHERE title = 'Title 3'")
    with Library(directory, models=FakeModels()) as library:
        file = directory.parent / "files" / "3.md"
        file.write_text(file.read_text() + "More.")
        library.index(directory.parent / "files")
        assert library.get(str(file)).title == "Title 3"
    assert damage(directory) == []


def rows_of(directory: Path) -> dict[str, Any]:
    """All that a catalog's tables hold, in any order."""
    return {name: Counter(row[1:] for row in rows) for name, rows in everything(directory / "catalog.db").items()}


def repair(directory: Path) -> dict[str, list[str]]:
    """What the doctor says after it has repaired, by level."""
    said: dict[str, list[str]] = {}
    with Library(directory, models=FakeModels()) as library:
        for finding in library.doctor(repair=True):
            said.setdefault(finding.level, []).append(finding.text)
    return said


def segments(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (directory / "segments").glob("*.faiss")}


@pytest.mark.fault("6")
@pytest.mark.parametrize("round", range(4))
def test_flipped_bits_are_turned_back_by_repair(directory: Path, round: int) -> None:
    """One in each of many rows of every table, in all columns over the rounds: what comes back is what was there."""
    before, files = rows_of(directory), segments(directory)
    connection = sqlite.open_writer(directory / "catalog.db")
    connection.execute("PRAGMA foreign_keys=OFF")
    flips = 0
    for table in checksums.tables(connection):
        for n, row in enumerate(list(checksums.rows(connection, table))[:7]):
            columns = [*row.values.items(), (checksums.COLUMN, row.checksum)]
            column, value = columns[(4 * n + round) % len(columns)]
            for other in reversed([*flipped(value)]):
                mark = "CAST(? AS TEXT)" if isinstance(value, checksums.RawText) else "?"
                with suppress(sqlite.DatabaseError):  # two rows would be one
                    connection.execute(f'UPDATE {table} SET "{column}" = {mark} WHERE rowid = ?', (other, row.rowid))
                    flips += 1
                    break
    connection.close()
    assert len(damage(directory)) >= 20
    said = repair(directory)
    assert "damage" not in said and len(said["repaired"]) == flips, said
    assert (rows_of(directory), segments(directory)) == (before, files)
    assert damage(directory) == [] and (directory / "catalog.db.damaged-1").exists()


@pytest.mark.fault("6")
def test_a_vector_is_healed_by_a_segment_and_never_heals_one(directory: Path) -> None:
    before, files = rows_of(directory), segments(directory)
    break_row(directory, "UPDATE vectors SET vector = zeroblob(length(vector)) WHERE id IN (2, 3)")
    with Library(directory, models=FakeModels()) as library, pytest.raises(LibraryDamaged):
        library.compact()
    said = repair(directory)
    assert "damage" not in said and sum("taken from a segment" in text for text in said["repaired"]) == 2
    assert (rows_of(directory), segments(directory)) == (before, files)


@pytest.mark.fault("6")
def test_what_no_copy_holds_is_made_again_or_stays_and_is_named(directory: Path) -> None:
    with Library(directory, models=FakeModels()) as library:
        texts = {one.id: library.text(one.id) for one in library.documents()[0]}
        late = library.search("what came after", mode="semantic").hits[0].score
    break_row(
        directory, "UPDATE vectors SET vector = zeroblob(length(vector)) WHERE id = (SELECT max(id) FROM vectors)"
    )
    break_row(directory, "UPDATE documents SET title = 'Something else', metadata = '{}' WHERE title = 'Title 4'")
    break_row(directory, "UPDATE chunks SET text = 'Other words' WHERE text LIKE '%of number 5%'")
    break_row(directory, "UPDATE chunks SET text = 'Other words' WHERE text LIKE 'Posted text number 3%'")
    said = repair(directory)
    assert (
        len(said["damage"]) == 1 and "(of " in said["damage"][0] and "it is not what was written" in said["damage"][0]
    )
    with Library(directory, models=FakeModels()) as library:
        assert library.search("what came after", mode="semantic").hits[0].score == late
        assert library.get(str(directory.parent / "files" / "4.md")).title == "Title 4"
        for id, text in texts.items():
            if id != "p3":
                assert library.text(id) == text
        with pytest.raises(LibraryDamaged):
            library.text("p3")


@pytest.mark.fault("6")
def test_a_page_that_is_overwritten_costs_only_what_nothing_else_holds(directory: Path) -> None:
    with Library(directory, models=FakeModels()) as library:
        texts = {one.id: library.text(one.id) for one in library.documents()[0]}
    path = directory / "catalog.db"
    whole = path.read_bytes()
    page = whole.rindex(b"Of number 3.") // 4096 * 4096
    path.write_bytes(whole[:page] + random.Random(3).randbytes(4096) + whole[page + 4096 :])
    assert damage(directory)
    repair(directory)
    with Library(directory, models=FakeModels()) as library:
        for id, text in texts.items():
            if id.startswith("p") or id == "late":
                continue
            assert library.text(id) == text
