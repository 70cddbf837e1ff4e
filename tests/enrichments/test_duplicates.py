"""Documents that are the same or nearly the same are known in groups, each with the one to keep."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from quarry.api import Library, Text
from quarry.api.cli import cli
from quarry.api.members.duplicates import MAX_COPIES, Duplicates
from quarry.api.routes.duplicates import DuplicatesBody
from quarry.data.photos import copy_photos
from quarry.indexer.enrichments import minhashes
from quarry.indexer.enrichments.looks import Looks
from quarry.indexer.enrichments.minhashes import SHINGLE, MinHashes
from quarry.search.alike.duplicates import groups
from quarry.search.alike.sketches import MINIMA, PictureSketches, TextSketches
from quarry.search.errors import InvalidRequest
from quarry.search.models.fake import FakeModels
from quarry.search.stores.catalog import Catalog
from quarry.search.types import FOLDS, LOOK

ENGLISH = (
    "A star forms where a cold cloud of gas and dust collapses under its own gravity. As the core grows denser it "
    "warms, until hydrogen begins to fuse into helium and the star shines by its own light for millions of years."
)
KOREAN = (
    "별은 차가운 기체와 먼지 구름이 스스로의 중력으로 무너지는 곳에서 태어나고 오랫동안 빛난다고 한다. "
    "그 가운데가 점점 뜨거워지면 수소가 헬륨으로 바뀌기 시작하고 그때부터 스스로 빛을 낸다."
)
CHINESE = "恒星形成于寒冷的气体和尘埃云在自身引力作用下坍缩的地方，核心变得更加致密，温度升高，直到氢开始聚变成氦。"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library", models=FakeModels()) as opened:
        yield opened


def sketched(texts: list[str]) -> TextSketches:
    return TextSketches.of([found.sketch for found in MinHashes().enrich(texts)])


def alike(one: str, other: str) -> float:
    return float(sketched([one, other]).alike(np.array([0]), np.array([1]))[0])


def shingles(text: str) -> set[str]:
    plain = " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())
    return {plain[start : start + SHINGLE] for start in range(max(1, len(plain) - SHINGLE + 1))}


def named(found: Duplicates) -> list[list[str]]:
    """The names of each group, the one to keep first, the others by name."""
    return [
        [Path(one.keep.document.uri).name, *sorted(Path(copy.document.uri).name for copy in one.copies)]
        for one in found.groups
    ]


@pytest.mark.parametrize("text", [ENGLISH, KOREAN, CHINESE], ids=["English", "Korean", "Chinese"])
def test_texts_are_as_alike_as_they_share_runs_of_characters(text: str) -> None:
    changed = text[:30] + text[33:]
    one, other = shingles(text), shingles(changed)
    assert alike(text, changed) == pytest.approx(len(one & other) / len(one | other), abs=0.11)
    assert alike(text, text.upper().replace(" ", "\n\n").replace(".", " !")) == 1
    assert alike(text, {ENGLISH: KOREAN, KOREAN: CHINESE, CHINESE: ENGLISH}[text]) == 0
    assert alike(text, "".join(sorted(text))) < 0.1


@settings(max_examples=20, deadline=None)
@given(some.lists(some.text(max_size=40), min_size=1, max_size=6))
def test_any_texts_are_sketched_each_as_if_alone(texts: list[str]) -> None:
    found = [one.sketch for one in MinHashes().enrich(texts)]
    assert found == [MinHashes().enrich([text])[0].sketch for text in texts]
    for text, sketch in zip(texts, found, strict=True):
        assert bool(sketch) == any(c.isalnum() for c in text.casefold()) or not text.isascii()


def test_a_long_text_is_looked_at_by_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    text = " ".join(f"{word} {number}" for number, word in enumerate((ENGLISH * 20).split()))
    whole = MinHashes().enrich([text, "short"])
    monkeypatch.setattr(minhashes, "_PORTION", 700)
    assert MinHashes().enrich([text, "short"]) == whole


@settings(max_examples=20, deadline=None)
@given(some.lists(some.integers(0, 6), min_size=1, max_size=30), some.sampled_from([0.5, 0.8, 1.0]))
def test_groups_part_documents_and_hold_what_is_like_the_one_to_keep(kinds: list[int], least: float) -> None:
    """Whatever the order: each document is in one group at most, and copies come after the one to keep."""
    texts = [f"{ENGLISH} {KOREAN}".replace("star", f"star{'x' * kind}", kind) for kind in kinds]
    sketches = sketched(texts)
    found = groups(sketches, least)
    members = [place for group in found for place in (group.keep, *group.others.tolist())]
    assert len(members) == len(set(members))
    for group in found:
        assert (group.others > group.keep).all() and (group.alike >= least).all()
        assert [texts[place] == texts[group.keep] for place in group.others] == group.same.tolist()
    if least == 1:
        assert sorted(len(group.others) + 1 for group in found) == sorted(
            kinds.count(kind) for kind in set(kinds) if kinds.count(kind) > 1
        )
    assert not groups(sketched([]), least)


@pytest.mark.parametrize("shared", [0.0, 0.75, 0.9, 1.0])
def test_a_form_that_everybody_fills_in_is_compared_with_few(shared: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand that share some, most or all of their words: no more pairs are compared than bands and leaders."""
    random, count = np.random.default_rng(1), 10_000
    minima = random.integers(0, 1 << 16, (count, MINIMA), dtype=np.uint16)
    common = random.random((count, MINIMA)) < shared
    minima[common] = np.broadcast_to(minima[0], minima.shape)[common]
    compared = 0
    real = TextSketches.alike

    def counted(self: TextSketches, ones: np.ndarray, others: np.ndarray) -> np.ndarray:
        nonlocal compared
        compared += len(ones)
        return real(self, ones, others)

    monkeypatch.setattr(TextSketches, "alike", counted)
    found = groups(TextSketches(np.arange(count, dtype=np.uint64), minima), 0.8)
    assert compared < 150 * count
    assert sum(len(group.others) for group in found) == (0 if shared == 0 else pytest.approx(count, rel=1))
    assert shared < 1 or (len(found) == 1 and len(found[0].others) == count - 1)


