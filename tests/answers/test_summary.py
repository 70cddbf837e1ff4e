from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarry.search.models.contracts import TextEncoder
from quarry.search.models.fake import FakeTextEncoder
from quarry.search.models.loading import load_text_encoder
from quarry.search.summary import (
    EMBEDDED_OF_HITS,
    EMBEDDED_OF_TEXT,
    ranked_sentences,
    summarize_hits,
    summarize_text,
)
from quarry.search.types import Document, Hit

DOCUMENT = Document("d", "file:d", "", "text/plain", {})


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return load_text_encoder(prepare=True)


def hits(*texts: str, start: int = 100) -> list[Hit]:
    return [
        Hit(f"h{rank}", 1.0, 1.0, DOCUMENT, text, start * rank, start * rank + len(text))
        for rank, text in enumerate(texts)
    ]


WELLS = (
    "Wells are dug to reach water below the ground. The village festival takes place in May.",
    "A dug well reaches ground water and is lined with stone or brick. Tickets for buses are sold at kiosks.",
    "Deep wells are drilled with machines where the water table is low. My cousin likes jazz records.",
)


def test_a_summary_is_about_the_query_and_names_its_sources(encoder: TextEncoder) -> None:
    found = hits(*WELLS)
    summary = summarize_hits("how are wells made", found, encoder)
    assert [cited.text for cited in summary.sentences] == [text.split(". ")[0] + "." for text in WELLS]
    assert summary.model == ""
    assert [cited.sources[0][0] for cited in summary.sentences] == found
    for cited in summary.sentences:
        ((hit, start, end),) = cited.sources
        assert hit.text[start - hit.start : end - hit.start] == cited.text


def test_meaning_counts_where_no_word_is_shared(encoder: TextEncoder) -> None:
    found = hits("The council met on Tuesday evening. Physicians examine sick people. Grapes grow on sunny slopes.")
    assert summarize_hits("doctors treating patients", found, encoder, 1).text == "Physicians examine sick people."


def test_nothing_is_said_twice(encoder: TextEncoder) -> None:
    said = "Ground water is found by drilling a deep well."
    found = hits(f"{said} Rain fills the tanks in autumn.", said.replace(" ", "  "), f"{said} Pumps lift the water up.")
    sentences = [cited.text for cited in summarize_hits("drilling a well for water", found, encoder).sentences]
    assert sorted(sentences) == sorted([said, "Rain fills the tanks in autumn.", "Pumps lift the water up."])
    alike = hits(f"{said} Pumps lift water out of the well.", "Ground water is found by drilling one deep well.")
    sentences = [cited.text for cited in summarize_hits("drilling a well for water", alike, encoder, 2).sentences]
    assert len(sentences) == 2
    assert "Pumps lift water out of the well." in sentences


def test_boilerplate_is_left_out(encoder: TextEncoder) -> None:
    text = "Home.\n\n| 12 | 30.5 | 7 |\n\n* * *\n\nWells bring water to dry villages.\n\nMenu\n\n1 2 3 4 5"
    assert summarize_hits("water", hits(text), encoder).text == "Wells bring water to dry villages."


def test_few_hits_and_none(encoder: TextEncoder) -> None:
    assert summarize_hits("wells", [], encoder).sentences == ()
    assert summarize_hits("wells", hits("", "12 + 3 = 15"), encoder).sentences == ()
    assert summarize_hits("wells", hits("Wells"), encoder).text == "Wells"
    assert summarize_hits("", hits(*WELLS), encoder).sentences
    assert summarize_hits("wells", hits(*WELLS), encoder, 0).sentences == ()
    assert summarize_text("", encoder) == []
    assert summarize_text("One sentence.", encoder) == [(0, 13)]


KOREAN = (
    "우물은 땅속의 물을 얻기 위하여 판다.마을 잔치는 오월에 열린다.",
    "깊은 우물은 기계로 땅을 파서 물을 얻는다. 사촌은 재즈 음반을 좋아한다.",
)


