from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from quarry.search.errors import FileMalformed, NotFound
from quarry.search.evaluations.rankings import (
    METRICS,
    JudgedDocument,
    best_passages,
    evaluate,
    interval,
    is_collection,
    load_collection,
    score,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    documents = [{"_id": f"d{i}", "title": f"title {i}", "text": f"text {i}"} for i in range(4)]
    documents.append({"_id": "empty"})
    queries = [{"_id": "q1", "text": "first"}, {"_id": "q2", "text": "second"}, {"_id": "unjudged", "text": "third"}]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in documents))
    (tmp_path / "queries.jsonl").write_text("\n".join(json.dumps(row) for row in queries))
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td3\t1\n")
    (tmp_path / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\td0\t2\nq1\td1\t1\nq1\td2\t0\nq2\td3\t1\nunknown\td1\t1\nunjudged\td1\t0\n"
    )
    return tmp_path


def test_a_collection_is_read(folder: Path) -> None:
    collection = load_collection(folder)
    assert is_collection(folder)
    assert collection.queries == {"q1": "first", "q2": "second"}
    assert collection.judgements == {"q1": {"d0": 2, "d1": 1, "d2": 0}, "q2": {"d3": 1}}
    assert list(collection.documents())[3:] == [
        JudgedDocument("d3", "title 3", "text 3"),
        JudgedDocument("empty", "", ""),
    ]


@pytest.mark.parametrize(
    ("file", "content", "error", "message"),
    [
        ("queries.jsonl", None, NotFound, "queries.jsonl"),
        ("qrels/test.tsv", None, NotFound, "dev"),
        ("queries.jsonl", "{", FileMalformed, "line 1"),
        ("queries.jsonl", "[]", FileMalformed, "object"),
        ("queries.jsonl", '{"text": "no id"}', FileMalformed, "_id"),
        ("qrels/test.tsv", "q1\td1", FileMalformed, "line 1"),
        ("qrels/test.tsv", "q1\td1\thigh", FileMalformed, "line 1"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t0", FileMalformed, "no document relevant"),
    ],
)
def test_what_is_wrong_with_a_collection_is_named(
    folder: Path, file: str, content: str | None, error: type[Exception], message: str
) -> None:
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(content)
    if message == "dev":  # the only judgements left are taken, whatever they are called
        assert load_collection(folder).judgements == {"q1": {"d3": 1}}
        (folder / "qrels" / "dev.tsv").unlink()
        message = "no judgements"
    with pytest.raises(error, match=message):
        load_collection(folder)


def test_metrics_are_those_of_the_textbook(folder: Path) -> None:
    judgements = load_collection(folder).judgements
    values = score(judgements, {"q1": [("d2", 9.0), ("d1", 5.0), ("d0", 5.0)], "q2": []})
    assert set(values) == set(METRICS)
    gained = 1 / math.log2(3) + 2 / math.log2(4)
    np.testing.assert_allclose(values["ndcg@10"], [gained / (2 + 1 / math.log2(3)), 0])
    np.testing.assert_allclose(values["map"], [(1 / 2 + 2 / 3) / 2, 0])
    np.testing.assert_allclose(values["mrr"], [1 / 2, 0])
    np.testing.assert_allclose(values["recall@10"], [1, 0])
    assert all((column == 0).all() for column in score(judgements, {}).values())


def test_equal_scores_stay_in_the_order_given() -> None:
    judgements = {"q": {"z": 1}}
    assert score(judgements, {"q": [("z", 1.0), ("a", 1.0)]})["mrr"] == [1.0]
    assert score(judgements, {"q": [("a", 1.0), ("z", 1.0)]})["mrr"] == [0.5]


def test_intervals_hold_the_mean_and_narrow_with_more_queries() -> None:
    values = np.random.default_rng(0).random(40)
    low, high = interval(values)
    assert low < values.mean() < high
    assert interval(values) == (low, high)
    wide, narrow = interval(values, 0.99), interval(np.tile(values, 25))
    assert wide[0] < low < narrow[0] < narrow[1] < high < wide[1]
    # For a mean of many values it is the normal one: 1.96 standard errors to each side.
    assert high - low == pytest.approx(2 * 1.96 * values.std() / math.sqrt(40), rel=0.05)
    assert interval(np.ones(5)) == (1.0, 1.0)
    assert interval(np.empty(0)) == (0.0, 0.0)


def test_a_document_ranks_by_its_best_passage() -> None:
    assert best_passages([("a", 3.0), ("b", 2.5), ("a", 2.0), ("b", 2.9), ("c", 2.5)]) == [
        ("a", 3.0),
        ("b", 2.9),
        ("c", 2.5),
    ]
    assert best_passages([]) == []


def test_a_report_has_every_mode_and_metric(folder: Path) -> None:
    answers = {("good", "first"): [("d0", 2.0), ("d1", 1.0)], ("good", "second"): [("d3", 1.0)]}
    report = evaluate(load_collection(folder), lambda mode, text: answers.get((mode, text), []), ["good", "bad"])
    assert report["queries"] == 2
    assert set(report["modes"]) == {"good", "bad"}
    assert report["modes"]["good"]["ndcg@10"] == 1.0
    assert report["modes"]["good"]["ndcg@10_interval"] == [1.0, 1.0]
    assert all(value in (0.0, [0.0, 0.0]) for value in report["modes"]["bad"].values())
    json.dumps(report, allow_nan=False)
