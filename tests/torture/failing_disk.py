"""A disk and a memory that fail: the nth write, fsync, rename, opening, truncation, mapping or allocation of a command.

The command ends with a named error, or as if nothing had been; never by a traceback. What is found is the old state or
the new one, the next run completes it, and doctor finds it sound. Whether it fails once or from then on, n goes from 1
to as many calls as the command makes.
"""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from quarry.api.library import Library, Text
from quarry.search.models.fake import FakeModels
from tests.torture.oracle import check_found, check_sound, check_whole, text, write
from tests.torture.tally import Tally

FAILURES = [
    ("write", errno.ENOSPC), ("write", errno.EIO), ("read", errno.EIO), ("fsync", errno.EIO), ("rename", errno.EIO),
    ("rename", errno.ENOSPC), ("create", errno.ENOSPC), ("create", errno.EMFILE), ("open", errno.EMFILE),
    ("truncate", errno.ENOSPC), ("map", errno.ENOMEM), ("mkdir", errno.ENOSPC), ("unlink", errno.EIO),
    ("allocate", errno.ENOMEM),
]  # fmt: skip
COMMANDS = {
    "index": ["index", "root"],
    "compact": ["compact"],
    "reembed": ["reembed", "--text-model", "turned"],
    "delete": ["delete", "note-1"],
    "search": ["search", "--json", "paragraph"],
    "list": ["list", "--json"],
    "status": ["status", "--json"],
    "doctor": ["doctor"],
    "repair": ["doctor", "--repair"],
}
FILES = 12
MOST = 12  # numbers that are tried of each kind of call of each command