def test_the_same_ten_thousand_times_is_one_group(library: Library) -> None:
    library.add([Text("The very same.", id=f"{number:03}") for number in range(MAX_COPIES + 5)])
    found = library.duplicates()
    (group,) = found.groups
    assert (found.total, found.copies, group.total, len(group.copies)) == (1, 104, 104, MAX_COPIES)
    assert all(copy.same and copy.alike == 1 for copy in group.copies)
    same = TextSketches(np.zeros(10_000, np.uint64), np.zeros((10_000, MINIMA), np.uint16))
    assert [len(one.others) for one in groups(same, 1.0)] == [9_999]


def test_files_of_all_kinds(library: Library, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    long = f"{ENGLISH}\n\n{'It is told again and again, in other words and by other people. ' * 3}"
    texts = {
        "report.md": long,
        "report_v2.txt": long.replace("denser", "thicker"),
        "longer.txt": f"{long} {ENGLISH[60:140]}",
        "별.txt": KOREAN,
        "별_수정본.txt": KOREAN.replace("오랫동안", "길게"),
        "other.txt": "What has nothing to do with any of these, and stands alone.",
        "empty.txt": "",
        "one.txt": "word",
        "the same one.txt": "word",
        "another one.txt": "ward",
        "signs.txt": "!? ...",
    }
    for number, (name, text) in enumerate(texts.items()):
        (root / name).write_text(text, "utf-8")
        os.utime(root / name, (1e9 + number, 1e9 + number))
    copy_photos(root)
    photos = sorted(root.glob("*.jpg"))
    large = Image.open(photos[0])
    large.resize((large.width // 2, large.height // 2)).save(root / "small.png")
    large.save(root / "coarse.jpg", quality=25)
    for name, colour in {"black.png": "black", "dark.png": "black", "white.png": "white"}.items():
        Image.new("RGB", (64, 48), colour).save(root / name)
    assert library.index(root).complete
    found = library.duplicates()
    by_keep = {group[0]: group[1:] for group in named(found)}
    copies = by_keep.pop(photos[0].name, None) or by_keep.pop("coarse.jpg")
    assert "small.png" in copies and len(copies) == 2
    pair = {"black.png": ["dark.png"], "dark.png": ["black.png"]}
    assert any(by_keep.pop(keep, None) == others for keep, others in pair.items())
    assert by_keep == {
        "longer.txt": ["report.md", "report_v2.txt"],
        "별.txt": ["별_수정본.txt"],
        "one.txt": ["the same one.txt"],
    }
    reports = next(group for group in found.groups if group.keep.document.uri.endswith("longer.txt"))
    assert reports.keep.bytes == (root / "longer.txt").stat().st_size
    assert [(Path(copy.document.uri).name, copy.same) for copy in reports.copies] == [
        ("report.md", False),
        ("report_v2.txt", False),
    ]
    assert 0.8 <= reports.copies[1].alike <= reports.copies[0].alike < 1
    assert named(library.duplicates(alike=1)) == [group for group in named(found) if group[0] in ("one.txt", *pair)]
    plain = named(library.duplicates(filter={"type": "text/plain"}))
    assert sorted(plain) == [
        ["longer.txt", "report_v2.txt"],
        ["one.txt", "the same one.txt"],
        ["별.txt", "별_수정본.txt"],
    ]
    assert named(library.duplicates(filter={"type": "text/plain"}, limit=1, offset=1)) == plain[1:2]
    assert library.duplicates(filter={"uri": str(root / "other.txt")}) == Duplicates((), 0, 0, 0)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(
            cli, ["duplicates", *arguments, "--library", str(tmp_path / "library")], obj=FakeModels()
        )
        assert result.exit_code == 0, result.output
        return result.output

    body = json.loads(run("--json"))
    assert DuplicatesBody.model_validate(body).model_dump(mode="json", exclude_unset=True) == body
    shown = run("--filter", "type=text")
    told = [line.split()[0] for line in shown.splitlines() if "report" in line or "longer" in line]
    assert told == ["keep", *(f"{copy.alike:.0%}" for copy in reports.copies)]
    assert "Groups: 3, with 4 documents beside those to keep." in shown
    assert run("--filter", "path=other.txt").splitlines()[0] == "No duplicates."


def test_sizes_of_a_picture_are_one_hit_where_that_is_asked_for(picture_library: Path, tmp_path: Path) -> None:
    with Library(shutil.copytree(picture_library, tmp_path / "own")) as library:
        copy_photos(tmp_path / "photos")
        first = sorted((tmp_path / "photos").glob("*.jpg"))[0]
        with Image.open(first) as image:
            image.resize((image.width // 2, image.height // 2)).save(tmp_path / "small.png")
        library.index(tmp_path / "small.png")
        asked: Any = {"picture": first, "limit": 100, "kinds": ["image"]}
        apart, folded = (library.search(**asked, fold=fold).hits for fold in FOLDS)
        assert len(folded) == len(apart) - 1
        (also,) = folded[0].also
        assert also.near and (folded[0].equal, folded[0].near) == (0, 1)
        assert {Path(one.uri).name for one in (folded[0].document, also.document)} == {first.name, "small.png"}


def test_what_an_older_version_indexed_is_looked_at_without_reading_it_anew(library: Library, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for name in "ab":
        (root / f"{name}.txt").write_text(KOREAN, "utf-8")
        picture = Image.effect_mandelbrot((200, 150), (-2, -1, 1, 1), 50).convert("RGB")
        picture.save(root / f"picture-{name}.png", compress_level=1 if name == "a" else 9)
    library.index(root)
    with Catalog(tmp_path / "library", writable=True).transaction(bump=False) as connection:
        connection.execute("DELETE FROM enrichments WHERE identity NOT LIKE 'language%'")
        connection.execute("DELETE FROM meta WHERE key = 'enriched_by'")
    assert library.duplicates() == Duplicates((), 0, 0, 4)
    shown = CliRunner().invoke(cli, ["duplicates", "--library", str(tmp_path / "library")], obj=FakeModels()).output
    assert "4 documents were indexed by an older version" in shown
    report = library.index(root)
    assert report.files_read == 0
    assert library.duplicates().total == 2 and not library.duplicates().unseen


def test_pictures_are_told_apart_by_hash_and_colours() -> None:
    def look(image: Image.Image) -> bytes:
        return image.convert("RGB").resize((LOOK, LOOK), Image.Resampling.BILINEAR).tobytes()

    sea = Image.linear_gradient("L").rotate(90)
    coarse = io.BytesIO()
    sea.save(coarse, "JPEG", quality=20)
    pictures = [sea, sea.resize((80, 80)), Image.open(coarse), Image.linear_gradient("L"), Image.radial_gradient("L")]
    pictures += [Image.new("L", (9, 9), level) for level in (0, 0, 2, 128, 255)]
    sketches = PictureSketches.of([found.sketch for found in Looks().enrich(list(map(look, pictures)))])
    found = {(group.keep, *group.others.tolist()) for group in groups(sketches, 0.8)}
    assert found == {(0, 1, 2), (5, 6, 7)}


def test_invoices_of_one_sender_are_no_copies_of_each_other(tmp_path: Path) -> None:
    """Neither in the list of duplicates nor where copies are one hit; one in another size is a copy."""

    def sheet(seed: int) -> Image.Image:
        """The same head and foot on white paper; between them lines of other lengths."""
        lines = np.full((1754, 1240, 3), 255, np.uint8)
        lines[80:180, 80:500] = (30, 60, 140)
        lines[1500:1640:30, 80:1160] = 120
        for row, end in enumerate(np.random.default_rng(seed).integers(200, 1160, 10)):
            lines[400 + 60 * row : 424 + 60 * row, 80:end:3] = 0
        return Image.fromarray(lines)

    root = tmp_path / "root"
    root.mkdir()
    for seed in range(4):
        sheet(seed).save(root / f"{seed}.png")
    sheet(3).resize((620, 877)).save(root / "3, small.jpg")
    with Library(tmp_path / "library", models=FakeModels()) as library:
        library.index(root, ocr="off")
        (group,) = library.duplicates().groups
        assert {Path(one.document.uri).name for one in (group.keep, *group.copies)} == {"3.png", "3, small.jpg"}
        apart, folded = (library.search("invoice", kinds=["image"], limit=100, fold=fold).hits for fold in FOLDS)
        assert (len(apart), len(folded)) == (5, 4)
        with Catalog(tmp_path / "library", writable=True).transaction() as connection:  # as if these had been read
            connection.execute("UPDATE chunks SET said_by = 'ocr'")
        assert len(library.search("invoice", kinds=["image"], limit=100, fold="near").hits) == 5


def test_what_can_not_be_asked_is_refused_and_a_spoilt_sketch_is_like_no_other(library: Library) -> None:
    library.add([Text(ENGLISH), Text(ENGLISH)])
    for name, value in (("alike", 0.1), ("alike", 1.1), ("limit", 1_001), ("limit", -1), ("offset", -1)):
        with pytest.raises(InvalidRequest, match=name):
            library.duplicates(**{name: value})  # type: ignore[arg-type]
    assert library.duplicates(limit=0).total == 1 and library.duplicates(offset=9).groups == ()
    spoilt = TextSketches.of(["no base64!", "AAAA", "", "é"])
    assert groups(spoilt, 0.5) == [] and len(PictureSketches.of(["?"])) == 1
