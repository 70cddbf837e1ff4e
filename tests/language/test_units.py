from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.search.language.units import completed, holds


@pytest.mark.parametrize(
    ("text", "span", "whole"),
    [
        ("It cost 211,522 in all.", "211", "211,522"),
        ("It cost 211,522 in all.", "522", "211,522"),
        ("It opened on 3. March 2021.", "March", "3. March 2021"),
        ("Am 12 Mai 2021 begann es.", "2021", "12 Mai 2021"),
        ("On May 3, 2021 it rained.", "3", "May 3, 2021"),
        ("Open from 9:30 to 17:45.", "45", "17:45"),
        ("We met at 3 p.m. there.", "3", "3 p.m."),
        ("The rent is 1,240 EUR a month.", "1,240", "1,240 EUR"),
        ("It was £6.50 a visit.", "6.50", "£6.50"),
        ("5% of 8 kg.", "5", "5%"),
        ("높이는 1,947미터이다.", "947", "1,947미터이다"),
        ("2021년 5월 12일에 왔다.", "5월", "2021년 5월 12일"),
        ("Use --exclude=PATTERN here.", "exclude", "--exclude=PATTERN"),
        ("Model W8-420 (used).", "420", "W8-420"),
        ("It is Ann's hat.", "Ann", "Ann"),
        ("from 1914-1918", "1914", "1914"),
        ("東京は首都です", "東京", "東京"),
        ("비용은 87만 3,517냥이었다.", "517", "87만 3,517냥이었다"),
        ("매달 20만 원을 준다.", "20", "20만 원"),
        ("人口は約1400万人で", "400", "1400万人"),
        ("価格は３．５万円です", "５", "３．５万円"),
        ("2024. 3. 5.부터 시행", "3", "2024. 3. 5."),
    ],
)
def test_a_span_is_completed(text: str, span: str, whole: str) -> None:
    start = text.index(span)
    low, high = completed(text, start, start + len(span))
    assert text[low:high] == whole


@given(st.text(st.sampled_from(" a1.,:-€한東\n'\"("), min_size=1, max_size=40), st.data())
def test_a_span_only_grows_and_stays_what_it_is(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    low, high = completed(text, start, end)
    assert 0 <= low <= start < end <= high <= len(text)
    assert completed(text, low, high) == (low, high)


@pytest.mark.parametrize(
    ("text", "number", "is_held"),
    [
        ("51-200", 100, True),
        ("51-200", 201, False),
        ("up to 50", 50, True),
        ("up to 50", 51, False),
        ("over 200 copies", 300, True),
        ("bis 10 Stück", 12, False),
        ("ab 10 Stück", 12, True),
        ("20 이상", 25, True),
        ("20 이하", 25, False),
        ("A3", 3, False),
        ("copies", 3, False),
    ],
)
def test_a_range_holds_its_numbers(text: str, number: int, is_held: bool) -> None:
    assert holds(text, number) is is_held
