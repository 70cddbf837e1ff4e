from __future__ import annotations

import json
import math
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from quarry.api.cli import cli
from quarry.api.library import Library, Text
from quarry.indexer.derived.words import DerivedWords
from quarry.indexer.doctor import surroundings
from quarry.search.engines.faiss import segment_writer, segments
from quarry.search.engines.faiss.segment import Segment
from quarry.search.engines.faiss.segment_file import open_segment
from quarry.search.errors import ModelMissing, NoLibrary
from quarry.search.models.fake import FakeModels
from quarry.search.stores.database import checksums, sqlite
from quarry.search.stores.rows.segment_rows import SegmentFile


@pytest.fixture
def library(tmp_path: Path, models: FakeModels) -> Iterator[Library]:
    """A library with a segment, a tail and deletions."""
    with Library(tmp_path / "library", models=models) as opened:
        opened.add([Text(f"Text number {n}. " * 40, id=f"d{n}", metadata={"n": n}) for n in range(30)])
        opened.compact()
        opened.add([Text(f"Text number {n}. " * 40, id=f"d{n}") for n in range(30, 40)])
        opened.delete(["d1", "d31"])
        yield opened


def damage(library: Library, *, repair: bool = False) -> dict[str, str]:
    found: dict[str, str] = {}
    for finding in library.doctor(repair=repair):
        if finding.level == "damage":
            found[finding.part] = f"{found.get(finding.part, '')} {finding.text}"
    return found


def change(library: Library, sql: str) -> None:
    """Write to the catalog as Quarry itself would, checksums and all."""
    connection = sqlite.open_writer(library.settings.library / "catalog.db")
    connection.execute("PRAGMA foreign_keys=OFF")
    checksums.keep(connection)
    connection.execute(sql)
    connection.close()


def answers(library: Library) -> list[tuple[str, float]]:
    with Library(library.settings.library, models=FakeModels()) as opened:
        found = [opened.search("text number 7", mode=mode, limit=100) for mode in ("semantic", "lexical")]  # type: ignore[arg-type]
    return [(hit.id, round(hit.score, 4)) for response in found for hit in response.hits]


def test_a_library_in_health(library: Library) -> None:
    findings = library.doctor()
    assert {finding.part for finding in findings} == {
        "catalog",
        "segments",
        "lexical",
        "thumbnails",
        "model",
        "sqlite",
        "disk",
        "access",
    }
    assert {finding.level for finding in findings if finding.part != "disk"} == {"ok"}
    result = CliRunner().invoke(cli, ["doctor", "--library", str(library.settings.library), "--json"], obj=FakeModels())
    assert (result.exit_code, json.loads(result.stdout)["ok"]) == (0, True)


def test_there_must_be_a_library(tmp_path: Path) -> None:
    with pytest.raises(NoLibrary), Library(tmp_path) as library:
        library.doctor()


@pytest.mark.fault("7")
@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("DELETE FROM chunks WHERE id = 5", "1 documents do not have the passages they should"),
        ("DELETE FROM vectors WHERE id = 5", "1 passages lack a vector"),
        ("UPDATE vectors SET key = x'00' WHERE id = 5", "1 passages lack a vector"),
        ("UPDATE chunks SET text = replace(text, 'number 4', 'number 5') WHERE document_id = 5", "not what was stored"),
        ("UPDATE documents SET metadata = '{\"n\": 99}' WHERE id = 5", "1 documents are not what was stored"),
        ("UPDATE documents SET metadata = '{' WHERE id = 5", "1 documents are not what was stored"),
        ("UPDATE vectors SET vector = zeroblob(32) WHERE id = 5", "1 vectors are not of length 1"),
        ("UPDATE vectors SET vector = x'0000' WHERE id = 5", "1 vectors are not of length 1"),
        ("UPDATE documents SET file_id = 99 WHERE id = 5", "documents: row 5 refers to nothing"),
        ("INSERT INTO deletions (chunk_id, generation) VALUES (5, 1)", "1 passages are logged as deleted"),
    ],
)
def test_a_catalog_that_contradicts_itself(library: Library, sql: str, sentence: str) -> None:
    change(library, sql)
    assert sentence in damage(library)["catalog"]
    mended = damage(library, repair=True)
    if any(part in sql for part in ("DELETE FROM vectors", "vectors SET key", "SET file_id")):
        assert mended == {}  # a passage is embedded again; what names a file that is none, names none
    else:
        assert sentence in mended["catalog"]  # it can't be derived from anything


def test_what_a_model_can_not_embed_is_no_damage(tmp_path: Path, models: FakeModels) -> None:
    odd, lost = "An odd text.", "A text that lost its vector."
    with Library(tmp_path / "library", models=models) as library:
        library.add([Text(odd, id="odd"), Text(lost, id="lost"), Text("Stars.")])
    with Library(tmp_path / "library", models=FakeModels({odd: math.nan})) as library:
        change(library, "DELETE FROM vectors WHERE id < 3")
        assert "1 passages lack a vector" in damage(library)["catalog"]
        assert damage(library, repair=True) == {}
        (told,) = [finding for finding in library.doctor() if finding.level == "warning" and finding.part == "catalog"]
        assert told.text.startswith("1 passages are found by their words only: all-MiniLM-L6-v2 gave no usable vector")
        assert [hit.document.id for hit in library.search("odd", mode="lexical").hits] == ["odd"]


