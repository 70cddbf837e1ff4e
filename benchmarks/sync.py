"""What a run costs over a tree in which nothing has changed, and over one in which a folder was renamed.

The reference is `git status` on the same tree, which answers the same question. Vectors play no part in it, so that the
library is made with pseudo-random ones.

Run: python -m benchmarks.sync [FILES]
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import machine
from quarry.api.library import Library
from quarry.indexer.report import Report
from quarry.search.models.fake import FakeModels

RUNS = 5
_SUBJECTS = ["stars", "rivers", "bread", "glass", "bridges", "birds", "maps", "steel", "cotton", "salt"]


def write_tree(root: Path, count: int) -> None:
    """Write small text files, a hundred to a folder."""
    for number in range(count):
        folder = root / f"part-{number // 1000:02}" / f"{number // 100:04}"
        folder.mkdir(parents=True, exist_ok=True)
        subject = _SUBJECTS[number % len(_SUBJECTS)]
        (folder / f"note-{number:05}.md").write_text(f"# Note {number}\n\nThis is note {number}, about {subject}.\n")


def timed(command: list[str]) -> float:
    """Run a command and return its seconds."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def row(name: str, seconds: list[float]) -> tuple[str, str, str]:
    """Return median and worst of some runs."""
    return name, f"{statistics.median(seconds):.2f}", f"{max(seconds):.2f}"


def main(count: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="quarry-bench-") as folder:
        root, directory = Path(folder, "root"), Path(folder, "library")
        write_tree(root, count)
        time.sleep(3)  # a file younger than the clock of a file system is coarse is hashed once more

        def index() -> Report:
            with Library(directory, models=FakeModels()) as library:
                return library.index(root)

        first = index()
        assert first.added == count, first
        command = [sys.executable, "-m", "quarry.api.cli", "index", "--library", str(directory)]
        rows = [
            ("`quarry index`, first run, pseudo-random vectors", f"{first.seconds:.1f}", ""),
            row("`quarry index`, nothing changed", [timed(command) for _ in range(RUNS)]),
            row("the same with `--verify`", [timed([*command, "--verify"]) for _ in range(RUNS)]),
        ]
        if git := shutil.which("git"):
            subprocess.run([git, "-C", str(root), "init", "-q"], check=True)
            subprocess.run([git, "-C", str(root), "add", "."], check=True)
            rows.append(row("`git status`", [timed([git, "-C", str(root), "status"]) for _ in range(RUNS)]))
        (root / "part-00").rename(root / "renamed")
        report = index()
        assert (report.moved, report.embedded) == (min(count, 1000), 0), report
        rows.append((f"{report.moved:,} files moved, followed", f"{report.seconds:.2f}", ""))
    print(f"{count:,} files, whole processes, {RUNS} runs each; {machine.description()}\n")
    print(machine.table(("run", "median s", "worst s"), rows))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
