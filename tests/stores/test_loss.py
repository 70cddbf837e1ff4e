"""Commits that were acknowledged and are gone: called a loss, with what is known of them, and never papered over."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from quarry.api.cli import cli
from quarry.api.library import Library, Text
from quarry.indexer.doctor.findings import Finding
from quarry.search.errors import CatalogLost, LibraryError, NoLibrary
from quarry.search.models.fake import FakeModels
from quarry.search.stores import lineage
from quarry.search.stores.database import sqlite
from tests.indexing_process import CRASHED, Crash, Task, start

pytestmark = pytest.mark.fault("6")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A library of two documents with a segment, closed."""
    place = tmp_path / "library"
    with Library(place, models=FakeModels()) as library:
        library.add([Text("About stars.", id="a"), Text("About rivers.", id="b")])
        library.compact()
    return place


def add(place: Path, *ids: str) -> None:
    with Library(place, models=FakeModels()) as library:
        for id in ids:
            library.add(Text(f"Acknowledged {id}.", id=id))


def found(place: Path, *, repair: bool = False) -> dict[str, list[Finding]]:
    """The doctor's findings by level."""
    by_level: dict[str, list[Finding]] = {}
    with Library(place, models=FakeModels()) as library:
        for finding in library.doctor(repair=repair):
            by_level.setdefault(finding.level, []).append(finding)
    return by_level


def lost(findings: list[Finding]) -> str:
    """The words about a loss."""
    return " ".join(finding.text for finding in findings if finding.part == "catalog" and "lost" in finding.text)


def words(place: Path, query: str) -> set[str]:
    with Library(place, models=FakeModels()) as library:
        return {hit.document.id for hit in library.search(query, mode="lexical").hits}


# --- a catalog that is gone ----------------------------------------------------------------------------------------


def truncate(catalog: Path) -> None:
    os.truncate(catalog, 0)


def remove(catalog: Path) -> None:
    catalog.unlink()


def begin_anew(catalog: Path) -> None:
    """A database without a table, as SQLite leaves it where a log was lost that held everything."""
    catalog.unlink()
    sqlite.open_writer(catalog).close()
    assert catalog.stat().st_size


@pytest.mark.parametrize("harm", [truncate, remove, begin_anew])
@pytest.mark.parametrize("rest", ["all", "lexical index", "segments"])
def test_no_catalog_is_made_in_place_of_a_lost_one(place: Path, harm: Callable[[Path], None], rest: str) -> None:
    catalog = place / "catalog.db"
    harm(catalog)
    if rest != "all":
        shutil.rmtree(place / ("segments" if rest == "lexical index" else "lexical"))
    before = catalog.read_bytes() if catalog.exists() else None
    for arguments in (
        ["search", "stars"], ["ask", "what is it about"], ["status"], ["fields"], ["delete", "a"], ["compact"],
        ["index", str(place.parent)], ["index", "--dry-run", str(place.parent)], ["serve", "--port", "0"],
    ):  # fmt: skip
        result = CliRunner().invoke(cli, [*arguments, "--library", str(place)], obj=FakeModels())
        assert isinstance(result.exception, CatalogLost), (arguments, result)
        assert "start afresh" in str(result.exception)
    assert (catalog.read_bytes() if catalog.exists() else None) == before
    result = CliRunner().invoke(cli, ["doctor", "--repair", "--library", str(place)], obj=FakeModels())
    assert result.exit_code == 1 and "damage" in result.output and "is lost" in result.output
    if rest != "segments":
        assert "lists 2 passages of 2 documents (quarry:a, quarry:b)" in result.output
    if rest != "lexical index":
        assert "2 vectors in 1 segment files" in result.output


def test_a_log_that_is_left_alone_is_kept(place: Path) -> None:
    """SQLite removes the log of a file that is empty: it must not be let near."""
    shutil.rmtree(place / "lexical")
    shutil.rmtree(place / "segments")
    truncate(place / "catalog.db")
    (place / "catalog.db-wal").write_bytes(b"the last commits")
    with pytest.raises(CatalogLost, match=r"catalog\.db-wal"), Library(place, models=FakeModels()) as library:
        library.search("stars")
    assert (place / "catalog.db-wal").read_bytes() == b"the last commits"


