"""Searching is light: what it must not import, in fresh processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlite_utils.utils

from quarry.search.stores.database import sqlite
from tests.folders import SAMPLE

HEAVY = ("torch", "transformers", "sentence_transformers", "onnx", "onnxscript", "pandas", "ray", "scipy", "sklearn")
OFF_THE_COLD_PATH = (*HEAVY, "sqlite_utils", "pydantic", "fastapi", "uvicorn", "asyncio", "indexer")

IN_PYTHON = """
from quarry.api import Library
with Library({library!r}) as library:
    for mode in ("semantic", "lexical", "hybrid"):
        assert library.search("how do stars form", mode=mode, filter={{"type": "text/markdown"}}).hits
"""
ANSWERING = """
from quarry.api import Library
with Library({library!r}) as library:
    response = library.search("who discovered Uranus", answer=True, summarize=True, rerank="reader")
    assert response.answers and response.summary and not response.degraded
    assert library.choose("who discovered Uranus", ["William Herschel", "Galileo"])
    assert library.summarize(response.hits[0].document.id).sentences
"""
BY_COMMAND = """
import sys
from quarry.api.cli import cli
cli(["search", "--library", {library!r}, "how do stars form"], standalone_mode=False)
"""
SERVING = """
import os
os.environ["OMP_NUM_THREADS"] = "1"
from quarry.api import Library
from quarry.api.server.app import create_app
with Library({library!r}, prepare=False) as library:
    create_app(library).openapi()
    library.warm()
    assert library.search("how do stars form").hits
"""


@pytest.mark.parametrize(
    ("program", "banned"),
    [
        (IN_PYTHON, OFF_THE_COLD_PATH),
        (ANSWERING, OFF_THE_COLD_PATH),
        (BY_COMMAND, OFF_THE_COLD_PATH),
        (SERVING, HEAVY),
    ],
)
def test_searching_imports_nothing_heavy(sample_library: Path, program: str, banned: tuple[str, ...]) -> None:
    listing = "\nimport sys\nprint('modules:', *sorted(sys.modules))"
    code = program.format(library=str(sample_library)) + listing
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    modules = set(run.stdout.rsplit("modules:", 1)[1].split())
    assert "quarry.search.pipeline" in modules
    assert not modules.intersection(banned)


def test_parsing_a_text_imports_no_numpy() -> None:
    """Its process starts with every run, and for every few files that come over HTTP."""
    code = (
        "import sys; from pathlib import Path; from quarry.indexer.loaders.sandbox import child\n"
        "from quarry.indexer.loaders.loading import load\n"
        "assert all(parsed.text for name in sys.argv[1:] for parsed in load(Path(name)))\n"
        "print(*sorted(sys.modules))"
    )
    files = [SAMPLE / "astronomy" / "star-formation.md", SAMPLE / "earth" / "volcanoes.html"]
    run = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, check=True, timeout=60)
    assert "quarry.indexer.loaders.web.html" in run.stdout
    assert not {"numpy", "quarry.search.models.contracts"}.intersection(run.stdout.split())


def test_help_imports_no_library() -> None:
    code = "import sys, quarry.api.cli; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"numpy", "faiss", "quarry.search.stores.database.sqlite"}.intersection(run.stdout.split())


def test_the_sqlite_module_is_the_one_that_sqlite_utils_takes() -> None:
    assert sqlite_utils.utils.sqlite3.__name__ == sqlite.MODULE
    assert sqlite.Connection is sqlite_utils.utils.sqlite3.Connection
