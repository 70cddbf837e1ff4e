"""Tasks that models of transformers do at indexing: chosen by name, remembered, shown, filtered by, taken back."""

from __future__ import annotations

import io
import json
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from PIL import Image

from quarry.api.cli import cli
from quarry.api.library import Library
from quarry.api.server.app import create_app
from quarry.indexer.enrichments.base import WholePicture
from quarry.indexer.enrichments.renditions import Content, rendered
from quarry.indexer.enrichments.tasks.table import TASKS
from quarry.indexer.report import NoProgress
from quarry.indexer.texts import Text
from quarry.search.errors import InvalidRequest, ModelDamaged, ModelError, ModelMissing, NotFound
from quarry.search.files.uris import uri_of
from quarry.search.models.auto import serving, source
from quarry.search.models.fake import FakeModels
from quarry.search.stores.rows.tasks import ChosenModel
from tests.task_models import TEXT_FAMILIES

MOODS = {"neutral": (), "positive": ("good", "lovely"), "negative": ("bad", "awful")}
NAMES = {
    "O": (),
    "B-PER": ("ada",),
    "I-PER": ("lovelace",),
    "B-LOC": ("seoul",),
    "B-ORG": ("acme",),
    "I-ORG": ("corp",),
}
TEXTS = {
    "meal.txt": "The meal was lovely and good.",
    "trip.md": "# Trip\n\nThe train to Seoul was awful, and bad.",
    "note.txt": "Ada Lovelace wrote in Seoul to\nAcme Corp. and to Ada  Lovelace.",
}
Models = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    for name, text in TEXTS.items():
        (root / name).write_text(text, "utf-8")
    return root


@pytest.fixture
def moods(task_models: Models) -> Path:
    return task_models("Bert", "ForSequenceClassification", MOODS)


def found(library: Library, folder: Path, name: str) -> dict[str, Any]:
    enriched = dict(library.get(str(folder / name)).enriched)
    return {field: value for field, value in enriched.items() if field != "language"}


def names(library: Library, filter: dict[str, Any]) -> list[str]:
    return sorted(Path(one.uri).name for one in library.documents(filter=filter)[0])


def looked(task: str, model: Path, texts: list[str], name: str = "") -> list[Any]:
    """Return what a task finds in texts, without a library."""
    card = source.resolve(str(model), TASKS[task].task)
    return list(TASKS[task](ChosenModel(name or task, task, str(model), card.identity)).enrich(texts))


@pytest.mark.parametrize("family", TEXT_FAMILIES)
def test_texts_are_classified(task_models: Models, family: str) -> None:
    model = task_models(family, "ForSequenceClassification", MOODS)
    results = looked("text-classification", model, [*TEXTS.values(), " \n"], "mood")
    assert [result.fields.get("mood") for result in results] == ["positive", "negative", "neutral", None]
    assert results[0].confidence["mood"]["positive"] > 0.9
    assert sum(results[0].confidence["mood"].values()) == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("family", TEXT_FAMILIES)
def test_names_are_found(task_models: Models, family: str) -> None:
    model = task_models(family, "ForTokenClassification", NAMES)
    (result,) = looked("token-classification", model, [TEXTS["note.txt"]])
    assert result.fields == {"person": ["Ada Lovelace"], "location": ["Seoul"], "organization": ["Acme Corp"]}
    assert result.confidence["person"]["Ada Lovelace"] > 0.9


