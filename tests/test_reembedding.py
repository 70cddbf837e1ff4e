from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import quarry.indexer.reembedding
from quarry.api.cli import cli
from quarry.api.library import Library
from quarry.indexer.embedding import vector_key
from quarry.search.errors import ModelError, ModelMismatch
from quarry.search.stores.sqlite import Connection
from tests.fake_models import DIMENSION, FakeModels

PASSAGES = 100 + 20 + 3
PARAGRAPHS = [f"Paragraph {n} is about rivers, glass, bread and maps, in that order." for n in range(40)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    for number in range(100):
        (root / f"{number:03}.md").write_text(f"# Note {number}\n\nNote {number} is short.")
    (root / "long.md").write_text("---\nauthor: Kim\n---\n# Long\n\n" + "\n\n".join(PARAGRAPHS))
    (root / "rows.csv").write_text("id,text\n" + "".join(f"{n},row number {n}\n" for n in range(20)))
    return root


@pytest.fixture
def library(tmp_path: Path, models: FakeModels, root: Path) -> Iterator[Library]:
    with Library(tmp_path / "library", text_model="one") as opened:
        opened.index(root)
    with Library(tmp_path / "library") as opened:
        yield opened


def ids(library: Library) -> dict[str, str]:
    return {document.uri: document.id for document in library.documents(limit=1000)[0]}


def check(library: Library, models: FakeModels, model: str) -> None:
    """Every passage has the vector that `model` gives its text, nothing was truncated, and both searches find all."""
    encoder = models.load_text_encoder(model)
    with library.catalog().snapshot() as snapshot:
        connection = snapshot.connection
        (space,) = connection.execute("SELECT id, model, identity FROM spaces WHERE state = 'active'").fetchall()
        assert space[1:] == (model, encoder.identity)
        assert connection.execute("SELECT count(*) FROM spaces").fetchone() == (1,)
        rows = connection.execute(
            "SELECT c.key, v.vector FROM chunks c JOIN vectors v ON v.key = c.key AND v.space_id = ?", (space[0],)
        ).fetchall()
        assert len(rows) == connection.execute("SELECT count(*) FROM chunks").fetchone()[0]
    vectors = {vector_key(text): text for text in models.load_text_encoder(model).embedded}
    texts = [vectors[key] for key, _ in rows]
    assert max(len(encoder.token_offsets(text)) for text in texts) <= encoder.max_tokens
    stored = np.frombuffer(b"".join(blob for _, blob in rows), "<f2").reshape(-1, DIMENSION)
    np.testing.assert_array_equal(stored, encoder.encode_documents(texts).astype(np.float16))
    for mode in ("semantic", "lexical"):
        response = library.search("note paragraph row", mode=mode, limit=1000)  # type: ignore[arg-type]
        assert (len(response.hits), response.degraded) == (len(rows), ())
    assert not [finding for finding in library.doctor() if finding.level == "damage"]


@pytest.mark.fault("12")
def test_another_model_of_the_same_dimension_is_refused(library: Library, root: Path) -> None:
    """Row 12: both are named, with the command that embeds anew."""
    message = r"embedded by one \(.*not by two \(.*quarry reembed --text-model two"
    with Library(library.settings.library, text_model="two") as other:
        for mode in ("semantic", "hybrid"):
            with pytest.raises(ModelMismatch, match=message):
                other.search("note", mode=mode)  # type: ignore[arg-type]
        assert other.search("note", mode="lexical").hits
        (root / "new.txt").write_text("New.")
        with pytest.raises(ModelMismatch, match=message):
            other.index()
    assert library.search("note").hits


def test_all_is_embedded_anew(library: Library, models: FakeModels, root: Path) -> None:
    before, texts = ids(library), {uri: library.text(uri) for uri in ids(library)}
    report = library.reembed("two")
    assert (report.passages, report.embedded, report.failed) == (PASSAGES, PASSAGES, {})
    check(library, models, "two")
    assert ids(library) == before and {uri: library.text(uri) for uri in before} == texts
    assert library.get(str(root / "long.md")).metadata["author"] == "Kim"
    again = library.index()
    assert (again.changed, again.added, again.complete) == (0, 0, True)
    (root / "new.txt").write_text("A new note.")
    library.index()
    check(library, models, "two")


def test_a_model_that_takes_fewer_tokens_gets_shorter_passages(library: Library, models: FakeModels) -> None:
    """Row 12: cut anew from the stored text, so that nothing is truncated; and again when there is room."""
    report = library.reembed("short@24")
    assert report.passages > 150
    check(library, models, "short@24")
    assert library.reembed("one").passages == PASSAGES
    check(library, models, "one")


def test_searches_go_on_by_the_old_model_until_the_change_over(
    library: Library, models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Library(library.settings.library) as reader:
        expected = [hit.id for hit in reader.search("note 7 is short", mode="semantic").hits]
        change_over, seen = quarry.indexer.reembedding._change_over, []

        def watched(connection: Connection, *arguments: object) -> None:
            for _ in range(2):
                seen.append([hit.id for hit in reader.search("note 7 is short", mode="semantic").hits])
                change_over(connection, *arguments)  # type: ignore[arg-type]
                connection.execute("SAVEPOINT done")

        monkeypatch.setattr(quarry.indexer.reembedding, "_change_over", watched)
        library.reembed("two")
        assert seen == [expected, expected]
        check(reader, models, "two")
    check(library, models, "two")


def test_what_is_written_meanwhile_is_embedded_too(library: Library, models: FakeModels, root: Path) -> None:
    class Writing:
        passes = 0

        def start(self, files: int, size: int) -> None:
            self.passes += 1
            if self.passes == 1:  # more than is left to the change-over
                for number in range(70):
                    (root / f"{number:03}.md").write_text(f"# Note {number}\n\nNote {number} has changed.")
                with Library(library.settings.library) as other:
                    other.index()

        def advance(self, files: int, size: int, passages: int) -> None:
            pass

        def note(self, text: str) -> None:
            (root / "late.txt").write_text("A note that came late.")
            with Library(library.settings.library) as other:
                other.index()

    progress = Writing()
    library.reembed("two", progress=progress)
    assert progress.passes == 3
    check(library, models, "two")
    assert library.text(str(root / "069.md")).endswith("has changed.")
    assert library.text(str(root / "late.txt"))


def test_an_interrupted_run_resumes(library: Library, models: FakeModels, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also over a compaction; until then the library is as it was."""
    encode, calls = quarry.indexer.embedding.embed, 0

    def dying(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return encode(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(quarry.indexer.embedding, "embed", dying)
        with pytest.raises(KeyboardInterrupt):
            library.reembed("two")
    library.compact()
    with Library(library.settings.library) as other:
        assert other.search("note", mode="semantic").hits
        assert other.status()["spaces"][0]["model"] == "one"
    done = len(models.load_text_encoder("two").embedded)
    assert done == 64
    assert library.reembed("two").embedded == PASSAGES - done
    assert len(models.load_text_encoder("two").embedded) == PASSAGES
    check(library, models, "two")


def test_going_back_leaves_nothing_of_a_model_that_was_begun(
    library: Library, models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(quarry.indexer.reembedding, "_change_over", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            library.reembed("two")
    report = library.reembed("one")
    assert report.embedded == 0
    check(library, models, "one")


def test_texts_without_a_usable_vector_are_reported_and_found_by_words(
    library: Library, models: FakeModels, root: Path
) -> None:
    models.broken["Note 7\nNote 7 is short."] = models.broken["Note 7\n# Note 7\n\nNote 7 is short."] = float("nan")
    report = library.reembed("two")
    assert list(report.failed) == [str(root / "007.md")]
    assert library.status()["failing"].keys() == report.failed.keys()
    assert [hit.document.uri for hit in library.search("note 7", mode="lexical", limit=1).hits] == [
        str(root / "007.md")
    ]
    models.broken.clear()
    models.loaded.pop("two")
    library.reembed("three")
    assert library.status()["failing"] == {}
    check(library, models, "three")


def test_a_model_that_gives_nothing_changes_nothing(library: Library, models: FakeModels, root: Path) -> None:
    encoder = models.load_text_encoder("two")
    encoder.encode_documents = lambda texts: np.zeros((len(texts), DIMENSION), np.float32)  # type: ignore[method-assign]
    with pytest.raises(ModelError, match=r"two can't embed this library.*Nothing was changed"):
        library.reembed("two")
    with Library(library.settings.library) as other:
        assert other.status()["spaces"][0]["model"] == "one"
        assert other.search("note", mode="semantic").hits


def test_an_empty_library_takes_the_model(tmp_path: Path, models: FakeModels) -> None:
    (tmp_path / "root").mkdir()
    with Library(tmp_path / "library") as library:
        library.index(tmp_path / "root")
        assert library.reembed("two").passages == 0
        (tmp_path / "root" / "a.txt").write_text("A note.")
        library.index()
        check(library, models, "two")


def test_the_command(library: Library, models: FakeModels) -> None:
    arguments = ["reembed", "--library", str(library.settings.library), "--text-model", "two"]
    body = json.loads(CliRunner().invoke(cli, [*arguments, "--json"]).stdout)
    assert (body["text_model"], body["passages"], body["embedded"], body["failed"]) == ("two", PASSAGES, PASSAGES, {})
    result = CliRunner().invoke(cli, arguments)
    assert (result.exit_code, result.output.partition(":")[0]) == (
        0,
        f"The library's {PASSAGES} passages are embedded by two",
    )
