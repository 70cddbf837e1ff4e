"""Small files of several kinds a second, from a folder to a searchable library, against txtai with its Textractor.

Run: python -m benchmarks.mixed [FILES] (10,000; the CPU time says more than the clock where other work goes on).
Textractor reads what needs neither Java nor a model: without a backend, texts, Markdown and HTML. So these are the
files. Each side reads the same folder in a process of its own; both have their model loaded before the clock starts.
"""

from __future__ import annotations

import html
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import corpus, machine, txtai_index
from quarry.api import Library
from quarry.indexer.texts import Text

FOLDER = 250  # files of one


def write(folder: Path, count: int) -> None:
    """Write texts, notes in Markdown and pages, a third of each, of real abstracts."""
    texts = [text for text in corpus.abstracts() if len(text) > 200]
    for number in range(count):
        text = f"{texts[number % len(texts)]} ({number})"
        title, inner = text[:40], folder / f"{number // FOLDER:03}"
        inner.mkdir(exist_ok=True)
        suffix, written = (
            ("txt", text),
            ("md", f"---\ntags: [a, b]\n---\n# {title}\n\n{text}\n\n- one\n- two\n"),
            ("html", f"<!doctype html><title>{html.escape(title)}</title><nav>Home</nav><p>{html.escape(text)}</p>"),
        )[number % 3]
        (inner / f"{number}.{suffix}").write_text(written, "utf-8")


def ours(folder: Path) -> tuple[float, float]:
    """Return the seconds that indexing a folder takes, by the clock and of CPU."""
    with tempfile.TemporaryDirectory() as place, Library(Path(place, "library")) as library:
        library.add([Text("Loads the model.")])
        before = _cpu()
        started = time.perf_counter()
        library.index(folder)
        took = time.perf_counter() - started
    return took, _cpu() - before  # the parsers have ended by now, and count


def txtai(folder: Path) -> tuple[float, float]:
    """Return the same of txtai, set up as its documentation has it: paragraphs of files under their paths."""
    from txtai.pipeline import Textractor

    embeddings = txtai_index.open_txtai()
    txtai_index.index(embeddings, ["Loads the model."])
    extract = Textractor(paragraphs=True, backend=None)
    before = _cpu()
    started = time.perf_counter()
    paths = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]  # noqa: PTH118
    embeddings.index((f"{path}#{n}", part, None) for path in paths for n, part in enumerate(extract(path)))
    return time.perf_counter() - started, _cpu() - before


def _cpu() -> float:
    times = os.times()
    return sum(times[:4])


def main(count: int = 10_000) -> None:
    """Print the table: both, one after the other."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(os.path.realpath(place))
        write(folder, count)
        taken = {}
        for name in ("txtai", "ours"):
            run = [sys.executable, "-m", "benchmarks.mixed", name, str(folder)]
            taken[name] = [float(each) for each in subprocess.check_output(run, text=True).split()[-2:]]
    print(f"{count:,} files; {machine.description()}\n")
    rows = [
        (what, f"{count / reference:.1f}", f"{count / ours:.1f}", f"{reference / ours:.2f}x")
        for what, reference, ours in zip(("by the clock", "of CPU"), taken["txtai"], taken["ours"], strict=True)
    ]
    print(machine.table(("second", "txtai files", "Quarry files", "ratio"), rows))


if __name__ == "__main__":
    if sys.argv[1:2] in (["ours"], ["txtai"]):
        print(*{"ours": ours, "txtai": txtai}[sys.argv[1]](Path(sys.argv[2])))
    else:
        main(*map(int, sys.argv[1:]))
