"""The text of a library that a stranger made is hostile wherever it is shown."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import quarry.indexer.uploads
from quarry.api.cli import cli
from quarry.api.cli.terminal import escaped, printable
from quarry.api.library import Library, Text
from quarry.search.models.fake import FakeModels

# OSC 52 (writes the clipboard), C1, colours, turned writing, what is invisible, over-writing, line ends
EVIL = "A\x1b]52;c;QQ==\x07B\x9b31mC\x1b[8mD\u202eE\u2066F\u200bG\x08H\rI\u2028J\u2029K\x1b[2JL\x7fM\ufeffN\x85O\x00P"
OURS = re.compile(r"\x1b\[(?:0|1|2|3\d|1;33)m")
TURNING = "\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"


def unfit(shown: str) -> set[str]:
    """Return the characters of an output that steer a terminal, but for our own colours and line ends."""
    plain = OURS.sub("", shown)
    return {
        sign for sign in plain if sign != "\n" and (unicodedata.category(sign) in ("Cc", "Zl", "Zp") or sign in TURNING)
    }


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library whose texts, names, ids, metadata, files and root are hostile; nothing refused them where it was."""
    top = tmp_path_factory.mktemp("hostile")
    name = EVIL.replace("\0", "").replace("/", "")
    folder = top / name
    folder.mkdir()
    (folder / f"{name}.txt").write_text("Water of a file.")
    (folder / f"{name}.pdf").write_text("no PDF")
    (folder / f"{name}.exe").write_text("no text")
    with pytest.MonkeyPatch.context() as monkeypatch, Library(top / "library", models=FakeModels()) as opened:
        monkeypatch.setattr(quarry.indexer.uploads, "clean", lambda text, where: text)
        evil = EVIL.replace("\0", "")  # which no library holds
        document = Text(
            f"Water {evil} flows.\n\n{evil}", evil, f"note:{evil}", None, {evil: evil, "n": [evil]}, f"text/{evil}"
        )
        opened.add([document, Text("Water, and nothing else.", id="plain")])
        opened.index(folder)
    return top / "library"


COMMANDS = {
    "search": ["search", "water", "--mode", "lexical", "--explain", "--all"],
    "search by a field": ["search", "A]52", "--mode", "lexical", "--all"],
    "show": ["show", "EVIL"],
    "list": ["list"],
    "a filter that finds nothing": ["list", "--filter", f"{EVIL[:-2]}=1"],
    "fields": ["fields"],
    "status": ["status", "--skipped"],
    "doctor": ["doctor"],
    "index": ["index", "--verify"],
    "what is not there": ["show", EVIL.replace("\0", "")],
    "no library": ["search", "--library", EVIL.replace("\0", "").replace("/", ""), "water"],
    "forget": ["forget", EVIL.replace("\0", "")],
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_no_command_shows_what_steers(
    library: Path, name: str, as_json: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QUARRY_LIBRARY", str(library))
    with Library(library, models=FakeModels()) as opened:
        evil = next(one.id for one in opened.documents()[0] if one.uri.startswith("note:"))
    arguments = [evil if argument == "EVIL" else argument for argument in COMMANDS[name]]
    monkeypatch.setattr(sys, "argv", ["quarry"])
    done = CliRunner().invoke(cli, arguments + ["--json"] * as_json, color=True, obj=FakeModels())
    assert unfit(done.output) == set()
    if as_json and done.exit_code in (0, 3):
        body = json.loads(done.stdout)
        if name == "show":
            assert body["metadata"][EVIL.replace("\0", "")] == EVIL.replace("\0", "")


def test_the_program_lets_nothing_else_through(library: Path) -> None:
    """Whoever writes: an error that quotes an argument, and what is said of the command line itself."""
    evil = EVIL.replace("\0", "")
    for arguments in (
        ["show", evil],
        ["search", "--mode", evil, "x"],
        [evil],
        ["index", evil],
        ["status", f"--{evil}"],
    ):
        command = [sys.executable, "-m", "quarry.api.cli", *arguments]
        run = subprocess.run(command, env={"QUARRY_LIBRARY": str(library), **_environment()}, capture_output=True)
        assert run.returncode in (1, 2) and run.stdout == b""
        said = run.stderr.decode()
        assert unfit(said) == set() and "Traceback" not in said and "A" in said


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ} | {
        "LC_ALL": "C.UTF-8"
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "plain é 한국어 \U0001f469\u200d\U0001f4bb می\u200cخواهم",
            "plain é 한국어 \U0001f469\u200d\U0001f4bb می\u200cخواهم",
        ),
        ("a\tb\nc\x1b[31md\x9b", "a b c [31md "),
        ("user\u202etxt.exe", "usertxt.exe"),
        ("a\u2028b\u00adc\ufeff\U000e0041", "a bc"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_json_is_escaped_and_means_the_same() -> None:
    values: dict[str, Any] = {EVIL: EVIL, "tag": "\U000e0041", "plain": "é한"}
    said = escaped(json.dumps(values, ensure_ascii=False, indent=2))
    assert json.loads(said) == values and unfit(said) == set() and "é한" in said
    assert json.loads(escaped(json.dumps("a\udcffb", ensure_ascii=False))) == "a\ufffdb"