def test_an_examination_reads_each_segment_once(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    read = list[str]()

    def counted(directory: Path, file: SegmentFile, *where: str) -> Segment:
        read.append(file.name)
        return open_segment(directory, file, *where)

    for module in (segments, segment_writer):
        monkeypatch.setattr(module, "open_segment", counted)
    assert damage(library) == {}
    assert len(read) == len(set(read)) == 1


@pytest.mark.fault("6")
def test_overwritten_pages_of_the_catalog_are_found(library: Library) -> None:
    """Row 6: whichever page it is, as SQLite keeps no checksums."""
    library.close()
    library = Library(library.settings.library, models=FakeModels())
    path = library.settings.library / "catalog.db"
    whole = path.read_bytes()
    seed = random.Random(5)
    used = [at for at in range(0, len(whole), 4096) if any(whole[at : at + 4096])]
    missed = []
    for at in used:
        data = bytearray(whole)
        data[at + 8 * (at > 0) : at + 4096] = seed.randbytes(4096 - 8 * (at > 0))
        path.write_bytes(data)
        if not damage(library):
            missed.append(at)
    path.write_bytes(whole)
    assert damage(library) == {}
    # What lies in the unused part of a page is nobody's; that is most of the page in some small tables.
    assert len(missed) <= len(used) // 4, f"{len(missed)} of {len(used)}"


@pytest.mark.fault("6")
def test_a_catalog_that_is_no_database(library: Library) -> None:
    library.close()
    (library.settings.library / "catalog.db").write_bytes(b"something else " * 1000)
    result = CliRunner().invoke(cli, ["doctor", "--library", str(library.settings.library)], obj=FakeModels())
    assert result.exit_code == 1 and "damage" in result.output and "restore a backup" in result.output


@pytest.mark.fault("6")
@pytest.mark.parametrize("harm", ["overwritten", "truncated", "state", "missing file", "all"])
def test_a_damaged_lexical_index_is_found_and_rebuilt(library: Library, harm: str) -> None:
    """Row 6."""
    DerivedWords(library.catalog()).rebuild()  # words that only deleted passages had no longer count
    before = answers(library)
    lexical = library.settings.library / "lexical"
    largest = max((path for path in lexical.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    match harm:
        case "overwritten":
            data = largest.read_bytes()
            largest.write_bytes(data[:8] + bytes(byte ^ 0x55 for byte in data[8:40]) + data[40:])
        case "truncated":
            largest.write_bytes(largest.read_bytes()[:-10])
        case "state":
            (lexical / "state.json").write_bytes(b"\0" * 50)
        case "missing file":
            largest.unlink()
        case "all":
            shutil.rmtree(lexical)
    assert list(damage(library)) == ["lexical"] and "quarry doctor --repair" in damage(library)["lexical"]
    findings = library.doctor(repair=True)
    assert [finding.part for finding in findings if finding.level == "repaired"] == ["lexical"]
    assert damage(library) == {} and answers(library) == before


def test_a_lexical_index_that_is_behind_is_no_damage_and_caught_up(library: Library) -> None:
    change(library, "UPDATE meta SET value = value + 3 WHERE key = 'generation'")
    (finding,) = [finding for finding in library.doctor() if finding.part == "lexical"]
    assert finding.level == "warning" and "3 commits behind" in finding.text
    library.add([Text("One more.")])
    assert {finding.level for finding in library.doctor() if finding.part == "lexical"} == {"ok"}


@pytest.mark.fault("7")
@pytest.mark.parametrize(
    "harm", ["a passage is missing", "a segment holds too much", "a vector differs", "bits", "gone"]
)
def test_catalog_and_segment_disagree(library: Library, harm: str) -> None:
    """Row 7, and 5: doctor finds it, repair mends it from the catalog."""
    (segment,) = (library.settings.library / "segments").glob("*.faiss")
    match harm:
        case "a passage is missing":
            change(library, "UPDATE chunks SET generation = 2 WHERE document_id = 31")
        case "a segment holds too much":
            change(library, "DELETE FROM deletions")
        case "a vector differs":
            change(library, "UPDATE vectors SET vector = (SELECT vector FROM vectors WHERE id = 9) WHERE id = 8")
        case "bits":
            data = bytearray(segment.read_bytes())
            data[len(data) // 2] ^= 1
            segment.write_bytes(data)
        case "gone":
            segment.unlink()
    assert list(damage(library)) == ["segments"]
    findings = library.doctor(repair=True)
    assert {finding.part for finding in findings if finding.level == "repaired"} == {"segments"}
    assert damage(library) == {}
    assert len([id for id, _ in answers(library)]) == 2 * 38


def test_a_model_that_is_missing_is_a_warning(library: Library, models: FakeModels) -> None:
    def missing(name: str) -> None:
        raise ModelMissing(f"{name} is not here")

    library.close()
    library = Library(library.settings.library, models=models)
    models.on_load = missing
    (finding,) = [finding for finding in library.doctor() if finding.part == "model"]
    assert (finding.level, "is not here" in finding.text) == ("warning", True)


def test_an_old_sqlite_and_little_space_are_warnings(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "VERSION", "3.40.1")
    monkeypatch.setattr(surroundings, "_LITTLE_SPACE", 2**62)
    findings = {finding.part: finding for finding in library.doctor()}
    assert (findings["sqlite"].level, findings["disk"].level) == ("warning", "warning")
    assert "WAL-reset" in findings["sqlite"].text


def test_status_counts(library: Library) -> None:
    status = library.status()
    assert (status["documents"], status["passages"], status["lexical"]["passages"]) == (38, 38, 38)
    (space,) = status["spaces"]
    assert (space["vectors"], space["segments"], space["tail"], space["degraded"]) == (38, 1, 9, [])
    assert status["bytes"] > 10_000 and status["roots"] == [] and status["failing"] == {}
