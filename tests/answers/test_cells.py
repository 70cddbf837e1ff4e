from __future__ import annotations

from dataclasses import replace

import pytest

from quarry.search.answers.answering import answers
from quarry.search.answers.cells import looked_up, settled, spoken
from quarry.search.answers.evidence import Asked
from quarry.search.models.fake import FakeReader
from quarry.search.types import Reading
from tests.answers.scripted import hit

RECEIPT = "GREEN GROCER\n\nLeeks 3 x 0.80 ........ 2.40\nGoat cheese ........... 6.95\nTOTAL ................. 9.35"
TABLE = (
    "| ticket | adults | children |\n|---|---|---|\n| Sauna | 12.25 EUR | 7.00 EUR |\n| Pool | 6.50 EUR | 3.00 EUR |"
)
CARD = "Model: Aquilo\nSerial number: WX 77-301\nBought: 21 November 2022\nCapacity: 8 kg"
OPTIONS = (
    "OPTIONS\n  -n, --dry-run\n      only say what would be written\n  -x, --exclude=P\n      leave out files like P"
)
SEASONS = "| | low season | high season |\n|---|---|---|\n| Canoe | 14.00 | 21.00 |\n| Kayak | | 26.50 |"
PRINTS = "item: photo print\nsize: A5\nup to 20: 0.40\n21-99: 0.30\nover 99: 0.20"
COURSES = "No.  Course      Time    Places up to\n1    Pottery     2:30    12 people\n2    Weaving     3:45    8 people"
NOTE = "Neighbour: Mrs. Tennant, no. 12\nShed: behind the house\nSpare fuse: with Ms. Brandt, flat 3"
BRIEF = "Treffpunkt: Bahnhof, 7:40 Uhr\nKosten: 48,00 €\nVerpflegungsgeld: höchstens 9 €"
FOUND = "Ref .......... LP-7\nBus .......... 14, towards Docks\nItem ......... red scarf\nSeat ......... upper deck"
BILL = "- 납부 마감일: 3월 31일\n- 전기료: 52,360원\n- 문의: 전기사업소, 평일 9시~18시"
LEASE = "Contents\n1 Parties ..... 1\n2 Rent ....... 3\n3 Notice ..... 4\n\n2 Rent\nThe rent is 1,240 EUR a month."


@pytest.mark.parametrize(
    ("text", "question", "cell"),
    [
        (RECEIPT, "How much did the goat cheese cost?", "6.95"),
        (RECEIPT, "What was the total?", "9.35"),
        (TABLE, "What does the pool cost for children?", "3.00 EUR"),
        (TABLE, "How much is the sauna for adults?", "12.25 EUR"),
        (CARD, "What is the serial number?", "WX 77-301"),
        (CARD, "When was it bought?", "21 November 2022"),
        (OPTIONS, "What does -n do?", "only say what would be written"),
        (OPTIONS, "Which option leaves out files?", "-x, --exclude=P"),
        (SEASONS, "What does a canoe cost in the high season?", "21.00"),
        (SEASONS, "How much is a kayak in the high season?", "26.50"),
        (PRINTS, "How much is one photo print if I make 50 of them?", "0.30"),
        (PRINTS, "What does a photo print cost if I order 150?", "0.20"),
        (COURSES, "How long does weaving take?", "3:45"),
        (NOTE, "Who has the spare fuse?", "with Ms. Brandt, flat 3"),
        (BRIEF, "Wie viel Verpflegungsgeld brauchen die Kinder?", "höchstens 9 €"),
        (BRIEF, "Wie hoch sind die Kosten?", "48,00 €"),
        (FOUND, "On which bus was the scarf?", "14, towards Docks"),
        (BILL, "전기료는 언제까지 내야 하나요?", "3월 31일"),
        (BILL, "전기료는 얼마 나왔어?", "52,360원"),
        ("다음 영화: 『길』\n다음 모임: 4월 2일", "다음에 볼 영화는 뭐야?", "『길』"),
        ("떡볶이 .......... 5,500원\n김밥 2 ......... 9,000원", "김밥은 얼마인가?", "9,000원"),
    ],
)
def test_cells_are_looked_up(text: str, question: str, cell: str) -> None:
    best = looked_up(question, hit(text))[0]
    assert text[best.start : best.end] == cell
    assert best.score > 0


