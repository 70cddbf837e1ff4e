"""Kills (-9) whatever writes, at random moments: nothing acknowledged may be missing, doubled, half there or back.

Rounds of random work: files are edited, moved and deleted and the folder is indexed; texts are added, replaced, deleted
and undeleted; the library is compacted and embedded anew by another model; the same is asked of a real server over
HTTP. Each round ends by a kill, after which the library must hold what was acknowledged, and of what was under way
all or nothing, and doctor must find it sound. Every few rounds begin with no library at all.
"""

from __future__ import annotations

import json
import random
import re
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from quarry.api.library import Library, Text
from quarry.search.errors import NoLibrary
from quarry.search.models.fake import FakeModels
from tests.indexing_process import Call, Task, start
from tests.torture.oracle import Oracle, check_found, check_sound, check_whole, text
from tests.torture.tally import Tally

MODELS = ("default", "turned")
FILES, NOTES = 40, 12
ROUNDS_OF_A_LIBRARY = 12


@dataclass(frozen=True, slots=True)
class Action:
    """A call of the library and what it does: the new text of each document, or None where it goes.

    Of a run over a folder each file is acknowledged by itself; anything else is done as a whole or not at all.
    """

    call: Call
    change: Mapping[str, str | None]
    is_atomic: bool = True


class Crasher:
    """One library after the other, each killed `ROUNDS_OF_A_LIBRARY` times."""

    def __init__(self, seed: int, place: Path, models: FakeModels) -> None:
        self._random = random.Random(seed)
        self._place = place
        self._models = models
        self._version = 0
        self._duration = {"process": 0.5, "server": 0.5}
        self._rounds = 0
        self.landed = 0
        self._has_failed = False

    def _begin(self) -> None:
        name = f"{self._rounds:05}"
        self._library, self._root = self._place / name / "library", self._place / name / "root"
        self._root.mkdir(parents=True)
        self._oracle = Oracle()
        self._disk: dict[str, str] = {}  # what the files hold, by path
        self._indexed: dict[str, str] = {}  # what they held when they were last indexed
        for number in range(FILES):
            self._put(self._root / f"{number:03}.txt", text(number, self._version))

    def _put(self, path: Path, content: str) -> None:
        path.write_text(content)
        self._disk[str(path)] = content

    def round(self) -> None:
        """Work, kill, and look."""
        if self._rounds % ROUNDS_OF_A_LIBRARY == 0 or self._has_failed:
            self._begin()
        self._rounds += 1
        self._version += 1
        self._has_failed = True
        self._edit()
        if self._oracle.known and self._random.random() < 0.3:
            self._settle(*self._serve())
        else:
            self._settle(*self._work())
        self._has_failed = False

    def _edit(self) -> None:
        for path in self._random.sample(sorted(self._disk), min(len(self._disk), 10)):
            match self._random.random():
                case chance if chance < 0.15:
                    Path(path).unlink()
                    del self._disk[path]
                case chance if chance < 0.3:
                    new = self._root / f"moved-{self._version}-{len(self._disk)}.txt"
                    Path(path).rename(new)
                    self._disk[str(new)] = self._disk.pop(path)
                case _:
                    self._put(Path(path), text(self._random.randrange(FILES), self._version))
        while len(self._disk) < FILES // 2:
            number = len(self._disk)
            self._put(self._root / f"new-{self._version}-{number}.txt", text(number, self._version))

    # --- what is done --------------------------------------------------------------------------------------------

    def _plan(self, count: int, *, served: bool) -> list[Action]:
        """Choose what to do, as if each of it were done."""
        planned = Oracle()
        planned.known, planned.trash = dict(self._oracle.known), dict(self._oracle.trash)
        kinds = ["add", "add", "delete", "undelete"] + ([] if served else ["compact", "reembed"])
        chosen = self._random.choices(kinds, k=count)
        if not served:  # what needs a library can't be first
            chosen.insert(self._random.randrange(count) if planned.known else 0, "index")
        actions = []
        for kind in chosen:
            action = self._action(kind, planned, most=1 if served else 3)
            if action is not None:
                actions.append(action)
                planned.apply(action.change)
                if kind == "compact":
                    planned.trash.clear()
        return actions

    def _action(self, kind: str, planned: Oracle, most: int) -> Action | None:
        notes = sorted(filter(is_note, planned.known))
        match kind:
            case "index":
                return Action(Call("index", (self._root,), {"prune": True}), self._edits(), is_atomic=False)
            case "add":
                numbers = self._random.sample(range(NOTES), self._random.randint(1, 4))
                change = {f"note-{number}": text(number, self._version) for number in numbers}
                texts = [Text(content, id=uri, uri=uri) for uri, content in change.items()]
                return Action(Call("add", (texts,)), change)
            case "delete" if notes:
                names = self._random.sample(notes, self._random.randint(1, min(most, len(notes))))
                return Action(Call("delete", (names,)), dict.fromkeys(names))
            case "undelete" if names := sorted(name for name in planned.trash.keys() - planned.known if is_note(name)):
                return Action(Call("undelete", (names[:2],)), {name: planned.trash[name] for name in names[:2]})
            case "compact":
                return Action(Call("compact"), {})
            case "reembed":
                return Action(Call("reembed", (self._random.choice(MODELS),)), {})
        return None

    def _edits(self) -> dict[str, str | None]:
        """Return what a run over the folder has to do."""
        new = {path: content for path, content in self._disk.items() if self._indexed.get(path) != content}
        gone = [uri for uri in self._oracle.known if not is_note(uri) and uri not in self._disk]
        return {**new, **dict.fromkeys(gone)}

    # --- who does it, until it is killed -------------------------------------------------------------------------

    def _work(self) -> tuple[list[Action], int, set[str]]:
        """Let a process work, and kill it; return what it was to do, how much of it was done, and which files."""
        said = self._place / "acknowledged"
        said.unlink(missing_ok=True)
        actions = self._plan(self._random.randint(1, 6), served=False)
        task = Task(self._library, calls=[action.call for action in actions], acknowledge=said)
        process = start(task)
        while not said.exists() and process.is_alive():
            time.sleep(0.002)
        process.join(self._random.uniform(0, self._duration["process"]))
        process.kill()
        process.join()
        self._landed("process", process.exitcode)
        lines = [json.loads(line) for line in said.read_text().splitlines()] if said.exists() else []
        return actions, sum(isinstance(line, int) for line in lines), {line for line in lines if isinstance(line, str)}

    def _serve(self) -> tuple[list[Action], int, set[str]]:
        """Ask the same of a server over HTTP."""
        log = self._place / "log"
        log.unlink(missing_ok=True)
        actions = self._plan(self._random.randint(4, 12), served=True)
        process = start(Task(self._library, "serve", said=log))
        with httpx.Client(base_url=address(log, process), timeout=60, trust_env=False) as client:
            killing = threading.Timer(self._random.uniform(0, self._duration["server"]), process.kill)
            killing.start()
            done = 0
            try:
                for done, action in enumerate(actions):  # noqa: B007
                    ask(client, action.call)
                else:
                    done = len(actions)
            except httpx.TransportError:
                pass
            killing.join()
        process.join()
        self._landed("server", process.exitcode)
        assert "Traceback" not in log.read_text(), log.read_text()
        return actions, done, set()

    def _landed(self, who: str, code: int | None) -> None:
        """Aim the next kill at the middle of the work: later where all was in time, earlier where all was done."""
        assert code in (0, -signal.SIGKILL), f"the {who} ended with {code}"
        in_time = code == -signal.SIGKILL
        self._duration[who] = min(self._duration[who] * (1.1 if in_time else 0.7), 10)
        self.landed += in_time

    # --- what must hold ------------------------------------------------------------------------------------------

    def _settle(self, actions: list[Action], done: int, files: set[str]) -> None:
        """Check the library after a kill: `done` actions were acknowledged, and of the next one `files`."""
        for action in actions[:done]:
            self._acknowledge(action, action.change)
        under_way = actions[done] if done < len(actions) else Action(Call("status"), {})
        if under_way.call.operation == "compact":
            self._oracle.trash.clear()  # they may be gone
        if not under_way.is_atomic:
            self._acknowledge(under_way, {uri: new for uri, new in under_way.change.items() if uri in files})
        open = {uri: new for uri, new in under_way.change.items() if uri not in files}
        try:
            with Library(self._library, models=self._models) as library:
                actual = check_whole(library, self._models)
                self._oracle.settle(actual, open, is_atomic=under_way.is_atomic)
                check_sound(library)
                check_found(library, actual.values())
        except NoLibrary:  # killed before there was one
            self._oracle.settle({}, open, is_atomic=under_way.is_atomic)
        for path, content in self._disk.items():
            if self._oracle.known.get(path) == content:
                self._indexed[path] = content

    def _acknowledge(self, action: Action, change: Mapping[str, str | None]) -> None:
        self._oracle.apply(change)
        if action.call.operation == "compact":
            self._oracle.trash.clear()


