"""Near copies are one hit where that is asked for; rows of tables and entries of lists never are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quarry.api import Library, Text
from quarry.search.errors import InvalidRequest
from quarry.search.models.fake import FakeModels
from quarry.search.ranking.near_copies import near_copies
from quarry.search.types import MODES, Mode

TEXT = (
    "A star forms where a cold cloud of gas and dust collapses under its own gravity. As the core grows denser it "
    "warms, until hydrogen begins to fuse into helium and the star shines by its own light for millions of years."
)
COPIES = {
    "a word changed": TEXT.replace("denser", "thicker"),
    "a slip corrected": TEXT.replace("collapses", "colapses"),
    "a sentence added": TEXT + " This was first understood in the last century.",
    "words left out": TEXT.replace(" and dust", "").replace("its own light", "light"),
    "another case": TEXT.upper(),
    "broken lines and typography": TEXT.replace(" ", "\n", 9).replace(".", " ."),
    "a title before it": "How stars are born\n\n" + TEXT,
    "a word in two": TEXT.replace("helium", "he lium"),
}
OTHERS = {
    "a paraphrase": "Stars are born when clouds of cold gas fall together. Their middle heats up until fusion starts, "
    "and from then on they give off light of their own over a very long time.",
    "its beginning alone": TEXT[:90],
    "a quote within much else": f"{TEXT} " + " ".join(f"word{n} follows" for n in range(60)),
}
FORM = "Invoice {} for {}: the goods were sent by post on the {} of March and are to be paid in thirty days, thank you."
RENT = "The rent of the flat on the second floor, with heating, is {} euros a month."
PAINT = "- tin of paint, one litre, matt, for walls and ceilings, {}, article {}"
UPGRADE = "Upgrading to version {} of the server takes a minute, and nothing else has to be done by you."
MEETING = "다음 주 회의는 {} 준비하고 {} 오후에 열리며 모든 부서의 책임자가 자료를 미리 보내야 한다고 알렸다"
PAIRS = {
    "numbers": (FORM.format(1001, "the office", "3rd"), FORM.format(1002, "the office", "3rd")),
    "dates": (FORM.format(1001, "the office", "3rd"), FORM.format(1001, "the office", "9th")),
    "names": (FORM.format(7, "Smith", "3rd"), FORM.format(7, "Jones", "3rd")),
    "amounts": (RENT.format("640.50"), RENT.format("655.00")),
    "entries": (PAINT.format("White", 7), PAINT.format("Grey", 8)),
    "denials": (UPGRADE.format("2.1"), UPGRADE.format("2.1").replace("takes", "never takes")),
    "names in Korean": (MEETING.format("김철수가", "서울에서"), MEETING.format("이영희가", "서울에서")),
    "long names in Korean": (MEETING.format("김철수가", "서울에서"), MEETING.format("남궁민수가", "서울에서")),
    "places in Korean": (MEETING.format("김철수가", "서울에서"), MEETING.format("김철수가", "부산에서")),
    "denials in Korean": (MEETING.format("김철수가", "서울에서"), MEETING.format("김철수가", "서울에서") + " 않았다"),
    "versions": (UPGRADE.format("2.1"), UPGRADE.format("2.2")),
}


@pytest.mark.parametrize("what", COPIES)
def test_copies_are_found(what: str) -> None:
    assert near_copies([(1, TEXT), (2, COPIES[what])]) == {2: 1}
    assert near_copies([(2, COPIES[what]), (1, TEXT)]) == {1: 2}


@pytest.mark.parametrize("what", OTHERS)
def test_what_says_more_or_less_is_no_copy(what: str) -> None:
    assert near_copies([(1, TEXT), (2, OTHERS[what])]) == near_copies([(2, OTHERS[what]), (1, TEXT)]) == {}


@pytest.mark.parametrize("what", PAIRS)
def test_rows_and_entries_that_tell_of_something_else_are_no_copies(what: str) -> None:
    one, other = PAIRS[what]
    assert near_copies([(1, one), (2, other)]) == {}


def test_scripts_without_spaces_and_korean() -> None:
    chinese = "恒星形成于寒冷的气体和尘埃云在自身引力作用下坍缩的地方。"
    korean = "별은 차가운 기체와 먼지 구름이 스스로의 중력으로 무너지는 곳에서 태어나고 오랫동안 빛난다고 한다. "
    korean += "그 가운데가 점점 뜨거워지면 수소가 헬륨으로 바뀌기 시작하고 그때부터 스스로 빛을 낸다."
    for text, changed in ((chinese, chinese.replace("寒冷", "极冷")), (korean, korean.replace("오랫동안", "길게"))):
        assert near_copies([(1, text), (2, changed)]) == {2: 1}
        assert near_copies([(1, text), (2, text[: len(text) // 2])]) == {}


def test_what_comes_later_changes_nothing_and_many_are_folded_into_the_first() -> None:
    texts = [(n, f"{TEXT} And so said reader {'abcdefgh'[n % 8]} of it.") for n in range(40)]
    whole = near_copies(texts)
    assert set(whole.values()) == {0} and len(whole) == 39
    for length in (1, 5, 17):
        assert near_copies(texts[:length]) == {id: first for id, first in whole.items() if id < length}
    assert near_copies([(n, "the of and") for n in range(9)]) == {}


@pytest.mark.parametrize("mode", MODES)
def test_near_copies_are_one_hit_with_their_places(tmp_path: Path, mode: Mode) -> None:
    with Library(tmp_path / "library", models=FakeModels()) as library:
        library.add([Text(text, title=what) for what, text in {"one": TEXT, "two": TEXT, **COPIES, **OTHERS}.items()])
        table = tmp_path / "table.csv"
        head = "part,place,of what,for whom,since when,told by"
        table.write_text(f"{head}\n" + "\n".join(f"star {n},shelf,gas and dust,anyone,long,nobody" for n in range(9)))
        library.index(table)
        asked: Any = {"mode": mode, "min_relevance": 1e-9}
        for query in ("star gas dust", TEXT):
            same = library.search(query, limit=100, **asked).hits
            near = library.search(query, limit=100, fold="near", facets=["kind"], **asked)
            first = near.hits[0] if query == TEXT else next(hit for hit in near.hits if len(hit.also) > 3)
            assert len(first.also) == len(COPIES) + 1 and (first.equal, first.near) == (1, len(COPIES))
            assert {one.document.title for one in first.also if one.near} < {"one", "two", *COPIES}
            assert all((hit.equal, hit.near) == (len(hit.also), 0) for hit in same)
            assert {hit.text for hit in near.hits} < {hit.text for hit in same}
            assert near.facets["kind"].values == (("text", len(near.hits)),)
            rows = [hit for hit in near.hits if hit.document.uri.startswith(str(table))]
            assert len(rows) == 9 or mode == "hybrid"
            paged = [library.search(query, limit=2, offset=n, fold="near", **asked).hits for n in range(0, 12, 2)]
            assert [hit.id for page in paged for hit in page] == [hit.id for hit in near.hits[:12]]
        with pytest.raises(InvalidRequest, match="fold"):
            library.search("star", fold="nearly")  # type: ignore[arg-type]
