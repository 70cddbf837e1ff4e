from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file

from quarry.indexer.training.activations import Activations
from quarry.indexer.training.classes import imagine
from quarry.indexer.training.image_model import HEAD, TUNED, ImageRecipe, main, train
from quarry.indexer.training.pictures import pixels, shared_of
from quarry.search.errors import FileMalformed, InvalidRequest
from quarry.search.models.files import file_sha256
from quarry.search.models.image import embedded as embedded_image
from quarry.search.models.image.tower import DualEncoder

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch, timm and transformers

COLOURS = ("red", "green", "blue", "yellow", "black", "white")
TINY = ImageRecipe(
    head=replace(HEAD, epochs=1, batch=6, warmup=1),
    tuned=replace(TUNED, epochs=1, batch=6, warmup=1, imagined=0.4),
    views=1,
    imagined=4,
)
CLASSES = [["thing", "a photo of a thing", "object, article", "object", "what can be seen"]] * 1000


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """On a busy machine, waking threads for batches this small costs many times what it gains."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve drawn pictures with captions, of which six are to learn from, three to validate, three to test with."""
    folder = tmp_path_factory.mktemp("pictures")
    rows = []
    for number in range(12):
        colour, shape = COLOURS[number % 6], ("circle", "square")[number // 6]
        image = Image.new("RGB", (240, 180), "grey")
        draw = ImageDraw.Draw(image)
        (draw.ellipse if shape == "circle" else draw.rectangle)((60, 30, 180, 150), fill=colour)
        image.save(folder / f"{number}.png")
        captions = [f"a {colour} {shape}", f"A {shape} that is {colour} ."][: 1 + number % 2]
        split = "train" if number < 6 else "val" if number < 9 else "test"
        rows.append({"image": f"{number}.png", "captions": captions, "split": split})
    (folder / "captions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


@pytest.fixture(scope="module")
def untrained() -> DualEncoder:
    return embedded_image.untrained().eval()


def test_it_trains_what_the_model_loads(pictures: Path, untrained: DualEncoder, tmp_path: Path) -> None:
    said: list[str] = []
    cache = tmp_path / "cache"

    figures = train(pictures, tmp_path / "one", cache, TINY, CLASSES, True, said.append)

    path = tmp_path / "one" / embedded_image.WEIGHTS
    weights = load_file(path)
    first = untrained.trained()
    assert {name: value.shape for name, value in weights.items()} == {name: first[name].shape for name in first}
    assert {value.dtype for value in weights.values()} == {torch.float16}
    assert all(torch.isfinite(value).all() for value in weights.values())
    changed = [name for name in first if not torch.equal(weights[name], first[name].half())]
    assert {"text.proj.weight", "visual.head.linear.weight", "visual.tuned.0.0.conv_pw.weight"} <= set(changed)
    assert figures["sha256"] == file_sha256(path)
    assert set(figures["test"]) == set(figures["val"]) == {"text_to_image", "image_to_text"}
    assert [words.split(",")[0] for words in said] == ["head", "tuned"]
    assert "val" in said[0]

    with pytest.raises(InvalidRequest, match="other settings"):
        train(pictures, tmp_path / "one", cache, replace(TINY, seed=5), CLASSES, True, said.append)


def test_a_run_that_was_stopped_ends_as_if_it_had_not(pictures: Path, tmp_path: Path) -> None:
    recipe = replace(TINY, tuned=replace(TINY.tuned, epochs=2))
    said: list[str] = []

    def stop_at_second(words: str) -> None:
        said.append(words)
        if len(said) == 2:
            raise KeyboardInterrupt

    def run(into: str, say: Callable[[str], None]) -> dict[str, Any]:
        return train(pictures, tmp_path / into, tmp_path / "cache", recipe, CLASSES, False, say)

    whole = run("whole", said.append)
    said.clear()
    with pytest.raises(KeyboardInterrupt):
        run("stopped", stop_at_second)
    assert run("stopped", said.append) == whole
    assert len(said) == 3


def test_views_differ_and_come_again(pictures: Path) -> None:
    plain, one, two = (pixels(pictures / "3.png", view, seed=0) for view in range(3))
    assert plain.shape == one.shape == (224, 224, 3)
    assert not np.array_equal(one, two)
    assert not np.array_equal(one, plain)
    assert np.array_equal(one, pixels(pictures / "3.png", 1, seed=0))


def test_a_picture_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"no picture")
    with pytest.raises(FileMalformed, match=r"torn\.png"):
        pixels(tmp_path / "torn.png", 0, seed=0)


def test_the_classifier_sees_what_was_imagined(pictures: Path, untrained: DualEncoder) -> None:
    tower, cpu = untrained.visual, torch.device("cpu")
    paths = [pictures / f"{number}.png" for number in range(4)]
    shared = torch.cat(list(shared_of(tower, paths, 0, 0, cpu)))
    with torch.no_grad():
        before = tower.logits(shared).softmax(1)
    backgrounds = Activations(shared.half().numpy(), before.half().numpy())

    found = torch.cat(list(imagine(tower, backgrounds, 8, 1, cpu)))

    with torch.no_grad():
        after = tower.logits(found).softmax(1)

    classes = torch.arange(8)
    assert before[:, classes].max() < 0.05
    assert after[classes, classes].min() > 0.1


def test_a_folder_without_captions_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--into", str(tmp_path / "into")]) == 1
    assert "captions.jsonl" in capsys.readouterr().err