@pytest.mark.parametrize(
    ("text", "question"),
    [
        (RECEIPT, "How much did the butter cost?"),
        (TABLE, "How much is a massage?"),
        (CARD, "Who is the dealer?"),
        ("Landlord: Quayside Homes", "Who is the lawyer of the landlord in Rome?"),
        ("Options: one per line", "How wide are the options?"),
        (OPTIONS, "What does --encrypt do?"),
        ("The canal is long. It opened in 1914.", "When did the canal open?"),
    ],
)
def test_what_no_cell_tells_of_is_not_looked_up(text: str, question: str) -> None:
    assert [one for one in looked_up(question, hit(text)) if one.score > 0] == []


@pytest.mark.parametrize(
    ("text", "question", "span", "answer"),
    [
        ("It counted 211,522 heads.", "How many heads?", "211", "211,522"),
        (CARD, "What is the capacity?", "8", "8 kg"),
        ("For Ada, 3 to 17 August.", "How old is Ada?", "3 to 17 August", None),
        ("Ada is 11 yrs.", "How old is Ada?", "11", "11"),
        ("They carry a 3 year guarantee.", "How much were the brushes?", "3 year guarantee", None),
        ("They cost 4 euros for 3 years.", "How much were the brushes?", "4", "4"),
        (CARD, "What is the capacity?", "Capacity", "8 kg"),
        (CARD, "What is the serial number?", "number: WX", "WX 77-301"),
        (TABLE, "What does the pool cost for children?", "3.00", "3.00 EUR"),
        (LEASE, "How much is the rent?", "1,240", "1,240 EUR"),
        (LEASE, "How much is the rent?", "3\n3", None),
        (LEASE, "How much is the rent?", "2 Rent\n", None),
        ("Use the `x` flag. About one is enough.", "What is it about?", "`", None),
        ("Use the `x` flag. About one is enough.", "What is it about?", "About one", None),
        ("There was one of them.", "How many were there?", "one", "one"),
    ],
)
def test_a_span_settles_on_a_whole_answer_or_none(text: str, question: str, span: str, answer: str | None) -> None:
    start = text.index(span)
    found = settled(question, hit(text), Reading(start, start + len(span), 5.0))
    assert (text[found.start : found.end] if found else None) == answer


def test_a_reader_is_told_the_names_of_cells_and_its_spans_come_back() -> None:
    said = spoken(TABLE, "")
    assert "ticket: Pool; adults: 6.50 EUR; children: 3.00 EUR" in said.text
    start = said.text.index("3.00")
    source = said.source(start, start + 4)
    assert source is not None and TABLE[slice(*source)] == "3.00"
    label = said.text.index("children: ")
    assert said.source(label, label + 3) is None
    prose = "The canal is long.\n\nIt opened in 1914."
    assert spoken(prose, "").text == prose


def test_a_weak_second_is_not_shown_and_a_part_of_the_first_neither() -> None:
    text = "It opened on 15 August 1914. Work began in 1881. A lock was added in 1915."
    reader = FakeReader({"15 August 1914": 6.0, "1881": 5.5, "1914": 5.8, "1915": -1.0})
    found = answers(Asked("When did it open?"), [hit(text[:28], "1"), hit(text[29:], "2")], {}, reader)
    assert [one.text for one in found] == ["15 August 1914", "1881"]


def test_equal_passages_give_one_answer_with_its_places() -> None:
    text = "The licence was written in 1991."
    hits = [hit(text, "1"), hit(text, "2"), replace(hit(text, "3", start=9), document=hit(text, "2").document)]
    (found,) = answers(Asked("When was it written?"), hits, {}, FakeReader({"1991": 5.0}))
    (also,) = found.also
    assert (found.hit.id, also.id, text[also.start : also.end]) == ("1", "2", "1991")
