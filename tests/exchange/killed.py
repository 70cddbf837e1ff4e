"""Replicates a library again and again, killed (SIGKILL) before each change that it makes to the disk.

`python -m tests.exchange.killed SOURCE TARGET` prints how often the old generation was there when it had been killed,
and how often the new one.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from collections import Counter
from pathlib import Path

from quarry.api import Library, Text
from quarry.indexer.exchange.replicating import replicate
from quarry.indexer.exchange.sources import FolderSource
from quarry.indexer.report import NoProgress
from quarry.search.models.fake import FakeModels
from quarry.search.stores.replicas import Replica

_CHANGES = ("os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "shutil.rmtree")


def held(target: Path) -> dict[str, str]:
    """Return the hashes of all files of the generation that is read."""
    replica = Replica.find(target)
    place = replica.current() if replica is not None else None
    if place is None:
        return {}
    files = [path for path in place.rglob("*") if path.is_file() and not path.name.endswith((".lock", "in-use"))]
    return {str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def run(source: Path, target: Path, kill_at: int) -> bool:
    """Replicate in another process, which is killed before its nth change; return whether it came to its end."""
    if (child := os.fork()) == 0:
        changes = 0

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal changes
            if event in _CHANGES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT):
                changes += 1
                if changes == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        code = 1
        try:
            sys.addaudithook(count)
            replicate(FolderSource(source), target, NoProgress())
            code = 0
        finally:
            os._exit(code)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended in (0, -signal.SIGKILL), ended
    return ended == 0


def main(source: Path, target: Path) -> None:
    """Kill it at every change, of a first replication and of later ones."""
    found: Counter[str] = Counter()
    assert run(source, target, 0)
    old = held(target)
    with Library(source, models=FakeModels()) as library:
        library.add([Text("a text about rivers", id="rivers"), Text("a text about lakes", id="lakes")])
    assert run(source, target.with_name("whole"), 0)
    new = held(target.with_name("whole"))
    assert old != new
    kill_at = 1
    while not run(source, target, kill_at):
        now = held(target)
        assert now in (old, new), {name for name in now.keys() | new.keys() if now.get(name) != new.get(name)}
        found["new" if now == new else "old"] += 1
        kill_at = 1 if now == new and found["new"] == 1 else kill_at + 1  # what is left to do then is tidying up
    assert held(target) == new
    assert not list(target.glob("incoming/*")) and len(list(target.glob("generations/*"))) == 1
    print(found["old"], found["new"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
