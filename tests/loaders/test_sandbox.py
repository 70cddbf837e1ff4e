import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from quarry.indexer.loaders.base import MEBIBYTE, LoadOptions
from quarry.indexer.loaders.loading import load
from quarry.indexer.loaders.sandbox import sandbox as sandbox_module
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.search.errors import FileMalformed, FileUnreadable, LoadError, QuarryError, UnsupportedType

HANG = "<div>" * 1_000_000  # the HTML parser's time grows with the square of the depth


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as each:
        yield each


def child_of(pid: int | None = None) -> psutil.Process:
    found = [
        each
        for each in psutil.Process(pid).children()
        if "quarry.indexer.loaders.sandbox.child" in " ".join(each.cmdline())
    ]
    return max(found, key=psutil.Process.create_time)  # earlier tests may have left some to this process


def texts(sandbox: Sandbox, path: Path) -> list[str]:
    return [parsed.text for parsed in sandbox.load(path)]


def test_it_gives_what_the_loader_gives_and_reuses_its_child(sandbox: Sandbox, tmp_path: Path) -> None:
    files = {
        "a.md": "---\ntags: [x, y]\n---\n# Title\n\n**words** 한국어 😀",
        "b.csv": "id,name,value\n1,Ada,3.5\n2,Alan,\n",
        "c.html": "<title>T</title><main><h1>H</h1><p>text",
        "d.txt": "x" * 3_000_000,
        "e.txt": "",
    }
    pids = set()
    for name, text in files.items():
        path = tmp_path / name
        path.write_text(text)
        assert list(sandbox.load(path)) == list(load(path))
        pids.add(child_of().pid)
    assert len(pids) == 1