@dataclass(frozen=True, slots=True)
class Failure:
    """The nth call of a kind fails, and with `lasts` all after it. None fails where n is 0; they are counted."""

    kind: str = ""
    nth: int = 0
    error: int = 0
    lasts: bool = False

    def __str__(self) -> str:
        return (
            f"{self.kind} number {self.nth}{' and all after it' if self.lasts else ''}: {errno.errorcode[self.error]}"
        )


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, what it said, and how many calls of the kind it made."""

    code: int
    out: str
    err: str
    seen: int


class Machine:
    """Runs commands over a disk that fails."""

    def __init__(self, process: subprocess.Popen[str], place: Path) -> None:
        self._process = process
        self._place = place

    def begin(self, command: list[str], failure: Failure, place: Path, temporary: Path | None = None) -> int:
        """Start a command in which calls about files under `place` fail; return its PID."""
        task = {
            "command": command, "kind": failure.kind, "nth": failure.nth, "error": failure.error,
            "lasts": failure.lasts, "place": str(place), "out": str(self._place / "out"),
            "err": str(self._place / "err"), "env": {"TMPDIR": str(temporary)} if temporary else {},
        }  # fmt: skip
        for said in ("out", "err"):  # of the command before
            (self._place / said).unlink(missing_ok=True)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        return int(self._answer()["pid"])

    def end(self) -> Ended:
        """Wait for it."""
        answer = self._answer()
        return Ended(answer["code"], self.said("out"), self.said("err"), answer["seen"])

    def run(self, command: list[str], failure: Failure, place: Path) -> Ended:
        self.begin(command, failure, place)
        return self.end()

    def said(self, where: str) -> str:
        path = self._place / where
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that forks the commands has ended"
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def machine(place: Path) -> Iterator[Machine | None]:
    """Build what makes calls fail, and start it; None where there is no C compiler, or this is not Linux."""
    shim = place / "failing.so"
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        yield None
        return
    source = Path(__file__).with_name("failing.c")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
    command = [sys.executable, "-m", "tests.torture.failing_process"]
    environment = {**os.environ, "LD_PRELOAD": str(shim)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield Machine(process, place)
        finally:
            process.stdin.close()
            process.wait(60)


class Disk:
    """A library whose files have all changed since they were indexed, and copies of it to try a failure on."""

    def __init__(self, place: Path, models: FakeModels, machine: Machine) -> None:
        self._models, self._machine = models, machine
        self._template, self._root = place / "template", place / "root"
        self._library = place / "library"
        self._root.mkdir()
        for number in range(FILES):
            write(self._root, number, 0)
        self._expect(self._run("index", self._template), 0)
        with Library(self._template, models=models) as library:
            library.add([Text(text(number, 0), id=f"note-{number}", uri=f"note-{number}") for number in range(3)])
            self._old = check_whole(library, models)
        for number in range(FILES):
            write(self._root, number, 1)
        self._new = self._old | {str(path): path.read_text() for path in self._root.iterdir()}
        assert all(self._new[uri] != old for uri, old in self._old.items() if uri.startswith("/"))
        self._calls: dict[tuple[str, str], int] = {}

    def _command(self, name: str, library: Path) -> list[str]:
        command = [str(self._root) if part == "root" else part for part in COMMANDS[name]]
        return [*command, "--library", str(library)]

    def _run(self, name: str, library: Path, failure: Failure = Failure()) -> Ended:
        return self._machine.run(self._command(name, library), failure, library)

    def _expect(self, ended: Ended, *codes: int) -> None:
        assert ended.code in codes, f"exit code {ended.code}: {ended.err}"

    def _copy(self) -> None:
        shutil.rmtree(self._library, ignore_errors=True)
        shutil.copytree(self._template, self._library)

    def calls(self, name: str, kind: str) -> int:
        """Count the calls of a kind that a command makes where nothing fails."""
        if (name, kind) not in self._calls:
            self._copy()
            ended = self._run(name, self._library, Failure(kind))
            self._expect(ended, 0)
            self._calls[name, kind] = ended.seen
        return self._calls[name, kind]

    def try_command(self, name: str, failure: Failure) -> bool:
        """Run a command into a failure, and look; say whether it came to it."""
        self._copy()
        ended = self._run(name, self._library, failure)
        check_said(ended.err)
        if failure.kind == "allocate" and ended.code == -signal.SIGABRT:
            pass  # native code that gets no memory gives up: as good as killed
        elif name in ("doctor", "repair") and ended.code == 1:
            assert ended.err.startswith("quarry: ") or "damage" in ended.out, f"{ended.out}{ended.err}"
        elif ended.code:
            assert ended.code == 1 and ended.err.startswith("quarry: "), f"exit code {ended.code}: {ended.err}"
            assert ended.err.count("\n") <= 2, ended.err
        self._check_answer(name, ended)
        self._check_state(name, ended)
        if name in ("index", "compact", "reembed"):
            self._expect(self._run(name, self._library), 0)
            new = self._new if name == "index" else self._old
            with Library(self._library, models=self._models) as library:
                assert check_whole(library, self._models) == new
                check_sound(library)
                check_found(library, new.values())
        return ended.seen >= failure.nth

    def _check_answer(self, name: str, ended: Ended) -> None:
        """What was answered is right, or says what is missing."""
        if ended.code or name not in ("search", "list"):
            return
        answer = json.loads(ended.out)
        if name == "list":
            assert {one["uri"] for one in answer["documents"]} == self._old.keys()
        else:
            assert answer["degraded"] or len(answer["hits"]) == 10, ended.out
            texts = {hit["document"]["uri"]: hit["text"] for hit in answer["hits"]}
            assert all(shown in self._old[uri] for uri, shown in texts.items())

    def _check_state(self, name: str, ended: Ended) -> None:
        with Library(self._library, models=self._models) as library:
            actual = check_whole(library, self._models)
            check_sound(library)
            check_found(library, actual.values())
        match name:
            case "index":
                assert all(actual[uri] in (self._old[uri], self._new[uri]) for uri in self._old)
                assert actual.keys() == self._old.keys() and (ended.code or actual == self._new)
            case "delete":
                gone = {uri: old for uri, old in self._old.items() if uri != "note-1"}
                assert actual == gone or (ended.code and actual == self._old)
            case _:
                assert actual == self._old

    def try_server(self, failure: Failure) -> bool:
        """Serve over a disk that fails once: some request may get a 503, the others are answered."""
        self._copy()
        command = ["serve", "--port", "0", "--library", str(self._library)]
        pid = self._machine.begin(command, failure, self._library)
        acknowledged = dict(self._old)
        try:
            address = self._address(pid)
            if address is not None:
                with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
                    self._ask(client, acknowledged)
        finally:
            if is_running(pid):
                os.kill(pid, signal.SIGTERM)
            ended = self._machine.end()
        check_said(ended.err)
        if not (failure.kind == "allocate" and ended.code == -signal.SIGABRT):
            assert ended.code == 0 or (ended.code == 1 and "quarry: " in ended.err), (
                f"exit code {ended.code}: {ended.err}"
            )
        with Library(self._library, models=self._models) as library:
            assert check_whole(library, self._models) == acknowledged
            check_sound(library)
            check_found(library, acknowledged.values())
        return ended.seen >= failure.nth

    def _address(self, pid: int) -> str | None:
        while is_running(pid):
            if "http://" in (said := self._machine.said("err")) and "(Ctrl" in said:
                return "http://" + said.split("http://")[1].split()[0]
        return None

    def _ask(self, client: httpx.Client, acknowledged: dict[str, str]) -> None:
        def post(path: str, body: Any) -> httpx.Response:
            response = client.post(path, json=body)
            assert response.is_success or response.status_code == 503, f"{response.status_code}: {response.text}"
            return response

        for version in range(2, 6):
            change = {f"note-{number}": text(number, version) for number in range(version)}
            documents = [{"id": uri, "uri": uri, "text": content} for uri, content in change.items()]
            if post("/v1/documents", {"documents": documents}).is_success:
                acknowledged |= change
            elif client.get("/v1/documents/note-0").json().get("text") == change["note-0"]:
                acknowledged |= change  # committed, and an error after that
            for mode in ("semantic", "lexical"):
                response = post("/v1/search", {"query": "paragraph", "mode": mode})
                assert not response.is_success or response.json()["hits"] or response.json()["degraded"], response.text
        response = client.get("/v1/documents")
        assert response.is_success and response.json()["total"] == len(acknowledged), response.text


def check_said(said: str) -> None:
    signs = ("Traceback", "panicked", "a fault of Quarry")
    assert not any(sign in said for sign in signs), said[-1500:]


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def run(tally: Tally, place: Path, models: FakeModels) -> None:
    """Try failures in random order until all were tried, or the time is over."""
    with machine(place) as failing:
        if failing is None:
            tally.skipped = "there is no C compiler (cc) to build what makes calls fail"
            return
        disk = Disk(place, models, failing)
        chance = random.Random(tally.seed)
        points = []
        for name in [*COMMANDS, "serve"]:
            for kind, error in FAILURES:
                if (name, kind) == ("serve", "allocate"):
                    continue  # asyncio's own reading drops a connection then, and complains
                points.append((chance.random(), name, kind, error))
        for _, name, kind, error in sorted(points):
            if not tally.goes_on:
                return
            count = 40 if name == "serve" else disk.calls(name, kind)
            numbers = list(range(1, count + 1))
            chance.shuffle(numbers)
            # Every number of what is called a few times; of hundreds of reads some, others with another seed.
            for nth in numbers[:MOST]:
                if not tally.goes_on:
                    return
                failure = Failure(kind, nth, error, lasts=chance.random() < 0.5 and name != "serve")
                with tally.trying(f"{name}, {failure}"):
                    is_met = disk.try_server(failure) if name == "serve" else disk.try_command(name, failure)
                    tally.tried -= not is_met  # another run made fewer calls