def test_names_take_no_field_that_a_document_has_anyway(
    tmp_path: Path, models: FakeModels, task_models: Models
) -> None:
    """Models of OntoNotes call a kind of names LANGUAGE."""
    labels: dict[str, tuple[str, ...]] = {
        "O": (),
        "B-LANGUAGE": ("good",),
        "B-title": ("bad",),
        "B-confidence": ("seoul",),
        "B-AMOUNT": ("ada",),
        'B-work "of" art': ("was",),
    }
    model = task_models("Bert", "ForTokenClassification", labels)
    with Library(tmp_path / "library", models=models) as library:
        id = library.add(Text("A good meal in Seoul was bad, and Ada paid $5 for the whole of it in the evening."))[0]
        before = library.get(id).enriched
        library.enrich({"token-classification": str(model)})
        enriched = library.get(id).enriched
        assert before["language"] == "en" and before["amount"] == {"USD": [5]}
        assert {name: enriched[name] for name in before} == before
        assert enriched["named_language"] == ["good"] and enriched["named_title"] == ["bad"]
        assert enriched["confidence"]["named_confidence"] == {"Seoul": 1.0}
        assert enriched["work 'of' art"] == ["was"]  # a filter can name it


def test_threads_share_a_tokenizer(task_models: Models) -> None:
    """It keeps how it cut the last text, for whoever asks next."""
    task = TASKS["text-classification"].task
    model = serving.serve(source.resolve(str(task_models("Bert", "ForSequenceClassification", MOODS)), task), task)
    busy = threading.Event()

    def tokens() -> None:
        model.tokens("good")
        busy.set()

    with model.running:
        other = threading.Thread(target=tokens)
        other.start()
        assert not busy.wait(0.1)
    other.join()
    assert busy.is_set()


@pytest.mark.parametrize("family", TEXT_FAMILIES)
def test_a_long_text_is_looked_at_to_its_end(task_models: Models, family: str) -> None:
    """The models take 64 tokens."""
    filled = "x y z " * 200
    moods = task_models(family, "ForSequenceClassification", MOODS)
    mostly_bad = "lovely " * 60 + "bad " * 400
    shares = looked("text-classification", moods, [mostly_bad], "mood")[0].confidence["mood"]
    assert shares["positive"] == pytest.approx(420 / 2020, abs=0.04)  # as much as it is of the text
    assert shares["negative"] == pytest.approx(1600 / 2020, abs=0.04)
    people = task_models(family, "ForTokenClassification", NAMES)
    for shift in range(0, 64, 7):  # wherever an edge cuts
        text = "x " * shift + filled + "Ada Lovelace " + filled + "Seoul"
        (result,) = looked("token-classification", people, [text])
        assert result.fields == {"person": ["Ada Lovelace"], "location": ["Seoul"]}


def test_labels_that_do_not_exclude_one_another(task_models: Models) -> None:
    model = task_models("Bert", "ForSequenceClassification", MOODS, problem_type="multi_label_classification")
    both, neither = looked("text-classification", model, ["lovely, awful", "x"], "mood")
    assert sorted(set(both.fields["mood"]) - {"neutral"}) == ["negative", "positive"]
    assert set(neither.fields.get("mood", [])) <= {"neutral"}


def test_a_model_of_another_task_is_refused_by_name(task_models: Models) -> None:
    model = task_models("DistilBert", "ForTokenClassification", NAMES)
    with pytest.raises(ModelError, match="is a DistilBertForTokenClassification, a model for token class"):
        source.resolve(str(model), TASKS["text-classification"].task)


def test_a_library_remembers_its_models(folder: Path, tmp_path: Path, models: FakeModels, moods: Path) -> None:
    with Library(tmp_path / "library", models=models) as library:
        library.index(folder)
        report = library.enrich({"mood": f"text-classification:{moods}"})
        assert (report.changed, report.failed) == (3, {})
        assert found(library, folder, "meal.txt")["mood"] == "positive"
        assert names(library, {"mood": "positive"}) == ["meal.txt"]
        assert names(library, {"confidence.mood.negative": {"$gte": 0.8}}) == ["trip.md"]
        assert names(library, {"said_by": "mood"}) == sorted(TEXTS)
        hits = library.search("Seoul", mode="lexical", facets=["mood", "said_by"])
        assert dict(hits.facets["mood"].values) == {"negative": 1, "neutral": 1}
        assert dict(hits.facets["said_by"].values) == {"mood": 2}
    (folder / "new.txt").write_text("A bad, awful thing", "utf-8")
    (folder / "meal.txt").write_text("The meal was bad", "utf-8")
    with Library(tmp_path / "library", models=models) as library:
        library.index(folder)
        assert {name: found(library, folder, name)["mood"] for name in ("new.txt", "meal.txt")} == {
            "new.txt": "negative",
            "meal.txt": "negative",
        }
        (one,) = library.enrichments()
        assert (one.name, one.task, one.model) == ("mood", "text-classification", str(moods))
        assert (one.coverage.documents, one.coverage.could, one.coverage.failed) == (4, 4, 0)
        assert not [finding for finding in library.doctor() if finding.level == "damage"]


