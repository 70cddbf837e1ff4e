from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import quarry.indexer.embedding.reembedding
from quarry.api.cli import cli
from quarry.api.library import Library, Text
from quarry.indexer.embedding.checked import embed_whole
from quarry.search.errors import ModelError, ModelMismatch, ModelMissing, NotFound
from quarry.search.media.text import MEDIUM as TEXTS
from quarry.search.models.embedded_texts import vector_key
from quarry.search.models.fake import DIMENSION, FakeModels
from quarry.search.stores.database.sqlite import Connection

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
    with Library(tmp_path / "library", text_model="one", models=models) as opened:
        opened.index(root)
    with Library(tmp_path / "library", models=models) as opened:
        yield opened


def ids(library: Library) -> dict[str, str]:
    return {document.uri: document.id for document in library.documents(limit=1000)[0]}


def passages(library: Library) -> list[tuple[object, ...]]:
    with library.catalog().snapshot() as snapshot:
        return snapshot.connection.execute("SELECT id, document_id, key, text FROM chunks ORDER BY id").fetchall()


def check(library: Library, models: FakeModels, model: str) -> None:
    """Every passage has the vector that `model` gives its text, nothing was truncated, and both searches find all."""
    encoder = models.text(model)
    with library.catalog().snapshot() as snapshot:
        connection = snapshot.connection
        (space,) = connection.execute("SELECT id, model, identity FROM spaces WHERE state = 'active'").fetchall()
        assert space[1:] == (model, encoder.identity)
        assert connection.execute("SELECT count(*) FROM spaces WHERE state = 'staged'").fetchone() == (0,)
        rows = connection.execute(
            "SELECT c.key, v.vector FROM chunks c JOIN vectors v ON v.key = c.key AND v.space_id = ?", (space[0],)
        ).fetchall()
        assert len(rows) == connection.execute("SELECT count(*) FROM chunks").fetchone()[0]
    assert max(len(encoder.token_offsets(text)) for text in models.text(model).embedded) <= encoder.max_tokens
    vectors = {vector_key(text): text for text in models.embedded}
    texts = [vectors[key] for key, _ in rows]
    stored = np.frombuffer(b"".join(blob for _, blob in rows), "<f2").reshape(-1, DIMENSION)
    np.testing.assert_array_equal(stored, embed_whole(TEXTS, encoder, texts)[0].astype(np.float16))
    for mode in ("semantic", "lexical"):
        response = library.search("note paragraph row", mode=mode, limit=1000)  # type: ignore[arg-type]
        assert (len(response.hits), response.degraded) == (len(rows), ())
    assert not [finding for finding in library.doctor() if finding.level == "damage"]


@pytest.mark.fault("12")
def test_another_model_of_the_same_dimension_is_refused(library: Library, root: Path) -> None:
    """Row 12: both are named, with the command that embeds anew."""
    message = r"embedded by one \(.*not by two \(.*quarry reembed --text-model two"
    with Library(library.settings.library, text_model="two", models=FakeModels()) as other:
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


def test_a_model_that_takes_fewer_tokens_gets_passages_in_windows(library: Library, models: FakeModels) -> None:
    """Row 12: nothing is cut anew, and nothing is truncated: each word of a passage is in one of its windows."""
    before = passages(library)
    report = library.reembed("short@24")
    assert (report.passages, report.embedded, report.failed) == (PASSAGES, PASSAGES, {})
    encoder = models.text("short@24")
    whole = max((text for text in models.loaded["one"].embedded), key=len)
    parts = TEXTS.windows(encoder, whole)
    assert len(parts) > 5 and "".join(parts) == whole and set(parts) <= set(encoder.embedded)
    check(library, models, "short@24")
    assert passages(library) == before
    assert library.reembed("one").embedded == 0  # its vectors were kept
    check(library, models, "one")


