"""The sample library and the judged questions about it agree with each other."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from selectolax.lexbor import LexborHTMLParser

from quarry.api.library import Library
from quarry.search.files.uris import path_of
from tests.folders import ROOT, SAMPLE

DATA = ROOT / "data"
JUDGED = DATA / "judged"
HANGUL = re.compile(r"[가-힣]")


def jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def records(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))
    return jsonl(path) if path.suffix == ".jsonl" else json.loads(path.read_text("utf-8"))


def main_text(path: Path) -> str:
    if path.suffix == ".html":
        main = LexborHTMLParser(path.read_text("utf-8")).css_first("main")
        assert main is not None, f"{path} has no <main>"
        return main.text()
    if path.suffix == ".pdf":
        with pypdfium2.PdfDocument(path) as pdf:
            return "\n".join(page.get_textpage().get_text_range() for page in pdf)
    return path.read_text("utf-8")


def read_sample() -> Iterator[tuple[str, str]]:
    """Yield (corpus id, text with single spaces) without any of the project's own loaders."""
    for path in sorted(p for p in SAMPLE.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        name = path.relative_to(SAMPLE).as_posix()
        if path.suffix in {".csv", ".json", ".jsonl"}:
            for row, record in enumerate(records(path), 1):
                key = f"id={record['id']}" if "id" in record else f"row={row}"
                yield f"{name}#{key}", " ".join(" ".join(map(str, record.values())).split())
        else:
            yield name, " ".join(main_text(path).split())


@pytest.fixture(scope="module")
def documents() -> dict[str, str]:
    return dict(read_sample())


@pytest.fixture(scope="module")
def queries() -> dict[str, dict[str, Any]]:
    rows = jsonl(JUDGED / "queries.jsonl")
    assert len({row["_id"] for row in rows}) == len(rows)
    return {row["_id"]: row for row in rows}


@pytest.fixture(scope="module")
def unanswerable() -> list[dict[str, Any]]:
    return jsonl(JUDGED / "unanswerable.jsonl")


@pytest.fixture(scope="module")
def qrels() -> list[tuple[str, str, int]]:
    header, *lines = (JUDGED / "qrels" / "test.tsv").read_text("utf-8").splitlines()
    assert header == "query-id\tcorpus-id\tscore"
    rows = [line.split("\t") for line in lines]
    assert len({(query, document) for query, document, _ in rows}) == len(rows)
    return [(query, document, int(score)) for query, document, score in rows]


def test_the_sample_has_many_documents_in_many_formats_and_two_languages(documents: dict[str, str]) -> None:
    files = {name.partition("#")[0] for name in documents}
    assert len(files) >= 64
    suffixes = {Path(name).suffix for name in files}
    assert suffixes >= {".md", ".txt", ".html", ".csv", ".jsonl", ".json", ".py", ".pdf", ".rst"}
    korean = {name for name, text in documents.items() if len(HANGUL.findall(text)) > len(text) / 3}
    assert len(korean) >= 8
    assert {Path(name).suffix for name in korean} >= {".md", ".txt", ".html"}


def test_documents_are_short_but_not_empty(documents: dict[str, str]) -> None:
    words = {name: len(text.split()) for name, text in documents.items()}
    too_short = {name: count for name, count in words.items() if count < (30 if "#" in name else 150)}
    too_long = {name: count for name, count in words.items() if count > 650}
    assert not too_short
    assert not too_long


def test_the_sample_is_small_and_holds_no_stray_files() -> None:
    files = [
        p
        for p in DATA.rglob("*")
        if p.is_file() and not {DATA / "models", DATA / "gazetteer"} & {*p.parents} and p.suffix != ".pyc"
    ]
    assert sum(p.stat().st_size for p in files) < 600_000
    assert not [p for p in files if p.name.startswith(".") or p.is_symlink()]


def test_there_are_thirty_questions_and_ten_without_an_answer(
    queries: dict[str, dict[str, Any]], unanswerable: list[dict[str, Any]]
) -> None:
    assert len(queries) == 30
    assert len(unanswerable) == 10
    assert "how do stars form" in {query["text"] for query in queries.values()}
    assert sum(query["metadata"]["language"] == "ko" for query in queries.values()) >= 5
    for query in [*queries.values(), *unanswerable]:
        assert query["metadata"]["language"] == ("ko" if HANGUL.search(query["text"]) else "en"), query
    assert not {query["_id"] for query in unanswerable} & set(queries)


def test_every_judged_document_exists(documents: dict[str, str], qrels: list[tuple[str, str, int]]) -> None:
    assert not {document for _, document, _ in qrels} - set(documents)


def test_every_question_has_one_to_three_judged_documents_and_a_best_one(
    queries: dict[str, dict[str, Any]], qrels: list[tuple[str, str, int]]
) -> None:
    assert {query for query, _, _ in qrels} == set(queries)
    for query in queries:
        scores = [score for judged, _, score in qrels if judged == query]
        assert 1 <= len(scores) <= 3, query
        assert max(scores) == 2, query
        assert min(scores) >= 1, query


def test_every_answer_stands_word_for_word_in_each_best_document(
    documents: dict[str, str], queries: dict[str, dict[str, Any]], qrels: list[tuple[str, str, int]]
) -> None:
    for query, document, score in qrels:
        answers = queries[query]["metadata"]["answers"]
        assert 1 <= len(answers) <= 3, query
        if score == 2:
            assert not [answer for answer in answers if answer not in documents[document]], (query, document)


def test_what_has_no_answer_has_no_judgement(
    unanswerable: list[dict[str, Any]], qrels: list[tuple[str, str, int]]
) -> None:
    assert not {query["_id"] for query in unanswerable} & {query for query, _, _ in qrels}
    assert not [query for query in unanswerable if query["metadata"]["answers"]]


def test_no_question_stands_in_the_sample(
    documents: dict[str, str], queries: dict[str, dict[str, Any]], unanswerable: list[dict[str, Any]]
) -> None:
    everything = "\n".join(documents.values()).casefold()
    questions = [query["text"] for query in [*queries.values(), *unanswerable]]
    assert not [text for text in questions if text.casefold().rstrip("?") in everything]


def test_korean_questions_share_words_with_their_documents(
    documents: dict[str, str], queries: dict[str, dict[str, Any]], qrels: list[tuple[str, str, int]]
) -> None:
    for query, document, score in qrels:
        text = queries[query]["text"]
        if score == 2 and HANGUL.search(text):
            bigrams = {text[i : i + 2] for i in range(len(text) - 1)}
            shared = {pair for pair in bigrams if all(map(HANGUL.match, pair)) and pair in documents[document]}
            assert len(shared) >= 2, (query, document)


def test_a_slide_a_hangul_document_and_a_scan_are_found(tmp_path: Path) -> None:
    with Library(tmp_path / "library") as library:
        library.index(DATA / "office")
        for query, name, page, said_by in (
            ("did night ferries carry more cars", "ferry-line.pptx", 2, ""),
            ("열람실은 몇 시까지 여나", "도서관-회의록.hwpx", None, ""),
            ("when is the lighthouse dark", "notice-scanned.pdf", 1, "ocr"),
        ):
            hit = library.search(query).hits[0]
            assert (path_of(hit.document.uri).name, hit.page, hit.said_by) == (name, page, said_by)
        answer = library.ask("when is the lighthouse dark").answers[0]
        assert (answer.text, answer.page) == ("from 3 to 17 May", 1)
