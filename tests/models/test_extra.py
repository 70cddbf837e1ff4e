"""A light installation: models that need torch and its company say what brings them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from quarry.search.models.extra import INSTALL
from quarry.search.models.text.embedded import embedded_folder

HIDDEN = ("torch", "transformers", "sentence_transformers", "open_clip", "timm")
ASKING = """
import sys
from quarry.search.errors import ModelMissing
from quarry.search.models.kinds import KINDS
kind = KINDS[sys.argv[1]]
try:
    kind.load(kind.find(sys.argv[2]))
except ModelMissing as error:
    print(error)
"""


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of processes, and of what these start, that can't import what a light installation lacks."""
    folder = tmp_path_factory.mktemp("light")
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({HIDDEN!r}))\n")
    paths = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    return os.environ | {"PYTHONPATH": paths, "QUARRY_CACHE": str(folder / "cache")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is none of the embedded ones."""
    return Path(shutil.copytree(embedded_folder(), tmp_path_factory.mktemp("models") / "own"))


def told(model: Path | str, module: str = "torch") -> str:
    return f"the model {str(model)!r} needs {module}, which is not installed: `{INSTALL}`."


@pytest.mark.parametrize(
    ("kind", "architecture"),
    [
        ("text", "BertModel"),
        ("reader", "BertForQuestionAnswering"),
        ("cross-encoder", "BertForSequenceClassification"),
        ("writing", "BertLMHeadModel"),
    ],
)
def test_an_original_says_what_brings_what_it_needs(
    light: dict[str, str], folder: Path, kind: str, architecture: str
) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": [architecture], "num_labels": 1}))
    run = subprocess.run(
        [sys.executable, "-c", ASKING, kind, str(folder)], env=light, capture_output=True, text=True, timeout=60
    )
    assert run.stdout.strip() == f"the model {str(folder)!r} needs torch, which is not installed: `{INSTALL}`.", (
        run.stderr
    )


def test_an_image_model_says_what_brings_what_it_needs(light: dict[str, str]) -> None:
    command = [sys.executable, "-c", ASKING, "image", "ViT-B-32/laion2b_s34b_b79k"]
    run = subprocess.run(command, env=light, capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == told("ViT-B-32/laion2b_s34b_b79k", "open_clip"), run.stderr


def test_preparing_tells_it_in_one_line(light: dict[str, str], folder: Path) -> None:
    command = [sys.executable, "-m", "quarry.api.cli", "models", "--prepare", str(folder)]
    run = subprocess.run(command, env=light, capture_output=True, text=True, timeout=120)
    assert run.returncode == 1
    assert (
        run.stderr.splitlines()[-1]
        == f"quarry: the model {str(folder)!r} needs torch, which is not installed: `{INSTALL}`."
    )
