"""Answers from receipts, tables, man pages and notes: how many are right, and how many questions are rightly declined.

Run: python -m benchmarks.everyday         the figures of the three splits
     python -m benchmarks.everyday tune    every question of a split with its answers, and its figures

The texts and the 100 questions were written for this project. What answers questions was tuned on the split `tune`;
`report` was looked at on the way, and `unseen` was run unseen once, then mended by (see docs/benchmarks.md).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine
from quarry.api import Library
from quarry.search.evaluations import squad
from quarry.search.types import Answer

FOLDER = Path(__file__).parent
SPLITS = ("tune", "report", "unseen")
RIGHT = 0.5  # F1 from which an answer is right


@dataclass(frozen=True)
class Asked:
    """A question, its right answers (none where the texts hold none), and what was answered."""

    question: str
    right: tuple[str, ...]
    answers: Sequence[Answer]

    @property
    def outcome(self) -> str:
        """What came of it: right, wrong or none; declined or answered where there is no answer."""
        if not self.right:
            return "answered" if self.answers else "declined"
        if not self.answers:
            return "none"
        return "right" if squad.best(squad.f1, self.answers[0].text, self.right) >= RIGHT else "wrong"


def asked(library: Library, split: str) -> list[Asked]:
    """Ask the questions of a split of a library that holds the texts of all."""
    rows = [json.loads(line) for line in (FOLDER / "questions.jsonl").read_text("utf-8").splitlines()]
    return [
        Asked(row["question"], tuple(row["answers"]), library.ask(row["question"]).answers)
        for row in rows
        if row["split"] == split
    ]


def share(found: Sequence[Asked], outcome: str, answerable: bool) -> str:
    """Return how many of the questions, with or without an answer, came to `outcome`."""
    of_kind = [one for one in found if bool(one.right) == answerable]
    count = sum(one.outcome == outcome for one in of_kind)
    return f"{count} of {len(of_kind)} ({count / len(of_kind):.0%})"


def main(splits: Sequence[str]) -> None:
    """Index the texts, ask, and print what came of it."""
    with tempfile.TemporaryDirectory() as folder, Library(folder) as library:
        library.index(FOLDER / "texts")
        found = {split: asked(library, split) for split in splits or SPLITS}
    for split in splits:
        for one in found[split]:
            said = ", ".join(f"{answer.text!r} {answer.confidence:.2f}" for answer in one.answers)
            print(f"{one.outcome:9}{one.question}  ->  {said or 'none'}  ({' / '.join(one.right) or 'no answer'})")
    rows = [
        (
            split,
            *(share(ones, outcome, True) for outcome in ("right", "wrong", "none")),
            share(ones, "declined", False),
        )
        for split, ones in found.items()
    ]
    print(machine.table(("split", "right", "wrong", "none", "rightly declined"), rows))


if __name__ == "__main__":
    main(sys.argv[1:])
