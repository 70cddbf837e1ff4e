"""Labels that nothing was trained for: apt ones, several or none, remembered for documents to come, and taken away."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from quarry.api import Library, Text
from quarry.api.cli import cli
from quarry.api.cli.options import between_commas
from quarry.api.members.labelling import Labelled
from quarry.api.server.app import create_app
from quarry.indexer.enrichments.labels import Labels
from quarry.search.alike.labels import LONGEST, MOST, Label, Labeller, read_label, read_labels
from quarry.search.errors import InvalidRequest, ModelMissing, NotFound
from quarry.search.models.fake import FakeModels, FakeTextEncoder
from quarry.search.models.live import NamedModels
from quarry.search.models.names import DEFAULT_TEXT_MODEL
from quarry.search.relevance import UNKNOWN
from quarry.search.stores.rows import enrichments

ABOUT = {
    "cooking": "Simmer the onions in butter, add the flour and the milk, and stir until the sauce is thick.",
    "football": "The striker scored twice in the second half, and the goalkeeper saved a penalty in extra time.",
    "astronomy": "The telescope photographed a galaxy whose stars formed ten billion years ago.",
}


def test_labels_are_read_each_once() -> None:
    assert read_label(" sport : games,\n played ") == Label("sport", "games, played")
    assert read_labels(["a, b", "Sport", "sport: games", "A, b"]) == (Label("a, b"), Label("Sport", "games"))
    for wrong in (
        [],
        [""],
        ["  "],
        [": words"],
        ["x" * (LONGEST + 1)],
        ['a"b'],
        ["a\\b: c"],
        [f"l{n}" for n in range(MOST + 1)],
    ):
        with pytest.raises(InvalidRequest):
            read_labels(wrong)


def test_the_apt_one_or_none() -> None:
    encoder = NamedModels().text(DEFAULT_TEXT_MODEL)
    vectors = encoder.encode_documents(list(ABOUT.values()))
    shares = Labeller(encoder, "text", read_labels(ABOUT), UNKNOWN).shares(vectors)
    for name, found in zip(ABOUT, shares, strict=True):
        assert next(iter(found)) == name and found[name] > 0.7 and sum(share >= 0.5 for share in found.values()) == 1
    for found in Labeller(encoder, "text", read_labels(["tax law", "knitting"]), UNKNOWN).shares(vectors):
        assert max(found.values()) < 0.5
    # The same in other words does not speak against a label, and a description says what is meant.
    (both,) = Labeller(encoder, "text", read_labels(["football", "soccer", "tax law"]), UNKNOWN).shares(vectors[1:2])
    assert both["football"] > 0.5 and both["soccer"] > 0.5 > both["tax law"]
    labels = read_labels(["A: recipes and cooking", "B: football matches"])
    assert [next(iter(found)) for found in Labeller(encoder, "text", labels, UNKNOWN).shares(vectors[:2])] == ["A", "B"]
    assert Labeller(encoder, "text", read_labels(["요리"]), UNKNOWN).shares(vectors) == [{}, {}, {}]  # not its script


def test_many_labels_are_weighed_in_a_moment() -> None:
    encoder = FakeTextEncoder()
    labeller = Labeller(encoder, "text", read_labels(f"label{n}: thing{n}" for n in range(MOST)), UNKNOWN)
    vectors = encoder.encode_queries(["label77: thing77", "nothing"])
    shares = labeller.shares(vectors)
    assert next(iter(shares[0])) == "label77" and all(len(found) == 16 for found in shares)
    assert labeller.shares(np.empty((0, encoder.dimension), np.float32)) == []


@pytest.fixture(scope="module")
def labelled_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("labels")
    (directory / "root").mkdir()
    for name, text in ABOUT.items():
        (directory / "root" / f"{name}.txt").write_text(text, "utf-8")
    with Library(directory / "library") as library:
        assert library.index(directory / "root").complete
    return directory


@pytest.fixture
def library(labelled_library: Path, tmp_path: Path) -> Library:
    return Library(shutil.copytree(labelled_library / "library", tmp_path / "library"))


def found(library: Library, **filter: Any) -> list[str]:
    return sorted(one.title for one in library.documents(filter=filter)[0])


def test_a_library_remembers_them(library: Library, labelled_library: Path) -> None:
    before = {one.id: one.enriched for one in library.documents()[0]}
    assert library.label(["cooking", "football"], field="subject").changed == 2
    assert found(library, subject="cooking") == ["cooking"] and found(library, subject=None) == ["astronomy"]
    assert found(library, **{"confidence.subject.football": {"$gte": 0.5}}) == ["football"]
    assert library.label_sets() == [Labelled("subject", "", {"cooking": 1, "football": 1}, 3, 3, 1)]
    assert library.label().changed == 0  # nothing is missing
    # What comes later gets them, handed over or in a folder; nothing else is labelled again.
    library.add(Text("Knead the dough, let it rise, and bake the bread in a hot oven.", title="bread"))
    assert "bread" in found(library, subject="cooking")
    new = labelled_library / "root" / "later.txt"
    new.write_text("Boil the noodles for three minutes and fry the garlic with soy sauce.", "utf-8")
    try:
        library.index(labelled_library / "root")
    finally:
        new.unlink()
    assert found(library, subject="cooking") == ["bread", "cooking", "later"]
    # Another set in the field takes its place; another field stands beside it.
    library.label(["astronomy"], field="subject")
    library.label(["football"], kind="text", field="game")
    assert found(library, subject="cooking") == [] and found(library, subject="astronomy") == ["astronomy"]
    assert found(library, game="football") == ["football"]
    library.label(["dog"], kind="image", field="shown")
    assert library.label_sets()[2] == Labelled("shown", "image", {"dog": 0}, 0, 0, 0)
    # Taking them away leaves everything else as it was.
    library.label(remove=["subject", "game", "shown"])
    assert library.label_sets() == []
    assert {one.id: one.enriched for one in library.documents()[0] if one.id in before} == before
    assert not [finding for finding in library.doctor() if finding.level == "damage"]


def test_what_was_looked_at_counts(library: Library, labelled_library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where other labels can't be given yet, documents keep those they have, which is not told as of these."""
    library.label(["cooking", "football"], field="subject")
    asked: list[Any] = []

    def due(*given: Any) -> list[Any]:
        asked.append(given[5])
        return find(*given)

    find = enrichments.due
    monkeypatch.setattr(enrichments, "due", due)
    library.add(Text("Knead the dough, let it rise, and bake the bread in a hot oven.", title="bread"))
    assert asked and all(among is not None and len(among) == 1 for among in asked)  # a thing that comes costs itself
    monkeypatch.setattr(Labels, "open", away)
    assert library.label(["cooking", "law"], field="subject").unable == {"subject": "the model is away"}
    assert found(library, subject="cooking") == ["bread", "cooking"]
    assert found(library, **{"confidence.subject.football": {"$gte": 0.5}}) == ["football"]
    assert library.label_sets() == [Labelled("subject", "", {"cooking": 2, "law": 0}, 0, 4, 0)]
    library.label(remove="subject")
    assert all(one.enriched.keys() <= {"language"} for one in library.documents()[0])


