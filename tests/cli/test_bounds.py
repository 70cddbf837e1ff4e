"""What is too large or has no end is refused by its size, in little memory, whatever reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.processes import QUARRY, quarry

TERABYTE = 2**40
LITTLE = 600 << 20  # bytes: Python, the models and their libraries take most of that
HEADS = {
    "a.txt": b"",
    "b.csv": b"id,text\n1,about stars\n",
    "c.jsonl": b'{"text": "about stars"}\n',
    "d.json": b"[",
    "e.pdf": b"%PDF-1.7\n",
    "f.png": b"\x89PNG\r\n\x1a\n",
    "g.html": b"<!doctype html><p>stars",
    "h.md": b"# Stars\n",
    "i.xml": b"<a>",
    "j.py": b"import stars\n",
    "k.tsv": b"",
    "l.jpg": b"\xff\xd8\xff",
    "notes": b"about stars\n" * 400,  # no suffix: a text, as far as one can see
}


def sparse(path: Path, head: bytes = b"", size: int = TERABYTE) -> Path:
    """Make a file of `size` bytes that takes next to no room."""
    path.write_bytes(head)
    os.truncate(path, size)
    return path


# Runs a command and writes what it took, from a small process: the peak of its parent counts as a child's own.
MEASURE = """
import json, resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    json.dump([code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024], file)
"""


def run(*arguments: str | Path, stdin: Path | None = None) -> tuple[int, str, int]:
    """Run `quarry` to its end; return its exit code, what it said, and the most memory it or a child of it had."""
    with ExitStack() as open_files, tempfile.NamedTemporaryFile() as measured:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, measured.name, QUARRY, *arguments],
            stdin=open_files.enter_context(stdin.open("rb")) if stdin else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        code, most = json.loads(Path(measured.name).read_text())
    said = done.stdout.decode()
    assert "Traceback" not in said
    return code, said, most


@pytest.mark.fault("18")
def test_a_terabyte_is_refused_whatever_it_is_called(tmp_path: Path) -> None:
    folder, library = tmp_path / "folder", tmp_path / "library"
    folder.mkdir()
    (folder / "good.txt").write_text("about stars")
    for name, head in HEADS.items():
        sparse(folder / name, head)
    sparse(folder / "disk")  # no suffix, and no text: passed by
    for more in ([], ["--verify"]):
        code, said, memory = run("index", "--library", library, folder, *more)
        assert code == 3
        for name in HEADS:
            assert f"{name}: it is larger than" in said
        assert memory < LITTLE
    assert "good.txt" in quarry("search", "stars", "--library", library).stdout
    os.rename(folder / "a.txt", folder / "moved.txt")  # noqa: PTH104
    code, said, memory = run("index", "--library", library, folder)
    assert code == 3 and "moved.txt: it is larger than" in said and memory < LITTLE


@pytest.mark.fault("18")
@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("summarize", "a.txt"),
        ("summarize", "b.csv"),
        ("similar", "f.png"),
        ("similar", "l.jpg"),
        ("eval", "c.jsonl"),
        ("eval", "a.txt"),
    ],
)
def test_a_terabyte_that_is_named_is_refused(sample_library: Path, tmp_path: Path, command: str, name: str) -> None:
    path = sparse(tmp_path / name, HEADS[name])
    where: list[str | Path] = [] if command == "eval" else ["--library", sample_library]
    code, said, memory = run(*command.split(), path, *where)
    assert code == 1 and "larger than" in said
    assert memory < LITTLE


def test_a_table_without_an_end_is_not_summarized(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text\n" + ("x" * 5_000 + "\n") * 2_500)
    code, said, memory = run("summarize", tmp_path / "rows.csv", "--library", tmp_path / "none")
    assert code == 1 and "holds more than 10,000,000 characters" in said
    assert memory < LITTLE


@pytest.mark.fault("18")
@pytest.mark.parametrize("name", ["", "rows.csv"])
def test_standard_input_without_an_end_is_refused(tmp_path: Path, name: str) -> None:
    named = ["--name", name] if name else []
    code, said, memory = run("index", "-", "--library", tmp_path / "library", *named, stdin=Path("/dev/zero"))
    assert code == 1 and "larger than 256 MiB" in said
    assert memory < LITTLE


def test_a_line_without_an_end_is_not_evaluated(tmp_path: Path) -> None:
    code, said, memory = run("eval", sparse(tmp_path / "rows.jsonl", size=2**30))
    assert code == 1 and "goes on and on at line 1" in said
    assert memory < LITTLE
