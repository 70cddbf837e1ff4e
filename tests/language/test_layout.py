from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.search.language.layout import lines


def told(text: str, trail: str = "") -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the kind of each line and its cells with their names."""
    return [
        (line.kind, [(cell.name, text[cell.start : cell.end]) for cell in line.cells]) for line in lines(text, trail)
    ]


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("Total ....... 12.40", ["Total", "12.40"]),
        ("rent: 850 EUR", ["rent", "850 EUR"]),
        ("- **Budget**: 350 EUR", ["Budget", "350 EUR"]),
        ("**Total: 206.35 EUR**", ["Total", "206.35 EUR"]),
        ("Goat cheese 6.95", ["Goat cheese", "6.95"]),
        ("일시:2024년 3월", ["일시", "2024년 3월"]),
        ("  -o dir      Write into dir\n              instead.", ["-o dir", "Write into dir\n              instead."]),
        ("  -x, --exclude=P\n      leave out P", ["-x, --exclude=P", "leave out P"]),
    ],
)
def test_pairs_have_a_key_and_a_value(text: str, cells: list[str]) -> None:
    ((kind, found),) = told(text)
    assert (kind, [cell for _, cell in found]) == ("pair", cells)


@pytest.mark.parametrize(
    "text",
    [
        "| fruit | price |\n| --- | --- |\n| plum | 3.10 |",
        "fruit | price\nplum | 3.10",
        "fruit\tplace\tprice\nplum\tKiel\t3.10",
    ],
)
def test_cells_have_the_names_of_their_columns(text: str) -> None:
    *_, (kind, cells) = told(text)
    assert kind == "row"
    assert cells[0] == ("fruit", "plum") and cells[-1] == ("price", "3.10")
    assert told(text)[0][0] == "heading"


@pytest.mark.parametrize(
    ("text", "trail"),
    [
        ("## Rent", ""),
        ("Rent\n====", ""),
        ("3 Rent\nThe rent is 1,240 EUR a month, due on the third working day.", ""),
        ("EXIT STATUS\n  It exits 0 where all is well.", ""),
        ("Rent\nIt is due on the third working day of the month.", "Lease > Rent"),
    ],
)
def test_headings_are_told(text: str, trail: str) -> None:
    kinds = [kind for kind, _ in told(text, trail)]
    assert kinds[0] == "heading"
    assert "heading" not in kinds[1:]


def test_a_table_of_contents_is_no_receipt() -> None:
    contents = "1 Parties ........ 1\n2 Rent ........... 2\n3 Notice ......... 5"
    assert [kind for kind, _ in told(contents)] == ["contents"] * 3
    receipt = "Bag ........ 0.10\nLeeks ...... 2.40\nSoap ....... 5.00"
    assert [kind for kind, _ in told(receipt)] == ["pair"] * 3


@pytest.mark.parametrize(
    "text",
    [
        "The canal is long. It opened on 15 August 1914.",
        "Antarctica is a great desert: at the South Pole less than ten centimetres of snow fall in a year.",
        "It was written for backups on slow and on very old\ndisks: files are read in the order of their places.",
        "1. Press the button\n2. Turn the key",
        "여기는 서울이다. 한강이 흐른다.",
    ],
)
def test_prose_stays_prose(text: str) -> None:
    assert {kind for kind, _ in told(text)} == {"prose"}


@given(st.text(st.sampled_from(" a1.:|\t-#\n한"), max_size=60))
def test_lines_are_in_order_and_cells_within_them(text: str) -> None:
    place = 0
    for line in lines(text):
        assert place <= line.start < line.end <= len(text)
        assert all(line.start <= cell.start < cell.end <= line.end for cell in line.cells)
        assert line.is_data == bool(line.cells)
        place = line.end