@pytest.mark.parametrize("known", [True, False])
def test_korean_sentences_are_weighed_by_their_words(encoder: TextEncoder, known: bool) -> None:
    summary = summarize_hits("우물 물", hits(*KOREAN), encoder if known else None, 2)
    assert [cited.text for cited in summary.sentences] == [
        "우물은 땅속의 물을 얻기 위하여 판다.",
        "깊은 우물은 기계로 땅을 파서 물을 얻는다.",
    ]


def test_scripts_may_be_mixed(encoder: TextEncoder) -> None:
    summary = summarize_hits("우물 물 well water", hits(KOREAN[0], WELLS[0]), encoder, 2)
    assert [cited.text for cited in summary.sentences] == [
        "우물은 땅속의 물을 얻기 위하여 판다.",
        "Wells are dug to reach water below the ground.",
    ]


class Counting(FakeTextEncoder):
    """Counts the texts that it encodes."""

    count = 0

    def encode_documents(self, texts):  # type: ignore[no-untyped-def]
        self.count += len(texts)
        return super().encode_documents(texts)


def test_a_long_text_is_embedded_in_part() -> None:
    encoder = Counting()
    text = " ".join(f"Sentence number {i} speaks of well{i % 17} and water{i % 23}." for i in range(3_000))
    assert len(summarize_text(text, encoder, 5)) == 5
    assert 0 < encoder.count <= EMBEDDED_OF_TEXT
    encoder = Counting()
    assert (
        len(summarize_hits("well3", hits(*[text[i * 800 : i * 800 + 800] for i in range(10)]), encoder).sentences) == 3
    )
    assert 0 < encoder.count <= EMBEDDED_OF_HITS


PIECES = [
    "우물은 깊다.",
    "Wells are deep!",
    " ",
    "\n\n",
    "\n",
    "- one two three",
    "東京は首都です。",
    "x",
    "Dr. A. Nom ate soup.",
    "\ud800",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=15).map("".join), st.integers(0, 4), st.booleans())
def test_spans_are_what_they_say(text: str, count: int, known: bool) -> None:
    encoder = FakeTextEncoder() if known else None
    spans = summarize_text(text, encoder, count)
    assert spans == sorted(set(spans))
    assert len(spans) <= count
    assert all(text[start:end].strip() == text[start:end] != "" for start, end in spans)
    assert sorted(ranked_sentences(text, encoder, count)) == spans
    for cited in summarize_hits("deep wells 우물", hits(text, text[::-1]), encoder, count).sentences:
        ((hit, start, end),) = cited.sources
        assert hit.text[start - hit.start : end - hit.start] == cited.text


def test_hits_that_do_not_fit_and_headings_are_left_out() -> None:
    fitting = replace(
        hits("## Wells\nWells are dug where no river is near.\n\nA well is drawn from by hand.")[0], relevance=0.8
    )
    beside = replace(hits("Copper wires carry the current to the houses.")[0], id="other", relevance=0.05)
    said = [cited.text for cited in summarize_hits("wells", [fitting, beside], None).sentences]
    assert said == ["Wells are dug where no river is near.", "A well is drawn from by hand."]


def test_a_title_is_no_sentence() -> None:
    text = "근로자 생활안정자금 융자 안내\n\n근로자는 의료비를 융자 받을 수 있습니다. 신청은 근로복지공단에서 받습니다."
    assert [text[start:end] for start, end in summarize_text(text, None)] == [
        "근로자는 의료비를 융자 받을 수 있습니다.",
        "신청은 근로복지공단에서 받습니다.",
    ]
    assert summarize_text("Loans for workers of every age", None)  # where there is nothing else


def test_a_line_in_korean_needs_no_full_stop_to_be_a_sentence() -> None:
    said = ["내일 회의는 오후 세 시로 옮겼습니다", "준비물은 노트북과 신분증이다", "늦으면 총무팀에 연락해 주세요"]
    text = "\n\n".join(["새 회의 시간 안내와 필요한 서류 개요", *said, "질문은 총무팀으로 편지를 보내기 바람."])
    assert [text[start:end] for start, end in summarize_text(text, None, 9)][:3] == said
