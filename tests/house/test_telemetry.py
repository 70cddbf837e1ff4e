"""Nothing leaves this machine: every command, watched from outside."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from quarry.api import Library, Text
from quarry.api.bodies.responses import response_body
from quarry.api.cli import COMMANDS
from quarry.search.models.prepared import models_folder
from tests import generation_models, image_models, outside, text_models
from tests.folders import SAMPLE
from tests.outside import Outside
from tests.processes import QUARRY

traced = pytest.mark.skipif(not outside.can_trace(), reason="strace is not installed, or may not trace")
pytestmark = pytest.mark.filterwarnings("ignore")  # of torch and transformers

QUESTION = "when was the Panama Canal opened"
CANAL = SAMPLE / "history" / "panama-canal.txt"
# What each command is run with; one that is not here needs nothing but a library.
ARGUMENTS: dict[str, list[list[str]]] = {
    "index": [["{texts}", "{photo}"]],
    "forget": [["{texts}"]],
    "reembed": [["--text-model", "{torch}"]],
    "search": [[QUESTION]],
    "ask": [[QUESTION]],
    "check": [["The canal was opened in 1914.", "--checker", "{checker}"]],
    "enrich": [["text-classification={checker}"]],
    "label": [["--labels", "water,fire"]],
    "summarize": [[str(CANAL)], [str(CANAL), "--summarizer", "{writer}"]],
    "images": [["a cat"]],
    "similar": [["{photo}"]],
    "show": [[str(CANAL)]],
    "delete": [[str(CANAL)]],
    "backup": [["{backup}"]],
    "restore": [["{backup}", "--replace"]],
    "replicate": [["{library}", "{replica}"]],
    "import": [["{rows}"]],
    "verify": [["{cited}"]],
    "models": [[], ["--prepare", "--image-model", "{tower}"]],
    "eval": [["{questions}"]],
    "engine": [["milvus"], ["qdrant"]],
}
INFERRED = {"entailment": ["the"], "contradiction": ["bad"], "neutral": ["awful"]}
ALONE = {"models", "eval", "replicate"}  # take none by --library
RUNS = [(name, arguments) for name in COMMANDS if name != "serve" for arguments in ARGUMENTS.get(name, [[]])]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, task_models: Callable[..., Path]) -> dict[str, str]:
    """Small models: what is exported in a child process, and what torch runs in the command's own."""
    folder = tmp_path_factory.mktemp("models")
    made = {
        "torch": text_models.save(folder, "distilbert-layer-norm"),
        "tower": image_models.save(folder, "vit"),
        "writer": generation_models.save(folder, "bart"),
        "checker": task_models("Bert", "ForSequenceClassification", INFERRED),
    }
    return {name: str(path) for name, path in made.items()}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, sample_library: Path) -> Path:
    """A cache of models of its own, in which the default ones are prepared."""
    cache = tmp_path_factory.mktemp("cache")
    shutil.copytree(models_folder(), cache / "models", ignore=shutil.ignore_patterns("sources"))
    return cache


@pytest.fixture
def place(tmp_path: Path, cache: Path, own_pictures_and_texts: Path) -> Outside:
    shutil.copytree(own_pictures_and_texts, tmp_path / "library")
    return Outside(tmp_path, cache)


@pytest.fixture(scope="module")
def own_pictures_and_texts(
    tmp_path_factory: pytest.TempPathFactory, photos: Path, cache: Path, models: dict[str, str]
) -> Path:
    """A library of a photo and a few texts, made by a command that is watched itself."""
    if not outside.can_trace():
        pytest.skip("strace is not installed, or may not trace")
    folder = tmp_path_factory.mktemp("made")
    Outside(folder, cache).run(QUARRY, "index", "--library", folder / "library", CANAL.parent, photos / "chelsea.png")
    with Library(folder / "library") as library:  # something to undelete
        library.add([Text("Here and gone.", id="gone")])
        library.delete(["gone"])
    return folder / "library"


@traced
@pytest.mark.parametrize(("name", "arguments"), RUNS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_command_keeps_to_itself(
    name: str, arguments: list[str], place: Outside, models: dict[str, str], photos: Path
) -> None:
    questions = place.folder / "questions.jsonl"
    answers = [{"text": "1914", "start": 24}]
    row = {"question": "when was it opened", "context": "The canal was opened in 1914.", "answers": answers}
    questions.write_text(json.dumps(row))
    rows = place.folder / "rows.jsonl"
    rows.write_text(json.dumps({"id": "row", "text": "The canal was opened in 1914."}))
    backup = place.folder / "backup"
    if name == "restore":
        with Library(place.folder / "library") as opened:
            opened.backup(backup)
    cited = place.folder / "cited.json"
    if name == "verify":
        with Library(place.folder / "library") as opened:
            cited.write_text(json.dumps(response_body(opened.search(QUESTION))))
    places = {"library": place.folder / "library", "replica": place.folder / "replica"}
    files = {"questions": questions, "rows": rows, "backup": backup, "cited": cited}
    given = {"texts": CANAL.parent, "photo": photos / "chelsea.png", **files}
    names = {**models, **given, **places}
    filled = [argument.format(**names) for argument in arguments]
    library: list[str | Path] = [] if name in ALONE else ["--library", place.folder / "library"]
    place.run(QUARRY, name, *library, *filled)


@traced
def test_a_server_keeps_to_itself(place: Outside) -> None:
    with place.running(QUARRY, "serve", "--library", place.folder / "library", "--port", "0") as said:
        deadline = time.monotonic() + 60
        while not (found := re.search(r"http://[\d.:]+", said.read_text("utf-8"))) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert found
        with httpx.Client(base_url=found[0], timeout=60, trust_env=False) as client:
            body = {"query": QUESTION, "answer": True, "summarize": True}
            assert client.post("/v1/search", json=body).json()["answers"]
            assert client.get("/openapi.json").status_code == 200
    assert "telemetry" not in said.read_text("utf-8")


@traced
@pytest.mark.parametrize("first", ["", "import onnxruntime; "])
def test_python_users_are_kept_to_themselves(place: Outside, first: str) -> None:
    library = str(place.folder / "library")
    place.run(
        sys.executable,
        "-c",
        f"from quarry import Library; {first}assert Library({library!r}).search({QUESTION!r}).hits",
    )


@traced
def test_the_watch_sees_what_it_is_there_for(place: Outside) -> None:
    with pytest.raises(AssertionError, match=r"Microsoft|events\.data"):
        place.run(sys.executable, "-c", "import onnxruntime")