@pytest.mark.fault("6")
@pytest.mark.parametrize("size", [1, 99, 100, 511, 512, 4095, 4096, 4097, 0.3, 0.6, 0.99])
def test_a_catalog_that_is_cut_short_anywhere_is_damage(place: Path, size: float) -> None:
    catalog = place / "catalog.db"
    os.truncate(catalog, size if isinstance(size, int) else int(size * catalog.stat().st_size))
    damage = found(place)["damage"]
    assert {finding.part for finding in damage} == {"catalog"}
    told = CliRunner().invoke(cli, ["doctor", "--library", str(place)], obj=FakeModels()).output
    assert "quarry:a, quarry:b" in told  # what the lexical index still knows
    with (
        suppress(LibraryError),
        Library(place, models=FakeModels()) as library,
    ):  # what needs nothing of the rest may go on
        for mode in ("lexical", "semantic"):
            library.search("stars", mode=mode)  # type: ignore[arg-type]
        library.add(Text("More."))


# --- a first run that was killed -----------------------------------------------------------------------------------


def test_an_empty_file_alone_is_no_damage(tmp_path: Path) -> None:
    place = tmp_path / "library"
    place.mkdir()
    (place / "catalog.db").touch()
    with pytest.raises(NoLibrary), Library(place, models=FakeModels()) as library:
        library.search("stars")
    assert (place / "catalog.db").stat().st_size == 0
    assert {finding.level for finding in Library(place, models=FakeModels()).doctor()} == {"ok"}
    add(place, "a")
    assert words(place, "acknowledged") == {"a"}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "step",
    [
        "quarry.search.stores.database.migrations:check_format",
        "quarry.search.stores.database.migrations:_001_initial",
        "quarry.search.stores.catalog:add_space",
        "quarry.search.lexical.writer:LexicalWriter.__init__",
        "quarry.search.lexical.files:State.write",
        "quarry.indexer.writer:catch_up",
    ],
)
@pytest.mark.parametrize("nth", [1, 2])
def test_a_first_run_that_is_killed_is_no_damage(tmp_path: Path, step: str, when: str, nth: int) -> None:
    root, place = tmp_path / "root", tmp_path / "library"
    root.mkdir()
    (root / "a.txt").write_text("About stars.")
    process = start(Task(place, arguments=(root,), crash=Crash(step, when, nth)))
    process.join(60)
    assert process.exitcode in (0, CRASHED)
    if (place / "catalog.db").exists():
        assert "damage" not in found(place)
    try:
        words(place, "stars")
    except NoLibrary:
        pass
    with Library(place, models=FakeModels()) as library:
        assert library.index(root).complete
    assert len(words(place, "stars")) == 1 and "damage" not in found(place)


# --- commits that are gone -----------------------------------------------------------------------------------------


@pytest.fixture
def restored(place: Path, tmp_path: Path) -> Path:
    """The library, of which an older catalog was put back beside what was derived from the newer one."""
    older = tmp_path / "older.db"
    shutil.copy(place / "catalog.db", older)
    add(place, "c", "d")
    older.replace(place / "catalog.db")
    return place


def test_lost_commits_are_named_until_a_repair_told_of_them(restored: Path) -> None:
    damage = found(restored)["damage"]
    assert "commits 3 to 4 are lost" in lost(damage)
    assert "2 passages of them of 2 documents (quarry:c, quarry:d)" in lost(damage)
    assert "Restore a backup" in lost(damage)
    with Library(restored, models=FakeModels()) as library:
        (note,) = [note for note in library.search("acknowledged").degraded if "doctor" in note]
        assert "covers commits that the catalog does not have" in note
    repaired = found(restored, repair=True)
    assert "quarry:c, quarry:d" in lost(repaired["damage"])  # nothing brings them back
    after = found(restored)
    assert "damage" not in after and "quarry:c, quarry:d" in lost(after["warning"])
    assert words(restored, "acknowledged") == set() and words(restored, "about") == {"a", "b"}


@pytest.mark.parametrize("how", ["add", "index", "compact"])
def test_what_is_known_of_a_loss_outlives_what_knew_it(restored: Path, tmp_path: Path, how: str) -> None:
    """Whoever writes next rebuilds the lexical index, and generations come again with other content."""
    (tmp_path / "e.txt").write_text("Something else.")
    with Library(restored, models=FakeModels()) as library:
        if how == "compact":
            library.compact()
        elif how == "index":
            library.index(tmp_path / "e.txt")
        else:
            for id in ("e", "f", "g"):
                library.add(Text("Something else.", id=id))
    assert words(restored, "acknowledged") == set()
    assert "commits 3 to 4 are lost" in lost(found(restored)["damage"])
    assert "quarry:c, quarry:d" in lost(found(restored)["damage"])


