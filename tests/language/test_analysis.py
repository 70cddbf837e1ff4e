from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.search.language import analysis
from quarry.search.language.analysis import joined_terms, query_terms, query_words, spans, terms, value_term


def marked(text: str, query: str) -> list[str]:
    return [text[start:end] for start, end in spans(text, query)]


def test_words_are_folded_and_stemmed_alike() -> None:
    assert terms("The Stars FORMED") == ["the", "star", "form"]
    assert query_terms("forming star") == ["form", "star"]
    assert terms("ＦＵＬＬ ﬁne Straße") == ["full", "fine", "strass"]


@pytest.mark.parametrize(
    ("written", "found_by"),
    [
        ("getHTTPResponse2", ["response2", "http", "GETHTTPRESPONSE2", "getHTTPResponse2"]),
        ("snake_case_name", ["snake", "name", "snake_case_name"]),
        ("__init__", ["init", "__init__"]),
        ("café", ["cafe", "café", "cafe\u0301", "CAFÉ"]),
        ("1,234,567.5", ["1234567.5", "1,234,567.5"]),
        ("version 3.14", ["3.14"]),
        ("192.168.0.1", ["192.168.0.1", "168"]),
        ("O'Reilly's", ["reilly", "O’Reilly"]),
        ("l'homme", ["homme"]),
        ("state-of-the-art", ["state", "art"]),
        ("हिन्दी में", ["हिन्दी"]),
        ("ΑΘΉΝΑ", ["αθήνα", "αθηνα"]),
        ("йод", ["йод"]),
        ("x" * 500, ["x" * 500]),
    ],
)
def test_every_form_of_a_word_is_found(written: str, found_by: list[str]) -> None:
    for query in found_by:
        assert set(query_terms(query)) & set(terms(written)), query


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("København", "kobenhavn"),
        ("Łódź", "lodz"),
        ("Đà Nẵng", "da nang"),
        ("Þórður", "thordur"),
        ("œuvre", "oeuvre"),
        ("dæmon", "daemon"),
        ("Müller", "mueller"),
        ("Århus", "aarhus"),
        ("IŞIK", "ışık"),
        ("İstanbul", "istanbul"),
        ("Straße", "STRASSE"),
        ("Hawaiʻi", "Hawaii"),
        ("ғылым", "гылым"),
        ("أحمد", "احمد"),
        ("مدرسة", "مدرسه"),
        ("على", "علي"),
        ("كِتَاب", "كتـــاب"),
        ("می\u200cخواهم", "میخواهم"),
        ("کتاب\u200cها", "کتاب"),
        ("שָׁלוֹם", "שלום"),
        ('צה"ל', "צהל"),
        ("हिन्दी", "हिंदी"),
        ("क़लम", "कलम"),
        ("क्\u200dष", "क्ष"),
        ("٢٠٢٤", "2024"),
        ("Ｗｉ－Ｆｉ", "wifi"),
        ("Ｃ＋＋", "c++"),
        ("Do\u00adnau\u00addampf", "donaudampf"),
        ("data\u200bbase\ufeff", "database"),
        ("서\u200b울", "서울"),
    ],
)
def test_letters_are_folded_in_every_script(one: str, other: str) -> None:
    for passage, query in ((one, other), (other, one)):
        assert set(query_terms(query)) & set(terms(passage)), (passage, query)
        assert spans(passage, query), (passage, query)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Wi-Fi", "wifi"),
        ("wi fi", "wifi"),
        ("wi fi", "Wi-Fi"),
        ("Wi‑Fi", "wifi"),
        ("e-mail", "email"),
        ("e mail", "email"),
        ("10kg", "10 kg"),
        ("10㎏", "10 kg"),
        ("10kW", "10 kW"),
        ("10-kg", "10kg"),
        ("COVID-19", "covid19"),
        ("A-1234/b", "a1234b"),
        ("Node.js", "NodeJS"),
        ("U.S.A.", "USA"),
        ("AT&T", "ATT"),
        ("O'Reilly", "OReilly"),
        ("(555) 123-4567", "555-123-4567"),
        ("+49 (0)30 1234567", "0049 30 1234567"),
        ("½", "1/2"),
    ],
)
def test_a_word_is_found_joined_or_apart(one: str, other: str) -> None:
    for passage, query in ((one, other), (other, one)):
        assert set(query_terms(query) + joined_terms(query)) & set(terms(passage)), (passage, query)
        assert spans(passage, query), (passage, query)