def is_note(uri: str) -> bool:
    return uri.startswith("note-")


def address(log: Path, process: Any) -> str:
    """Wait for a server to say where it is."""
    until = time.monotonic() + 120
    while time.monotonic() < until and process.is_alive():
        if log.exists() and (found := re.search(r"http://[\d.:]+", log.read_text("utf-8"))):
            return found[0]
        time.sleep(0.01)
    raise AssertionError(f"the server did not start: {log.read_text('utf-8') if log.exists() else ''}")


def ask(client: httpx.Client, call: Call) -> None:
    """Do over HTTP what a call does."""
    match call.operation:
        case "add":
            documents = [{"text": one.text, "id": one.id, "uri": one.uri} for one in call.arguments[0]]
            response = client.post("/v1/documents", json={"documents": documents})
        case "delete":
            for name in call.arguments[0]:
                response = client.delete(f"/v1/documents/{name}")
        case "undelete":
            response = client.post("/v1/documents/undelete", json={"ids": call.arguments[0]})
    assert response.is_success, response.text


def run(tally: Tally, place: Path, models: FakeModels) -> None:
    """Kill; what hits a process at work counts."""
    crasher = Crasher(tally.seed, place, models)
    while tally.goes_on:
        before = crasher.landed
        with tally.trying(f"round {crasher._rounds + 1}"):
            crasher.round()
        tally.tried -= crasher.landed == before  # what was done before it could be killed is no kill
