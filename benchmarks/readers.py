"""Readers: the multilingual one beside the English one, in both languages and across them, and what its scores mean.

Run: python -m benchmarks.readers          measure
     python -m benchmarks.readers --fit    fit `SCALES` of `search.answers.readers`, on every second Korean article

Korean: the articles of korean/korquad/qa.jsonl that training holds out; the last of them are measured with.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np

from benchmarks import corpus, machine
from benchmarks.answers import RIGHT, Seen, by_confidence, find, seen, sets
from quarry.api import Library, Text
from quarry.indexer.training.questions import Row, apart, read_rows
from quarry.indexer.training.reader_recipes import MULTILINGUAL
from quarry.search.answers import answering
from quarry.search.answers.readers import SCALES, ReaderScale
from quarry.search.evaluations import squad
from quarry.search.evaluations.answers import Question, auroc, evaluate_answers, load_questions, read_all
from quarry.search.evaluations.rankings import rows_of
from quarry.search.models.contracts import Reader
from quarry.search.models.loading import load_reader
from quarry.search.models.names import DEFAULT_READER, MULTILINGUAL_READER
from quarry.search.models.pair.parity import bank

ASKED, DEPTH = 64, 4  # questions to a library, and hits of each that are read
NAMES = (DEFAULT_READER, MULTILINGUAL_READER)
# Korean questions about the English passages of `search.models.pair.parity`, in their order, and what answers them.
ACROSS = (
    ("페니실린을 발견한 사람은 누구인가?", "Alexander Fleming"),
    ("박물관은 일요일에 몇 시에 여는가?", "11:30 am"),
    ("연간 라이선스 비용은 얼마인가?", "EUR 12,450.00"),
    ("펌프에서 덜컹거리는 소리가 나면 무엇을 조여야 하나?", "both clamps"),
    ("키가 없으면 어떤 예외가 발생하는가?", "KeyError"),
    ("조약은 어느 도시에서 체결되었나?", "Lisbon"),
    ("대성당의 탑 높이는 얼마인가?", "98 metres"),
    ("그녀가 가면 안 된다고 생각한 곳의 일자리는 어디에 있었나?", "Geneva"),
    ("에탄올의 끓는점은?", "78.4 °C"),
    ("카메라 배터리는 얼마나 오래 가나?", "an hour at most"),
)


def korean() -> list[Row]:
    """Return the Korean rows that training holds out."""
    path = corpus.data_folder() / "korean" / "korquad" / "qa.jsonl"
    return apart(list(read_rows(path, source="korquad")), MULTILINGUAL.held)[1]


def halves(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows of every second article, to fit with, and of the others, to measure with."""
    articles = list(dict.fromkeys(row["id"].partition("-")[0] for row in rows))
    even = set(articles[::2])
    first, second = ([row for row in rows if (row["id"].partition("-")[0] in even) is one] for one in (True, False))
    return first, second


