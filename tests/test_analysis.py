from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search import analysis
from search.analysis import query_terms, spans, terms


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


def test_threads_share_the_stemmer() -> None:
    words = [f"running{i} formations{i} flies" for i in range(2_000)]
    expected = [terms(word) for word in words]
    analysis._forms.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(terms, words)) == expected