@pytest.mark.parametrize(
    "name", ["C", "C++", "C#", "F#", "A*", ".NET", "Node.js", "notepad++", "🎉", "👩\u200d💻", "€"]
)
def test_symbols_make_a_name(name: str) -> None:
    others = {"C", "C++", "C#", "F#", "🎉", "€"} - {name}
    for text in (f"{name} is good.", f"I like {name}.", f"({name}), yes", f"We use {name}"):
        assert marked(text, name) == [name]
        assert set(query_terms(name)) <= set(terms(text))
        assert not any(spans(text, other) for other in others)


@pytest.mark.parametrize(
    ("query", "passage", "is_found"),
    [
        ("windows11", "Windows 11 is out", True),
        ("gpt4", "GPT 4", True),
        ("iPhone15", "an iPhone 15", True),
        ("python3", "Python 2", False),
        ("python3", "room 3", False),
        ("10kg", "10 kg", True),
        ("h2o", "h 2 o", False),
    ],
)
def test_a_name_and_its_number_are_looked_for_together(query: str, passage: str, is_found: bool) -> None:
    there = set(terms(passage))
    (word,) = query_words(query)
    each = [(spelling.together, [term in there for term in spelling.terms]) for spelling in word]
    assert any(all(found) if together else any(found) for together, found in each) is is_found


def test_a_mark_tells_numbers_apart() -> None:
    assert terms("3.14")[0] == "3.14"
    assert terms("10-20")[0] == "10-20"
    assert terms("192.168.0.1")[0] == "192.168.0.1"
    assert terms("v1.2.3-beta")[0] == "v1.2.3beta"
    assert terms("+1 (555) 123-4567")[0] == "15551234567"
    assert terms("a3f9c1d7") == ["a3f9c1d7"]
    assert terms("the 20th")[1:] == ["20th", "20"]


def test_emphasis_is_no_symbol() -> None:
    assert terms("*A* and **B** or c*d") == ["a", "and", "b", "or", "cd", "c", "d"]
    assert terms("# C") == ["c"]


def test_a_value_has_one_term_however_it_is_accented() -> None:
    assert value_term("Jérôme Ågren") == value_term("JEROME Agren") == "=jerom_agren"
    assert value_term("HER-102") == value_term("her102") != value_term("HER-101")
    assert value_term("") == value_term("?!") == value_term("a word too many " * 3) == ""
    assert value_term("김철수") == "=김철수"


@pytest.mark.parametrize(
    ("passage", "query"),
    [
        ("서울에서는 김치를 담근다", "서울"),
        ("서울에서는 김치를 담근다", "김치"),
        ("東京都の天気予報", "天気"),
        ("我喜欢北京烤鸭", "北京"),
        ("タワーが見える", "タワー"),
        ("ภาษาไทย", "ไทย"),
        ("책을 읽는다", "책"),
    ],
)
def test_short_words_of_unspaced_scripts_are_found(passage: str, query: str) -> None:
    assert set(query_terms(query)) <= set(terms(passage))


def test_single_characters_are_looked_for_only_alone() -> None:
    assert query_terms("서울") == ["서울"]
    assert query_terms("책 읽기") == ["책", "읽기"]


def test_scripts_part_where_they_meet() -> None:
    assert "2024" in terms("서울2024년")
    assert "gpu" in terms("GPU를")


def test_stop_words_are_left_out_unless_nothing_else_is_there() -> None:
    assert query_terms("how do stars form in the sky") == ["star", "form", "sky"]
    assert query_terms("to be or not to be") == ["to", "be", "or", "not", "to", "be"]
    assert set(query_terms("The Who")) <= set(terms("the who played"))


def test_a_query_keeps_its_repetitions() -> None:
    assert query_terms("wing wing flow") == ["wing", "wing", "flow"]


@pytest.mark.parametrize("nothing", ["", " \n", "?!… —", "\x00", "─│", "\u200b"])
def test_text_without_words_has_no_terms(nothing: str) -> None:
    assert terms(nothing) == []
    assert query_terms(nothing) == []
    assert spans("some text", nothing) == []


def test_highlights_are_whole_words() -> None:
    assert marked("Stars form; the star's formation.", "how do stars form") == ["Stars", "form", "star's"]
    assert marked("the Wi-Fi of a sci-fi fan", "wifi") == ["Wi-Fi"]
    assert marked("the Wi-Fi of a sci-fi fan", "fi") == ["Fi", "fi"]
    assert marked("a state-of-the-art lamp", "art lamp") == ["art", "lamp"]
    assert marked("one data\u200bbase\u200b, so", "data base") == ["data\u200bbase"]
    assert marked("call getHTTPResponse() now", "response") == ["getHTTPResponse"]
    assert marked("To be, or not to be", "to be or not to be") == ["To", "be", "or", "not", "to", "be"]


