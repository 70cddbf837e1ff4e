from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quarry.search.errors import FileMalformed, NotFound
from quarry.search.evaluations.answers import Question, auroc, evaluate_answers, load_questions, mismatched
from quarry.search.evaluations.rankings import rows_of
from quarry.search.models.fake import FakeReader


def row(question: str, context: str, *answers: str) -> dict[str, Any]:
    return {
        "question": question,
        "context": context,
        "answers": [{"text": answer, "start": context.index(answer)} for answer in answers],
    }


ROWS = [
    row("Which river?", "We saw the blue Nile.", "blue Nile", "the blue Nile"),
    row("How high?", "The tower is 98 metres high.", "98 metres"),
    row("Who came?", "Then Ada Hale came.", "Ada Hale"),
    row("Why?", "Nobody knows."),
]
SAYS = {"blue Nile": 5.0, "98": 3.0, "Then": 1.0, "Nobody": 2.0}


def write(path: Path, lines: list[Any]) -> Path:
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["set.jsonl", "set.jsonl.gz"])
def test_figures_are_those_worked_out_by_hand(tmp_path: Path, name: str) -> None:
    told: list[int] = []
    report = evaluate_answers(write(tmp_path / name, ROWS), FakeReader(SAYS), told.append)
    assert (report["collection"], report["queries"]) == (name, 4)
    assert sum(told) == 4
    figures = report["modes"]["reader"]
    assert figures["em"] == pytest.approx(1 / 3)
    assert figures["f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    # Own passages score 5, 3, 1; those of another question, one on, 3, 1, 5.
    assert figures["mismatched_auroc"] == pytest.approx(0.5)
    assert figures["unanswerable_auroc"] == pytest.approx(2 / 3)
    assert figures["em_interval"][0] <= figures["em"] <= figures["em_interval"][1]
    json.dumps(report, allow_nan=False)


def test_a_reader_that_finds_nothing_scores_nothing(tmp_path: Path) -> None:
    figures = evaluate_answers(write(tmp_path / "set.jsonl", ROWS[:3]), FakeReader({}))["modes"]["reader"]
    assert (figures["f1"], figures["em"], figures["mismatched_auroc"]) == (0.0, 0.0, 0.5)
    assert "unanswerable_auroc" not in figures


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{\n", "line|JSON Lines"),
        ("[]\n", "line 2: expected an object"),
        ({"question": "Why?", "context": "So."}, "line 2: expected question, context and answers"),
        ({**ROWS[0], "answers": [{"text": "Nile"}]}, "line 2: expected question, context and answers"),
        ({**ROWS[0], "answers": "Nile"}, "line 2: expected question, context and answers"),
        ({**ROWS[0], "answers": None}, "line 2: expected question, context and answers"),
        ({**ROWS[0], "question": 5}, "line 2"),
        ({**ROWS[0], "context": ["We", "saw"]}, "line 2"),
        ({**ROWS[0], "answers": [{"text": "Nile", "start": 0}]}, "line 2: an answer does not stand where it says"),
        ({**ROWS[0], "answers": [{"text": "We", "start": "0"}]}, "line 2"),
        ({**ROWS[0], "answers": [{"text": ".", "start": -1}]}, "line 2: an answer does not stand where it says"),
        ({**ROWS[0], "answers": [{"text": "", "start": 0}]}, "line 2: an answer does not stand where it says"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_row_that_is_something_else_is_named(tmp_path: Path, line: Any, said: str, suffix: str) -> None:
    path = write(tmp_path / f"set.jsonl{suffix}", [ROWS[0], line])
    with pytest.raises(FileMalformed, match=said) as error:
        load_questions(path)
    assert str(path) in str(error.value)


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"there is no file .*nothing\.jsonl"):
        load_questions(tmp_path / "nothing.jsonl")
    torn = tmp_path / "torn.jsonl.gz"
    torn.write_bytes(gzip.compress(json.dumps(ROWS[0]).encode() * 100)[:-20])
    with pytest.raises(FileMalformed, match="JSON Lines"):
        load_questions(torn)
    packed = bytearray(gzip.compress(json.dumps(ROWS[0]).encode() * 100))
    packed[15] ^= 0xFF
    torn.write_bytes(packed)
    with pytest.raises(FileMalformed, match="JSON"):
        load_questions(torn)
    (tmp_path / "latin.jsonl").write_bytes(b'{"question": "\xff"}\n')
    with pytest.raises(FileMalformed, match="JSON Lines"):
        load_questions(tmp_path / "latin.jsonl")
    with pytest.raises(FileMalformed, match="no question with an answer"):
        load_questions(write(tmp_path / "none.jsonl", ROWS[3:]))


def test_blank_lines_and_a_byte_order_mark_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_bytes(b"\xef\xbb\xbf\n" + json.dumps(ROWS[1]).encode() + b"\n\n")
    assert [number for number, _ in rows_of(path)] == [2]
    assert load_questions(path) == [Question("How high?", ROWS[1]["context"], ("98 metres",))]


def test_mismatched_passages_are_of_other_questions() -> None:
    questions = [Question(str(n), context, ("x",)) for n, context in enumerate("aabc")]
    assert mismatched(questions) == [("0", "b"), ("1", "c"), ("2", "a"), ("3", "a")]
    assert mismatched([Question(str(n), "a" if n % 2 else "b", ("x",)) for n in range(6)]) == [
        ("0", "a"), ("1", "b"), ("2", "a"), ("3", "b"), ("4", "a"), ("5", "b"),
    ]  # fmt: skip


def test_auroc_is_the_share_of_pairs_in_order() -> None:
    random = np.random.default_rng(0)
    positive, negative = random.integers(0, 6, 40).tolist(), random.integers(-2, 5, 30).tolist()
    pairs = [(p > n) + (p == n) / 2 for p in positive for n in negative]
    assert auroc(positive, negative) == pytest.approx(sum(pairs) / len(pairs))
    assert auroc([1.0], [-np.inf, 1.0]) == 0.75
    assert auroc([], [1.0]) == auroc([1.0], []) == 0.5
