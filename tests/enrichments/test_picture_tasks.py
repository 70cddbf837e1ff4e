"""Tasks that models do on pictures, and on labels that one gives: what they find, where it is, and what they refuse."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from quarry.api.cli import cli
from quarry.api.library import Library
from quarry.api.sheet import draw
from quarry.indexer.enrichments.base import Result
from quarry.indexer.enrichments.tasks.objects import Object, boxes_of, distinct
from quarry.indexer.enrichments.tasks.outlines import outlines
from quarry.indexer.enrichments.tasks.table import TASKS
from quarry.indexer.texts import Text
from quarry.search.errors import InvalidRequest, ModelError
from quarry.search.language.repetition import unrepeated
from quarry.search.models.auto import serving, source
from quarry.search.models.fake import FakeModels
from quarry.search.stores.rows.tasks import ChosenModel
from tests.picture_models import CAPTION

Pictures = Callable[[str], Path]
RED = np.zeros((40, 60, 3), np.uint8)
RED[..., 0] = 255
HALF = RED.copy()  # red on the left, green on the right
HALF[:, 30:] = (0, 255, 0)


def looked(task: str, model: Path, items: Any, labels: tuple[str, ...] = (), name: str = "") -> list[Result]:
    """Return what a task finds, without a library."""
    card = source.resolve(str(model), TASKS[task].task)
    chosen = ChosenModel(name or task, task, str(model), card.identity, labels)
    results = TASKS[task](chosen).enrich(items)
    return [result for result in results if result is not None]


@pytest.mark.parametrize("kind", ["vit", "resnet"])
def test_pictures_are_classified(picture_models: Pictures, kind: str) -> None:
    blue = np.ascontiguousarray(RED[..., ::-1])
    red, other = looked("image-classification", picture_models(kind), [RED, blue], name="colour")
    assert (red.fields, other.fields) == ({"colour": "red"}, {"colour": "blue"})
    assert red.confidence["colour"]["red"] > 0.9 > 0.1 > red.confidence["colour"]["blue"]


def test_what_a_broken_model_says_is_not_stored(picture_models: Pictures) -> None:
    task = TASKS["image-classification"].task
    labels = source.resolve(str(picture_models("broken")), task).labels
    assert labels[0].encode().startswith(b"re") and labels[0].isprintable()
    assert len(labels[1]) == 200 and labels[2] == ""
    with pytest.raises(ModelError, match="no numbers"):
        looked("image-classification", picture_models("broken"), [RED])


@pytest.mark.parametrize("kind", ["blip", "blip2", "git", "vision encoder decoder"])
def test_captions_are_written(picture_models: Pictures, kind: str) -> None:
    for result in looked("image-to-text", picture_models(kind), [RED, HALF]):
        (said,) = result.said
        assert said.text == CAPTION and said.confidence == pytest.approx(1, abs=0.1) and not result.fields


def test_a_caption_that_repeats_itself_is_cut(picture_models: Pictures) -> None:
    (result,) = looked("image-to-text", picture_models("blip in circles"), [RED])
    assert [one.text for one in result.said] == ["a dog and"]
    for text, kept in (
        ("a man on a street with a man on a street with a", "a man on a street with"),
        ("a very, very old door", "a very, very old door"),
        ("snow, snow, snow, snow", "snow"),
        ("two dogs and two cats", "two dogs and two cats"),
        ("", ""),
    ):
        assert unrepeated(text) == kept


def test_objects_have_their_boxes(picture_models: Pictures) -> None:
    """The dog that is seen twice is one, and the cat of a few pixels none."""
    (result,) = looked("object-detection", picture_models("yolos"), [HALF])
    assert result.fields == {"objects": ["dog", "cat"]}
    assert [said.text for said in result.said] == ["dog", "cat"]
    boxes = [said.place.box for said in result.said if said.place and said.place.box]
    assert boxes[0] == pytest.approx((0.1, 0.2, 0.5, 0.8), abs=0.01)
    assert boxes[1] == pytest.approx((0.6, 0.65, 0.9, 0.85), abs=0.01)
    assert result.confidence["objects"]["dog"] == result.said[0].confidence == pytest.approx(1, abs=0.05)
    (pets,) = looked("object-detection", picture_models("detr"), [RED], name="pets")
    assert pets.fields == {"pets": ["dog"]} and len(pets.said) == 1
    assert pets.said[0].place and pets.said[0].place.box == pytest.approx((0.25, 0, 0.75, 0.5), abs=0.001)


def test_what_is_no_object_is_left_out() -> None:
    whole = (0.0, 0.0, 1.0, 1.0)
    seen = [Object("dog", 0.6, whole), Object("dog", 0.9, (0, 0, 1, 0.9)), Object("cat", 0.7, whole)]
    assert distinct([*seen, Object("N/A", 1, whole), Object("dot", 1, (0, 0, 0.01, 0.01))]) == seen[1:]
    assert boxes_of([[-5, 0, 50, 10], [0, 0, np.nan, 1], [9, 9, 9, 20]], 20, 100) == [(0, 0, 0.5, 0.5), None, None]


def test_objects_of_labels_that_are_given(picture_models: Pictures) -> None:
    (result,) = looked("zero-shot-object-detection", picture_models("owlvit"), [HALF], ("green", "red", "blue"))
    assert sorted(result.fields["objects"]) == ["green", "red"]
    sides = {said.text: said.place.box for said in result.said if said.place and said.place.box}
    assert sides["red"][2] <= 0.7 and sides["green"][0] >= 0.3


def test_a_model_that_scores_words_is_read_as_transformers_reads_it(picture_models: Pictures) -> None:
    task, folder = "zero-shot-object-detection", picture_models("grounding dino")
    (result,) = looked(task, folder, [HALF], ("a dog", "grass"))
    model = serving.serve(source.resolve(str(folder), TASKS[task].task), TASKS[task].task)
    inputs = model.picture_inputs([HALF], text="a dog. grass.")
    (seen,) = model.processor.post_process_grounded_object_detection(model.outputs(inputs), target_sizes=[(1, 1)])
    known = {
        tuple(round(float(edge), 3) for edge in box): label
        for box, label in zip(seen["boxes"], seen["text_labels"], strict=True)
    }
    assert result.said
    for said in result.said:
        assert said.place and said.place.box
        near = [label for box, label in known.items() if np.allclose(np.clip(box, 0, 1), said.place.box, atol=0.002)]
        assert any(said.text.split()[-1] in label for label in near)


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_pictures_are_told_apart_by_labels(picture_models: Pictures, kind: str) -> None:
    labels = ("green", "red", "blue")
    (result,) = looked("zero-shot-image-classification", picture_models(kind), [RED], labels, name="colour")
    shares = result.confidence["colour"]
    assert set(shares) == set(labels) and result.fields["colour"] == max(shares, key=lambda one: shares[one])
    if kind == "clip":  # whose weights are wired
        assert result.fields["colour"] == "red" and sum(shares.values()) == pytest.approx(1, abs=0.01)


def test_parts_of_a_picture_have_outlines(picture_models: Pictures) -> None:
    (result,) = looked("image-segmentation", picture_models("segformer"), [HALF])
    assert result.fields == {"segments": ["red", "green"], "share": {"segments": {"red": 0.5, "green": 0.5}}}
    left, right = [said.place for said in result.said]
    assert left and left.box == (0, 0, 0.5, 1) and right and right.box == (0.5, 0, 1, 1)
    assert left.outline == (0, 0, 0.5, 0, 0.5, 1, 0, 1)
    (grass,) = looked("image-segmentation", picture_models("maskformer"), [RED])
    assert grass.fields["segments"] == ["grass"] and grass.confidence["segments"]["grass"] > 0.9
    assert grass.said and all(one.place and one.place.outline for one in grass.said)


def test_outlines_follow_a_mask() -> None:
    mask = np.zeros((300, 400), bool)
    mask[50:150, 40:120] = True
    mask[200:260, 300:390] = True
    mask[0, 0] = True  # a speck
    first, second = outlines(mask)
    assert first.box == pytest.approx((0.1, 1 / 6, 0.3, 0.5), abs=0.01) and len(first.points) == 8
    assert second.share == pytest.approx(60 * 90 / mask.size, abs=0.003)
    y, x = np.mgrid[:300, :400]
    (disc,) = outlines((x - 200) ** 2 + (y - 150) ** 2 < 100**2)
    assert 8 <= len(disc.points) / 2 <= 24 and disc.share == pytest.approx(np.pi * 100**2 / mask.size, abs=0.01)
    ring = (x - 200) ** 2 + (y - 150) ** 2
    assert len(outlines((ring < 100**2) & (ring > 50**2))) == 1
    checks = np.indices((20, 20)).sum(0) % 2 == 0  # which touch at their corners alone
    assert all(len(one.points) == 8 for one in outlines(checks)) and outlines(~mask & mask) == []


def test_labels_of_texts_by_inference(task_models: Callable[..., Path]) -> None:
    """The model takes a text for an entailment that has the word."""
    model = task_models(
        "Bert", "ForSequenceClassification", {"contradiction": ("bad",), "neutral": (), "entailment": ("good",)}
    )
    texts = ["good " * 40, "bad " * 200]
    good, bad = looked("zero-shot-classification", model, texts, ("seoul", "corp"), name="topic")
    assert sorted(good.fields["topic"]) == ["corp", "seoul"] and good.confidence["topic"]["seoul"] > 0.9
    assert bad.fields == {} and bad.confidence["topic"]["corp"] < 0.1


def test_models_that_can_not_do_it_are_refused_by_name(
    task_models: Callable[..., Path], picture_models: Pictures, tmp_path: Path, models: FakeModels
) -> None:
    moods = task_models("DistilBert", "ForSequenceClassification", {"neutral": (), "positive": ("good",)})
    with Library(tmp_path / "library", models=models) as library:
        library.catalog(create=True)
        for task, model, message in (
            (
                "zero-shot-classification",
                moods,
                "no model of inference, .* no label of it is entailment; it has neutral",
            ),
            (
                "object-detection",
                picture_models("owlvit"),
                "OwlViTForObjectDetection, a model for zero-shot object det",
            ),
            ("zero-shot-object-detection", picture_models("yolos"), "YolosForObjectDetection, a model for object dete"),
            (
                "image-classification",
                picture_models("segformer"),
                "a model for image segmentation, and not for image-c",
            ),
            ("image-to-text", picture_models("clip"), "a CLIPModel, a model for embedding, and not for image-to-text"),
        ):
            labels = ["a"] if task.startswith("zero") else []
            with pytest.raises(ModelError, match=message):
                library.enrich({task: str(model)}, labels=labels)
        for labels, template, message in (
            ([], "", "needs the labels .* --labels A,B,C"),
            (["a", " "], "", "'' is no label"),
            (["x" * 101], "", "is no label"),
            ([f"label {n}" for n in range(10_000)], "", "there are 10,000 labels; give 1,000 at most"),
            (["a"], "about it", "the template is 'about it'"),
        ):
            with pytest.raises(InvalidRequest, match=message):
                library.enrich({"zero-shot-classification": str(moods)}, labels=labels, template=template)
        with pytest.raises(InvalidRequest, match="labels are for tasks that are given some"):
            library.enrich({"image-classification": str(picture_models("vit"))}, labels=["a"])
        assert library.enrichments() == []


def test_a_search_opens_at_the_box(picture_models: Pictures, tmp_path: Path, models: FakeModels) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for name, pixels in (("one.png", HALF), ("two.png", RED)):
        Image.fromarray(pixels).save(root / name)
    (root / "note.txt").write_text("A note about boats.")
    with Library(tmp_path / "library", models=models) as library:
        library.index(root, enrich={"object-detection": str(picture_models("yolos"))})
        library.enrich(
            {"image-to-text": str(picture_models("blip")), "parts": f"image-segmentation:{picture_models('segformer')}"}
        )
        found = library.search("a cat", mode="lexical", facets=["objects"])
        assert sorted(Path(hit.document.uri).name for hit in found.hits) == ["one.png", "two.png"]
        hit = found.hits[0]
        assert (hit.kind, hit.text, hit.said_by) == ("image", "cat", "object-detection")
        assert hit.place and hit.place.box == pytest.approx((0.6, 0.65, 0.9, 0.85), abs=0.01)
        assert dict(found.facets["objects"].values) == {"dog": 2, "cat": 2}
        sheet = Image.open(io.BytesIO(draw(library, found, "a cat"))).convert("RGB")
        left, top = 40 + 0.6 * 59, 40 + 56 + 0.65 * 39  # of the first box, as such a small picture stands on its sheet
        corner = sheet.crop((round(left) - 2, round(top) - 2, round(left) + 3, round(top) + 3))
        assert (240, 138, 44) in {tuple(pixel) for pixel in np.asarray(corner).reshape(-1, 3).tolist()}
        hits = library.search("dog", mode="lexical", filter={"said_by": "image-to-text"}).hits
        assert {hit.text for hit in hits} == {CAPTION} and len(hits) == 2
        (caption, _) = library.search("on the grass", mode="lexical").hits
        assert (caption.text, caption.said_by) == (CAPTION, "image-to-text")
        _, count = library.documents(filter={"share.parts.green": {"$gte": 0.4}, "objects": "dog"})
        assert count == 1


def test_labels_are_given_on_the_command_line(
    task_models: Callable[..., Path], tmp_path: Path, models: FakeModels
) -> None:
    nli = task_models(
        "Bert", "ForSequenceClassification", {"contradiction": ("bad",), "neutral": (), "entailment": ("good",)}
    )
    with Library(tmp_path / "library", models=models) as library:
        library.add([Text("good, good"), Text("bad, bad")])

    def quarry(*arguments: str) -> Any:
        return CliRunner().invoke(cli, [*arguments, "--library", str(tmp_path / "library")], obj=models)

    asked = quarry("enrich", f"topic=zero-shot-classification:{nli}", "--labels", 'U.S.,"a, b",U.S.')
    assert asked.exit_code == 0, asked.output
    assert "2 of 2 documents, for U.S., a, b" in asked.output
    with Library(tmp_path / "library", models=models) as library:
        assert library.enrichments()[0].labels == ("U.S.", "a, b")
        for filter in (
            {"topic": "U.S."},
            {"confidence.topic.U.S.": {"$gte": 0.9}},
            {"confidence.topic.a, b": {"$gt": 0.9}},
        ):
            assert library.documents(filter=filter)[1] == 1
    again = quarry("enrich", f"topic=zero-shot-classification:{nli}", "--labels", "corp")
    assert "for corp" in again.output  # other labels: it looks again
    assert quarry("search", "good", "--filter", "topic=corp", "--mode", "lexical").exit_code == 0
