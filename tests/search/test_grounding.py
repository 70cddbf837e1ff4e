"""Where in a picture something is: the heat map, the box around its peak, and when there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from quarry.api import Library
from quarry.search.errors import InvalidRequest, ModelError
from quarry.search.hits.grounding import around, box_of, grounding_of
from quarry.search.models.contracts import ImageEncoder
from quarry.search.models.fake import FakeImageEncoder, FakeModels
from quarry.search.models.graphs.cutting import constants, cut
from quarry.search.models.image import source
from quarry.search.models.image.heat import PREPROCESSING
from quarry.search.models.loading import load_image_encoder
from quarry.search.models.names import DEFAULT_IMAGE_MODEL
from quarry.search.models.prepared import VISUAL, ready
from quarry.search.types import Pixels
from tests.processes import Served, quarry

SIDE = PREPROCESSING.width


@pytest.fixture(scope="module")
def encoder() -> ImageEncoder:
    return load_image_encoder()


def amid(photo: Path, left: int, top: int, side: int = 180) -> Pixels:
    """A photo, small, on a grey picture."""
    canvas = Image.new("RGB", (SIDE, SIDE), (128, 128, 128))
    canvas.paste(Image.open(photo).convert("RGB").resize((side, side)), (left, top))
    return np.asarray(canvas)


@pytest.mark.parametrize(("left", "top"), [(20, 30), (240, 20), (250, 250), (10, 240)])
def test_the_box_lies_where_the_thing_does(encoder: ImageEncoder, photos: Path, left: int, top: int) -> None:
    query = encoder.encode_queries(["a cat"])[0]
    found = grounding_of(encoder.heat_map(amid(photos / "chelsea.png", left, top), query))
    assert found.box is not None and found.confidence > 0.5
    across, down = (found.box[0] + found.box[2]) / 2 * SIDE, (found.box[1] + found.box[3]) / 2 * SIDE
    assert left < across < left + 180 and top < down < top + 180
    assert len(found.heat) == 14 and {len(row) for row in found.heat} == {14}


def test_what_is_not_there_has_no_box(encoder: ImageEncoder, photos: Path) -> None:
    queries = encoder.encode_queries(["a cat", "mortgage rates", "a fire engine"])
    picture = amid(photos / "chelsea.png", 120, 120)
    there, *absent = (grounding_of(encoder.heat_map(picture, query)) for query in queries)
    assert there.box is not None
    assert all(one.box is None and one.confidence < there.confidence for one in absent)
    blank = np.full((SIDE, SIDE, 3), 200, np.uint8)
    assert grounding_of(encoder.heat_map(blank, queries[0])).box is None


def test_pixels_of_another_size_are_refused(encoder: ImageEncoder) -> None:
    with pytest.raises(ModelError, match="takes pixels of"):
        encoder.heat_map(np.zeros((224, 224, 3), np.uint8), encoder.encode_queries(["a cat"])[0])


def test_a_part_of_a_graph_is_a_graph_with_the_same_nodes_and_weights() -> None:
    graph = ready(source.resolve(DEFAULT_IMAGE_MODEL)).checked(VISUAL).read_bytes()
    last = "tuned.features"
    part, whole = (onnx.load_from_string(one) for one in (cut(graph, [last], "pixels", (1, 96, 96, 3)), graph))
    names = [node.name for node in part.graph.node]
    assert names == [node.name for node in whole.graph.node if node.name in set(names)] and names[-1] == last
    kept, had = ({one.name: one for one in some.graph.initializer} for some in (part, whole))
    assert kept and all(had[name] == one for name, one in kept.items()) and len(kept) < len(had)
    assert {name for node in part.graph.node for name in node.input} == {"pixels", *kept, *names[:-1]}
    assert [side.dim_value for side in part.graph.input[0].type.tensor_type.shape.dim] == [1, 96, 96, 3]
    assert [one.name for one in part.graph.output] == [last]
    found = constants(graph, ["straight.bias", "logits.weights"])
    assert {name: one.shape for name, one in found.items()} == {"straight.bias": (384,), "logits.weights": (1280, 1000)}
    assert all(np.array_equal(one, onnx.numpy_helper.to_array(had[name])) for name, one in found.items())
    with pytest.raises(KeyError):
        constants(graph, ["no such constant"])


def test_the_box_is_around_what_is_connected_with_the_peak() -> None:
    heat = np.zeros((8, 8), np.float32)
    heat[1:3, 4:7] = 1.0
    heat[6, 0] = 0.9  # as hot, but elsewhere
    assert box_of(heat) == pytest.approx((0.5, 0.125, 0.875, 0.375), abs=0.07)
    assert around(np.ones((3, 3), bool), (1, 1)).all()
    assert around(np.eye(3, dtype=bool), (1, 1)).sum() == 1
    assert box_of(np.ones((1, 1), np.float32)) == (0.0, 0.0, 1.0, 1.0)
    flat = grounding_of(np.zeros((14, 14), np.float32))
    assert flat.box is None and np.ptp(np.array(flat.heat)) == 0
    assert grounding_of(np.full((14, 14), -1e6, np.float32)).confidence == pytest.approx(0)
    for value in (np.nan, np.inf):
        with pytest.raises(ModelError, match="no usable heat map"):
            grounding_of(np.full((14, 14), value, np.float32))


@pytest.mark.parametrize("query", ["a photo of a cat", "고양이"])
def test_hits_tell_where_they_show_it(own_pictures: tuple[Path, Path], query: str) -> None:
    directory, folder = own_pictures
    for path in folder.iterdir():
        path.unlink()  # thumbnails are enough
    with Library(directory) as library:
        response = library.search(query, kinds=("image",), ground=True, limit=3)
        found = {hit.document.title: hit.grounding for hit in response.hits}
        cat, rocket = found["chelsea"], found["rocket"]
        assert cat is not None and rocket is not None and response.notes == ()
        assert cat.box is not None and cat.confidence > rocket.confidence and rocket.box is None
        assert response.timings["ground"] > 0
        assert library.search(query, kinds=("image",)).hits[0].grounding is None
        by_path = library.search("chelsea", mode="lexical", ground=True)
        assert by_path.notes == () and by_path.hits[0].grounding is not None


def test_without_words_or_thumbnails_nothing_is_told(own_pictures: tuple[Path, Path]) -> None:
    directory, _ = own_pictures
    with Library(directory) as library:
        like = [library.search("a cat", kinds=("image",)).hits[0].document.id]
        response = library.search(like=like, kinds=("image",), ground=True)
        assert [note.code for note in response.notes] == ["grounding_needs_words"]
        assert all(hit.grounding is None for hit in response.hits)
        (directory / "thumbnails.db").unlink()
        assert all(hit.grounding is None for hit in library.search("a cat", kinds=("image",), ground=True).hits)
        with pytest.raises(InvalidRequest, match="ground"):
            library.search("a cat", ground="yes")  # type: ignore[arg-type]


def test_a_model_that_can_not_tell_says_so(photos: Path, tmp_path: Path) -> None:
    with Library(tmp_path / "library", models=FakeModels(), image_model="fake-image") as library:
        library.index(photos / "chelsea.png")
        response = library.search("a cat", kinds=("image",), ground=True)
        assert [note.code for note in response.notes] == ["grounding_unknown"]
        assert response.hits and response.hits[0].grounding is None
    with pytest.raises(ModelError, match="where in a picture"):
        FakeImageEncoder().heat_map(np.zeros((32, 32, 3), np.uint8), np.zeros(384, np.float32))


def test_over_http_and_by_command(picture_library: Path, picture_server: Served, tmp_path: Path) -> None:
    body: dict[str, Any] = picture_server.client.post(
        "/v1/search", json={"query": "a cat", "kinds": ["image"], "limit": 2, "ground": True}
    ).json()
    first = body["hits"][0]["grounding"]
    left, top, right, bottom = first["box"]
    assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1 and 0.5 <= first["confidence"] <= 1
    assert len(first["heat"]) == 14 and max(map(max, first["heat"])) == 1
    asked: dict[str, str | int] = {"q": "a cat", "limit": 2, "ground": "true"}
    assert picture_server.client.get("/v1/images", params=asked).json()["hits"] == body["hits"]
    assert "grounding" not in picture_server.client.get("/v1/images", params={"q": "a cat"}).json()["hits"][0]
    sheet = tmp_path / "sheet.png"
    options = ("images", "--library", picture_library, "a cat", "--boxes", "-n", "2", "--all")
    lines = quarry(*options, "--sheet", sheet).stdout
    assert f"seen at {left:.0%} to {right:.0%} from the left" in lines and "seen nowhere in it for sure" in lines
    marks = np.all(np.asarray(Image.open(sheet).convert("RGB")) == (0xF0, 0x8A, 0x2C), axis=2)
    assert marks.sum() > 500
    assert json.loads(quarry(*options, "--json").stdout)["hits"] == body["hits"]