def test_highlights_join_pairs_of_characters() -> None:
    assert marked("서울특별시는 서울이다", "서울특별시") == ["서울특별시", "서울"]
    assert marked("책과 책상", "책") == ["책", "책"]


def test_highlights_are_offsets_of_the_text_as_written() -> None:
    decomposed = unicodedata.normalize("NFD", "한국 서울에서")
    assert [unicodedata.normalize("NFC", piece) for piece in marked(decomposed, "서울")] == ["서울"]
    assert marked("ｶﾞｸの", "ガク") == ["ｶﾞｸ"]
    assert marked("la cafe\u0301 noire", "cafe") == ["cafe\u0301"]


@given(st.text(max_size=80), st.text(max_size=20))
def test_any_text_is_analysed(text: str, query: str) -> None:
    found = terms(text)
    assert all(found) and not any(" " in term for term in found)
    matched = spans(text, query + text[:10])
    assert all(0 <= start < end <= len(text) for start, end in matched)
    assert all(one[1] <= other[0] for one, other in pairwise(matched))


@given(st.text(alphabet="ab_ C9.,é서울東京が\u3099ｶﾞ'", max_size=30))
def test_a_passage_is_found_by_itself(text: str) -> None:
    wanted = query_terms(text)
    assert set(wanted) <= set(terms(text))
    assert bool(wanted) == bool(spans(text, text))


@given(st.text(alphabet="ab-/+#*. C9',é\u00ad\u200b\u200c🎉ا한ø(0", max_size=24))
def test_spans_are_what_the_terms_say(text: str) -> None:
    wanted = query_terms(text)
    assert set(wanted) <= set(terms(text))
    assert bool(wanted) == bool(spans(text, text))
    for start, end in spans(text, text):
        assert set(terms(text[start:end])) & set(terms(text)), text[start:end]
    for word in query_words(text):
        assert word and all(spelling.terms for spelling in word)


@given(st.text(alphabet="abcdéø한국ا", min_size=1, max_size=12), st.integers(0, 12))
def test_what_is_invisible_changes_nothing(text: str, at: int) -> None:
    hidden = text[:at] + "\u00ad" + text[at:]
    assert terms(hidden) == terms(text)
    assert bool(spans(hidden, text)) == bool(spans(text, text))


def test_threads_share_the_stemmer() -> None:
    words = [f"running{i} formations{i} flies" for i in range(2_000)]
    expected = [terms(word) for word in words]
    analysis._forms.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(terms, words)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "an e mail, a wi fi and a T shirt",
        "call +49 (0)30 123 4567 or (030) 12 34 x",
        "e  mail\nx ray",
        "1 2 3 (0 4",
        "日 本 x",
    ],
)
def test_words_read_one_by_one_are_those_of_the_whole_text(text: str) -> None:
    assert terms(text) == analysis._terms(text)


@pytest.mark.parametrize(
    ("query", "kept", "light"),
    [
        ("지원금을 어떻게 신청하나요?", "지원 원금 금을 신청 청하 하나 나요", "금을 청하 하나 나요"),
        ("학교에서는 무엇을 배우는지 알려주세요", "학교 교에 에서 서는 배우 우는 는지", "교에 에서 서는 우는 는지"),
        ("경기도 도서관", "경기 기도 도서 서관", "기도"),
        ("요금, 요금은 그 요금으로", "요금 금은 그 금으 으로", "금은 금으 으로"),
        ("집은 물이", "집은 물이", ""),
        ("무엇인가요", "무엇 엇인 인가 가요", "인가 가요 엇인"),
        ("나라 회사 우리", "나라 회사 우리", ""),
        ("東京は何ですか", "東京 京は は何 何で です すか", ""),
    ],
)
def test_what_only_asks_in_korean_is_left_out_and_particles_are_light(query: str, kept: str, light: str) -> None:
    for form in ("NFC", "NFD"):
        asked = analysis.asked(unicodedata.normalize(form, query))
        assert list(dict.fromkeys(word[0].terms[0] for word in asked.words)) == kept.split()
        assert {word[0].terms[0] for word in asked.light} == set(light.split())


def test_endings_are_marked_only_where_what_they_end_is() -> None:
    for form in ("NFC", "NFD"):
        text = unicodedata.normalize(form, "신청을 하나 하였다. 하나은행에 신청하나 본다. 경기도와 경기 기도.")
        found = [unicodedata.normalize("NFC", part) for part in marked(text, "신청하나요 경기도")]
        assert found == ["신청", "신청하나", "경기도", "경기"]
