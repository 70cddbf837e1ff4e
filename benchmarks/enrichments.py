"""What each embedded enrichment takes: documents a second beside plain use of the same model or rules, its share of
indexing, and memory. OCR and speech are measured by `benchmarks.ocr` and `benchmarks.speech`.

Run: python -m benchmarks.enrichments
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import machine
from benchmarks.corpus import abstracts, data_folder
from benchmarks.labels import pixels_of, spread
from quarry.indexer.enrichments.entities import FINDERS, Entities
from quarry.indexer.enrichments.labels import Labels
from quarry.indexer.enrichments.language import Language
from quarry.indexer.enrichments.minhashes import SHINGLE, MinHashes
from quarry.indexer.enrichments.tags import Tags
from quarry.search.models.auto.serving import portions
from quarry.search.models.live import NamedModels
from quarry.search.models.names import DEFAULT_IMAGE_MODEL, DEFAULT_TEXT_MODEL
from quarry.search.relevance import PRIORS
from quarry.search.stores.rows.label_sets import LabelSet
from quarry.search.stores.spaces import Space

TEXTS, PHOTOS, TIMES = 1_000, 120, 5
TOGETHER = 16  # pictures
LABELS = ("medicine", "computer science", "library science", "aerodynamics", "electronics")
_INDEX = (
    "import sys; from pathlib import Path; from quarry.api.library import Library\n"
    "with Library(Path(sys.argv[1], 'library')) as library: print(library.index(Path(sys.argv[1], 'root')).added)"
)


@dataclass(frozen=True)
class Row:
    """An enrichment, and what does plainly what it does.

    Args:
        is_beside: whether that is done anyway, by a pass that both share, so that only what is beyond it counts.
    """

    name: str
    ours: Callable[[], object]
    plain: Callable[[], object]
    what: str
    of: str = "texts"
    is_beside: bool = False


@contextmanager
def most_memory() -> Iterator[list[int]]:
    """Give a list that has, after the block, how many bytes this process had at most beyond what it had before."""
    process, ended, found = psutil.Process(), threading.Event(), [0]
    before = process.memory_info().rss

    def watch() -> None:
        while not ended.wait(0.01):
            found[0] = max(found[0], process.memory_info().rss - before)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def taken(do: Callable[[], object]) -> float:
    """Return the least processor time of some runs, after one that counts for none."""
    do()
    found = []
    for _ in range(TIMES):
        started = time.process_time()
        do()
        found.append(time.process_time() - started)
    return min(found)


def indexing(files: Sequence[tuple[str, bytes]]) -> float:
    """Return the processor time of `quarry index`, with all its processes, for a file."""
    with tempfile.TemporaryDirectory(prefix="quarry-bench-") as folder:
        Path(folder, "root").mkdir()
        for name, data in files:
            Path(folder, "root", name).write_bytes(data)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = subprocess.run([sys.executable, "-c", _INDEX, folder], check=True, capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert int(run.stdout) == len(files), run.stdout
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / len(files)


def rows(texts: list[str], photos: list[Any]) -> list[Row]:
    """Return what is measured."""
    live = NamedModels()
    encoder, seeing = live.text(DEFAULT_TEXT_MODEL, prepare=True), live.image(DEFAULT_IMAGE_MODEL, prepare=True)
    language, minhashes, tags = Language(), MinHashes(), Tags(lambda: seeing)
    space = Space(1, "text", "text", encoder.identity, encoder.card.name, encoder.dimension)
    labels = Labels(
        LabelSet("label", "", tuple((label, "") for label in LABELS)),
        [space],
        lambda _: encoder,
        {"text": PRIORS[encoder.card.name]},
    )
    vectors = np.concatenate([encoder.encode_documents(texts[at : at + 64]) for at in range(0, len(texts), 64)])
    items = [[("text", vector)] for vector in vectors]
    told = encoder.encode_queries(list(LABELS))

    def shingled() -> None:
        import rensa

        for text in texts:
            sketch = rensa.RMinHash(num_perm=128, seed=1)
            sketch.update([text[at : at + SHINGLE] for at in range(len(text) - SHINGLE)])
            sketch.digest()

    def classified() -> None:
        import py3langid

        for text in texts:
            py3langid.classify(text)

    def every_rule() -> None:
        for text in texts:
            for find in FINDERS.values():
                list(find(text))

    def embedded() -> None:
        for some in portions(photos, TOGETHER):
            seeing.encode_pictures(some)

    def tagged() -> None:
        for some in portions(photos, TOGETHER):
            tags.enrich(some)
            seeing.encode_pictures(some)

    return [
        Row("language", lambda: language.enrich(texts), classified, "py3langid over the whole text"),
        Row("entities", lambda: Entities().enrich(texts), every_rule, "the same rules, each over every text"),
        Row("sketches of copies", lambda: minhashes.enrich(texts), shingled, "rensa, a text at a time"),
        Row("labels, 5", lambda: labels.enrich(items), lambda: vectors @ told.T, "the product of the vectors"),
        Row("tags, with embedding", tagged, embedded, "embedding alone", "photos", is_beside=True),
    ]


def main() -> None:
    """Print the table."""
    print(machine.description(), file=sys.stderr)
    texts = spread([text for text in abstracts() if len(text) > 200], TEXTS)
    names = [json.loads(line)["image"] for line in (data_folder() / "flickr8k" / "captions.jsonl").open("rb")]
    names = spread(names, PHOTOS)
    photos = [pixels_of(name) for name in names]
    whole = {
        "texts": indexing([(f"{number}.txt", text.encode()) for number, text in enumerate(texts)]),
        "photos": indexing([(Path(name).name, (data_folder() / "flickr8k" / name).read_bytes()) for name in names]),
    }
    table = []
    for row in rows(texts, photos):
        count = len(texts) if row.of == "texts" else len(photos)
        with most_memory() as found:
            ours = taken(row.ours)
        plain = taken(row.plain)
        table.append((
            row.name, row.of, f"{count / ours:,.0f}", f"{count / plain:,.0f} ({row.what})", f"{plain / ours:.2f}",
            f"{(ours - row.is_beside * plain) / count / whole[row.of]:.1%}", f"{found[0] / 1e6:,.0f} MB",
        ))  # fmt: skip
    header = ("enrichment", "of", "documents/s", "plainly", "times as fast", "of indexing", "memory")
    print(machine.table(header, table))
    said = ", ".join(f"one of {kind} in {seconds * 1e3:.1f} ms" for kind, seconds in whole.items())
    print(f"\nProcessor time, one thread. All of indexing: {said}.")


if __name__ == "__main__":
    main()