def own_passages(readers: Sequence[Reader], most: int) -> None:
    """Print F1, exact match and AUROC of each set, of its first `most` questions."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        read = {name: [row for _, row in rows_of(path)] for name, path in sets().items()}
        read["korquad, held out"] = korean()
        for name, own in read.items():
            path = Path(folder) / "set.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in own[:most]))
            cells: list[str] = []
            for reader in readers:
                figures = evaluate_answers(path, reader)["modes"]["reader"]
                cells += [f"{figures['f1']:.1%}", f"{figures['em']:.1%}", f"{figures['mismatched_auroc']:.3f}"]
            rows.append((name, len(own[:most]), *cells))
            print(f"{name} done", file=sys.stderr)
    header = [f"{metric}, {name}" for name in ("English", "multilingual") for metric in ("F1", "EM", "AUROC")]
    print(machine.table(("set", "questions", *header), rows))


def across(reader: Reader) -> None:
    """Print how Korean questions about English passages are answered."""
    passages = [passage for _, passage in bank()][: len(ACROSS)]
    asked = [
        Question(question, passage, (answer,)) for (question, answer), passage in zip(ACROSS, passages, strict=True)
    ]
    own = read_all(reader, [(one.text, one.context) for one in asked])
    others = read_all(reader, [(a.text, b.context) for a in asked for b in asked if a is not b])
    f1 = np.mean([squad.best(squad.f1, said, one.answers) for (said, _), one in zip(own, asked, strict=True)])
    scores, theirs = [score for _, score in own], [score for _, score in others]
    of_others = np.percentile(theirs, [5, 50, 95]).round(1).tolist()
    print(
        f"\nKorean questions about {len(asked)} English passages: F1 {f1:.1%}, AUROC {auroc(scores, theirs):.3f}, "
        f"scores {np.round(scores, 1).tolist()}, of other passages {of_others}"
    )


def searched(asked: Sequence[Row], reader: Reader) -> list[list[Seen]]:
    """Return what is found for some questions in a library of their contexts."""
    asked = asked[:: max(1, len(asked) // ASKED)][:ASKED]
    with tempfile.TemporaryDirectory() as folder, Library(folder) as library:
        library.add(
            [Text(text, uri=f"korquad:{n}") for n, text in enumerate(dict.fromkeys(row["context"] for row in asked))]
        )
        found = [(row, *find(library, row["question"])) for row in asked]
    questions = [Question(row["question"], row["context"], tuple(a["text"] for a in row["answers"])) for row in asked]
    return [
        seen(question, asked_, hits[:DEPTH], reader)
        for question, (_, asked_, hits) in zip(questions, found, strict=True)
    ]


def tops(found: Sequence[Sequence[Seen]], scale: ReaderScale) -> list[Seen]:
    """Return the best span of each question, and of every third one without the hits that hold its answer."""
    known = answering.EVIDENCE[DEFAULT_READER]
    asked = [*found, *([hit for hit in hits if not hit.holds] for hits in found[::3])]

    def confidence(one: Seen) -> float:
        score = scale.factor * one.features.score + scale.shift
        return known.confidence(replace(one.features, score=score))

    return [max(hits, key=confidence) for hits in asked if hits]


def fit(found: Sequence[Sequence[Seen]]) -> ReaderScale:
    """Return what brings a reader's scores to those of the default one: a logistic regression by Newton's method."""
    known, scale = answering.EVIDENCE[DEFAULT_READER], ReaderScale()
    for _ in range(5):  # which span is best depends on it
        best = tops(found, scale)
        given = np.array([np.dot(astuple(known), (1, 0, *astuple(one.features)[1:])) for one in best])
        values = np.array([(1.0, one.features.score) for one in best])
        right = np.array([one.f1 >= RIGHT for one in best], float)
        weights = np.array([0.0, known.score])
        for _ in range(30):
            chance = 1 / (1 + np.exp(-values @ weights - given))
            curvature = (values * (chance * (1 - chance))[:, None]).T @ values + 1e-2 * np.eye(2)
            weights += np.linalg.solve(curvature, values.T @ (right - chance))
        scale = ReaderScale(*(round(float(value / known.score), 3) for value in weights[::-1]))
    return scale


def calibration(found: Sequence[Sequence[Seen]], scale: ReaderScale) -> None:
    """Print how often answers of each confidence are right."""
    known = answering.EVIDENCE[DEFAULT_READER]
    best = tops(found, scale)
    confidence = np.array(
        [known.confidence(replace(one.features, score=scale.factor * one.features.score + scale.shift)) for one in best]
    )
    right = np.array([one.f1 >= RIGHT for one in best])
    rows = by_confidence(confidence, right, (0.0, 0.2, 0.5, 0.8, 1.001), digits=1)
    print("\n" + machine.table(("confidence, Korean", "best answers", "mean", "right"), rows))


def speed(readers: Sequence[Reader]) -> None:
    """Print how long ten passages of each language take to read, in turns, and what loading costs."""
    english = load_questions(sets()["qed-nq-dev"])[:200]
    asked = {
        "English": [
            (one.text, [two.context for two in english[place : place + 10]]) for place, one in enumerate(english[:25])
        ],
        "Korean": [
            (row["question"], [two["context"] for two in korean()[place : place + 10]])
            for place, row in enumerate(korean()[:25])
        ],
    }
    rows = []
    for language, questions in asked.items():
        took: list[list[tuple[float, float]]] = [[] for _ in readers]
        for question, passages in questions:
            for times, reader in zip(took, readers, strict=True):
                before, started = time.process_time(), time.perf_counter()
                reader.read(question, passages)
                times.append((time.perf_counter() - started, time.process_time() - before))
        p50 = [np.median(np.array(times[5:]), axis=0) * 1e3 for times in took]
        rows.append(
            (language, *(f"{wall:.0f} ms ({cpu:.0f} of CPU)" for wall, cpu in p50), f"{p50[1][1] / p50[0][1]:.1f}")
        )
    print("\n" + machine.table(("ten passages, p50", "English reader", "multilingual", "CPU, times"), rows))
    rows = []
    for name in NAMES:
        code = (
            "import re, time; before = time.perf_counter()\n"
            "from quarry.search.models.loading import load_reader\n"
            f"load_reader({name!r}).read('훈민정음은 언제 반포되었나', ['1446년에 반포되었다.'])\n"
            # Not by `resource`, which counts what the process was that this one was started by.
            "told = open('/proc/self/status').read()\n"
            "print(time.perf_counter() - before, int(re.search('VmHWM:\\\\s+([0-9]+)', told)[1]) / 1e3)"
        )
        told = [
            subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
            for _ in range(5)
        ]
        seconds, memory = np.median([list(map(float, one.split())) for one in told], axis=0)
        rows.append((name, f"{seconds:.2f} s", f"{memory:.0f} MB"))
    print("\n" + machine.table(("from nothing to a first span", "time", "peak memory of the process"), rows))


def main(arguments: list[str]) -> None:
    """Measure, or fit."""
    readers = [load_reader(name, prepare=True) for name in NAMES]
    fitted, measured = halves(korean())
    if arguments == ["--fit"]:
        found = searched(fitted, readers[1])
        scale = fit(found)
        print("SCALES", scale)
        calibration(found, scale)
        return
    own_passages(readers, int(arguments[0]) if arguments else sys.maxsize)
    across(readers[1])
    calibration(searched(measured, readers[1]), SCALES[MULTILINGUAL_READER])
    speed(readers)
    print(f"\n{machine.description()}, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