def test_what_failed_is_told_and_tried_again(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Labels, "enrich", failing)
        assert set(library.label(["cooking"]).failed.values()) == {"no numbers"}
    assert library.label().failed == {} and found(library, label="cooking") == ["cooking"]


def failing(self: Labels, items: Any) -> Any:
    raise ValueError("no numbers")


def away(self: Labels) -> None:
    raise ModelMissing("the model is away")


def test_what_can_not_be(library: Library) -> None:
    for options in ({"field": "date"}, {"field": "tags"}, {"field": "A b"}, {"kind": "sound"}, {"labels": [""]}):
        with pytest.raises(InvalidRequest):
            library.label(**{"labels": ["a"], **options})  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        library.label(remove="subject")
    library.label(["한국 요리", "cooking"])
    assert library.label_sets()[0].unread == ("한국 요리",)


def test_pictures_are_labelled(picture_library: Path, tmp_path: Path) -> None:
    with Library(shutil.copytree(picture_library, tmp_path / "library")) as library:
        library.label(["cat", "rocket", "cup of coffee", "요리"], kind="image", field="shown")
        (one,) = library.label_sets()
        assert one.labels["cat"] >= 1 and one.none > one.documents / 2
        assert any(document.uri.endswith("chelsea.png") for document in library.documents(filter={"shown": "cat"})[0])


