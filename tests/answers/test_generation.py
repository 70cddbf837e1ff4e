"""Answers and summaries that a model writes. What they make of a model's words is tested by writers with a script."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from quarry.search.answers.answering import answer_of
from quarry.search.config import ModelNames, Settings
from quarry.search.errors import InvalidRequest
from quarry.search.generation import citations
from quarry.search.generation.answers import Done, Event, Piece, Refused, write_answer
from quarry.search.generation.summaries import summarize
from quarry.search.hits.models import HitModels
from quarry.search.models.contracts import Prompt, TextEncoder
from quarry.search.models.fake import FakeWriter
from quarry.search.models.live import GivenModels
from quarry.search.models.loading import load_text_encoder, load_writer
from quarry.search.types import Document, Hit, Reading
from tests import generation_models

STARS = "Stars form in cold clouds of gas that collapse under their own weight. The Sun is 4.6 billion years old."
BREAD = "Bread rises because yeast makes gas out of sugar. Salt slows yeast down."
KOREAN = "별은 차가운 가스 구름이 스스로의 무게로 무너질 때 태어난다. 빵은 효모 때문에 부풀어 오른다."


def hits(*texts: str, start: int = 100, title: str = "") -> list[Hit]:
    return [
        Hit(str(n), 1.0, 0.9, Document(f"d{n}", f"d{n}.md", title, "text/markdown", {}), text, start, start + len(text))
        for n, text in enumerate(texts)
    ]


def answered(events: Iterator[Event]) -> Done:
    *pieces, done = events
    assert isinstance(done, Done)
    assert done.text == "".join(piece.text for piece in pieces if isinstance(piece, Piece))
    return done


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return load_text_encoder(prepare=True)


# -- answers


def test_an_answer_cites_the_passages_that_it_was_given() -> None:
    writer = FakeWriter(lambda _: "Yeast makes gas [1]. Salt slows it. [2, 3] The oven [7] is hot. Done.")
    passages = hits(BREAD, STARS, KOREAN)
    done = answered(write_answer(writer, "Why does bread rise?", passages, 0.9, 0.5))
    cited = [(sentence.text, [hit.id for hit, _, _ in sentence.sources]) for sentence in done.sentences]
    assert cited == [
        ("Yeast makes gas [1].", ["0"]),
        ("Salt slows it. [2, 3]", ["1", "2"]),
        ("The oven [7] is hot.", []),
        ("Done.", []),
    ]
    assert done.sentences[0].sources == ((passages[0], 100, 100 + len(BREAD)),)
    assert done.passages == tuple(passages)
    assert done.model == "fake-writer"


def test_passages_that_hold_answers_are_given_first() -> None:
    live = GivenModels(generator=FakeWriter(lambda _: "Yeast makes gas [1]."))
    models = HitModels(Settings(Path("unused"), ModelNames(generator="fake-writer"), live=live), load_text_encoder)
    stars, bread = hits(STARS, BREAD)
    answer = answer_of(bread, Reading(0, 5, 1.0), 0.9)
    assert answered(models.write("Why does bread rise?", [stars], [answer])).passages == (bread, stars)


def test_the_prompt_numbers_whole_passages_as_many_as_fit() -> None:
    writer = FakeWriter(lambda _: "So it is [2].", positions=230)
    passages = hits("First [12] passage.", "  ", *["word " * 30 + f"end{n}" for n in range(9)], title="A title")
    done = answered(write_answer(writer, "Why?", passages, 0.9, 0.5, max_tokens=30))
    [prompt] = writer.asked
    assert "[1] A title\nFirst (12) passage." in prompt.text  # a number of the passage's own is no citation
    assert prompt.text.endswith("Question: Why?")
    given = len(done.passages)
    assert 2 < given < 10
    assert [hit.id for hit in done.passages] == ["0", *(str(n + 2) for n in range(given - 1))]
    assert f"end{given - 2}" in prompt.text
    assert f"end{given - 1}" not in prompt.text
    assert writer.count(prompt) <= writer.room(30)
    assert done.sentences[0].sources[0][0].id == "2"


@pytest.mark.parametrize("evidence", [0.0, 0.49, math.nan])
def test_without_evidence_the_model_is_not_asked(evidence: float) -> None:
    writer = FakeWriter(lambda _: "Anything.")
    [refused] = write_answer(writer, "Who won?", hits(BREAD), evidence, 0.5)
    assert isinstance(refused, Refused)
    assert "below 0.50" in refused.reason
    [refused] = write_answer(writer, "Who won?", hits("", " \n"), 0.9, 0.5)
    assert refused == Refused("Nothing was found that an answer could be written from.")
    assert writer.asked == []


def test_a_question_is_answered_in_its_language() -> None:
    writer = FakeWriter(lambda _: "효모 때문이다 [1].")
    done = answered(write_answer(writer, "빵은 왜 부풀어 오르나?", hits(KOREAN), 0.9, 0.5))
    answered(write_answer(writer, "Why does bread rise?", hits(KOREAN), 0.9, 0.5))
    assert done.sentences[0].sources
    assert "한국어로 쓰세요" in writer.asked[0].instruction
    assert "한국어" not in writer.asked[1].instruction
    assert "in the language of the question" in writer.asked[1].instruction


def test_what_can_not_be_asked_is_refused_by_name() -> None:
    writer = FakeWriter(lambda _: "Anything.")
    with pytest.raises(InvalidRequest, match="question is empty"):
        next(write_answer(writer, " \t", hits(BREAD), 0.9, 0.5))


def test_closing_an_answer_closes_the_writer() -> None:
    closed = []

    class Endless(FakeWriter):
        def write(self, prompt: Prompt, max_tokens: int) -> Generator[str, None, None]:
            try:
                while True:
                    yield "more "
            finally:
                closed.append(True)

    events = write_answer(Endless(lambda _: ""), "Why?", hits(BREAD), 0.9, 0.5)
    assert next(events) == Piece("more ")
    events.close()
    assert closed == [True]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Yes [1][2].", [("Yes [1][2].", "12")]),
        ("Yes.[1] No.[2]", [("Yes. [1]", "1"), ("No. [2]", "2")]),
        ("Yes. [1] [2] adds that it is so.", [("Yes.", ""), ("[1] [2] adds that it is so.", "12")]),
        (
            "Yes [0], [3], [99999999999999999999], [1, 2, 1].",
            [("Yes [0], [3], [99999999999999999999], [1, 2, 1].", "12")],
        ),
        ("[1]", [("[1]", "1")]),
        ("그렇다 [1]. 아니다. [2]", [("그렇다 [1].", "1"), ("아니다. [2]", "2")]),
        ("はい。【1】いいえ。", [("はい。 【1】", "1"), ("いいえ。", "")]),
        ("Yes [a] (1).", [("Yes [a] (1).", "")]),
    ],
)
def test_citations_are_read_by_their_numbers(text: str, expected: list[tuple[str, str]]) -> None:
    passages = hits(BREAD, STARS)
    numbers = {"0": "1", "1": "2"}
    found = citations.by_number(text, passages)
    assert [(c.text, "".join(numbers[hit.id] for hit, _, _ in c.sources)) for c in found] == expected


# -- summaries


def test_a_sentence_is_tied_to_the_sentence_that_says_so(encoder: TextEncoder) -> None:
    text = "Yeast turns sugar into gas, so bread rises. The Sun is about 4.6 billion years old. Cats like warm windows."
    passages = hits(STARS, BREAD)
    for tried in (encoder, None):
        cited = citations.by_support(text, passages, tried)
        found = [[(hit.id, hit.text[start - 100 : end - 100]) for hit, start, end in c.sources] for c in cited]
        assert found == [
            [("1", "Bread rises because yeast makes gas out of sugar.")],
            [("0", "The Sun is 4.6 billion years old.")],
            [],
        ]


def test_words_tie_what_the_encoder_does_not_know(encoder: TextEncoder) -> None:
    [cited] = citations.by_support("빵은 효모 때문에 부푼다.", hits(KOREAN, BREAD), encoder)
    [(hit, start, end)] = cited.sources
    assert hit.text[start - 100 : end - 100] == "빵은 효모 때문에 부풀어 오른다."
    assert citations.by_support("", hits(BREAD), encoder) == ()
    assert citations.by_support("Yes.", [], encoder)[0].sources == ()


def test_a_short_input_is_summarized_at_once(encoder: TextEncoder) -> None:
    writer = FakeWriter(lambda _: "Bread rises because yeast makes gas. It is so.")
    summary = summarize(writer, hits(BREAD, " ", STARS), encoder, query="why bread rises")
    [prompt] = writer.asked
    assert prompt.text == f"{BREAD}\n\n{STARS}"
    assert 'about the question "why bread rises"' in prompt.instruction
    assert summary.model == "fake-writer"
    assert [bool(sentence.sources) for sentence in summary.sentences] == [True, False]
    assert summarize(writer, [], encoder).sentences == ()
    assert summarize(writer, hits(" "), encoder).sentences == ()
    assert len(writer.asked) == 1


def test_a_long_input_is_summarized_in_parts_and_every_passage_is_read() -> None:
    texts = [f"Passage {n} says that thing{n} is so and so and so." for n in range(60)]
    writer = FakeWriter(lambda prompt: " ".join(word for word in prompt.text.split() if "thing" in word), 150)
    told: list[tuple[int, int]] = []
    summary = summarize(writer, hits(*texts), max_tokens=12, progress=lambda *now: told.append(now))
    first = [prompt for prompt in writer.asked if "Passage" in prompt.text]
    assert "\n\n".join(prompt.text for prompt in first) == "\n\n".join(texts)  # each once, whole, in order
    assert len(writer.asked) == len(told) > len(first) > 1
    assert told[: len(first)] == [(n + 1, len(first)) for n in range(len(first))]
    assert told[-1] == (1, 1)
    assert summary.text.startswith("thing0 thing1 ")


def test_a_passage_longer_than_the_input_is_cut_where_a_sentence_begins() -> None:
    sentences = [f"Sentence {n} is one of many that stand here." for n in range(80)]
    seen: list[str] = []

    def short(prompt: Prompt) -> str:
        seen.append(prompt.text)
        return "Short."

    writer = FakeWriter(short, 150)
    summarize(writer, hits(" ".join(sentences)), max_tokens=10)
    parts = [part for text in seen if "Sentence" in text for part in text.split("\n\n")]
    assert " ".join(parts) == " ".join(sentences)
    assert all(part.endswith("here.") for part in parts)
    unbroken = FakeWriter(lambda _: "Short.", 150)
    unbroken.count = lambda prompt: 50 + len(prompt.text)  # type: ignore[method-assign]
    summarize(unbroken, hits("가" * 500), max_tokens=10)
    assert sum(prompt.text.count("가") for prompt in unbroken.asked) == 500


def test_rounds_end_with_a_model_that_makes_nothing_shorter() -> None:
    writer = FakeWriter(lambda prompt: prompt.text, 150)
    writer.write = lambda prompt, _: writer._pieces(prompt.text.split(" "))  # type: ignore[method-assign, assignment]
    assert len(summarize(writer, hits(*["One two three four five six seven."] * 40)).sentences) == 40
    silent = FakeWriter(lambda _: "", 150)
    assert summarize(silent, hits(*["One two three four five six seven."] * 40)).sentences == ()


def test_what_progress_raises_ends_the_writing() -> None:
    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    writer = FakeWriter(lambda _: "Short.", 150)
    with pytest.raises(KeyboardInterrupt):
        summarize(writer, hits(*["One two three four five six seven."] * 40), progress=stop)
    assert len(writer.asked) == 1
    with pytest.raises(InvalidRequest, match="the query is too long for fake-writer"):
        summarize(writer, hits(BREAD), query="why " * 200)


# -- real models, which write nonsense


@pytest.mark.parametrize("kind", ["t5", "chat"])
def test_real_models_answer_and_summarize(kind: str, tmp_path: Path) -> None:
    writer = load_writer(str(generation_models.save(tmp_path, kind)))
    if kind == "chat":  # its input has room for the instruction
        done = answered(write_answer(writer, "Why\x00 \ud800?", hits(BREAD), 0.9, 0.5, max_tokens=8))
        assert done.passages == tuple(hits(BREAD))
    texts = [BREAD, "\x1b[0m" + STARS, KOREAN] * 3
    told: list[tuple[int, int]] = []
    summary = summarize(writer, hits(*texts), max_tokens=8, progress=lambda *now: told.append(now))
    assert summary.model == writer.name
    assert len(told) > 1
