"""The passages that the benchmarks index: real text, from the folder in `QUARRY_TEST_DATA`."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quarry.search.types import Ids

COLLECTIONS = ("cranfield", "cisi", "cacm", "npl", "medline")


def data_folder() -> Path:
    """Return the folder of test data; end the program with a sentence where there is none."""
    folder = os.environ.get("QUARRY_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        sys.exit("Set QUARRY_TEST_DATA to the folder of test data (retrieval/, qa/, flickr8k/).")
    return Path(folder)


def abstracts() -> Iterator[str]:
    """Yield the documents of the five judged collections: title and text, 20 to 400 words."""
    for name in COLLECTIONS:
        for line in (data_folder() / "retrieval" / name / "corpus.jsonl").open("rb"):
            row = json.loads(line)
            if text := f"{row['title']} {row['text']}".strip():
                yield text


def short_passages() -> Iterator[str]:
    """Yield 100,000 and more short passages of many subjects: captions, questions, and the abstracts."""
    seen = set()
    for text in (*abstracts(), *captions(), *_questions()):
        if text not in seen:
            seen.add(text)
            yield text


def queries() -> list[str]:
    """Return the judged queries of the five collections."""
    found = []
    for name in COLLECTIONS:
        for line in (data_folder() / "retrieval" / name / "queries.jsonl").open("rb"):
            found.append(json.loads(line)["text"])
    return found


def questions(count: int) -> list[str]:
    """Return questions that people asked a search engine, none of which is among the passages."""
    found = []
    for path in sorted((data_folder() / "qa" / "dev").iterdir()):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            found += [json.loads(line)["question"] for line in file]
    return found[:: max(1, len(found) // count)][:count]


def captions() -> Iterator[str]:
    """Yield the captions of photos."""
    for line in (data_folder() / "flickr8k" / "captions.jsonl").open("rb"):
        yield from json.loads(line)["captions"]


def _questions() -> Iterator[str]:
    with gzip.open(data_folder() / "qa" / "train.jsonl.gz", "rb") as file:
        for line in file:
            yield json.loads(line)["question"]


@dataclass(frozen=True)
class Meaning:
    """The vectors of all passages, by id, and that of a query."""

    vectors: np.ndarray
    query: np.ndarray

    def stored(self, ids: Ids) -> np.ndarray:
        return self.vectors[ids]

    def scores(self, stored: np.ndarray) -> np.ndarray:
        return np.asarray(stored @ self.query, np.float32)
