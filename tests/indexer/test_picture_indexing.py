"""Folders with pictures, indexed through `Library.index`: by the real model, and by fakes where one must fail."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from quarry.api.cli import cli
from quarry.api.library import Library
from quarry.search.errors import ModelDamaged, ModelMismatch, ModelMissing
from quarry.search.media.image import Pictures
from quarry.search.models.fake import FakeModels
from quarry.search.stores.thumbnails import Thumbnails
from quarry.search.types import THUMBNAIL
from tests.drawn_pictures import draw

NAMES = ("chelsea.png", "coffee.png", "rocket.jpg", "china.jpg")
MISSING = "is not here: run `quarry models --prepare"


@pytest.fixture
def root(tmp_path: Path, photos: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    for name in NAMES:
        shutil.copy(photos / name, root)
    (root / "chelsea.txt").write_text("Our cat Tom looks at a fly.")
    (root / "notes.md").write_text("# Tea\n\nBlack tea wants boiling water.")
    return root


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as opened:
        yield opened


@pytest.fixture
def faked(tmp_path: Path, models: FakeModels) -> Iterator[Library]:
    """A library whose models are fakes."""
    with Library(tmp_path / "library", models=models) as opened:
        yield opened


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    drawn = tmp_path / "drawn"
    drawn.mkdir()
    for number in range(6):
        draw(drawn / f"{number}.png", number)
    (drawn / "3.txt").write_text("A lighthouse at night.")
    (drawn / "notes.md").write_text("# Notes\n\nA note on rivers.")
    return drawn


def like(library: Library, path: Path | str) -> list[str]:
    """Names of the pictures that are most like a picture of the library, best first."""
    response = library.search(like=str(path), kinds=("image",))
    assert response.degraded == ()
    return [Path(hit.document.uri).name for hit in response.hits]


def with_vector(library: Library) -> list[str]:
    with library.catalog().snapshot() as snapshot:
        rows = snapshot.connection.execute(
            "SELECT d.uri FROM documents d JOIN chunks c ON c.document_id = d.id AND c.medium = 'image'"
            " JOIN vectors v ON v.key = c.key JOIN spaces s ON s.id = v.space_id"
            " WHERE s.name = 'image' AND s.state = 'active'"
        )
        return sorted(Path(uri).name for (uri,) in rows)


def check_sound(library: Library) -> None:
    assert [finding.text for finding in library.doctor() if finding.level == "damage"] == []


# --- the real model --------------------------------------------------------------------------------------------------


def test_a_folder_of_pictures_and_texts(library: Library, root: Path) -> None:
    report = library.index(root)
    assert report.complete and (report.added, report.files_read) == (5, 5)
    assert (report.passages, report.embedded) == (6, 6)  # four pictures, a caption, a text
    status = library.status()
    assert status["kinds"] == {"image": 4, "text": 1}
    assert [(space["name"], space["vectors"]) for space in status["spaces"]] == [("text", 2), ("image", 4)]
    for name in NAMES:
        with Image.open(root / name) as image:
            size = image.size
        document = library.get(str(root / name))
        assert (document.kind, document.title) == ("image", Path(name).stem)
        assert (document.metadata["width"], document.metadata["height"]) == size
        with Image.open(io.BytesIO(library.thumbnail(document.id))) as small:
            assert small.format == "JPEG" and max(small.size) == THUMBNAIL
        assert library.original(document.id) == (root / name).read_bytes()
    assert library.text(str(root / "chelsea.png")) == "Our cat Tom looks at a fly."
    assert library.search("Tom", mode="lexical").hits[0].document.title == "chelsea"
    assert library.search("black tea", kinds=("text",)).hits[0].document.title == "Tea"
    check_sound(library)


def test_a_smaller_copy_is_the_most_like(library: Library, root: Path) -> None:
    for name in NAMES:
        with Image.open(root / name) as image:
            copy = image.convert("RGB").resize((image.width // 2, image.height // 2))
        copy.save(root / f"small-{Path(name).stem}.jpg", quality=85)
    assert library.index(root).complete
    for name in NAMES:
        assert like(library, root / name)[0] == f"small-{Path(name).stem}.jpg"
        assert library.search(picture=root / name, kinds=("image",)).hits[0].document.title == Path(name).stem


def test_words_about_a_picture_change_without_the_picture(library: Library, root: Path) -> None:
    library.index(root)
    before = library.get(str(root / "chelsea.png")).id
    (root / "chelsea.txt").write_text("Grandmother's tabby.")
    report = library.index()
    assert (report.changed, report.embedded, report.complete) == (1, 1, True)
    assert library.get(str(root / "chelsea.png")).id == before
    assert library.search("Tom", mode="lexical").hits == []
    assert library.search("tabby", mode="lexical").hits[0].document.id == before
    (root / "chelsea.txt").unlink()
    assert (library.index().embedded, library.text(before)) == (0, "")
    assert with_vector(library) == sorted(NAMES)
    check_sound(library)


def test_pictures_change_move_and_go(library: Library, root: Path) -> None:
    library.index(root)
    before = {name: library.get(str(root / name)).id for name in NAMES}
    thumbnail = library.thumbnail(before["chelsea.png"])
    (root / "album").mkdir()
    (root / "chelsea.png").rename(root / "album" / "tom.png")
    (root / "chelsea.txt").rename(root / "album" / "tom.txt")
    (root / "coffee.png").write_bytes((root / "china.jpg").read_bytes())  # another picture, under a wrong suffix
    (root / "rocket.jpg").unlink()
    report = library.index()
    assert (report.moved, report.changed, report.dropped, report.added) == (1, 1, 1, 0)
    assert report.embedded == 0 and report.complete
    moved = library.get(str(root / "album" / "tom.png"))
    assert (moved.id, moved.title) == (before["chelsea.png"], "tom")
    assert library.thumbnail(moved.id) == thumbnail
    changed = library.get(str(root / "coffee.png"))
    assert (changed.id, changed.type) == (before["coffee.png"], "image/jpeg")
    assert library.thumbnail(changed.id) == library.thumbnail(before["china.jpg"])
    assert with_vector(library) == ["china.jpg", "coffee.png", "tom.png"]
    library.compact()
    assert len(like(library, moved.id)) == 2
    check_sound(library)


def test_the_same_picture_twice_is_embedded_once(library: Library, root: Path) -> None:
    shutil.copy(root / "chelsea.png", root / "again.png")
    with Image.open(root / "chelsea.png") as image:
        image.save(root / "encoded-anew.webp", lossless=True)
    report = library.index(root)
    assert report.complete and (report.added, report.embedded) == (7, 6)
    shutil.copy(root / "coffee.png", root / "later.png")
    assert library.index().embedded == 0
    assert set(like(library, root / "chelsea.png")[:2]) == {"again.png", "encoded-anew.webp"}
    (root / "chelsea.png").unlink()
    (root / "chelsea.txt").unlink()
    library.index()
    library.compact()
    assert with_vector(library) == sorted(
        ["again.png", "china.jpg", "coffee.png", "encoded-anew.webp", "later.png", "rocket.jpg"]
    )
    assert library.thumbnail(str(root / "again.png")) and like(library, root / "again.png")[0] == "encoded-anew.webp"
    check_sound(library)


def test_a_damaged_picture_is_reported_and_stops_nothing(library: Library, root: Path) -> None:
    data = (root / "rocket.jpg").read_bytes()
    (root / "rocket.jpg").write_bytes(data[: len(data) // 3])
    (root / "coffee.png").write_bytes(b"Words, not a picture.")
    report = library.index(root)
    assert report.added == 3 and set(report.failed) == {str(root / "rocket.jpg"), str(root / "coffee.png")}
    (root / "rocket.jpg").write_bytes(data)
    assert library.index().added == 1
    check_sound(library)


# --- models that fail ------------------------------------------------------------------------------------------------


def test_a_library_of_texts_loads_no_image_model(faked: Library, models: FakeModels, drawn: Path) -> None:
    for path in drawn.glob("*.png"):
        path.unlink()
    assert faked.index(drawn).added == 2 and faked.search("rivers").hits
    assert models.loaded_images == {}


@pytest.mark.fault("29")
def test_a_picture_without_a_usable_vector(faked: Library, models: FakeModels, drawn: Path) -> None:
    """It is found by what is said about it, the others of its batch are embedded, and `--verify` tries it again."""
    models.broken_pictures[1, 2, 3] = float("nan")
    Image.new("RGB", (40, 40), (1, 2, 3)).save(drawn / "3.png")
    arguments = ["--library", str(faked.settings.library), "--json"]
    result = CliRunner().invoke(cli, ["index", str(drawn), *arguments], obj=models)
    body = json.loads(result.stdout)
    assert (result.exit_code, list(body["failed"])) == (3, [str(drawn / "3.png")])
    assert "gave no usable vector (NaN" in body["failed"][str(drawn / "3.png")]
    assert (body["added"], with_vector(faked)) == (7, [f"{n}.png" for n in (0, 1, 2, 4, 5)])
    assert faked.search("lighthouse", mode="lexical").hits[0].document.title == "3"
    assert faked.thumbnail(str(drawn / "3.png"))
    assert faked.status()["failing"].keys() == body["failed"].keys()
    check_sound(faked)
    again = faked.index()
    assert (again.files_read, list(again.failed)) == (0, [str(drawn / "3.png")])  # not tried again, but told
    models.broken_pictures.clear()
    models.loaded_images["quarry-lite0"]._broken.clear()
    repaired = faked.index(verify=True)
    assert repaired.complete and repaired.embedded == 1 and len(with_vector(faked)) == 6


@pytest.mark.fault("37")
def test_a_model_that_is_missing(faked: Library, models: FakeModels, drawn: Path) -> None:
    """Texts are indexed, pictures are kept by their words and reported, and found once the model is there."""
    asked = []

    def missing(name: str) -> None:
        if name == "quarry-lite0":
            asked.append(name)
            raise ModelMissing(f"{name} {MISSING}`.")

    models.on_load = missing
    arguments = ["--library", str(faked.settings.library), "--json"]
    result = CliRunner().invoke(cli, ["index", str(drawn), *arguments], obj=models)
    body = json.loads(result.stdout)
    assert (result.exit_code, body["added"], len(asked)) == (3, 7, 2)  # to embed, and to tell what they show
    assert set(body["failed"]) == {str(drawn / f"{n}.png") for n in range(6)}
    assert all(MISSING in reason for reason in body["failed"].values())
    assert with_vector(faked) == [] and faked.status()["kinds"] == {"image": 6, "text": 1}
    assert faked.search("lighthouse").hits[0].document.title == "3"
    assert faked.search("rivers", mode="semantic").hits[0].document.title in ("Notes", "3")
    assert faked.thumbnail(str(drawn / "0.png"))
    check_sound(faked)
    models.on_load = lambda name: None
    repaired = faked.index(verify=True)
    assert repaired.complete and repaired.changed == 6 and len(with_vector(faked)) == 6
    assert faked.status()["failing"] == {} and len(like(faked, drawn / "0.png")) == 5
    faked.compact()
    assert faked.thumbnail(str(drawn / "0.png"))
    check_sound(faked)


def test_a_model_that_went_missing_takes_no_vector_away(
    tmp_path: Path, faked: Library, models: FakeModels, drawn: Path
) -> None:
    with Library(faked.settings.library, image_model="as-by-default@224", models=models) as opened:
        assert opened.index(drawn).complete

    def missing(name: str) -> None:
        if name == "as-by-default@224":
            raise ModelMissing(f"{name} {MISSING}`.")

    models.on_load = missing
    (drawn / "3.txt").write_text("A windmill.")
    draw(drawn / "new.png", 50)
    report = faked.index()
    assert list(report.failed) == [str(drawn / "new.png")] and len(with_vector(faked)) == 6
    assert faked.search("windmill", mode="lexical").hits[0].document.title == "3"
    response = faked.search("windmill")
    assert response.hits and any(MISSING in note for note in response.degraded)
    models.on_load = lambda name: None
    assert faked.index(verify=True).complete and len(with_vector(faked)) == 7


@pytest.mark.fault("37")
def test_a_model_that_turns_out_damaged(faked: Library, models: FakeModels, drawn: Path) -> None:
    """A tower is checked when it is first used, in the middle of a run."""

    def damaged(*arguments: object) -> object:
        raise ModelDamaged("visual.onnx is not what was written.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pictures, "encode", damaged)
        report = faked.index(drawn)
    assert report.added == 7 and len(report.failed) == 6 and "visual.onnx" in str(report.failed)
    assert faked.search("rivers").hits
    assert faked.index(verify=True).complete and len(with_vector(faked)) == 6


@pytest.mark.fault("12")
def test_another_image_model_is_refused(faked: Library, models: FakeModels, drawn: Path) -> None:
    """Both are named, with the command that embeds anew."""
    message = r"image was embedded by one \(.*not by two \(.*quarry reembed --image-model two"
    with Library(faked.settings.library, image_model="one", models=models) as opened:
        assert opened.index(drawn).complete
    with Library(faked.settings.library, image_model="two", models=models) as other:
        with pytest.raises(ModelMismatch, match=message):
            other.search("lighthouse")
        with pytest.raises(ModelMismatch, match=message):
            other.search(like=str(drawn / "1.png"))
        assert other.search("lighthouse", mode="lexical").hits and other.search("rivers", kinds=("text",)).hits
        draw(drawn / "new.png", 50)
        with pytest.raises(ModelMismatch, match=message):
            other.index()
        with pytest.raises(ModelMismatch, match=message):
            other.add_file((drawn / "new.png").read_bytes(), "new.png")
    arguments = ["index", str(drawn), "--library", str(faked.settings.library), "--image-model", "two"]
    result = CliRunner().invoke(cli, arguments, obj=models)
    assert result.exit_code != 0 and isinstance(result.exception, ModelMismatch)
    assert len(with_vector(faked)) == 6 and faked.index().added == 1
    check_sound(faked)


def test_pictures_that_are_forgotten_leave_nothing_behind(faked: Library, models: FakeModels, drawn: Path) -> None:
    faked.index(drawn)
    assert faked.forget(drawn) == 7
    faked.compact()
    with faked.catalog().snapshot() as snapshot:
        assert snapshot.connection.execute("SELECT count(*) FROM vectors").fetchone() == (0,)
    path = Thumbnails(faked.settings.library).path
    assert path.stat().st_size <= 3 * 4096
    check_sound(faked)