def test_they_are_given_while_indexing(labelled_library: Path, tmp_path: Path) -> None:
    folder, root = str(tmp_path / "library"), str(labelled_library / "root")

    def told(*arguments: str) -> str:
        run = CliRunner().invoke(cli, [*arguments, "--library", folder])
        assert run.exit_code == 0, run.output
        return run.output

    told("index", root, "--labels", "tax law", "--dry-run")
    told("index", root, "--labels", "cooking, football", "--as", "subject")
    assert "labels subject: 3 of 3 documents, for cooking, football\n" in told("status")
    with Library(folder) as library:
        assert found(library, subject="cooking") == ["cooking"] and found(library, subject="football") == ["football"]
        library.add(Text(ABOUT["cooking"].replace("onions", "carrots"), title="later"))
        assert found(library, subject="cooking") == ["cooking", "later"]
        (one,) = library.status()["labels"]
        assert (one["documents"], one["could"], one["labels"]) == (4, 4, ["cooking", "football"])
        with pytest.raises(InvalidRequest):
            library.index(root, labels=["a"], label_field="date")
    for wrong in (["--as", "subject"], ["--labels", "a", "--as", "date"], ["--labels", "a", "--as", ""]):
        assert CliRunner().invoke(cli, ["index", root, "--library", folder, *wrong]).exit_code != 0


def test_from_the_command_line_and_over_http(labelled_library: Path, tmp_path: Path) -> None:
    folder = str(shutil.copytree(labelled_library / "library", tmp_path / "library"))
    told = CliRunner().invoke(cli, ["label", "--library", folder, "--labels", 'football,"cooking, eating",', "--json"])
    assert told.exit_code == 0, told.output
    (one,) = json.loads(told.stdout)["labels"]
    assert one["labels"] == {"football": 1, "cooking, eating": 1} and one["none"] == 1
    shown = CliRunner().invoke(cli, ["label", "--library", folder])
    assert "label: 3 of 3 documents labelled" in shown.output and "none of them" in shown.output
    gone = CliRunner().invoke(cli, ["label", "--library", folder, "--remove", "label"])
    assert gone.exit_code == 0 and "No labels." in gone.output
    assert CliRunner().invoke(cli, ["label", "--library", folder, "--label", ""]).exit_code != 0
    with Library(folder) as library, TestClient(create_app(library), base_url="http://127.0.0.1") as client:
        assert client.get("/v1/labels").json() == {"labels": []}
        assert client.post("/v1/labels", json={"labels": [""]}).status_code == 422
        assert client.post("/v1/labels", json={"labels": ["a"], "kind": "sound"}).status_code == 422
        job = client.post("/v1/labels", json={"labels": ["football"], "field": "game"})
        assert job.status_code == 202
        while client.get(job.headers["location"]).json()["state"] in ("waiting", "running"):
            pass
        (one,) = client.get("/v1/labels").json()["labels"]
        assert (one["field"], one["labels"]) == ("game", {"football": 1})


def test_with_models_that_nobody_knows(tmp_path: Path) -> None:
    with Library(tmp_path / "library", models=FakeModels()) as library:
        library.add([Text(text, title=name) for name, text in ABOUT.items()])
        library.label(["cooking"])
        assert library.label_sets()[0].documents == 3


def test_labels_are_given_between_commas() -> None:
    assert between_commas(['a, "b, c",,', "d\ne"]) == ["a", "b, c", "d e"]
    assert between_commas([]) == []
