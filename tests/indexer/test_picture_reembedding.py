"""Pictures embedded anew by another image model: from their files, else from their thumbnails."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import quarry.indexer.embedding.reembedding
from quarry.api.cli import cli
from quarry.api.library import Library
from quarry.search.errors import InvalidRequest, ModelError, ModelMissing
from quarry.search.media.image import Pictures
from quarry.search.models.fake import DIMENSION, FakeModels
from quarry.search.relevance import UNKNOWN
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows.nulls import nulls
from quarry.search.stores.thumbnails import Thumbnails
from tests.drawn_pictures import draw
from tests.indexing_process import CRASHED, Crash, Task, start

PICTURES = 70  # more than are embedded at once


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures, twice, and a library of them, made once: each test has copies."""
    made = tmp_path_factory.mktemp("made")
    drawn = made / "drawn"
    drawn.mkdir()
    for number in range(PICTURES):
        draw(drawn / f"{number:02}.png", number)
    (drawn / "07.txt").write_text("A lighthouse at night.")
    (drawn / "notes.md").write_text("# Notes\n\nA note on rivers.")
    root = shutil.copytree(drawn, made / "root")
    with Library(made / "library", text_model="words", image_model="one", models=FakeModels()) as library:
        assert library.index(root).complete
    return made


@pytest.fixture
def root(made: Path) -> Path:
    """The folder that the library is of, as it was."""
    shutil.rmtree(made / "root")
    return Path(shutil.copytree(made / "drawn", made / "root"))


@pytest.fixture
def library(made: Path, tmp_path: Path, models: FakeModels, root: Path) -> Iterator[Library]:
    shutil.copytree(made / "library", tmp_path / "library")
    with Library(tmp_path / "library", models=models) as opened:
        yield opened