def test_one_is_removed_and_redone_without_touching_the_rest(
    folder: Path, tmp_path: Path, models: FakeModels, moods: Path, task_models: Models
) -> None:
    people = task_models("Bert", "ForTokenClassification", NAMES)
    with Library(tmp_path / "library", models=models) as library:
        library.index(folder, enrich={"mood": f"text-classification:{moods}", "token-classification": str(people)})
        before = found(library, folder, "note.txt")
        assert before["mood"] == "neutral" and before["person"] == ["Ada Lovelace"]
        assert before["said_by"] == ["mood", "token-classification"]
        assert library.enrich(redo=["mood"]).changed == 0 and found(library, folder, "note.txt") == before
        library.enrich(remove="mood")
        left = found(library, folder, "note.txt")
        assert "mood" not in left and left["person"] == ["Ada Lovelace"] and "mood" not in left["confidence"]
        assert [one.name for one in library.enrichments()] == ["token-classification"]
        with pytest.raises(NotFound, match="'mood'; there are token-classification"):
            library.enrich(redo="mood")


def test_what_is_uploaded_is_looked_at_at_once(tmp_path: Path, models: FakeModels, moods: Path) -> None:
    with Library(tmp_path / "library", models=models) as library:
        library.add(Text("lovely"))
        library.enrich({"mood": f"text-classification:{moods}"})
        (id,) = library.add(Text("an awful day"))
        (file,) = library.add_file(b"a good day", "day.txt")
        assert library.get(id).enriched["mood"] == "negative" and library.get(file).enriched["mood"] == "positive"


def test_what_nobody_can_mean_is_refused(tmp_path: Path, models: FakeModels, moods: Path) -> None:
    with Library(tmp_path / "library", models=models) as library:
        library.catalog(create=True)
        for name, model, message in (
            ("mood", str(moods), "'mood' is no task: give one of text-classification, "),
            ("title", f"text-classification:{moods}", "nothing can be called 'title'"),
            ("said_by", f"text-classification:{moods}", "nothing can be called"),
            ("a" * 65, f"text-classification:{moods}", "nothing can be called"),
            ("a.b", f"text-classification:{moods}", "nothing can be called"),
            ("mood", "text-classification:", "mood needs a model"),
        ):
            with pytest.raises(InvalidRequest, match=message):
                library.enrich({name: model})
        library.label(["good", "bad"], field="mood")
        with pytest.raises(InvalidRequest, match=r"labels are in the field 'mood' already: .* --remove mood"):
            library.enrich({"mood": f"text-classification:{moods}"})
        with pytest.raises(ModelMissing, match="no model"):
            library.enrich({"text-classification": str(tmp_path / "none")})
        assert library.enrichments() == []


def test_pickled_weights_are_not_read(tmp_path: Path, moods: Path) -> None:
    copy = Path(shutil.copytree(moods, tmp_path / "model"))
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ModelDamaged, match="Pickled weights"):
        source.resolve(str(copy), TASKS["text-classification"].task)


