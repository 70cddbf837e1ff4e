"""Passages and pictures in one list: does what exists only as a picture come first as that picture?

Run: python -m benchmarks.relevance          measure, on Flickr8k's test photos and the passages of questions to them,
                                             and draw how far relevance can be relied on: docs/relevance.png
     python -m benchmarks.relevance --fit    fit the constants of `search.relevance` for pictures, on other photos

Those for passages: `benchmarks.evidence`.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import corpus, machine
from benchmarks.diagrams import draw, points
from quarry.api import Library
from quarry.search.language.analysis import query_terms
from quarry.search.models.shipped import shipped
from quarry.search.queries.query import Query
from quarry.search.ranking import pictures
from quarry.search.relevance import CALIBRATIONS, GENERAL, LEAST, Calibration, fit

QUERIES = 400  # of each kind
PASSAGES = 2_000
DEPTH = 10
FEWEST, MOST = 4, 0.3  # pictures of which a word is said that is searched for: so many, and this share of all
NONSENSE = [
    "xyzzy",
    "asdfgh",
    "blorptang",
    "foo",
    "mortgage",
    "vaccines",
    "dictionary",
    "grammar",
    "ibuprofen",
    "inflation",
    "password",
    "algebra",
]
SOURCES = {"val": ("qed", "qamr"), "test": ("qed",)}  # asked to a search engine, and written about a sentence
SAME = 0.7  # cosine between captions, from which a picture that bears one of them is what the other asks for


@dataclass(frozen=True)
class Mixed:
    """A library of pictures and passages, and queries for either with what answers them."""

    captions: dict[str, list[str]]  # by the stem of the picture's file
    questions: list[tuple[str, str]]  # (question, title of the passage)


def collect(split: str, questions: Path, folder: Path) -> Mixed:
    """Lay pictures and passages out in `folder`, under names that give nothing away."""
    source = corpus.data_folder() / "flickr8k"
    captions = {}
    for number, line in enumerate((source / "captions.jsonl").open("rb")):
        row = json.loads(line)
        if row["split"] == split:
            shutil.copy(source / row["image"], folder / f"p{number}.jpg")
            captions[f"p{number}"] = row["captions"]
    texts: dict[str, str] = {}
    asked = []
    sources, taken = SOURCES[split], Counter[str]()
    with gzip.open(questions, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["answers"] and row["source"].startswith(sources) and taken[row["source"]] < PASSAGES / len(sources):
                taken[row["source"]] += row["context"] not in texts
                asked.append((row["question"], texts.setdefault(row["context"], f"t{len(texts)}")))
    for text, name in texts.items():
        (folder / f"{name}.txt").write_text(text, "utf-8")
    return Mixed(captions, asked)


def spread(items: Sequence, count: int) -> list:
    """Return about `count` of the items, evenly."""
    return list(items[:: max(1, len(items) // count)])[:count]


def same_pictures(library: Library, mixed: Mixed, caption: str) -> set[str]:
    """Return the pictures that a caption describes: its own, and those whose captions say the same."""
    encoder = library.searcher.encoder()
    if not hasattr(same_pictures, "known"):
        stems = [stem for stem, own in mixed.captions.items() for _ in own]
        every = [text for own in mixed.captions.values() for text in own]
        same_pictures.known = stems, encoder.encode_queries(every)
    stems, vectors = same_pictures.known
    near = vectors @ encoder.encode_queries([caption])[0] > SAME
    return {stem for stem, is_near in zip(stems, near, strict=True) if is_near}


def general_queries(mixed: Mixed) -> list[tuple[str, set[str]]]:
    """Return words that captions hold, as people type them, and the pictures that any caption says so of."""
    words: dict[str, set[str]] = {}
    for stem, own in mixed.captions.items():
        for term in {term for caption in own for term in query_terms(caption)}:
            words.setdefault(term, set()).add(stem)
    spoken = {term: word for own in mixed.captions.values() for caption in own for term, word in spellings(caption)}
    common = sorted(
        term for term, stems in words.items() if term in spoken and FEWEST <= len(stems) <= len(mixed.captions) * MOST
    )
    return [
        (spoken[term] if number % 2 else f"a {spoken[term]}", words[term])
        for number, term in enumerate(spread(common, QUERIES))
    ]


def spellings(text: str) -> list[tuple[str, str]]:
    """Return (term, word) of the words of a text that are no stop words."""
    return [(found[0], word) for word in text.lower().split() if word.isalpha() and (found := query_terms(word))]


def evidence(library: Library, mixed: Mixed) -> dict[str, list[tuple[float, bool]]]:
    """Return (distance from the null, relevant) of the first pictures, by the name of their calibration."""
    rows: dict[str, list[tuple[float, bool]]] = {"image": [], "general": []}
    wanted = [(caption, same_pictures(library, mixed, caption)) for caption in all_captions(mixed)]
    wanted += [(question, {title}) for question, title in spread(mixed.questions, QUERIES)]
    for text, relevant in [*wanted, *general_queries(mixed)]:
        with library.searcher.view(Query(text, limit=DEPTH)) as view:
            owners = names(library, view)
            seen = pictures.ranked(Query(text, limit=DEPTH), view)
            far = view.spaces["image"].null.distance(seen.scores[:DEPTH])
            rows["image" if len(query_terms(text)) > GENERAL else "general"] += [
                (float(d), owners[id] in relevant) for id, d in zip(seen.ids[:DEPTH].tolist(), far, strict=True)
            ]
    return rows


def nulls(library: Library) -> None:
    """Print what the background queries score on the library, as a prior would have to be."""
    bank = shipped("background.txt").read_text("utf-8").splitlines()
    with library.searcher.view(Query("x")) as view:
        for name, space in view.spaces.items():
            ids = np.concatenate([part.segment.ids for part in space.vectors.parts])
            fitted = fit(space.encoder.encode_queries(bank), space.stored(ids))
            print(f"{name}: in use {space.null}, fitted {fitted}", file=sys.stderr)


def names(library: Library, view: object) -> dict[int, str]:
    """Return the stem of the file that each chunk is from."""
    return {
        id: Path(uri).stem
        for id, uri in view.snapshot.connection.execute(
            "SELECT c.id, d.uri FROM chunks c JOIN documents d ON d.id = c.document_id"
        )
    }


def all_captions(mixed: Mixed) -> list[str]:
    """Return one caption of each of some pictures."""
    return spread([own[number % 5] for number, own in enumerate(mixed.captions.values())], QUERIES)


def logistic(rows: list[tuple[float, bool]]) -> Calibration:
    """Fit a logistic regression by Newton's method, with a little ridge."""
    values = np.array([[1.0, distance] for distance, _ in rows])
    right = np.array([relevant for _, relevant in rows], float)
    weights = np.zeros(2)
    for _ in range(30):
        chance = 1 / (1 + np.exp(-values @ weights))
        curvature = (values * (chance * (1 - chance))[:, None]).T @ values + 1e-2 * np.eye(2)
        weights += np.linalg.solve(curvature, values.T @ (right - chance) - 1e-2 * weights)
    return Calibration(*(round(float(weight), 2) for weight in weights))


