"""Measure what boilerplate costs a search, and how much of that is won back where it counts for less.

    python -m benchmarks.boilerplate [COLLECTION...]

The documents of a judged collection are put into frames as the world has them: licences, the navigation of sites,
notices and footers of mails, forms, a cookie banner (`boilerplate.jsonl`), which share words with the questions. Each
gets one of them by lot, with a name, a year and a number of its own, and one in six none. The figures are nDCG@10 of
the documents as they are, in their frames without any regard for them, and as they are ranked. What is asked for is in
the documents alone: a frame is never right.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.corpus import COLLECTIONS, data_folder
from quarry.api.members.evaluation import evaluate_folder
from quarry.indexer import boilerplate
from quarry.search.evaluations.rankings import rows_of
from quarry.search.types import MODES

NAMES = "A. Novak|J. Lindqvist|M. Okafor|R. Tanaka|S. Moreau|P. Kowalski|E. Silva|D. Haddad|L. Fischer|K. Nguyen"
UNFRAMED = 2  # as often as each of the frames


def framed(source: Path, folder: Path) -> Path:
    """Write a collection with its documents in frames into a folder, and return that."""
    folder.mkdir()
    shutil.copytree(source / "qrels", folder / "qrels")
    shutil.copy(source / "queries.jsonl", folder)
    frames = [row for _, row in rows_of(Path(__file__).with_name("boilerplate.jsonl"))]
    choose = random.Random(0)
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as file:
        for _, row in rows_of(source / "corpus.jsonl"):
            frame = choose.choice([*frames, *[None] * UNFRAMED])
            if frame is not None:
                own = {
                    "year": choose.randint(1958, 2024),
                    "name": choose.choice(NAMES.split("|")),
                    "number": choose.randint(100, 99_999),
                }
                parts = (frame["head"].format(**own), row["text"], frame["foot"].format(**own))
                row = {**row, "text": "\n\n".join(filter(None, parts))}
            file.write(json.dumps(row) + "\n")
    return folder


def measured(folder: Path) -> dict[str, Any]:
    return {mode: figures["ndcg@10"] for mode, figures in evaluate_folder(folder)["modes"].items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collections", nargs="*", default=COLLECTIONS)
    print("| nDCG@10 | | " + " | ".join(MODES) + " | s |\n|---|---|" + "---|" * (len(MODES) + 1))
    for name in parser.parse_args().collections:
        source = data_folder() / "retrieval" / name
        with tempfile.TemporaryDirectory() as temporary:
            in_frames = framed(source, Path(temporary, name))
            for said, folder, often in (
                ("as they are", source, boilerplate.OFTEN),
                ("in frames, no regard", in_frames, sys.maxsize),
                ("in frames", in_frames, boilerplate.OFTEN),
            ):
                began = time.perf_counter()
                with mock.patch.object(boilerplate, "OFTEN", often):
                    found = measured(folder)
                figures = " | ".join(f"{found[mode]:.3f}" for mode in MODES)
                print(f"| {name} | {said} | {figures} | {time.perf_counter() - began:.0f} |", flush=True)


if __name__ == "__main__":
    main()