def test_labels_that_mean_nothing_are_told(tmp_path: Path, models: FakeModels, task_models: Models) -> None:
    told: list[str] = []
    model = task_models(
        "Bert", "ForSequenceClassification", {f"LABEL_{n}": own for n, own in enumerate(MOODS.values())}
    )
    with Library(tmp_path / "library", models=models, tell=told.append) as library:
        library.catalog(create=True)
        library.enrich({"text-classification": str(model)})
        silent = task_models("Bert", "ForSequenceClassification", {"a": ["bad"], "b": ["good"]}, named=False)
        assert "id2label" not in (silent / "config.json").read_text()
        library.enrich({"text-classification": str(silent)})
    for one in (model, silent):
        assert f"{one} does not say what its labels mean: they are LABEL_0, LABEL_1" in " ".join(told)


def test_a_model_that_is_gone_costs_its_task_alone(
    folder: Path, tmp_path: Path, models: FakeModels, moods: Path
) -> None:
    copy = Path(shutil.copytree(moods, tmp_path / "model"))
    with Library(tmp_path / "library", models=models) as library:
        library.index(folder, enrich={"mood": f"text-classification:{copy}"})
        copy.rename(tmp_path / "away")
        (folder / "new.txt").write_text("lovely", "utf-8")
        report = library.index(folder)
        assert report.complete and "no model" in report.unable["mood"]
        assert "mood" not in found(library, folder, "new.txt") and found(library, folder, "meal.txt")["mood"]
        assert [(one.coverage.documents, one.coverage.could) for one in library.enrichments()] == [(3, 4)]
        (tmp_path / "away").rename(copy)
        assert library.index(folder).unable == {}
        assert found(library, folder, "new.txt")["mood"] == "positive"
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 0.1}))
        (folder / "newer.txt").write_text("bad", "utf-8")
        assert "is not the one any more" in library.index(folder).unable["mood"]


