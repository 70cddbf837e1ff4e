"""Folders that are gone or made up, pipes and devices, empty arguments: named errors, and no hang."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from quarry.api.cli import cli
from quarry.api.library import Library
from quarry.indexer.files.mounts import is_made_up
from quarry.indexer.files.walking import OF_THE_KERNEL, walk
from quarry.indexer.formats import supported
from quarry.search.errors import QuarryError
from quarry.search.models.fake import FakeModels


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text("About stars.")
    with Library(tmp_path / "library", models=FakeModels()) as opened:
        assert opened.index(folder).complete
    monkeypatch.setenv("QUARRY_LIBRARY", str(tmp_path / "library"))
    return tmp_path / "library"


def run(*arguments: str | Path) -> Result:
    done = CliRunner().invoke(cli, list(map(str, arguments)), obj=FakeModels())
    assert isinstance(done.exception, QuarryError | SystemExit | None), done.exception
    return done


def why(*arguments: str | Path) -> str:
    done = run(*arguments)
    assert done.exit_code in (1, 2), done.output
    return str(done.exception) if isinstance(done.exception, QuarryError) else done.output


@pytest.mark.parametrize("command", ["index", "forget", "show", "similar", "delete", "undelete", "summarize", "eval"])
def test_an_empty_argument_is_refused(library: Path, command: str) -> None:
    assert "An argument is empty" in why(command, "")


@pytest.mark.parametrize("option", ["--library=", "--text-model=", "--reader="])
def test_an_empty_option_is_refused(library: Path, option: str) -> None:
    assert "is empty; give a path" in why("search", option, "stars")


def test_a_current_folder_that_is_gone(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    here.rmdir()
    document = str(tmp_path / "folder" / "a.txt")
    assert document in run("search", "stars").output and document in run("list").output
    assert run("show", document).exit_code == 0 and run("index").exit_code == 0
    (tmp_path / "folder" / "b.txt").write_text("Read by a parser that starts in no folder.")
    assert "1 added" in run("index").output
    for arguments in (
        ["index", "."],
        ["index", "b"],
        ["forget", "b"],
        ["show", "."],
        ["search", "--library", "b", "x"],
    ):
        assert "the current folder is gone" in why(*arguments)
    assert "the current folder is gone" in why("search", "--filter", "path=./b", "x")
    assert "no document with the id or path 'b'" in why("show", "b")


def test_a_home_that_nobody_has(library: Path) -> None:
    assert "~nobody-has/it does not exist" in why("index", "~nobody-has/it")
    assert "no document with" in why("show", "~nobody-has/it")
    assert "There is no library at" in why("search", "--library", "~nobody-has/it", "x")
    assert "There is no file" in why("similar", "~nobody-has/it")
    assert run("search", "--filter", "path=~nobody-has/it", "x").exit_code == 0


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="the kernel shows itself nowhere here")
def test_what_the_kernel_makes_up_is_no_files(library: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for path in ("/proc", "/proc/self/mem", "/proc/self/task"):
        assert "made up by the kernel" in why("index", path)
    assert is_made_up("/proc/1") and not is_made_up(str(tmp_path)) and not is_made_up("/processes")
    assert "No library can be made at /proc/x" in why("index", "--library", "/proc/x", tmp_path)
    (tmp_path / "b.txt").write_text("x")
    monkeypatch.setattr("quarry.indexer.files.walking.made_up", lambda: frozenset({str(tmp_path / "folder")}))
    result = walk(tmp_path, tmp_path, supported)
    assert [Path(file.path).name for file in result.files] == ["b.txt"]
    assert result.skipped_files[str(tmp_path / "folder")] == OF_THE_KERNEL


@pytest.mark.fault("15")
def test_pipes_sockets_and_devices_as_arguments(library: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    for path in (tmp_path / "pipe", tmp_path / "socket", Path("/dev/zero")):
        assert "not a folder or file" in why("index", path) or "made up by the kernel" in why("index", path)
        assert "no document" in why("show", path) and "no document" in why("summarize", path)
        assert "There is no file" in why("similar", path)
        assert "there is no file" in why("eval", path)
        assert "There is no library at" in why("search", "--library", path, "x")
        assert "No library can be made" in why("index", "--library", path, tmp_path / "folder")


def test_a_document_in_a_folder_that_cannot_be_entered(library: Path, tmp_path: Path) -> None:
    """Root may enter any folder, unless it gave up that capability."""
    folder, environment = tmp_path / "folder", {**os.environ, "QUARRY_LIBRARY": str(library)}
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
    if os.geteuid() == 0 and subprocess.run([*drop, "true"], capture_output=True).returncode:
        pytest.skip("root can't give up its capabilities here")
    command = [*(drop if os.geteuid() == 0 else []), sys.executable, "-m", "quarry.api.cli", "show"]
    folder.chmod(0)
    try:
        for path, code in ((folder / "a.txt", 0), (folder / "b.txt", 1)):
            done = subprocess.run([*command, path], capture_output=True, text=True, env=environment)
            assert done.returncode == code, done.stderr
            assert "Traceback" not in done.stderr and ("About stars." in done.stdout) == (code == 0)
    finally:
        folder.chmod(0o700)