def test_options_reach_the_child(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("k,q\nx,why\n")
    with Sandbox(LoadOptions(text_fields=("q",), id_field="k")) as sandbox:
        assert [(parsed.key, parsed.text) for parsed in sandbox.load(path)] == [("id=x", "why")]


def test_errors_keep_their_class_and_sentence(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "a.xyz").write_text("x")
    for name, error in (("a.json", FileMalformed), ("a.xyz", UnsupportedType), ("none.txt", FileUnreadable)):
        with pytest.raises(error) as caught:
            texts(sandbox, tmp_path / name)
        with pytest.raises(error) as expected:
            list(load(tmp_path / name))
        assert str(caught.value) == str(expected.value)


def test_rows_before_an_error_arrive(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n{"text": \n{"text": "three"}\n')
    found = []
    with pytest.raises(FileMalformed, match="row 2"):
        for parsed in sandbox.load(path):
            found.append(parsed.text)
    assert found == ["one", "three"]


def test_content_that_is_no_file(sandbox: Sandbox) -> None:
    assert [parsed.key for parsed in sandbox.load_content(b"a,b\n1,2\n", "up/load\udcff.csv")] == ["row=1"]
    assert [parsed.text for parsed in sandbox.load_content("größe".encode("latin-1"), "README")] == ["größe"]
    with pytest.raises(UnsupportedType):
        list(sandbox.load_content(b"x", "a.exe"))


def test_a_relative_path_and_a_name_that_is_no_utf8(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = os.fsdecode(b"\xff\xe9 \n.txt")
    (tmp_path / name).write_text("words")
    monkeypatch.chdir(tmp_path)
    assert texts(sandbox, Path(name)) == ["words"]


@pytest.mark.fault("19")
def test_a_parser_that_hangs_is_ended_and_the_next_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "hang.html").write_text(HANG)
    (tmp_path / "good.txt").write_text("good")
    with Sandbox(timeout=1.0) as sandbox:
        began = time.monotonic()
        with pytest.raises(FileMalformed, match="longer than 1 s"):
            texts(sandbox, tmp_path / "hang.html")
        assert time.monotonic() - began < 20
        assert texts(sandbox, tmp_path / "good.txt") == ["good"]


@pytest.mark.fault("19")
@pytest.mark.parametrize(
    ("number", "reason", "error"),
    [
        (signal.SIGSEGV, "crashed .SIGSEGV", FileMalformed),
        (signal.SIGALRM, "longer than", FileMalformed),
        (signal.SIGKILL, "killed from outside .SIGKILL", FileUnreadable),
        (signal.SIGTERM, "killed from outside .SIGTERM", FileUnreadable),
    ],
)
def test_a_crash_is_the_files_fault_unless_it_came_from_outside_and_the_next_file_is_read(
    tmp_path: Path, number: signal.Signals, reason: str, error: type[LoadError]
) -> None:
    (tmp_path / "hang.html").write_text(HANG)
    (tmp_path / "good.txt").write_text("good")
    with Sandbox(timeout=30) as sandbox:
        assert texts(sandbox, tmp_path / "good.txt") == ["good"]
        child = child_of()
        threading.Timer(0.3, child.send_signal, [number]).start()
        with pytest.raises(error, match=reason):
            texts(sandbox, tmp_path / "hang.html")
        assert texts(sandbox, tmp_path / "good.txt") == ["good"]
        child = child_of()
        child.kill()  # while it is idle: no file's fault
        while child.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        assert texts(sandbox, tmp_path / "good.txt") == ["good"]


@pytest.mark.fault("19")
def test_memory_is_capped(tmp_path: Path) -> None:
    (tmp_path / "greedy.json").write_text("[0" + ',{"":0}' * 2_900_000 + "]")  # 20 MB that become 600
    (tmp_path / "good.txt").write_text("good")
    with Sandbox(memory=400 * MEBIBYTE) as sandbox:
        with pytest.raises(FileMalformed, match="memory"):
            texts(sandbox, tmp_path / "greedy.json")
        assert texts(sandbox, tmp_path / "good.txt") == ["good"]


def test_a_child_that_needed_much_is_replaced(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "large.json").write_text("[0" + ',{"":0}' * 2_900_000 + "]")
    assert texts(sandbox, tmp_path / "good.txt") == ["good"]
    first = child_of().pid
    with Sandbox(timeout=30) as roomy:
        assert texts(roomy, tmp_path / "large.json")
        assert child_of().pid == first
    assert texts(sandbox, tmp_path / "good.txt") == ["good"]


@pytest.mark.fault("18")
def test_rows_are_streamed_and_held_back(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    row = "x" * 4_000
    with path.open("w") as file:
        file.write("name\n")
        file.writelines(f"{n}{row}\n" for n in range(12_000))
    with Sandbox(timeout=1.5) as sandbox:
        rows = sandbox.load(path)
        next(rows)
        before = child_of().memory_info().rss
        time.sleep(2)  # the clock stands still while the caller is busy
        assert sum(1 for _ in rows) == 11_999
        assert child_of().memory_info().rss - before < 20 * MEBIBYTE


@pytest.mark.fault("19")
def test_a_parser_that_goes_on_for_ever_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_module, "_WHOLE", 0.01)  # a third of a second
    monkeypatch.setattr(sandbox_module, "_MIB", 0.0)
    (tmp_path / "a.csv").write_text("name\n" + "row\n" * 300_000)
    (tmp_path / "good.txt").write_text("good")
    with Sandbox(timeout=30) as sandbox:
        assert texts(sandbox, tmp_path / "good.txt") == ["good"]
        with pytest.raises(FileMalformed, match="longer than 0 s in all; split it"):
            texts(sandbox, tmp_path / "a.csv")
        assert texts(sandbox, tmp_path / "good.txt") == ["good"]


def test_an_abandoned_file_does_not_answer_for_the_next(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name\n" + "row\n" * 1000)
    (tmp_path / "good.txt").write_text("good")
    rows = sandbox.load(tmp_path / "a.csv")
    next(rows)
    with pytest.raises(RuntimeError, match="one file at a time"):
        texts(sandbox, tmp_path / "good.txt")
    rows.close()
    assert texts(sandbox, tmp_path / "good.txt") == ["good"]


def test_ctrl_c_does_not_reach_the_child(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("good")
    assert texts(sandbox, tmp_path / "good.txt") == ["good"]
    child = child_of()
    assert os.getpgid(child.pid) != os.getpgid(0)
    child.send_signal(signal.SIGINT)
    assert texts(sandbox, tmp_path / "good.txt") == ["good"] and child_of().pid == child.pid


PARENT = """
import sys, time
from pathlib import Path
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
with Sandbox(timeout=1.0) as sandbox:
    list(sandbox.load(Path(sys.argv[1])))
    print("ready", flush=True)
    list(sandbox.load(Path(sys.argv[2]))) if len(sys.argv) > 2 else time.sleep(60)
"""


@pytest.mark.parametrize("busy", [False, True])
def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path, busy: bool) -> None:
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "hang.html").write_text(HANG)
    command = [
        sys.executable,
        "-c",
        PARENT,
        str(tmp_path / "good.txt"),
        *([str(tmp_path / "hang.html")] if busy else []),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == b"ready\n"
        child = child_of(parent.pid)
        parent.kill()
    child.wait(timeout=10)


def test_nothing_is_imported_from_the_folder_that_the_caller_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("json", "csv", "yaml", "numpy", "chardet"):
        (tmp_path / f"{module}.py").write_text("import pathlib; pathlib.Path(__file__).with_name('ran').touch()")
    (tmp_path / "a.csv").write_bytes("name\ngröße\n".encode("latin-1"))
    monkeypatch.chdir(tmp_path)
    with Sandbox() as sandbox:
        assert texts(sandbox, tmp_path / "a.csv") == ["name: größe"]
    assert not (tmp_path / "ran").exists()


def test_a_child_that_can_not_start_is_no_files_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "good.txt").write_text("good")
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no module named indexer' >&2\nexit 1\n")
    broken.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(broken))
    with Sandbox() as sandbox, pytest.raises(QuarryError, match=r"did not start: .*indexer"):
        texts(sandbox, tmp_path / "good.txt")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    with pytest.raises(QuarryError, match="can be started"):
        Sandbox().__enter__()


def test_the_child_is_light(tmp_path: Path) -> None:
    program = "import sys, quarry.indexer.loaders.sandbox.sandbox; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout.decode().split()
    heavy = {
        "torch",
        "transformers",
        "tokenizers",
        "onnxruntime",
        "faiss",
        "chardet",
        "yaml",
        "selectolax",
        "pypdfium2",
        "PIL",
    }
    assert not heavy & set(modules)


def test_a_large_caller_does_not_make_its_child_look_large(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    held = b"x" * (600 << 20)
    with Sandbox() as sandbox:
        list(sandbox.load(tmp_path / "a.txt"))
        child = child_of()
        list(sandbox.load(tmp_path / "a.txt"))
        assert child_of() == child
    assert len(held) > 512 << 20
