from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from quarry.indexer.training import reader_model
from quarry.indexer.training.questions import Lesson, Questions, Share, apart, batches, read_rows, tokens_of
from quarry.indexer.training.reader_model import main, train
from quarry.indexer.training.reader_recipes import ReaderRecipe
from quarry.search.errors import FileMalformed, InvalidRequest
from quarry.search.evaluations.squad import normalized
from quarry.search.models import files
from quarry.search.models.pair import embedded as embedded_reader
from quarry.search.models.text.embedded import serving_tokenizer
from quarry.search.models.text.tokens import Tokens

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch and transformers

# Three steps: a CPU that doesn't multiply bfloat16 in hardware takes a second for twenty tokens or so.
TINY = ReaderRecipe(passes=({"": Share(1.0, 0.5)},), batch=160, rate=1e-3, warmup=0.5, rows=8, sets=("few",))
NAMES = ("Ada Hale", "Tom Reed", "Ida Burns", "Max Stone", "Eva Marsh", "Leo Field")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """On a busy machine, waking threads for batches this small costs many times what it gains."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return embedded_reader.tokens()


@cache
def words() -> Any:
    return Tokenizer.from_buffer(serving_tokenizer())


def text_of(ids: list[int]) -> str:
    return str(words().decode(ids))


def row(number: int) -> dict[str, Any]:
    name, year = NAMES[number % 6], 1800 + 7 * number
    context = f"The bridge of Northam stood for long. In {year} a new one was built by {name}, who came from Leeds."
    question, answer = (f"Who built the bridge in {year}?", name) if number % 2 else ("When was it built?", str(year))
    return {
        "question": question,
        "context": context,
        "answers": [{"text": answer, "start": context.index(answer)}],
        "source": "bridges",
    }


def write(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(json.dumps(one) + "\n" for one in rows).encode()))
    return path


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty questions to learn from, six to measure with."""
    folder = tmp_path_factory.mktemp("questions")
    write(folder / "train.jsonl.gz", [row(number) for number in range(30)])
    write(folder / "dev" / "few.jsonl.gz", [row(number) for number in range(30, 36)])
    return folder


# --- a run ----------------------------------------------------------------------------------------------------------


def test_it_trains_what_the_model_loads_and_goes_on_where_it_was_stopped(
    questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_model, "EVERY", 2)
    said: list[str] = []

    def stop_at_first(words: str) -> None:
        said.append(words)
        if words.startswith("step"):
            raise KeyboardInterrupt

    def run(into: str, say: Callable[[str], None], recipe: ReaderRecipe = TINY) -> dict[str, Any]:
        return train(questions, tmp_path / into, recipe, say)

    with pytest.raises(KeyboardInterrupt):
        run("stopped", stop_at_first)
    assert not (tmp_path / "stopped" / embedded_reader.WEIGHTS).exists()
    assert run("stopped", said.append) == (figures := run("whole", said.append))
    steps = [words.partition(" of ")[0] for words in said if words.startswith("step")]
    assert steps[0] == steps[2] == "step 2"
    assert steps[1] != "step 2"

    path = tmp_path / "whole" / embedded_reader.WEIGHTS
    weights = load_file(path)
    first = reader_model.trained(embedded_reader.untrained())
    assert {name: value.shape for name, value in weights.items()} == {name: first[name].shape for name in first}
    assert {value.dtype for value in weights.values()} == {torch.float16}
    assert all(torch.isfinite(value).all() for value in weights.values())
    changed = [name for name in first if not torch.equal(weights[name], first[name].half())]
    assert "qa_outputs.weight" in changed
    assert any("layer.0.attention" in name for name in changed)
    assert figures["sha256"] == files.file_sha256(path)
    assert set(figures["few"]) == {"f1", "em", "auroc"}
    assert all(0 <= value <= 1 for value in figures["few"].values())

    train(questions, tmp_path / "further", replace(TINY, rate=1e-9), said.append, further=path)
    after = load_file(tmp_path / "further" / embedded_reader.WEIGHTS)
    assert all(torch.allclose(after[name], weights[name], atol=1e-4) for name in weights)

    with pytest.raises(InvalidRequest, match="other settings"):
        run("whole", said.append, replace(TINY, seed=5))


# --- what it learns from --------------------------------------------------------------------------------------------