def first_hits(library: Library, mixed: Mixed) -> None:
    """Print how often the first hit is of the kind that was asked for, and how often it is the very one."""
    header = ("queries", "first is a picture", "first is a passage", "right among its kind", "right in the mixed list")
    rows = []
    for name, wanted, kind in (
        ("captions", [(text, stem_of(mixed, text)) for text in all_captions(mixed)], "image"),
        ("questions", spread(mixed.questions, QUERIES), "text"),
    ):
        kinds, alone, right = [], [], []
        for text, target in wanted:
            hit = library.search(text, limit=1, min_relevance=0).hits[0]
            only = library.search(text, limit=1, kinds=(kind,), min_relevance=0).hits[0]
            kinds.append(hit.kind)
            right.append(Path(hit.document.uri).stem == target)
            alone.append(Path(only.document.uri).stem == target)
        share = [kinds.count(one) / len(kinds) for one in ("image", "text")]
        rows.append((name, *(f"{figure:.1%}" for figure in (*share, np.mean(alone), np.mean(right)))))
    print(machine.table(header, rows))


def stem_of(mixed: Mixed, caption: str) -> str:
    """Return the picture that bears a caption."""
    return next(stem for stem, own in mixed.captions.items() if caption in own)


def stability(library: Library, mixed: Mixed) -> None:
    """Print how far adding documents that have nothing to do with the queries moves their first hits."""
    asked = [*spread(all_captions(mixed), 60), *(question for question, _ in spread(mixed.questions, 60))]
    before = [{hit.id: hit.relevance for hit in library.search(text, limit=5, min_relevance=0).hits} for text in asked]
    with tempfile.TemporaryDirectory() as folder:
        rows = (json.dumps({"text": text}) for text in corpus.abstracts())
        Path(folder, "abstracts.jsonl").write_text("\n".join(rows), "utf-8")
        library.index(folder)
    moved = []
    for text, known in zip(asked, before, strict=True):
        after = {hit.id: hit.relevance for hit in library.search(text, limit=100, min_relevance=0).hits}
        moved += [abs(after[id] - value) for id, value in known.items() if id in after]
    print(
        f"\nRelevance of the first five hits, with {library.documents(limit=0)[1]:,} documents instead of "
        f"{len(mixed.captions) + PASSAGES:,}: moved by {np.mean(moved):.3f} on the mean, at most {np.max(moved):.3f}; "
        f"{np.mean(np.array(moved) < 0.05):.1%} by less than 0.05"
    )


