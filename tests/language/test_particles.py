from __future__ import annotations

import pytest

from quarry.search.language.particles import without_particle
from quarry.search.language.units import completed


@pytest.mark.parametrize(
    ("text", "stated", "whole"),
    [
        ("1987년에 태어났다", "1987년", "1987년"),  # the particle is a piece of its own
        ("1987년에 태어났다", "1987년에", "1987년"),  # or of the last one
        ("세종이 만들었다", "세종", "세종"),
        ("해례본을 지었다", "해례본을", "해례본"),
        ("학자를 모았다", "학자를", "학자"),
        ("'대쪽'이라는 별명", "대쪽", "대쪽"),
        ("4 GB다", "4 GB", "4 GB"),
        ("2300만 장이 팔렸다", "2300만 장이", "2300만 장"),
        ("죄형법정주의가 있다", "죄형법정주의", "죄형법정주의"),  # whose end only looks like one
        ("박지은 선수", "박지은", "박지은"),  # 은 follows a consonant, and 지 has none
        ("정부는경장사업", "정부", "정부는경장사업"),
        ("회의 끝에", "회의", "회의"),
        ("고려대학교 학생", "고려대", "고려대학교"),  # a word is not cut elsewhere
        ("인구는 950만 명", "950", "950만"),
        ("Hale의 등대", "Hale의", "Hale"),
        ("in Lisbon, where", "Lisb", "Lisbon"),
    ],
)
def test_a_span_ends_before_the_particle_of_its_last_word(text: str, stated: str, whole: str) -> None:
    start = text.index(stated)
    low, high = completed(text, start, start + len(stated))
    high = without_particle(text, low, high)
    assert text[low:high] == whole
    assert completed(text, low, high) == (low, high)