@cache
def alone(model: str, files: frozenset[tuple[str, bytes]]) -> dict[str, bytes]:
    """The vectors of pictures in a library that was made by one model alone, from those files."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        root.mkdir()
        for name, content in files:
            (root / name).write_bytes(content)
        with Library(Path(folder, "library"), image_model=model, models=FakeModels()) as library:
            library.index(root)
            return pictures(library)


def ids(library: Library) -> dict[str, str]:
    return {document.uri: document.id for document in library.documents(limit=1000)[0]}


def pictures(library: Library) -> dict[str, bytes]:
    """The vectors of pictures by the names of their files, each of the active space and under its own key."""
    with library.catalog().snapshot() as snapshot:
        rows = snapshot.connection.execute(
            "SELECT d.uri, v.vector, c.key, d.structure FROM documents d JOIN chunks c ON c.document_id = d.id"
            " AND c.medium = 'image' JOIN vectors v ON v.key = c.key"
            " JOIN spaces s ON s.id = v.space_id AND s.name = 'image' AND s.state = 'active'"
        ).fetchall()
    assert all(json.loads(structure)["picture"] == key.hex() for _, _, key, structure in rows)
    return {Path(uri).name: vector for uri, vector, _, _ in rows}


def check(library: Library, models: FakeModels, root: Path, model: str, count: int = PICTURES) -> None:
    """Each picture has the vector that a library made by `model` alone would have; everything else is whole."""
    expected = alone(model, frozenset((path.name, path.read_bytes()) for path in root.iterdir()))
    assert pictures(library) == expected and len(expected) == count
    assert [f for f in library.doctor() if f.level not in ("ok",) and f.part not in ("model", "disk", "sqlite")] == []
    with library.catalog().snapshot() as snapshot:
        (space,) = snapshot.connection.execute(
            "SELECT model, identity FROM spaces WHERE name = 'image' AND state = 'active'"
        ).fetchall()
    assert space == (model, models.image(model).identity)
    for uri in ids(library):
        if uri.endswith(".png"):
            assert library.thumbnail(uri).startswith(b"\xff\xd8")
    assert [hit.document.title for hit in library.search("lighthouse", mode="lexical").hits] == ["07"]
    response = library.search(like=str(root / "03.png"), kinds=("image",), limit=1000)
    assert (len(response.hits), response.degraded) == (count - 1, ())


@pytest.mark.parametrize("model", ["two", "large@64"])
def test_all_pictures_are_embedded_anew(library: Library, models: FakeModels, root: Path, model: str) -> None:
    before, thumbnail = ids(library), library.thumbnail(str(root / "07.png"))
    report = library.reembed(image_model=model)
    assert (report.passages, report.embedded, report.failed, report.from_thumbnails) == (PICTURES, PICTURES, {}, [])
    check(library, models, root, model)
    assert ids(library) == before and library.thumbnail(str(root / "07.png")) == thumbnail
    assert library.text(str(root / "07.png")) == "A lighthouse at night."
    with library.catalog().snapshot() as snapshot:
        assert nulls(snapshot.connection, library.catalog().spaces())["image"] != UNKNOWN
    again = library.index()
    assert (again.changed, again.added, again.embedded, again.complete) == (0, 0, 0, True)
    library.compact()
    assert library.index(verify=True).changed == 0
    draw(root / "new.png", 1000)
    assert library.index().added == 1
    check(library, models, root, model, PICTURES + 1)


def test_a_second_run_by_the_same_model_changes_nothing(library: Library, models: FakeModels) -> None:
    library.reembed(image_model="two")
    with library.catalog().snapshot() as snapshot:
        chunks = snapshot.connection.execute("SELECT id FROM chunks").fetchall()
    report = library.reembed(image_model="two")
    assert (report.passages, report.embedded) == (PICTURES, 0)
    with library.catalog().snapshot() as snapshot:
        assert snapshot.connection.execute("SELECT id FROM chunks").fetchall() == chunks


def test_both_models_at_once(library: Library, models: FakeModels, root: Path) -> None:
    with Library(library.settings.library, text_model="words", image_model="one", models=models) as opened:
        report = opened.reembed("other", "two")
        assert report.passages == PICTURES + 2
        assert opened.search("rivers", mode="semantic").hits  # by the new models, whatever it was opened with
    assert [space["model"] for space in library.status()["spaces"]] == ["other", "two"]
    check(library, models, root, "two")
    with pytest.raises(InvalidRequest, match="text_model for texts, image_model for pictures"):
        library.reembed()


def test_texts_embedded_anew_leave_pictures_as_they_are(library: Library, models: FakeModels, root: Path) -> None:
    before = pictures(library)
    library.reembed("other")
    assert pictures(library) == before


def test_pictures_without_a_file_are_read_from_their_thumbnails(
    library: Library, models: FakeModels, root: Path
) -> None:
    handed = library.add_file(draw(root.parent / "x.png", 500).read_bytes(), "handed.png")[0]
    original = (root / "04.png").read_bytes()
    (root / "04.png").unlink()
    draw(root / "05.png", 600)  # another picture by now, which was not indexed
    (root / "06.png").write_bytes(b"")
    report = library.reembed(image_model="large@64")
    assert report.failed == {} and report.embedded == PICTURES + 1
    assert sorted(report.from_thumbnails) == sorted(
        [str(root / f"0{number}.png") for number in (4, 5, 6)] + [library.get(handed).uri]
    )
    assert len(pictures(library)) == PICTURES + 1
    small = np.frombuffer(pictures(library)["04.png"], "<f2")
    (root / "04.png").write_bytes(original)
    library.reembed(image_model="one")
    library.compact()
    report = library.reembed(image_model="large@64")
    assert str(root / "04.png") not in report.from_thumbnails and report.embedded == PICTURES + 1
    whole = np.frombuffer(pictures(library)["04.png"], "<f2")
    assert 0.95 < float(small.astype(np.float32) @ whole.astype(np.float32)) < 1


def test_a_picture_that_is_lost_stays_and_is_found_by_its_words(
    library: Library, models: FakeModels, root: Path
) -> None:
    Thumbnails(library.settings.library).clear()
    (root / "07.png").unlink()
    report = library.reembed(image_model="two")
    assert list(report.failed) == [str(root / "07.png")] and "no thumbnail of it" in report.failed[str(root / "07.png")]
    assert library.status()["failing"].keys() == report.failed.keys()
    assert [hit.document.title for hit in library.search("lighthouse", mode="lexical").hits] == ["07"]
    assert len(pictures(library)) == PICTURES - 1
    draw(root / "07.png", 7)
    assert library.index(verify=True).complete
    assert len(pictures(library)) == PICTURES and library.status()["failing"] == {}
    assert not [finding for finding in library.doctor(repair=True) if finding.level == "damage"]


def test_an_interrupted_run_resumes(library: Library, models: FakeModels, root: Path) -> None:
    """Also over a compaction; until then the library is as it was."""
    encode, calls = Pictures.encode, 0

    def dying(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return encode(*arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pictures, "encode", dying)
        with pytest.raises(KeyboardInterrupt):
            library.reembed(image_model="large@64")
    library.compact()
    with Library(library.settings.library, models=models) as other:
        assert other.search(like=str(root / "03.png"), kinds=("image",)).hits
        assert [space["model"] for space in other.status()["spaces"]] == ["words", "one"]
    done = models.image("large@64").embedded
    assert done == 64
    assert library.reembed(image_model="large@64").embedded == PICTURES - done
    assert models.image("large@64").embedded == PICTURES
    check(library, models, root, "large@64")


def test_searches_go_on_and_what_is_written_meanwhile_is_embedded_too(
    library: Library, models: FakeModels, root: Path
) -> None:
    class Writing:
        passes = 0

        def start(self, files: int, size: int) -> None:
            self.passes += 1
            if self.passes == 1:  # more than is left to the change-over
                for number in range(65):
                    draw(root / f"{number:02}.png", 2000 + number)
                (root / "69.png").rename(root / "moved.png")
                with Library(library.settings.library, models=models) as other:
                    assert other.index().moved == 1

        def advance(self, files: int, size: int, passages: int) -> None:
            pass

        def note(self, text: str) -> None:
            draw(root / "66.png", 3000)
            draw(root / "late.png", 4000)
            (root / "68.png").unlink()
            with Library(library.settings.library, models=models) as other:
                assert other.index().dropped == 1
                assert other.search(like=str(root / "late.png"), kinds=("image",)).hits

    progress = Writing()
    change_over, seen = quarry.indexer.embedding.reembedding._Run.change_over, []
    with Library(library.settings.library, models=models) as reader:

        def watched(run: object, connection: Connection) -> None:
            change_over(run, connection)  # type: ignore[arg-type]
            seen.append(reader.search(like=str(root / "moved.png"), kinds=("image",), limit=1000))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(quarry.indexer.embedding.reembedding._Run, "change_over", watched)
            library.reembed(image_model="large@64", progress=progress)
        assert (len(seen[0].hits), seen[0].degraded) == (PICTURES - 1, ())
        check(reader, models, root, "large@64")
    assert progress.passes == 3
    check(library, models, root, "large@64")


def test_a_vector_that_a_compaction_dropped_is_made_again(library: Library, models: FakeModels, root: Path) -> None:
    """Staged in the active space, that of the same model, it belongs to nobody until the change-over."""
    draw(root / "late.png", 9)

    class Compacting:
        def start(self, files: int, size: int) -> None:
            pass

        def advance(self, files: int, size: int, passages: int) -> None:
            pass

        def note(self, text: str) -> None:
            with Library(library.settings.library, models=models) as other:
                other.compact()

    with library.catalog().transaction() as connection:  # pictures that were indexed while the model was missing
        connection.execute("DELETE FROM vectors WHERE key IN (SELECT key FROM chunks WHERE medium = 'image')")
    library.reembed(image_model="one", progress=Compacting())
    assert len(pictures(library)) == PICTURES


def test_a_picture_without_a_usable_vector_is_reported(library: Library, models: FakeModels, root: Path) -> None:
    Image.new("RGB", (40, 40), (1, 2, 3)).save(root / "bad.png")
    library.index()
    models.broken_pictures[1, 2, 3] = float("nan")
    report = library.reembed(image_model="two")
    assert list(report.failed) == [str(root / "bad.png")] and "two gave no usable vector" in str(report.failed)
    assert library.status()["failing"].keys() == report.failed.keys()
    library.reembed("other")  # of which the picture knows nothing
    assert library.status()["failing"].keys() == report.failed.keys()
    models.broken_pictures.clear()
    report = library.reembed(image_model="three")
    assert report.complete and library.status()["failing"] == {}
    assert len(pictures(library)) == PICTURES + 1


def test_a_model_that_gives_nothing_or_is_missing_changes_nothing(
    library: Library, models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pictures(library)
    encoder = models.image("two")
    monkeypatch.setattr(encoder, "encode_pictures", lambda pixels: np.zeros((len(pixels), DIMENSION), np.float32))
    with pytest.raises(ModelError, match=r"two can't embed this library.*Nothing was changed"):
        library.reembed(image_model="two")
    assert pictures(library) == before

    def missing(name: str) -> None:
        if name == "gone":
            raise ModelMissing(f"{name} is not here")

    models.on_load = missing
    with pytest.raises(ModelMissing):
        library.reembed("other", "gone")
    assert [space["model"] for space in library.status()["spaces"]] == ["words", "one"]


def test_a_library_without_pictures_takes_the_model(tmp_path: Path, models: FakeModels) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.txt").write_text("A note.")
    with Library(tmp_path / "library", models=models) as library:
        library.index(tmp_path / "root")
        assert library.reembed(image_model="two").passages == 0
        draw(tmp_path / "root" / "b.png", 1)
        assert library.index().complete
        assert [space["model"] for space in library.status()["spaces"]][-1] == "two"


@pytest.mark.fault("1")
@pytest.mark.parametrize(
    ("step", "when", "nth", "is_over"),
    [
        ("COMMIT", "before", 3, False),  # of vectors that were staged: the first commit is that of the space
        ("COMMIT", "before", 4, False),
        ("COMMIT", "after", 4, True),
        ("quarry.indexer.embedding.reembedding:_Run.change_over", "after", 1, False),
        ("quarry.indexer.writer:catch_up", "before", 1, True),
    ],
)
def test_a_run_that_is_killed_leaves_one_model_or_the_other(
    library: Library, models: FakeModels, root: Path, step: str, when: str, nth: int, is_over: bool
) -> None:
    before = pictures(library)
    library.close()
    library = Library(library.settings.library, models=models)
    task = Task(library.settings.library, "reembed", (), {"image_model": "large@64"}, crash=Crash(step, when, nth))
    process = start(task)
    process.join(120)
    assert process.exitcode == CRASHED
    found = pictures(library)
    assert len(found) == PICTURES and (found == before) != is_over
    assert library.search(like=str(root / "03.png"), kinds=("image",), limit=1000).degraded == ()
    report = library.reembed(image_model="large@64")
    assert report.complete and report.embedded < PICTURES
    check(library, models, root, "large@64")


def test_the_command(library: Library, models: FakeModels, root: Path) -> None:
    arguments = ["reembed", "--library", str(library.settings.library)]
    assert CliRunner().invoke(cli, arguments, obj=models).exit_code == 2
    (root / "04.png").unlink()
    result = CliRunner().invoke(cli, [*arguments, "--image-model", "large@64"], obj=models)
    assert result.exit_code == 0, result.output
    assert f"The library's {PICTURES} pictures are embedded by large@64: {PICTURES} now" in result.output
    assert f"their files are gone or have changed: 1 picture.\n  {root / '04.png'}" in result.output
    result = CliRunner().invoke(
        cli, [*arguments, "--image-model", "two", "--text-model", "other", "--json"], obj=models
    )
    body = json.loads(result.stdout)
    assert (body["image_model"], body["text_model"], body["passages"]) == ("two", "other", PICTURES + 2)
    assert body["from_thumbnails"] == [str(root / "04.png")]
