from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.api.cli.snippets import columns, page_width, printable, snippet, wrapped

BOLD, PLAIN = "\x1b[1;33m", "\x1b[0m"


def shown(text: str, heading: str = "", *words: str, width: int = 40, lines: int = 3) -> list[str]:
    """The lines of a snippet with `words` marked, [bold] in brackets."""
    spans = sorted(match.span() for word in words for match in re.finditer(re.escape(word), text))
    laid = snippet(text, spans, heading, width, lines)
    return [line.replace(BOLD, "[").replace(PLAIN, "]") for line in laid]


@pytest.mark.parametrize(
    ("text", "heading", "expected"),
    [
        ("# Tides\n\nThe Moon raises two.", "Tides", "The Moon raises two."),
        ("Sea > ## Tides ##\nText", "Tides", "Sea > ## Tides ## Text"),
        ("# Sea\n\n## Tides ##\n\nThe Moon.", "Sea > Tides", "The Moon."),
        ("Tides\n=====\n\nThe Moon.", "Tides", "The Moon."),
        ("## Elsewhere\nThe Moon.", "Tides", "Elsewhere The Moon."),
        ("#hashtag first", "", "#hashtag first"),
        ("# Tides", "Tides", "Tides"),
        ("Tides", "Tides", "Tides"),
        ("", "", ""),
        ("a\n\n\tb\r\n c", "", "a b c"),
    ],
)
def test_a_heading_is_not_said_twice(text: str, heading: str, expected: str) -> None:
    assert shown(text, heading) == ([expected] if expected else [])


def test_matches_are_bold_also_where_a_line_breaks() -> None:
    assert shown("two words match here", "", "words match", width=10) == ["two [words]", "[match] here"]
    assert shown("stars, stars", "", "stars") == ["[stars], [stars]"]


def test_a_long_passage_is_shown_from_before_its_first_match() -> None:
    text = " ".join(f"word{n}" for n in range(200))
    lines = shown(text, "", "word150")
    assert lines[0].startswith("… word")
    assert lines[-1].endswith(" …")
    assert len(lines) == 3
    assert any("[word150]" in line for line in lines)
    assert lines == shown(text, "", "word150", "word199")
    assert shown(text)[0].startswith("word0 word1 ")
    assert not shown(text, "", "word199")[-1].endswith("…")


def test_wide_characters_take_two_columns() -> None:
    assert columns("김치 ok é e\u0301") == 11
    assert shown("김치는 소금에 절인 채소를 발효시킨 음식이다", "", "발효", width=20) == [
        "김치는 소금에 절인",
        "채소를 [발효]시킨",
        "음식이다",
    ]
    assert shown("東京都は日本の首都である。", width=10) == ["東京都は日", "本の首都で", "ある。"]
    assert columns(unicodedata.normalize("NFD", "김치")) == 4


def test_no_line_begins_with_what_closes() -> None:
    text = "第二条 本法所称公民，是指具有中华人民共和国国籍的人。"
    assert shown(text, "", "公民", width=18, lines=9) == [
        "第二条 本法所称[公]",
        "[民]，是指具有中华人",
        "民共和国国籍的人。",
    ]
    assert wrapped("」" * 30, [], 20) == ["」" * 10] * 3


def test_what_has_no_spaces_is_shown_from_a_pause_and_no_character_is_cut() -> None:
    text = "昔々ある所に住む人がいました。" * 12 + "鬼が島へ、桃太郎は犬と行った。" + "それから帰りました。" * 12
    lines = shown(text, "", "桃太郎")
    assert lines[0].startswith(("… 昔々", "… 鬼が島")) and any("[桃太郎]" in line for line in lines)
    apart = unicodedata.normalize("NFD", "가나다라마바사아자차카타파하" * 20)
    for line in shown(apart, "", unicodedata.normalize("NFD", "하가나다"), width=21):
        assert unicodedata.normalize("NFC", line.strip("… []"))[0] >= "가"


def test_what_steers_a_terminal_is_not_shown() -> None:
    assert printable("a\x1b[31mb\x07\x9bc\u200d가") == "a [31mb  c\u200d가"
    assert shown("red \x1b[31malert\x01 \x02", "", "alert") == ["red [31m[alert]"]


@given(
    text=st.text(st.sampled_from("ab가東#= \n\t\x01\x1b\u0301é"), max_size=300),
    starts=st.lists(st.integers(0, 300), max_size=5),
    width=st.integers(8, 60),
    lines=st.integers(1, 5),
)
def test_lines_fit(text: str, starts: list[int], width: int, lines: int) -> None:
    spans = [(at, at + 1) for at in sorted(set(starts)) if at < len(text)]
    laid = snippet(text, spans, "a > 가", width, lines)
    assert len(laid) <= lines
    for line in laid:
        plain = line.replace(BOLD, "").replace(PLAIN, "")
        assert columns(plain) <= width
        assert printable(plain) == plain
        assert not line.count(BOLD) or line.rindex(PLAIN) > line.rindex(BOLD)


@pytest.mark.parametrize("width", [-5, 0, 1, 2, 3, 5, 6, 12, 19, 80])
def test_every_terminal_width_comes_to_an_end(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Donaudampfschifffahrtsgesellschaft 김치와 막걸리 " + "party " * 40
    monkeypatch.setenv("COLUMNS", str(width))
    assert 20 <= page_width() <= 110
    for columns_there in (page_width(), width):
        assert snippet(text, [(37, 39)], "Title", columns_there, 4)
        assert "".join(wrapped(text, [], columns_there)).replace(" ", "").startswith("Donaudampf")
