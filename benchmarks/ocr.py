"""How well scans are read: character errors by engine, language and condition, seconds a page, and what photos cost.

`python -m benchmarks.ocr [PAGES]`: pages for each language and condition. An engine that is not installed is left out.
"""

from __future__ import annotations

import io
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from benchmarks.corpus import data_folder
from benchmarks.scanned_pages import CONDITIONS, FACES, character_errors, scans
from quarry.indexer.loaders.base import GIBIBYTE, LoadOptions, Scanning
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.indexer.loaders.scans.engines import ENGINES, engine
from quarry.indexer.loaders.scans.likely import LIKELY, SIDE, lines_seen

PAGES = 4
PHOTOS = 300


def main(pages: int) -> None:
    """Print a row for each language and condition, and a line for photos."""
    installed = [one.name for one in ENGINES if engine(one.name)]
    print("| language | condition |" + "".join(f" {name} |" for name in installed))
    print("| --- | --- |" + " ---: |" * len(installed))
    spent = dict.fromkeys(installed, 0.0)
    count = 0
    for language in FACES:
        for condition in CONDITIONS:
            made = list(scans(language, condition, pages))
            count += len(made)
            row = []
            for name in installed:
                before = _seconds()
                errors = [character_errors(text, read) for (text, _), read in zip(made, _read(made, name), strict=True)]
                spent[name] += _seconds() - before
                row.append(f" {100 * sum(errors) / len(errors):.1f}% |")
            print(f"| {language} | {condition} |{''.join(row)}", flush=True)
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print("\nCPU seconds a page:", ", ".join(f"{name} {spent[name] / count:.1f}" for name in installed))
    print(f"The largest process had {largest:,} MiB.")
    _photos()


def _read(made: list[tuple[str, Image.Image]], name: str) -> Iterator[str]:
    """Read pages as they are read in a library: each a page of a PDF, in the confined child."""
    with tempfile.TemporaryDirectory() as folder, Sandbox(timeout=600, memory=3 * GIBIBYTE) as sandbox:
        for number, (_, picture) in enumerate(made):
            path = Path(folder, f"{number}.pdf")
            picture.save(path, "PDF", resolution=max(picture.size) / 11.69)
            found = sandbox.load(path, options=LoadOptions(scans=Scanning(name, (1,))))
            yield " ".join(parsed.text for parsed in found)


def _photos() -> None:
    """Say what it costs to see that photos show no text, and how many are taken to show some."""
    photos = sorted((data_folder() / "flickr8k").rglob("*.jpg"))[:PHOTOS]
    contents = [path.read_bytes() for path in photos]
    before = time.process_time()
    seen = 0
    for content in contents:
        with Image.open(io.BytesIO(content)) as image:
            image.draft("L", (SIDE, SIDE))
            seen += lines_seen(image) >= LIKELY
    each = 1_000 * (time.process_time() - before) / max(1, len(contents))
    print(f"Of {len(contents)} photos {seen} may show text; seeing so takes {each:.1f} ms of CPU each.")


def _seconds() -> float:
    """Return the CPU time of the processes that have ended, and of this one."""
    times = resource.getrusage(resource.RUSAGE_CHILDREN)
    return times.ru_utime + times.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PAGES)
