"""Tasks on the hits: what passages say of a claim, and what is seen in a picture, by tiny models saved to disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from quarry.api import Library, Text
from quarry.api.cli import cli
from quarry.api.server.app import create_app
from quarry.search.errors import InvalidRequest, ModelError, NotFound
from quarry.search.models.auto import serving, source
from quarry.search.models.auto.serving import AutoModel
from quarry.search.models.auto.task import Task
from quarry.search.models.fake import FakeModels
from quarry.search.tasks import natural_language_inference as nli
from quarry.search.tasks import visual_question_answering as vqa
from tests.picture_question_models import ANSWERS, FAMILIES, save_picture_reader
from tests.task_models import TEXT_FAMILIES

Saved = Callable[..., Path]
LABELS = {"ENTAILMENT": ["good"], "contradiction": ["bad"], "neutral": ["the"]}
HEAD = "ForSequenceClassification"


def opened(folder: Path, task: Task) -> AutoModel:
    return serving.serve(source.resolve(str(folder), task), task)


def printed(*arguments: str | Path) -> str:
    """What a command prints, in this process: importing torch takes seconds."""
    run = CliRunner().invoke(cli, [str(one) for one in arguments], standalone_mode=False)
    if run.exception:
        raise run.exception
    return run.stdout


@pytest.mark.parametrize("family", TEXT_FAMILIES)
def test_a_premise_supports_contradicts_or_does_neither(task_models: Saved, family: str) -> None:
    inference = nli.Inference(opened(task_models(family, HEAD, LABELS), nli.TASK))
    texts = ["good good", "bad bad bad", "the the the", "", " \n"]
    found = inference.judge([(text, "a") for text in texts])
    assert [one.verdict for one in found] == ["supports", "contradicts", "neither", "neither", "neither"]
    assert all(one.supports + one.contradicts + one.neither == pytest.approx(1, abs=1e-5) for one in found)
    alone = inference.judge([("good good", "a")])[0]
    assert alone.supports == pytest.approx(found[0].supports, abs=1e-5)  # whatever it is judged beside
    assert inference.judge([]) == []


def test_a_long_premise_is_read_in_windows_and_one_of_them_counts(task_models: Saved) -> None:
    inference = nli.Inference(opened(task_models("Bert", HEAD, LABELS), nli.TASK))
    long, short = inference.judge([("the " * 300 + "bad " * 100 + "the " * 300, "a"), ("bad " * 40, "a")])
    assert long.verdict == short.verdict == "contradicts"
    with pytest.raises(InvalidRequest, match="claim takes 101 tokens"):
        inference.judge([("good", "a " * 100)])


def test_labels_say_what_they_mean(task_models: Saved) -> None:
    two = nli.Inference(
        opened(task_models("Bert", HEAD, {"not_entailment": ["bad"], "entailment": ["good"]}), nli.TASK)
    )
    assert [one.verdict for one in two.judge([("good good", "a"), ("bad bad", "a")])] == ["supports", "neither"]
    for labels, options in (({"positive": ["good"], "negative": ["bad"]}, {}), (LABELS, {"named": False})):
        with pytest.raises(ModelError, match="has entailment and contradiction"):
            nli.Inference(opened(task_models("Bert", HEAD, labels, **options), nli.TASK))
    with pytest.raises(ModelError, match=r"token classification, and not for natural-language-inference"):
        source.resolve(str(task_models("Bert", "ForTokenClassification", {"O": []})), nli.TASK)


def test_a_claim_is_held_against_passages(task_models: Saved, tmp_path: Path) -> None:
    folder = task_models("DistilBert", HEAD, LABELS)
    with Library(tmp_path / "library", models=FakeModels(), checker=str(folder)) as library:
        library.add([Text("A good ferry.", title="one"), Text("bad bad ferry", "b"), Text("the the ferry", "c")])
        found = library.check("the ferry")
        verdicts = [one.judgement.verdict for one in found.judged]
        assert set(verdicts[:2]) == {"supports", "contradicts"} and verdicts[2] == "neither"
        assert found.judged[0].judgement.says >= found.judged[1].judgement.says
        assert {one.hit.text for one in found.judged} == {"A good ferry.", "bad bad ferry", "the the ferry"}
        for limit in (0, 101):
            with pytest.raises(InvalidRequest, match="limit"):
                library.check("the ferry", limit=limit)
        with pytest.raises(InvalidRequest, match="empty"):
            library.check("  ")
        client = TestClient(create_app(library), base_url="http://127.0.0.1")
        body = client.post("/v1/check", json={"claim": "the ferry", "limit": 3}).json()
        assert (body["supported"], body["contradicted"]) == (1, 1)
        assert body["judged"][0]["verdict"] != "neither" and body["judged"][0]["hit"]["text"]
        assert client.post("/v1/check", json={"claim": 5}).status_code == 422
    with (
        Library(tmp_path / "library", models=FakeModels()) as library,
        pytest.raises(InvalidRequest, match="--checker"),
    ):
        library.check("the ferry")


def test_a_claim_is_checked_by_command(task_models: Saved, sample_library: Path) -> None:
    folder = task_models("Bert", HEAD, {"entailment": ["the"], "contradiction": ["bad"], "neutral": ["awful"]})
    options = ("check", "the moon is made of rock", "--library", sample_library, "-n", "3", "--checker")
    lines = printed(*options, folder).splitlines()
    assert lines[0].startswith("supports ") and lines[-1] == "supported by 3, contradicted by 0 of 3 passages"
    body = json.loads(printed(*options, folder, "--json"))
    assert [one["verdict"] for one in body["judged"]] == ["supports"] * 3


@pytest.fixture(scope="module", params=FAMILIES)
def picture_reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_picture_reader(tmp_path_factory.mktemp("reader") / "model", request.param)


def test_a_question_about_a_picture(picture_reader: Path, own_pictures: tuple[Path, Path]) -> None:
    directory, folder = own_pictures
    with Library(directory, picture_reader=str(picture_reader)) as library:
        pictures = {one.title: one.id for one in library.documents(filter={"kind": "image"})[0]}
        answers = library.ask_picture("what is this?", pictures["chelsea"]).answers
        again = library.ask_picture("  what is\nthis? ", folder / "chelsea.png").answers
        assert [one.text for one in again] == [one.text for one in answers]
        # ViLT sums a picture's patches in an order that it draws by lot.
        assert [one.confidence for one in again] == pytest.approx([one.confidence for one in answers], abs=1e-5)
        assert all(0 <= one.confidence <= 1 for one in answers)
        assert [one.confidence for one in answers] == sorted((one.confidence for one in answers), reverse=True)
        if source.resolve(str(picture_reader), vqa.TASK).family == "vilt":
            assert {one.text for one in answers} == set(ANSWERS)
            others = library.ask_picture("what is this?", pictures["rocket"]).answers
            assert abs(others[0].confidence - answers[0].confidence) > 1e-4
        (folder / "chelsea.png").unlink()
        assert len(library.ask_picture("what is this?", pictures["chelsea"]).answers) == len(
            answers
        )  # by its thumbnail
        client = TestClient(create_app(library), base_url="http://127.0.0.1")
        path = f"/v1/images/{pictures['rocket']}/answer"
        body = client.post(path, json={"question": "what is this?"}).json()
        assert body["question"] == "what is this?" and len(body["answers"]) == len(answers)
        assert (body["answers"][0]["place"], body["looked_at"], body["of"]) == (None, 1, 1)
        assert client.post("/v1/images/no-such/answer", json={"question": "why?"}).status_code == 404
        library.add(Text("No picture.", "text"))
        for question, picture, error in (
            (" ", pictures["rocket"], InvalidRequest),
            ("why " * 500, pictures["rocket"], InvalidRequest),
            ("why?", "text", NotFound),
        ):
            with pytest.raises(error):
                library.ask_picture(question, picture)


def test_a_model_of_another_task_is_refused(task_models: Saved) -> None:
    folder = task_models("Bert", HEAD, LABELS)
    with pytest.raises(ModelError, match="a model for text classification, and not for visual-question-answering"):
        source.resolve(str(folder), vqa.TASK)


def test_a_question_is_asked_by_command(own_pictures: tuple[Path, Path], tmp_path: Path) -> None:
    directory, folder = own_pictures
    model = save_picture_reader(tmp_path / "model", "Vilt")
    options = ("ask", "what is this?", "--library", directory, "--picture", folder / "rocket.jpg")
    lines = printed(*options, "--picture-reader", model).splitlines()
    assert len(lines) == 3 and all(0 <= float(line.split()[0]) <= 1 for line in lines)
    assert len(json.loads(printed(*options, "--picture-reader", model, "--json"))["answers"]) == 3
    with pytest.raises(InvalidRequest, match="--picture-reader"):
        printed(*options)
    assert CliRunner().invoke(cli, [*map(str, options), "--choice", "a"]).exit_code == 2
