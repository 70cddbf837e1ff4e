"""Answers from receipts, tables, man pages and notes: how many are right, and how many questions are rightly declined.

Run: python -m benchmarks.everyday         the figures of both halves
     python -m benchmarks.everyday tune    every question of a half with its answers, and its figures

The texts and the 60 questions were written for this project. What answers questions was tuned on one half of the texts;
the other half is for the report, but has been looked at on the way (see docs/benchmarks.md).
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
from quarry.search import squad
from quarry.search.types import Answer

FOLDER = Path(__file__).parent
HALVES = ("tune", "report")
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


def asked(library: Library, half: str) -> list[Asked]:
    """Ask the questions of a half of a library that holds the texts of both."""
    rows = [json.loads(line) for line in (FOLDER / "questions.jsonl").read_text("utf-8").splitlines()]
    return [
        Asked(row["question"], tuple(row["answers"]), library.ask(row["question"]).answers)
        for row in rows
        if row["half"] == half
    ]


def share(found: Sequence[Asked], outcome: str, answerable: bool) -> str:
    """Return how many of the questions, with or without an answer, came to `outcome`."""
    of_kind = [one for one in found if bool(one.right) == answerable]
    count = sum(one.outcome == outcome for one in of_kind)
    return f"{count} of {len(of_kind)} ({count / len(of_kind):.0%})"


def main(halves: Sequence[str]) -> None:
    """Index the texts, ask, and print what came of it."""
    with tempfile.TemporaryDirectory() as folder, Library(folder) as library:
        library.index(FOLDER / "texts")
        found = {half: asked(library, half) for half in halves or HALVES}
    for half in halves:
        for one in found[half]:
            said = ", ".join(f"{answer.text!r} {answer.confidence:.2f}" for answer in one.answers)
            print(f"{one.outcome:9}{one.question}  ->  {said or 'none'}  ({' / '.join(one.right) or 'no answer'})")
    rows = [
        (
            half,
            *(share(ones, outcome, True) for outcome in ("right", "wrong", "none")),
            share(ones, "declined", False),
        )
        for half, ones in found.items()
    ]
    print(machine.table(("half", "right", "wrong", "none", "rightly declined"), rows))


if __name__ == "__main__":
    main(sys.argv[1:])