def test_searches_go_on_by_the_old_model_until_the_change_over(
    library: Library, models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Library(library.settings.library, models=models) as reader:
        expected = [hit.id for hit in reader.search("note 7 is short", mode="semantic").hits]
        change_over, seen = quarry.indexer.embedding.reembedding._Run.change_over, []

        def watched(run: object, connection: Connection) -> None:
            seen.append([hit.id for hit in reader.search("note 7 is short", mode="semantic").hits])
            change_over(run, connection)  # type: ignore[arg-type]
            seen.append([hit.id for hit in reader.search("note 7 is short", mode="semantic").hits])

        monkeypatch.setattr(quarry.indexer.embedding.reembedding._Run, "change_over", watched)
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
                with Library(library.settings.library, models=models) as other:
                    other.index()

        def advance(self, files: int, size: int, passages: int) -> None:
            pass

        def note(self, text: str) -> None:
            (root / "late.txt").write_text("A note that came late.")
            with Library(library.settings.library, models=models) as other:
                other.index()

    progress = Writing()
    library.reembed("two", progress=progress)
    assert progress.passes == 3
    check(library, models, "two")
    assert library.text(str(root / "069.md")).endswith("has changed.")
    assert library.text(str(root / "late.txt"))


def test_an_interrupted_run_resumes(library: Library, models: FakeModels, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also over a compaction; until then the library is as it was."""
    encode, calls = quarry.indexer.embedding.checked.embed, 0

    def dying(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return encode(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(quarry.indexer.embedding.checked, "embed", dying)
        with pytest.raises(KeyboardInterrupt):
            library.reembed("two")
    library.compact()
    with Library(library.settings.library, models=models) as other:
        assert other.search("note", mode="semantic").hits
        assert other.status()["spaces"][0]["model"] == "one"
    done = len(models.text("two").embedded)
    assert done == 64
    assert library.reembed("two").embedded == PASSAGES - done
    assert len(models.text("two").embedded) == PASSAGES
    check(library, models, "two")


def test_going_back_leaves_nothing_of_a_model_that_was_begun(
    library: Library, models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            quarry.indexer.embedding.reembedding._Run,
            "change_over",
            lambda *_: (_ for _ in ()).throw(KeyboardInterrupt),
        )
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
    encoder = models.text("two")
    encoder.encode_documents = lambda texts: np.zeros((len(texts), DIMENSION), np.float32)  # type: ignore[method-assign]
    with pytest.raises(ModelError, match=r"two can't embed this library.*Nothing was changed"):
        library.reembed("two")
    with Library(library.settings.library, models=models) as other:
        assert other.status()["spaces"][0]["model"] == "one"
        assert other.search("note", mode="semantic").hits


def test_an_empty_library_takes_the_model(tmp_path: Path, models: FakeModels) -> None:
    (tmp_path / "root").mkdir()
    with Library(tmp_path / "library", models=models) as library:
        library.index(tmp_path / "root")
        assert library.reembed("two").passages == 0
        (tmp_path / "root" / "a.txt").write_text("A note.")
        library.index()
        check(library, models, "two")


def test_the_command(library: Library, models: FakeModels) -> None:
    arguments = ["reembed", "--library", str(library.settings.library), "--text-model", "two"]
    body = json.loads(CliRunner().invoke(cli, [*arguments, "--json"], obj=models).stdout)
    assert (body["text_model"], body["passages"], body["embedded"], body["failed"]) == ("two", PASSAGES, PASSAGES, {})
    result = CliRunner().invoke(cli, arguments, obj=models)
    assert (result.exit_code, result.output.partition(":")[0]) == (
        0,
        f"The library's {PASSAGES} passages are embedded by two",
    )


def test_it_is_undone_until_a_compaction(library: Library, models: FakeModels, root: Path) -> None:
    library.reembed("two")
    (root / "new.txt").write_text("A note that came since.")
    library.index()
    encoder = models.loaded["one"]
    before = len(encoder.embedded)
    report = library.reembed(undo=True)
    assert (report.passages, report.embedded, encoder.embedded[before:]) == (
        PASSAGES + 1,
        1,
        ["A note that came since."],
    )
    check(library, models, "one")
    assert library.reembed(undo=True).embedded == 0  # and back
    check(library, models, "two")
    library.compact()
    with pytest.raises(NotFound, match="nothing to undo"):
        library.reembed(undo=True)
    with library.catalog().snapshot() as snapshot:
        assert snapshot.connection.execute("SELECT count(*) FROM spaces").fetchone() == (1,)
        assert snapshot.connection.execute("SELECT count(*) FROM vectors").fetchone() == (PASSAGES + 1,)
    check(library, models, "two")


def test_segments_of_what_was_taken_back_are_used_again(
    library: Library, models: FakeModels, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.compact()
    files = {path.name for path in (library.settings.library / "segments").glob("*.faiss")}
    library.reembed("two")
    (root / "003.md").unlink()
    library.index()
    library.reembed(undo=True)
    check(library, models, "one")
    (space,) = library.status()["spaces"]
    assert (space["segments"], space["tail"]) == (1, 0)
    assert {path.name for path in (library.settings.library / "segments").glob("*.faiss")} >= files


KOREAN = "밤하늘에는 별이 많다. 달은 하루에 두 번 밀물을 일으킨다."


def vectors_by_space(library: Library) -> dict[str, set[str]]:
    """The texts of the passages that have a vector, by the names of the active spaces."""
    with library.catalog().snapshot() as snapshot:
        rows = snapshot.connection.execute(
            "SELECT s.name, c.text FROM chunks c JOIN vectors v ON v.key = c.key"
            " JOIN spaces s ON s.id = v.space_id AND s.state = 'active'"
        ).fetchall()
    found: dict[str, set[str]] = {}
    for name, text in rows:
        found.setdefault(name, set()).add(text)
    return found


def test_a_second_text_model_stands_beside_the_first(library: Library, models: FakeModels, root: Path) -> None:
    report = library.reembed("turned@20", space="second")
    assert (report.passages, report.embedded, report.failed) == (PASSAGES, PASSAGES, {})
    (root / "new.txt").write_text("A note that came since.")
    library.index()
    library.add(Text("Handed over."))
    found = vectors_by_space(library)
    assert found["text"] == found["second"] and len(found["second"]) == PASSAGES + 2
    assert [(s["name"], s["medium"], s["model"], s["vectors"]) for s in library.status()["spaces"]] == [
        ("text", "text", "one", PASSAGES + 2),
        ("second", "text", "turned@20", PASSAGES + 2),
    ]
    assert [f.text.split(":")[0] for f in library.doctor() if f.part == "model"] == ["text", "second"]
    assert not [f for f in library.doctor() if f.level == "damage"]
    with library.catalog().transaction(bump=False) as connection:
        connection.execute("DELETE FROM vectors WHERE id IN (1, (SELECT max(id) FROM vectors))")
    assert "2 passages lack a vector" in " ".join(f.text for f in library.doctor() if f.level == "damage")
    library.doctor(repair=True)
    assert not [f for f in library.doctor() if f.level == "damage"]
    assert vectors_by_space(library) == found
    library.compact()
    assert [space["tail"] for space in library.status()["spaces"]] == [0, 0]
    library.reembed(undo=True, space="second")
    assert [space["name"] for space in library.status()["spaces"]] == ["text"]
    library.compact()
    assert not [f for f in library.doctor() if f.level == "damage"]


def test_a_space_takes_the_scripts_that_it_was_made_for(library: Library, models: FakeModels, root: Path) -> None:
    (root / "korean.txt").write_text(KOREAN)
    library.index()
    report = library.reembed("korean", space="korean", takes={"scripts": ["Hangul"]})
    assert (report.passages, report.embedded) == (1, 1)
    library.add([Text(f"{KOREAN} 둘."), Text("Two in English.")])
    assert vectors_by_space(library)["korean"] == {KOREAN, f"{KOREAN} 둘."}
    assert vectors_by_space(library)["text"] >= {KOREAN, "Two in English."}
    assert library.index().changed == 0
    assert not [f for f in library.doctor() if f.level == "damage"]


def test_a_second_model_that_is_missing_spoils_its_own_vectors_alone(
    library: Library, models: FakeModels, root: Path
) -> None:
    library.reembed("other", space="second")
    library.close()

    def missing(name: str) -> None:
        if name == "other":
            raise ModelMissing(f"{name} is not here")

    models.on_load = missing
    (root / "new.txt").write_text("A note that came since.")
    with Library(library.settings.library, models=models) as opened:
        report = opened.index()
        assert list(report.failed.values()) == ["Texts can't be embedded: other is not here"]
        assert "A note that came since." in vectors_by_space(opened)["text"] - vectors_by_space(opened)["second"]
        assert not [f for f in opened.doctor() if f.level == "damage"]
        models.on_load = lambda name: None
    with Library(library.settings.library, models=models) as opened:
        assert opened.index(verify=True).complete
        assert "A note that came since." in vectors_by_space(opened)["second"]
        assert not [f for f in opened.doctor() if f.level == "damage"]


def test_what_is_written_by_who_does_not_know_a_space_is_refused(library: Library, models: FakeModels) -> None:
    """A run that began before a second model came would leave documents without its vectors."""
    writer = library.opened.writer()
    with Library(library.settings.library, models=models) as other:
        other.reembed("two", space="second")
    with pytest.raises(ModelMismatch, match="by two, too, while this was writing"):
        writer.commit(lambda connection: None)