def test_an_index_of_lost_commits_is_not_believed_when_their_numbers_come_again(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place, tmp_path / "older")
    add(place, "c", "d")
    future = place / "lexical"
    add(tmp_path / "older", "x", "y")  # as many commits, from the same one on
    shutil.rmtree(tmp_path / "older" / "lexical")
    shutil.copytree(future, tmp_path / "older" / "lexical")
    with Library(tmp_path / "older", models=FakeModels()) as library:
        response = library.search("acknowledged")
        assert any("covers commits that" in note for note in response.degraded)
        assert {hit.document.id for hit in response.hits} <= {"a", "b", "x", "y"}
        with pytest.raises(LibraryError, match="covers commits that"):
            library.search("acknowledged", mode="lexical")
    assert "in part" in lost(found(tmp_path / "older")["damage"])
    add(tmp_path / "older", "z")
    assert words(tmp_path / "older", "acknowledged") == {"x", "y", "z"}


@pytest.mark.parametrize("at", [60, 0.2, 0.5, 0.8, "deleted", "cut"])
def test_a_damaged_log_is_a_loss_of_the_catalog(place: Path, at: float | str) -> None:
    """A process is killed, and its log damaged: SQLite drops it from there on, and says nothing."""
    copy = place.parent / "copy"
    with Library(place, models=FakeModels()) as library:
        for id in ("c", "d", "e"):
            library.add(Text(f"Acknowledged {id}.", id=id))
        shutil.copytree(place, copy)  # as a killed process leaves it
    log = copy / "catalog.db-wal"
    data = bytearray(log.read_bytes())
    assert len(data) > 10_000
    if at == "deleted":
        log.unlink()
    elif at == "cut":
        log.write_bytes(data[: len(data) // 3])
    else:
        assert not isinstance(at, str)
        data[at if isinstance(at, int) else int(at * len(data))] ^= 1
        log.write_bytes(data)
    (copy / "catalog.db-shm").unlink(missing_ok=True)
    damage = lost(found(copy)["damage"])
    assert ("to 5 are lost" in damage or "commit 5 is lost" in damage) and "quarry:e" in damage
    assert "quarry:e" in lost(found(copy, repair=True)["damage"])
    assert "damage" not in found(copy)


def test_a_segment_of_lost_commits_is_evidence(place: Path, tmp_path: Path) -> None:
    shutil.copy(place / "catalog.db", tmp_path / "older.db")
    with Library(place, models=FakeModels()) as library:
        library.add([Text(f"Acknowledged {n}.") for n in range(5)])
        library.compact()
    shutil.rmtree(place / "lexical")
    (tmp_path / "older.db").replace(place / "catalog.db")
    assert "7 vectors as of the last of them" in lost(found(place)["damage"])
    assert "7 vectors" in lost(found(place, repair=True)["damage"])
    add(place, "c", "d")
    assert "damage" not in found(place) and words(place, "acknowledged") == {"c", "d"}


def test_derived_files_of_another_library_are_named(place: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with Library(other, models=FakeModels()) as library:
        library.add([Text("About tides.", id="t")])
    shutil.rmtree(place / "lexical")
    shutil.copytree(other / "lexical", place / "lexical")
    with pytest.raises(LibraryError, match="another library's"):
        words(place, "tides")
    assert "another library" in lost(found(place)["damage"])
    found(place, repair=True)
    assert words(place, "about") == {"a", "b"} and "damage" not in found(place)


def test_commits_have_ids_and_those_of_old_catalogs_none(place: Path) -> None:
    with Library(place, models=FakeModels()) as library:
        with library.catalog().snapshot() as snapshot:
            now = snapshot.commit
            assert len(now.library) == 32 and len(now.id) == 16
            assert lineage.has_had(snapshot.connection, now)
            assert not lineage.has_had(snapshot.connection, lineage.Commit(now.library, now.generation, "other"))
            assert not lineage.has_had(snapshot.connection, lineage.Commit("other", 1, now.id))
        with library.catalog().transaction(bump=False) as connection:  # as an earlier version left it
            connection.execute("DELETE FROM meta WHERE key = 'library' OR key LIKE 'commit:%'")
    with pytest.raises(LibraryError, match="covers commits"):
        words(place, "about")
    add(place, "c")
    assert words(place, "acknowledged") == {"c"} and words(place, "about") == {"a", "b"}
