from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from quarry.api.library import Library, Text
from quarry.indexer.writer import catch_up, commit, compact
from quarry.search.engines.faiss.segment_writer import SegmentWriter
from quarry.search.lexical import files as lexical_files
from quarry.search.lexical import sums as lexical_sums
from quarry.search.lexical.index import LexicalReader
from quarry.search.lexical.rows import LexicalRow
from quarry.search.lexical.writer import LexicalWriter
from quarry.search.models.fake import FakeModels
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.rows import documents
from quarry.search.wiring import open_vectors


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    with Library(tmp_path / "library", models=FakeModels()) as opened:
        opened.add([Text(f"Text number {n}, of word{n}.", id=f"d{n}") for n in range(20)])
        yield opened


def words(catalog: Catalog) -> tuple[int, int]:
    view = LexicalReader(catalog.directory / "lexical").view()
    return view.generation, view.count


def numbers(catalog: Catalog) -> tuple[int, int]:
    with catalog.snapshot() as snapshot:
        return snapshot.generation, snapshot.connection.execute("SELECT count(*) FROM chunks").fetchone()[0]


def forget_log(catalog: Catalog) -> int:
    with catalog.snapshot() as snapshot:
        return int(snapshot.connection.execute("SELECT count(*) FROM deletions").fetchone()[0])


def test_a_commit_brings_the_lexical_index_along(library: Library) -> None:
    catalog = library.catalog()
    assert words(catalog) == numbers(catalog)
    library.delete(["d1", "d2"])
    assert words(catalog) == numbers(catalog) and numbers(catalog)[1] == 18


def sizes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def test_a_compaction_leaves_no_more_than_it_found(library: Library) -> None:
    """Replaced segments are kept for readers of an older generation, and go at once where there are none."""
    catalog, segments = library.catalog(), library.settings.library / "segments"
    (space,) = catalog.spaces()
    for step in range(4):
        library.add([Text(f"Text {n} of step {step}.", id=f"s{step}-{n}") for n in range(300)])
        assert SegmentWriter(catalog, space).flush(minimum=1)
    library.delete([f"s1-{n}" for n in range(100)])
    before, retired = sizes(catalog.directory), segments / "retired"
    with closing(Catalog(catalog.directory)) as other, other.snapshot() as old:
        replaced = {path.name for path in segments.glob("*.faiss")}
        assert library.compact() > 0
        assert {path.name for path in retired.iterdir()} >= replaced
        view = open_vectors(other).of(other.spaces()[0]).view(old)
        assert (view.count, list(view.notes)) == (1220 - 100, [])
    assert library.compact() == 0
    assert not list(retired.iterdir())
    assert sizes(catalog.directory) <= before
    library.delete(["s2-1"])
    library.compact()  # with nobody there from the beginning
    assert not list(retired.iterdir())


def test_many_small_commits_lose_nothing(library: Library) -> None:
    """Merges run in the background of each; none may end over the next one."""
    catalog, seed, alive = library.catalog(), random.Random(1), {f"d{n}" for n in range(20)}
    for step in range(15):
        gone = seed.sample(sorted(alive), min(len(alive), seed.randint(0, 4)))
        library.delete(gone)
        new = {f"s{step}-{n}" for n in range(seed.randint(1, 5))}
        library.add([Text(f"Text of {id}.", id=id) for id in new])
        alive = alive - set(gone) | new
        assert words(catalog) == numbers(catalog)
    assert numbers(catalog)[1] == len(alive)
    assert lexical_sums.verify(catalog.directory / "lexical") == []


