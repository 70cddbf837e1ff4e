"""`quarry ask`, `quarry summarize`, and what `quarry search` shows above its hits, as real processes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from quarry.api.routes.answer import AnswerResponse
from quarry.api.routes.results import SearchResponse, SummaryBody
from tests.folders import SAMPLE
from tests.processes import Served, quarry

ESCAPE = "\x1b"
CANAL = "when was the Panama Canal opened"
WIDE = {"COLUMNS": "110"}


def body(*arguments: str | Path) -> dict[str, Any]:
    """What a command prints with --json."""
    printed = json.loads(quarry(*arguments, "--json").stdout)
    assert isinstance(printed, dict)
    return printed


def lasting(printed: dict[str, Any]) -> dict[str, Any]:
    """Leave out what differs from run to run."""
    return {name: value for name, value in printed.items() if name != "took_ms"}


# --- ask ------------------------------------------------------------------------------------------------------------


def test_ask_prints_answers_where_they_stand(sample_library: Path) -> None:
    run = quarry("ask", "--library", sample_library, *CANAL.split(), env=WIDE)
    assert run.stderr == ""
    assert ESCAPE not in run.stdout  # no terminal, no colours
    shown = re.findall(r"^(\S.*)  (\d\.\d\d)\n((?: {5}.*\n)+)", run.stdout, re.MULTILINE)
    assert "15 August 1914" in [answer for answer, *_ in shown]
    for answer, confidence, below in shown:
        *sentence, where = (line.strip() for line in below.splitlines())
        assert answer in " ".join(sentence)
        assert 0 < float(confidence) <= 1
        path, _, line = where.rpartition(":")
        lines = Path(path).read_text("utf-8").splitlines()
        begins = " ".join(sentence).split(". ")[0][:20]
        assert begins in " ".join(lines[int(line) - 1 :][:2])


def test_ask_prints_the_page_of_a_pdf(sample_library: Path) -> None:
    question = ["When was the Antarctic Treaty signed?", "--filter", "type=application/pdf"]
    shown = quarry("ask", "--library", sample_library, *question).stdout
    assert re.search(r"^\S.*1959", shown)
    assert "     data/sample/places/antarctica.pdf#page=2\n" in shown


def test_ask_prints_the_http_body(sample_library: Path, server: Served) -> None:
    printed = body("ask", "--library", sample_library, CANAL, "-n", "2")
    assert AnswerResponse.model_validate(printed).model_dump(mode="json", exclude_unset=True) == printed
    sent = server.client.post("/v1/answer", json={"query": CANAL, "limit": 2}).json()
    assert lasting(printed) == lasting(sent)
    choices = ["Atlantic", "Pacific"]
    chosen = body("ask", "--library", sample_library, CANAL, "--choice", choices[0], "--choice", choices[1])
    assert lasting(chosen) == lasting(
        server.client.post("/v1/answer", json={"query": CANAL, "choices": choices}).json()
    )


def test_ask_says_where_there_is_no_answer(sample_library: Path) -> None:
    run = quarry("ask", "--library", sample_library, CANAL, "--filter", '{"path": {"$contains": "/food/"}}', "-n", "2")
    first, *nearest = run.stdout.splitlines()
    assert first == "The library holds no answer to this. The nearest passages:"
    titles = [line for line in nearest if not line.startswith(" ")]
    assert len(titles) == 2 < len(nearest)  # and below each of them what it says
    assert all("data/sample/food/" in line for line in titles)
    nothing = quarry("ask", "--library", sample_library, CANAL, "--filter", "path=/nowhere").stdout
    assert nothing.startswith("The library holds no answer to this. It is empty, or its filter lets nothing through.")


def test_ask_weighs_choices(sample_library: Path) -> None:
    question = ("ask", "--library", sample_library, "which planet was predicted by mathematics")
    shown = quarry(*question, "--choice", "Mars", "--choice", "Neptune").stdout.splitlines()
    assert re.fullmatch(r"0\.\d\d  Neptune", shown[0])
    assert re.fullmatch(r"0\.\d\d  Mars", shown[-1])
    assert any("data/sample/astronomy/" in line for line in shown)
    none = quarry(*question, "--choice", "Mars", "--choice", "Neptune", "--filter", "path=/nowhere").stdout
    assert none.startswith("The library speaks for none of these.\n0.00  ")


def test_a_korean_question_is_answered_with_notes(sample_library: Path) -> None:
    run = quarry("ask", "--library", sample_library, "한글은 언제 반포되었는가")
    assert "1446년" in run.stdout
    # Whichever model is made ready or opened on the way is told of as well.
    (note,) = [line for line in run.stderr.splitlines() if not line.endswith("...")]
    assert note.startswith("! ") and "--cross-lingual" in note


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("한라산의 높이는 얼마인가", "1,947미터"),  # not that of another mountain, in whose passage 한라산 is not named
        ("훈민정음은 누가 만들었나", "세종"),
        ("에베레스트의 높이는 얼마인가", None),
    ],
)
def test_a_korean_name_must_stand_where_the_answer_does(
    sample_library: Path, question: str, answer: str | None
) -> None:
    answers = json.loads(quarry("ask", "--library", sample_library, question, "--json").stdout)["answers"]
    assert (answers[0]["text"] if answers else None) == answer


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "Missing argument"),
        ([" "], 1, "The query is empty"),
        (["why " * 600], 1, "too long for the model"),
        ([CANAL, "--choice", "one"], 1, "Give 2 to 20 choices"),
        ([CANAL, "--choice", "a", "--choice", "b", "--generator", "x"], 2, "can't be combined"),
        ([CANAL, "--reader", "/no/such/folder"], 1, "/no/such/folder"),
        ([CANAL, "--generator", "/no/such/folder"], 1, "/no/such/folder"),
        ([CANAL, "--limit", "0"], 1, "limit is 0"),
        ([CANAL, "--filter", "{"], 2, "not JSON"),
        ([b"why \xff"], 1, "surrogate"),
    ],
)
def test_ask_refuses_in_a_sentence(sample_library: Path, arguments: list[Any], code: int, said: str) -> None:
    run = quarry("ask", "--library", sample_library, *arguments, code=code)
    assert said in run.stderr
    assert run.stdout == ""
    if code == 1:
        assert run.stderr.startswith("quarry: ")
        assert run.stderr.count("\n") == 1


# --- above the hits of a search -------------------------------------------------------------------------------------


def test_search_prints_answers_and_a_summary_above_its_hits(sample_library: Path) -> None:
    search = ("search", "--library", sample_library, CANAL, "--answer", "--summarize", "--rerank", "reader", "-n", "1")
    shown = quarry(*search).stdout
    answers, summary, hits = shown.split("\n\n")
    assert "15 August 1914" in answers
    assert re.search(r"\[1\]", summary)
    assert re.search(r"^     \[1\] data/sample/\S+$", summary, re.MULTILINE)
    assert hits.startswith("  1. panama-canal  ")
    printed = body(*search)
    assert SearchResponse.model_validate(printed).model_dump(mode="json", exclude_unset=True) == printed
    assert printed["answers"] and printed["summary"]["sentences"]
    nothing = quarry("search", "--library", sample_library, CANAL, "--answer", "--filter", "path=/nowhere").stdout
    assert nothing.startswith("The library holds no answer to this.\n")


def test_a_model_that_is_not_there_is_named(sample_library: Path) -> None:
    search = ("search", "--library", sample_library, CANAL)
    for option in ("--reader", "--cross-encoder"):
        extra = ("--rerank", option[2:]) if option == "--cross-encoder" else ("--answer",)
        run = quarry(*search, *extra, option, "/no/such/folder", "-n", "1")
        assert "/no/such/folder" in run.stderr
        assert "1 hit in " in run.stdout
    assert "QUARRY_CROSS_ENCODER" in quarry(*search, "--rerank", "cross-encoder", code=1).stderr


# --- summarize ------------------------------------------------------------------------------------------------------


def test_a_file_is_summarized_in_its_own_sentences(sample_library: Path, tmp_path: Path) -> None:
    file = SAMPLE / "history" / "panama-canal.txt"
    text = " ".join(file.read_text("utf-8").split())
    printed = body("summarize", "--library", sample_library, file)
    assert SummaryBody.model_validate(printed).model_dump(mode="json", exclude_unset=True) == printed
    assert printed["model"] is None
    assert 1 < len(printed["sentences"]) <= 3
    places = [text.find(" ".join(sentence["text"].split())) for sentence in printed["sentences"]]
    assert places == sorted(places) and places[0] >= 0
    shown = quarry("summarize", "--library", sample_library, file).stdout
    assert " ".join(shown.split()) == " ".join(printed["text"].split())
    without = quarry("summarize", "--library", tmp_path / "none", file).stdout  # which takes no library
    assert without == shown
    assert not (tmp_path / "none").exists()


def test_a_document_of_the_library_is_summarized(sample_library: Path) -> None:
    found = body("search", "--library", sample_library, "Antarctica", "-n", "1", "--mode", "lexical")["hits"][0]
    printed = body("summarize", "--library", sample_library, found["document"]["id"])
    text = body("show", "--library", sample_library, found["document"]["id"])["text"]
    for sentence in printed["sentences"]:
        (source,) = sentence["sources"]
        assert text[source["start"] : source["end"]] == sentence["text"]
        assert source["document"] == found["document"]["id"]


def test_what_can_not_be_summarized_is_named(sample_library: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.md").write_text(" \n")
    (tmp_path / "tool.exe").write_bytes(b"MZ\0")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 broken")
    for reference, said in (
        (tmp_path / "empty.md", "There is no text in "),
        (tmp_path / "tool.exe", "tool.exe can't be summarized"),
        (tmp_path / "broken.pdf", "broken.pdf can't be summarized"),
        (tmp_path, "no document with the id or path"),
        ("x" * 300, "no document with the id or path"),
        ("~nobody-of-this-name/x", "no document with the id or path"),
    ):
        run = quarry("summarize", "--library", sample_library, reference, code=1)
        assert said in run.stderr
        assert run.stderr.startswith("quarry: ")
        assert run.stderr.count("\n") == 1


# --- eval -----------------------------------------------------------------------------------------------------------


def test_eval_measures_the_reader(tmp_path: Path) -> None:
    context = "The old lighthouse was built in 1846 by Edward Hale, an engineer from Bristol."
    answers = [{"text": "Edward Hale", "start": context.index("Edward")}]
    rows = [{"question": "Who built the lighthouse?", "context": context, "answers": answers}]
    rows.append({"question": "Why does bread rise?", "context": context, "answers": []})
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = body("eval", file)
    assert (report["collection"], report["queries"]) == ("questions.jsonl", 2)
    figures = report["modes"]["reader"]
    assert figures["f1"] > 0.5
    assert figures["unanswerable_auroc"] == 1.0
    shown = quarry("eval", file).stdout.splitlines()
    assert shown[0] == "questions.jsonl: 2 judged queries"
    assert shown[2].startswith("reader ")
    file.write_text(json.dumps({**rows[0], "answers": "Edward Hale"}) + "\n")
    assert quarry("eval", file, code=1).stderr.startswith(f"quarry: {file}, line 1: expected question, context")
