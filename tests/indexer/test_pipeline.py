"""The indexing pipeline: prefetching, batches, commits. What it makes of a tree of files is in `test_sync`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest

import quarry.indexer.pipeline
import quarry.indexer.storing
from quarry.api.library import Library
from quarry.indexer.pipeline import batches
from quarry.indexer.prefetch import prefetch
from quarry.indexer.reading import FileDocument, FileEnd, FileToRead
from quarry.search.errors import ModelMismatch
from quarry.search.models.fake import FakeModels
from quarry.search.stores.rows.files import FileStat
from quarry.search.stores.rows.roots import Root, RootOptions
from quarry.search.types import ParsedPart


@pytest.fixture
def library(tmp_path: Path, models: FakeModels) -> Iterator[Library]:
    with Library(tmp_path / "library", models=models) as opened:
        yield opened


def threads() -> int:
    return sum(thread.name == "quarry-prefetch" for thread in threading.enumerate())


# --- prefetch ----------------------------------------------------------------------------------------------------


def test_items_come_in_order_and_the_thread_ends() -> None:
    assert list(prefetch(range(1000), 7, lambda item: 1, lambda: None)) == list(range(1000))
    assert threads() == 0


def test_no_more_is_made_ahead_than_asked_for() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(50):
            made.append(number)
            yield number

    ahead = prefetch(items(), 10, lambda item: 5, lambda: None)
    assert next(ahead) == 0
    time.sleep(0.2)
    assert len(made) <= 1 + 2 + 1  # what was taken, what waits, what is in hand
    ahead.close()
    assert threads() == 0


def test_one_item_heavier_than_all_that_may_wait_passes() -> None:
    assert list(prefetch([100, 1, 200], 10, lambda item: item, lambda: None)) == [100, 1, 200]


def test_an_error_is_raised_at_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    ahead = prefetch(items(), 10, lambda item: 1, lambda: None)
    assert next(ahead) == 1
    with pytest.raises(ZeroDivisionError):
        next(ahead)
    assert threads() == 0


def test_closing_early_cuts_short_what_the_thread_waits_for() -> None:
    cancelled = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        assert cancelled.wait(30)
        yield 2

    ahead = prefetch(items(), 10, lambda item: 1, cancelled.set)
    assert next(ahead) == 1
    began = time.monotonic()
    ahead.close()
    assert time.monotonic() - began < 5 and threads() == 0


# --- batches -----------------------------------------------------------------------------------------------------


def test_batches_are_bounded_and_keep_a_files_end_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarry.indexer.pipeline, "BATCH_PASSAGES", 3)
    monkeypatch.setattr(quarry.indexer.pipeline, "BATCH_ITEMS", 5)
    reading = FileToRead(Root(1, "/r", RootOptions(), None), FileStat("/r/a", 1, 0, 0, 0), b"")

    class Prepared:
        class document:
            keys = (b"key",)

        parts = MappingProxyType[bytes, ParsedPart]({})

    part, end = FileDocument(reading, Prepared()), FileEnd(reading, reading.found, 0, set())  # type: ignore[arg-type]
    assert [len(batch) for batch in batches([part, end] * 7)] == [6, 6, 2]
    assert [len(batch) for batch in batches([part] * 7 + [end])] == [3, 3, 2]
    assert list(batches([])) == []


# --- commits -----------------------------------------------------------------------------------------------------


def test_an_interrupted_run_goes_on_where_it_ended(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: FakeModels
) -> None:
    """What was committed is not read again; of a file that was half-way in, no text is embedded again."""
    monkeypatch.setattr(quarry.indexer.pipeline, "BATCH_PASSAGES", 4)
    root = tmp_path / "root"
    root.mkdir()
    for number in range(6):
        (root / f"{number}.txt").write_text(f"File number {number}.")
    (root / "t.csv").write_text("id,text\n" + "".join(f"{n},row number {n}\n" for n in range(10)))
    commit, commits = quarry.indexer.pipeline.commit_batch, 0

    def interrupted(*arguments: object) -> None:
        nonlocal commits
        commits += 1
        if commits == 4:
            raise KeyboardInterrupt
        commit(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(quarry.indexer.pipeline, "commit_batch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            library.index(root)
    assert threads() == 0
    assert library.status()["documents"] == 12
    before = len(models.embedded)
    report = library.index()
    assert (report.files_read, report.added, report.changed, report.dropped) == (1, 4, 0, 0)
    assert len(models.embedded) == len(set(models.embedded)) == before + 4 == 16


def test_a_long_document_is_staged_in_portions(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: FakeModels
) -> None:
    """So that a run that dies in it has not embedded it for nothing; nothing of it is seen before it is whole."""
    monkeypatch.setattr(quarry.indexer.storing, "PORTION", 3)
    long = tmp_path / "long.txt"
    long.write_text("\n\n".join(f"Paragraph {n}. " + f"Words of {n} follow words. " * 40 for n in range(20)))
    embed, calls = quarry.indexer.embedding.checked.embed, 0

    def dying(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return embed(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(quarry.indexer.embedding.checked, "embed", dying)
        with pytest.raises(KeyboardInterrupt):
            library.index(long)
    assert (library.status()["documents"], library.status()["passages"]) == (0, 0)
    assert len(models.embedded) == 9
    report = library.index()
    assert report.embedded == report.passages - 9 > 9
    assert len(models.embedded) == report.passages


def test_a_vector_that_a_compaction_drops_meanwhile_is_embedded_again(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("The same words.")
    library.index(file)
    library.delete([str(file)])  # its vector is an orphan now, which is still known
    (tmp_path / "b.txt").write_text("The same words.")
    embed, compactions = quarry.indexer.storing._embed, 0

    def compacting(*arguments: object) -> object:
        nonlocal compactions
        found = embed(*arguments)  # type: ignore[arg-type]
        compactions += 1
        if compactions == 1:
            with Library(library.settings.library, models=FakeModels()) as other:
                other.compact()
        return found

    monkeypatch.setattr(quarry.indexer.storing, "_embed", compacting)
    report = library.index(tmp_path / "b.txt")
    assert (report.added, report.embedded, compactions) == (1, 1, 2)
    assert len(library.search("words", mode="semantic").hits) == 1


def test_a_writer_whose_model_was_replaced_meanwhile_is_refused(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("One.")
    library.index(file)
    file.write_text("Two.")
    embed = quarry.indexer.storing._embed

    def reembedding(*arguments: object) -> object:
        with Library(library.settings.library, models=FakeModels()) as other:
            other.reembed("other")
        return embed(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(quarry.indexer.storing, "_embed", reembedding)
        with pytest.raises(ModelMismatch, match=r"embedded anew by other.*Run it again"):
            library.index()
    assert library.text(str(file)) == "One."
    assert library.index().changed == 1  # by the new model, without being opened anew


def test_counts_of_a_commit_that_failed_are_not_reported(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.txt").write_text("One.")
    end_file, calls = quarry.indexer.storing._end_file, 0

    def failing(*arguments: object) -> None:
        nonlocal calls
        calls += 1
        end_file(*arguments)  # type: ignore[arg-type]
        if calls == 1:
            raise quarry.indexer.storing._VectorsGone

    monkeypatch.setattr(quarry.indexer.storing, "_end_file", failing)
    assert library.index(tmp_path / "root").added == 1