def test_nothing_goes_on_in_the_lexical_index_after_its_writer_is_closed(tmp_path: Path) -> None:
    """A merge that ended over the next commit would undo its deletions, or take files away."""
    body, highest = " ".join(f"word{n}" for n in range(400)), 0
    for generation in range(1, 13):
        with LexicalWriter(tmp_path) as lexical:
            lexical.add(LexicalRow(highest + n, f"{body} {n}") for n in range(1, 101))
            lexical.commit(generation)
        highest += 100
        before = {path.name for path in tmp_path.rglob("*")}
        time.sleep(0.1)
        assert {path.name for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("harm", ["missing", "damaged", "from the future", "from the past"])
def test_whatever_state_the_lexical_index_is_in_it_is_brought_up(library: Library, tmp_path: Path, harm: str) -> None:
    catalog = library.catalog()
    lexical, copy = catalog.directory / "lexical", tmp_path / "copy"
    shutil.copytree(lexical, copy)
    match harm:
        case "missing":
            shutil.rmtree(lexical)
        case "damaged":
            (lexical / "state.json").write_text("{")
        case "from the future":
            state = lexical_files.State.read(lexical)
            assert state is not None
            lexical_files.State(state.folder, state.generation + 5).write(lexical)
        case "from the past":  # what was deleted since is forgotten by now
            library.delete(["d1", "d2"])
            for _ in range(2):
                compact(open_vectors(catalog))
            assert forget_log(catalog) == 0
            shutil.rmtree(lexical)
            shutil.copytree(copy, lexical)
    catch_up(catalog)
    assert words(catalog) == numbers(catalog)
    assert library.search("word3", mode="lexical").hits and not library.search("word99", mode="lexical").hits


def test_a_run_without_changes_catches_up(library: Library, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A file.")
    library.index(tmp_path / "a.txt")
    with library.catalog().transaction() as connection:  # as of a process that died before its replay
        documents.remove(connection, [1])
    assert words(library.catalog()) != numbers(library.catalog())
    library.index()
    assert words(library.catalog()) == numbers(library.catalog())


def test_an_error_in_a_change_leaves_everything_as_it_was(library: Library) -> None:
    catalog = library.catalog()
    before = numbers(catalog)

    def change(connection: object) -> None:
        documents.remove(connection, [1, 2])  # type: ignore[arg-type]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        commit(catalog, change)
    assert numbers(catalog) == words(catalog) == before


def test_compacting_forgets_what_was_deleted_one_compaction_later(library: Library) -> None:
    """A reader may have opened the lexical index before this one, and still ask what was deleted since."""
    catalog = library.catalog()
    library.delete(["d1", "d2", "d3"])
    compact(open_vectors(catalog))
    assert forget_log(catalog) == 3
    library.delete(["d4"])
    compact(open_vectors(catalog))
    assert forget_log(catalog) == 1
    compact(open_vectors(catalog))
    assert forget_log(catalog) == 0


def test_compacting_an_empty_library(library: Library) -> None:
    library.delete([f"d{n}" for n in range(20)])
    for _ in range(3):
        library.compact()
    assert not library.search("text").hits
    assert not list((library.settings.library / "segments").glob("*.faiss"))
    library.add([Text("Text again.", id="again")])
    assert [hit.document.id for hit in library.search("text").hits] == ["again"]


@pytest.mark.fault("9")
def test_another_process_sees_the_same_before_during_and_after_a_compaction(library: Library) -> None:
    with Library(library.settings.library, models=FakeModels()) as other:
        library.delete([f"d{n}" for n in range(0, 20, 2)])
        expected = [(hit.id, hit.score) for hit in other.search("text number", limit=100).hits]
        catalog = other.catalog()
        space = catalog.space("text")
        assert space is not None
        vectors, query = open_vectors(catalog).of(space), other.searcher.encoder().encode_queries(["text number"])[0]
        with catalog.snapshot() as snapshot:  # a request that is under way while the library is compacted
            view = vectors.view(snapshot)
            before = view.search(query, 50)
            for _ in range(3):
                library.compact()
            after = vectors.view(snapshot).search(query, 50)
        assert before.ids.tolist() == after.ids.tolist() and len(before) == 10
        for _ in range(2):
            assert [(hit.id, hit.score) for hit in other.search("text number", limit=100).hits] == expected
            library.compact()
        library.delete(["d1"])
        assert len(other.search("text number", limit=100).hits) == 9
