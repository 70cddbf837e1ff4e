"""Measuring an image model on captioned pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from quarry.api.members.evaluation import evaluate_pictures
from quarry.search.errors import FileMalformed, NotFound
from quarry.search.evaluations.captions import CAPTION_METRICS, CUTS, Captioned, evaluate_captions, load_captions
from quarry.search.models.fake import FakeImageEncoder
from quarry.search.models.live import GivenModels
from quarry.search.types import Vectors
from tests.processes import quarry

DRAWN = {
    "red": ("#d01010", ["a red square", "something red"]),
    "green": ("#10a020", ["a green square"]),
    "blue": ("#1020d0", ["a blue square", "something blue", "a square of blue paint"]),
}


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """A set of drawn pictures; those of `test` are named by rows, one of `train` as well."""
    (tmp_path / "images").mkdir()
    rows = []
    for name, (colour, captions) in DRAWN.items():
        image = Image.new("RGB", (96, 64), "white")
        ImageDraw.Draw(image).rectangle((24, 8, 72, 56), colour)
        image.save(tmp_path / "images" / f"{name}.png")
        rows.append({"image": f"images/{name}.png", "captions": captions, "split": "test"})
    rows.append({"image": "images/red.png", "captions": ["for training"], "split": "train"})
    return write(tmp_path / "captions.jsonl", rows)


def unit(*rows: tuple[float, ...]) -> Vectors:
    values = np.array(rows, np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


# --- the set --------------------------------------------------------------------------------------------------------


def test_a_set_is_read(drawn: Path) -> None:
    whole = load_captions(drawn)
    assert [path.name for path in whole.pictures] == ["red.png", "green.png", "blue.png"]
    assert whole.captions == [captions for _, captions in DRAWN.values()]
    assert (whole.name, whole.split) == (drawn.parent.name, "test")
    train = load_captions(drawn, "train")
    assert (len(train.pictures), train.captions, train.split) == (1, [["for training"]], "train")
    assert len(load_captions(drawn, "").pictures) == 4
    with pytest.raises(FileMalformed, match="no rows of the split 'val'"):
        load_captions(drawn, "val")


def test_a_set_without_splits_is_taken_whole(drawn: Path) -> None:
    write(drawn, [{"image": f"images/{name}.png", "captions": captions} for name, (_, captions) in DRAWN.items()])
    assert (len(load_captions(drawn).pictures), load_captions(drawn).split) == (3, "")


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        ({"image": "images/gone.png", "captions": ["x"]}, NotFound, r"line 2: there is no picture .*gone\.png"),
        ({"image": "images", "captions": ["x"]}, NotFound, "line 2: there is no picture"),
        ({"captions": ["x"]}, FileMalformed, "line 2: expected `image`"),
        ({"image": 7, "captions": ["x"]}, FileMalformed, "line 2: expected `image`"),
        ({"image": "images/red.png"}, FileMalformed, "line 2: expected `image`, and `captions`"),
        ({"image": "images/red.png", "captions": []}, FileMalformed, "line 2"),
        ({"image": "images/red.png", "captions": "a red square"}, FileMalformed, "line 2"),
        ({"image": "images/red.png", "captions": [None]}, FileMalformed, "line 2"),
        ({"image": "images/red.png", "captions": [" "]}, FileMalformed, "line 2"),
        ("{", FileMalformed, "line 2"),
        ("[]", FileMalformed, "object"),
    ],
)
def test_what_is_wrong_with_a_set_is_named(drawn: Path, row: object, error: type[Exception], message: str) -> None:
    write(drawn, [{"image": "images/red.png", "captions": ["a red square"]}, row])
    with pytest.raises(error, match=message):
        load_captions(drawn)


def test_nothing_is_no_set(tmp_path: Path) -> None:
    with pytest.raises(FileMalformed, match="no rows"):
        load_captions(write(tmp_path / "captions.jsonl", []))
    with pytest.raises(NotFound):
        load_captions(tmp_path / "gone.jsonl")


# --- the figures ----------------------------------------------------------------------------------------------------


def test_recall_is_what_a_hand_computes() -> None:
    """Three pictures along the axes; two, one and one captions.

    Cosines with pictures 0, 1, 2: caption 0 (of 0): 1 first. Caption 1 (of 0): 2nd. Caption 2 (of 1): 3rd. Caption 3
    (of 2): 1st. The best caption of picture 0 is first; that of picture 1 is last of four; that of picture 2 is second.
    """
    pictures = unit((1, 0, 0), (0, 1, 0), (0, 0, 1))
    captions = unit((9, 1, 0), (5, 3, 9), (8, 0, 6), (1, 1, 5))
    captioned = Captioned("three", [Path("a"), Path("b"), Path("c")], [["0", "1"], ["2"], ["3"]], "test")
    report = evaluate_captions(captioned, pictures, captions)
    assert (report["collection"], report["queries"], report["pictures"]) == ("three (test)", 4, 3)
    by_text, by_image = report["modes"]["text_to_image"], report["modes"]["image_to_text"]
    assert (by_text["recall@1"], by_text["recall@5"], by_text["recall@10"]) == (2 / 4, 1, 1)
    assert by_text["median_rank"] == 1.5  # of 1, 2, 3, 1
    assert by_image["recall@1"] == 2 / 3  # caption 2 is last for picture 1: ranks 1, 4, 1
    assert by_image["median_rank"] == 1
    for figures in (by_text, by_image):
        for name in CAPTION_METRICS:
            low, high = figures[f"{name}_interval"]
            assert 0 <= low <= figures[name] <= high <= 1


def test_recall_is_that_of_whole_rankings() -> None:
    """Against sorting each row, over more pictures than one block holds."""
    random = np.random.default_rng(5)
    count = 1_100
    pictures = unit(*random.standard_normal((count, 8)).tolist())
    counts = random.integers(1, 4, count)
    owners = np.repeat(np.arange(count), counts)
    captions = unit(*(pictures[owners] + random.standard_normal((len(owners), 8)) * 0.3).tolist())
    captioned = Captioned("random", [Path("x")] * count, [["x"] * many for many in counts.tolist()])
    modes = evaluate_captions(captioned, pictures, captions)["modes"]
    scores = captions @ pictures.T
    first = [int(np.flatnonzero(np.argsort(-row) == owner)[0]) for row, owner in zip(scores, owners, strict=True)]
    best = [int(np.flatnonzero(owners[np.argsort(-row)] == picture)[0]) for picture, row in enumerate(scores.T)]
    for cut in CUTS:
        assert modes["text_to_image"][f"recall@{cut}"] == pytest.approx(np.mean(np.array(first) < cut), abs=2e-3)
        assert modes["image_to_text"][f"recall@{cut}"] == pytest.approx(np.mean(np.array(best) < cut), abs=2e-3)


def test_equal_vectors_win_nothing() -> None:
    """A model that gives every picture the same vector must not look perfect."""
    same = unit(*[(1, 0)] * 20)
    captioned = Captioned("same", [Path("x")] * 20, [["x"]] * 20)
    modes = evaluate_captions(captioned, same, same)["modes"]
    for figures in modes.values():
        assert figures["recall@1"] <= 1 / 20


# --- a real run -----------------------------------------------------------------------------------------------------


def test_drawn_pictures_are_measured(drawn: Path) -> None:
    report = evaluate_pictures(drawn)
    assert (report["queries"], report["pictures"]) == (6, 3)
    assert report["modes"]["text_to_image"]["recall@5"] == 1  # there are three
    assert 0 <= report["modes"]["text_to_image"]["recall@1"] <= 1


def test_models_may_be_handed_in(drawn: Path) -> None:
    encoder = FakeImageEncoder(name="handed in")
    report = evaluate_pictures(drawn, live=GivenModels(image=encoder))
    assert encoder.embedded == report["pictures"] == 3


def test_pictures_may_be_links(drawn: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    (linked / "images").mkdir(parents=True)
    for picture in (tmp_path / "images").iterdir():
        (linked / "images" / picture.name).symlink_to(picture)
    (linked / "captions.jsonl").symlink_to(drawn)
    whole, through = evaluate_pictures(drawn), evaluate_pictures(linked / "captions.jsonl")
    assert through["collection"] == "linked (test)"
    assert through["modes"] == whole["modes"]


def test_a_picture_that_can_not_be_read_is_named(drawn: Path) -> None:
    (drawn.parent / "images" / "green.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(FileMalformed, match=r"green\.png.*damaged"):
        evaluate_pictures(drawn)


def test_the_command_prints_the_figures(drawn: Path) -> None:
    report = json.loads(quarry("eval", drawn, "--json").stdout)
    assert report["modes"]["text_to_image"]["recall@10"] == 1
    lines = quarry("eval", drawn).stdout.splitlines()
    assert lines[0].startswith(drawn.parent.name) and "6 " in lines[0]
    assert all(name in lines[1] for name in CAPTION_METRICS)
    assert lines[2].startswith("text_to_image") and lines[3].startswith("image_to_text")
    refused = quarry("eval", write(drawn, [{"image": "images/gone.png", "captions": ["x"]}]), code=1)
    assert refused.stderr.startswith("quarry: ") and "gone.png" in refused.stderr