def reliability(library: Library, mixed: Mixed) -> None:
    """Draw, and print, how many hits of each relevance are right, and what the end of the default list leaves out."""
    rows = evidence(library, mixed)
    series = {}
    for name, kind in (("pictures", "image"), ("pictures by a word or two", "general")):
        values = np.array([float(CALIBRATIONS[kind].of(distance)) for distance, _ in rows[kind]])
        right = np.array([relevant for _, relevant in rows[kind]])
        series[name] = points(values, right)
        kept = values >= LEAST[kind]
        print(
            f"\n{name}: of {len(values):,} hits, {right.sum():,} of them right, the default list keeps "
            f"{kept.mean():.1%}, and {kept[right].mean():.1%} of those that are right"
        )
        print(machine.table(("relevance", "hits", "right"), [(f"{x:.2f}", n, f"{y:.1%}") for x, y, n in series[name]]))
    draw(series, Path("docs/relevance.png"))


def nonsense(library: Library) -> None:
    """Print how many queries that mean nothing here are answered with nothing."""
    asked = shipped("background.txt").read_text("utf-8").splitlines() + NONSENSE
    empty = [not library.search(text, kinds=("image",), min_relevance="meant").hits for text in NONSENSE]
    counts = [len(library.search(text, kinds=("image",), min_relevance="meant").hits) for text in asked]
    print(
        f"\n{np.mean(empty):.0%} of {len(NONSENSE)} words that mean nothing get no picture at all; of ten pictures, "
        f"{np.mean(counts):.1f} are shown on the mean for these and the background queries"
    )


def main(arguments: list[str]) -> None:
    """Measure, or fit."""
    fitting = arguments == ["--fit"]
    qa = corpus.data_folder() / "qa"
    questions = qa / "train.jsonl.gz" if fitting else sorted((qa / "dev").glob("qed*"))[0]
    with tempfile.TemporaryDirectory(prefix="quarry-mixed-") as folder:
        mixed = collect("val" if fitting else "test", questions, Path(folder))
        with tempfile.TemporaryDirectory() as place, Library(place) as library:
            report = library.index(folder)
            print(f"{report.added:,} documents in {report.seconds:.0f} s", file=sys.stderr)
            nulls(library)
            if fitting:
                for name, rows in evidence(library, mixed).items():
                    print(f'    "{name}": {logistic(rows)},')
            else:
                first_hits(library, mixed)
                reliability(library, mixed)
                nonsense(library)
                stability(library, mixed)


if __name__ == "__main__":
    main(sys.argv[1:])
