import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.search.errors import FileMalformed, NotFound
from quarry.search.evaluations.rouge import ROUGE_METRICS, rouge
from quarry.search.evaluations.summaries import evaluate_summaries, is_summaries, load_summaries
from quarry.search.models.loading import load_text_encoder
from tests.measuring_data import DATA, needs_data

WORDS = st.lists(st.sampled_from(["well", "water", "deep", "stone", "rope"]), max_size=12).map(" ".join)

# By rouge-score 0.1.2, without and with its stemmer. It is not installed for the tests: it has had no release since
# 2022, is no wheel, and pulls in NLTK. Over 180 pairs of documents and summaries it and this differ by nothing without
# stemming; with it, by at most 0.018 in 6 pairs, since NLTK adds rules of its own to Porter's.
BY_ROUGE_SCORE = [
    (
        "The cat was found under the bed.",
        "The tiny little cat was hiding under the big funny bed.",
        (0.666667, 0.25, 0.666667),
        (0.666667, 0.25, 0.666667),
    ),
    ("Police killed the gunman.", "The gunman killed police, police said.", (0.8, 0.25, 0.4), (0.8, 0.25, 0.4)),
    (
        "Mixed-precision training reduces memory use by 50% (on GPUs).",
        "We reduce the memory of training runs by 50%, running on a GPU.",
        (0.434783, 0.095238, 0.347826),
        (0.608696, 0.095238, 0.521739),
    ),
    (
        "It's raining; it has been raining all day.",
        "It rains and rains and rained.",
        (0.133333, 0.0, 0.133333),
        (0.4, 0.0, 0.4),
    ),
    ("Nothing in common here", "quite another sentence", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
]


@pytest.mark.parametrize(("summary", "reference", "plain", "stemmed"), BY_ROUGE_SCORE)
def test_figures_are_those_of_rouge_score(
    summary: str, reference: str, plain: tuple[float, ...], stemmed: tuple[float, ...]
) -> None:
    assert tuple(rouge(summary, [reference]).values()) == pytest.approx(plain, abs=1e-6)
    assert tuple(rouge(summary, [reference], stem=True).values()) == pytest.approx(stemmed, abs=1e-6)


def test_the_best_reference_counts() -> None:
    assert rouge("a deep well", ["something else", "a deep well"]) == dict.fromkeys(ROUGE_METRICS, 1.0)
    assert rouge("a deep well", []) == rouge("", ["a"]) == rouge("", [""]) == dict.fromkeys(ROUGE_METRICS, 0.0)


def test_korean_is_compared_by_characters() -> None:
    assert rouge("우물이 깊다", ["우물은 깊다"])["rouge1"] == pytest.approx(0.8)


@given(WORDS, WORDS)
def test_the_longest_common_subsequence_is_that_of_the_table(first: str, second: str) -> None:
    a, b = first.split(), second.split()
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if one == other else max(table[i][j + 1], table[i + 1][j])
    expected = 2 * table[-1][-1] / (len(a) + len(b)) if table[-1][-1] else 0.0
    assert rouge(first, [second])["rougeL"] == pytest.approx(expected)


# --- whole sets -----------------------------------------------------------------------------------------------------


def write(path: Path, *rows: object) -> Path:
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


ROW = {"document": "A well is deep. It rains. Frogs live in wells. Frogs sing.", "summaries": ["Frogs live in wells."]}


@pytest.mark.parametrize("name", ["set.jsonl", "set.jsonl.gz"])
def test_a_set_is_measured(tmp_path: Path, name: str) -> None:
    assert is_summaries(ROW)
    assert is_summaries({"document": "", "summary": ""})
    assert not is_summaries({"text": "a"})
    path = write(tmp_path / name, ROW, {"document": "One sentence.", "summary": "One sentence."})
    assert [len(one.summaries) for one in load_summaries(path)] == [1, 1]
    told: list[int] = []
    report = evaluate_summaries(path, load_text_encoder(prepare=True), told.append)
    assert (report["collection"], report["queries"], told) == (name, 2, [1, 1])
    for figures in (report["modes"]["summary"], report["modes"]["lead3"]):
        for metric in ROUGE_METRICS:
            low, high = figures[f"{metric}_interval"]
            assert 0 < low <= figures[metric] <= high <= 1


@pytest.mark.parametrize("row", ["[]", "{", {"document": "a", "summaries": []}, {"document": 1, "summary": "b"}, {}])
def test_a_row_that_is_none_is_named(tmp_path: Path, row: object) -> None:
    with pytest.raises(FileMalformed):
        load_summaries(write(tmp_path / "set.jsonl", ROW, row))


def test_an_empty_or_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileMalformed, match="no documents"):
        load_summaries(write(tmp_path / "set.jsonl"))
    with pytest.raises(NotFound):
        load_summaries(tmp_path / "none.jsonl")


@needs_data
@pytest.mark.parametrize("name", ["bbc_news", "dialogsum_test"])
def test_summaries_beat_the_first_sentences(tmp_path: Path, name: str) -> None:
    lines = gzip.decompress((DATA / "summarization" / f"{name}.jsonl.gz").read_bytes()).decode().splitlines()[:40]
    modes = evaluate_summaries(write(tmp_path / "some.jsonl", *lines), load_text_encoder(prepare=True))["modes"]
    assert modes["summary"]["rouge1"] > modes["lead3"]["rouge1"]