def test_documents_that_a_model_fails_over_are_told(
    folder: Path, tmp_path: Path, models: FakeModels, moods: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = TASKS["text-classification"]
    look = task.look

    def fails(self: Any, model: Any, items: Any) -> Any:
        if any("Seoul" in item for item in items):
            raise ModelError("it knows no Seoul.")
        return look(self, model, items)

    with Library(tmp_path / "library", models=models) as library:
        library.index(folder)
        with monkeypatch.context() as patched:
            patched.setattr(task, "look", fails)
            report = library.enrich({"mood": f"text-classification:{moods}"})
        assert sorted(Path(uri).name for uri in report.failed) == ["note.txt", "trip.md"]
        assert set(report.failed.values()) == {"it knows no Seoul."} and not report.complete
        (one,) = library.status()["enrichments"]
        assert (one["documents"], one["could"], one["failed"]) == (3, 3, 2)
        assert library.index(folder).complete and library.status()["enrichments"][0]["failed"] == 2
        assert library.enrich().complete and library.status()["enrichments"][0]["failed"] == 0


def test_all_that_failed_is_told(
    tmp_path: Path, models: FakeModels, moods: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ModelError("no")

    monkeypatch.setattr(TASKS["text-classification"], "look", fails)
    with Library(tmp_path / "library", models=models) as library:
        library.add([Text(f"{number} lovely") for number in range(30)])
        assert len(library.enrich({"mood": f"text-classification:{moods}"}).failed) == 30
        assert len(library.status()["enrichments"][0]["reasons"]) == 20


class Interrupting(NoProgress):
    """Breaks off when something is committed, as Ctrl-C does."""

    def advance(self, files: int, size: int, passages: int) -> None:
        raise KeyboardInterrupt


def test_breaking_off_loses_nothing(tmp_path: Path, models: FakeModels, moods: Path) -> None:
    with Library(tmp_path / "library", models=models) as library:
        library.add([Text(f"{number} lovely") for number in range(30)])
        with pytest.raises(KeyboardInterrupt):
            library.enrich({"mood": f"text-classification:{moods}"}, progress=Interrupting())
        (one,) = library.enrichments()
        assert 0 < one.coverage.documents < 30 == one.coverage.could
        assert library.documents(filter={"mood": "positive"})[1] == one.coverage.documents
        assert library.enrich().changed == 30 - one.coverage.documents
        assert library.documents(filter={"mood": "positive"})[1] == 30


def test_it_is_asked_for_on_the_command_line(folder: Path, tmp_path: Path, models: FakeModels, moods: Path) -> None:
    def quarry(*arguments: str) -> Any:
        return CliRunner().invoke(cli, [*arguments, "--library", str(tmp_path / "library")], obj=models)

    indexed = quarry("index", str(folder), "--enrich", f"mood=text-classification:{moods}")
    assert indexed.exit_code == 0, indexed.output
    line = f"enrich mood: text-classification by {moods}, 3 of 3 documents"
    assert line in quarry("status").output
    assert "mood: positive (" in quarry("show", str(folder / "meal.txt")).output
    again = quarry("enrich")
    assert again.exit_code == 0 and again.output.splitlines() == ["Nothing has changed.", line]
    shown = json.loads(quarry("enrich", "--redo", "mood", "--json").output)
    assert [one["documents"] for one in shown["enrichments"]] == [3] and shown["report"]["failed"] == {}
    assert "mood" not in quarry("enrich", "--remove", "mood").output
    wrong = quarry("enrich", "mood")
    assert wrong.exit_code == 2 and "'mood' is not NAME=MODEL." in wrong.output


def test_a_server_goes_on_as_a_job(folder: Path, tmp_path: Path, models: FakeModels, moods: Path) -> None:
    with Library(tmp_path / "library", models=models) as library:
        library.index(folder, enrich={"mood": f"text-classification:{moods}"})
        with TestClient(create_app(library), base_url="http://127.0.0.1") as client:
            (one,) = client.get("/v1/enrichments").json()["enrichments"]
            assert (one["name"], one["documents"], one["could"], one["failed"]) == ("mood", 3, 3, 0)
            assert client.get("/v1/status").json()["enrichments"] == [one]
            job = client.post("/v1/enrichments", json={"redo": ["mood"]}).json()
            until = time.monotonic() + 30
            while job["state"] not in ("done", "failed"):
                assert time.monotonic() < until
                job = client.get(f"/v1/jobs/{job['id']}").json()
            assert (job["kind"], job["state"], job["progress"]["done_files"]) == ("enrich", "done", 3)
            assert client.post("/v1/enrichments", json={"redo": ["none"]}).status_code == 404
            assert client.post("/v1/enrichments", json={"models": {"mood": str(moods)}}).status_code == 422


def test_a_picture_is_shown_in_its_own_shape(tmp_path: Path) -> None:
    """From its file, no larger than is asked for; from its thumbnail where that is gone."""
    file = tmp_path / "wide.png"
    Image.new("RGB", (1000, 250), "red").save(file)
    thumbnail = io.BytesIO()
    Image.new("RGB", (320, 80), "blue").save(thumbnail, "JPEG")
    content = Content("", {}, "image", uri_of(file), thumbnail.getvalue)
    large, small = (rendered(content, WholePicture(side)) for side in (768, 100))
    assert isinstance(large, np.ndarray) and large.shape == (192, 768, 3) and large[0, 0].tolist() == [255, 0, 0]
    assert isinstance(small, np.ndarray) and small.shape == (25, 100, 3)
    file.unlink()
    gone = rendered(content, WholePicture())
    assert isinstance(gone, np.ndarray) and gone.shape == (80, 320, 3) and gone[0, 0, 2] > 200
    assert rendered(replace(content, kind="text"), WholePicture()) is None
    file.write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    damaged = rendered(content, WholePicture())
    assert isinstance(damaged, np.ndarray) and damaged.shape == (80, 320, 3)