def test_lessons_hold_the_answer_or_none(questions: Path, tokens: Tokens) -> None:
    rows = Questions(read_rows(questions / "train.jsonl.gz"), tokens)
    drawn = list(rows.lessons({"": Share(2.0, 1.0)}, np.random.default_rng(0)))
    assert len(drawn) == 120  # each row twice, and as many negatives
    known = {normalized(row(number)["answers"][0]["text"]) for number in range(30)}
    found = [text_of(one.passage[one.answer[0] : one.answer[1] + 1].tolist()) for one in drawn if one.answer]
    assert len(found) == 60
    assert {normalized(text) for text in found} == known
    assert [one.length for one in drawn] == [len(one.question) + len(one.passage) + 3 for one in drawn]


def test_shares_and_limits_choose_rows(questions: Path, tokens: Tokens) -> None:
    rows = Questions(read_rows(questions / "train.jsonl.gz", 10), tokens)
    random = np.random.default_rng(0)
    assert len(list(rows.lessons({"bridg": Share(3.0, 0.0), "": Share(0.0)}, random))) == 30
    assert list(rows.lessons({"other": Share(), "": Share(0.0)}, random)) == []


def test_a_long_passage_is_cut_around_its_answer(tmp_path: Path, tokens: Tokens) -> None:
    filler = "It was a long way and nothing was seen for days. " * 40
    context = f"{filler}The lamp was lit by Ada Hale. {filler}"
    answers = [{"text": "Ada Hale", "start": context.index("Ada Hale")}]
    one = {"question": "Who lit it?", "context": context, "answers": answers, "source": "s"}
    rows = Questions(read_rows(write(tmp_path / "rows.jsonl.gz", [one])), tokens)
    drawn = list(rows.lessons({"": Share(100.0, 0.0)}, np.random.default_rng(0)))
    assert {len(lesson.passage) for lesson in drawn} == {128, 256}
    found = [(one.passage, one.answer) for one in drawn if one.answer]
    spans = [text_of(passage[first : last + 1].tolist()) for passage, (first, last) in found]
    assert set(spans) == {"ada hale"}
    assert 60 < len(spans) < 100  # some windows do without


def test_the_last_articles_are_held_out() -> None:
    rows = [{"id": f"{article}-{number}"} for article in "acb" for number in range(2)]
    learnt, held = apart([*rows, {"id": "b-9"}], 2)
    assert [row["id"] for row in learnt] == ["a-0", "a-1"]
    assert [row["id"] for row in held] == ["c-0", "c-1", "b-0", "b-1", "b-9"]


def test_tokens_are_those_that_touch_the_answer(questions: Path, tokens: Tokens) -> None:
    context = Questions(read_rows(questions / "train.jsonl.gz"), tokens).contexts[1]
    start = context.text.index("Tom Reed")
    first, last = tokens_of(context, start, start + 8) or (0, 0)
    assert context.text[context.offsets[first][0] : context.offsets[last][1]] == "Tom Reed"
    assert tokens_of(context, start, start) is None


def test_batches_hold_every_lesson_once_within_their_bound() -> None:
    random = np.random.default_rng(0)
    lessons = [Lesson(np.zeros(3, np.int32), np.zeros(int(random.integers(1, 60)), np.int32), None) for _ in range(200)]
    made = batches(lessons, 256, random)
    assert sorted(map(id, lessons)) == sorted(id(one) for batch in made for one in batch)
    assert all(len(batch) * max(one.length for one in batch) <= 256 for batch in made)


# --- what is wrong with it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([], "line 2: expected an object"),
        ({"question": "Who?"}, "line 2: expected question, context, answers and source"),
        ({**row(1), "source": 5}, "line 2"),
        ({**row(1), "question": None}, "line 2"),
        ({**row(1), "context": 7}, "line 2: expected"),
        ({**row(1), "answers": [{"text": "Tom Reed", "start": 0}]}, "line 2: an answer does not stand where it says"),
    ],
)
def test_a_row_that_is_something_else_is_named(tmp_path: Path, wrong: Any, said: str) -> None:
    path = write(tmp_path / "rows.jsonl.gz", [row(0), wrong])
    with pytest.raises(FileMalformed, match=said):
        list(read_rows(path))


def test_a_folder_without_questions_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--into", str(tmp_path / "into")]) == 1
    assert "train.jsonl.gz" in capsys.readouterr().err
    assert not (tmp_path / "into").exists()
