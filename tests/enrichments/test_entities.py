"""What a text names that has a form of its own, in English and Korean, and that no text takes long."""

import random
import time
from pathlib import Path
from typing import Any

import pytest

from quarry.api.library import Library
from quarry.indexer.enrichments.entities import MOST, entities
from quarry.search.models.fake import FakeModels

WRITTEN: dict[str, dict[str, Any]] = {
    "Write to Ann.Lee+x@Example.org.": {"email": ["ann.lee+x@example.org"]},
    "문의는 help@quarry.or.kr로, a@b 는 아님, @user, x..y@z.org": {"email": ["help@quarry.or.kr"]},
    "See (https://Example.org/A_(b)), www.test.net.": {"url": ["https://example.org/A_(b)", "https://www.test.net"]},
    "https://www.kosaf.go.kr에서, https://ko.wikipedia.org/wiki/서울": {
        "url": ["https://www.kosaf.go.kr", "https://ko.wikipedia.org/wiki/서울"]
    },
    "+49 (0)30 1234567 or (212) 555-0123, 1-800-356-9377": {"phone": ["+49301234567", "+12125550123", "+18003569377"]},
    "02-312-3456, 010-1234-5678, 01012345678, +82-2-312-3456": {"phone": ["+8223123456", "+821012345678"]},
    "대표번호 1588-1234, 임진왜란 1592-1598": {"phone": ["+8215881234"]},
    "pages 100-200, 10:30, 1.2.3, 212-111-0123, +999 123 4567": {},
    "3만 5천 원, 1억 2,000만원, 500원씩, 3원칙, 2차원": {"amount": {"KRW": [500, 35000, 120000000]}},
    "$1.5 million, €1.234,56, USD 20, 30 dollars, 5 pounds, $3k": {
        "amount": {"USD": [20, 30, 3000, 1500000], "EUR": [1234.56]}
    },
    "March 3rd, 2021; 4. März 2021; 2021년 3월 5일; 2021. 3. 6.; 2021-03-07": {
        "day": ["2021-03-03", "2021-03-04", "2021-03-05", "2021-03-06", "2021-03-07"]
    },
    "03/04/2021 has two meanings, 25/12/2021 one, 31 June 2021 none": {"day": ["2021-12-25"]},
    "ISBN 978-3-16-148410-0, ISBN 0-306-40615-2, 978-3-16-148410-1": {"isbn": ["9783161484100", "9780306406157"]},
    "(doi:10.1000/ABC.182).": {"doi": ["10.1000/abc.182"]},
    "GB82 WEST 1234 5698 7654 32 AND DE89370400440532013001": {"iban": ["GB82WEST12345698765432"]},
    "192.168.0.1, 300.1.1.1, 1.2.3.4.5, 2001:DB8:0::1, a::b": {"ip": ["192.168.0.1", "2001:db8::1"]},
    "ABC-123 fixes COVID-19 and UTF-8": {"ticket": ["ABC-123"]},
    "No digit, no sign.": {},
    "": {},
}  # fmt: skip


@pytest.mark.parametrize("text", WRITTEN, ids=range(len(WRITTEN)))
def test_what_is_written_is_found_in_one_spelling(text: str) -> None:
    assert entities(text) == WRITTEN[text]


def test_a_field_has_no_more_than_a_hundred_values() -> None:
    found = entities(" ".join(f"a{n}@b.org ${n}" for n in range(500)))
    assert len(found["email"]) == MOST == len(found["amount"]["USD"])


def test_no_text_takes_long() -> None:
    pieces = (
        "1|1,|1.|a@|a.|+1 |+|(|http://|www.|AA00 |A-1|:|::|10.1000/|)|1천 |1만|원|$|$1|2021|2021-|1 May |978|978-|02-"
    )
    pieces += "|010-|1592-|-| |é|ISBN |\u3000|\ud800|\x00|0:0:|dollars|USD |문의|%"
    parts = [*pieces.split("|"), "a" * 70, "1" * 70]
    chance = random.Random(11)
    texts = [piece * (20_000 // len(piece)) for piece in parts]
    texts += [one * 500 + other * 500 for one in parts for other in parts[::13]]
    texts += ["".join(chance.choices(parts, k=4_000)) for _ in range(10)]
    slowest = 0.0
    for text in texts:
        started = time.process_time()
        entities(text)
        slowest = max(slowest, (time.process_time() - started) / max(len(text), 1_000))
    assert slowest < 10e-6  # seconds a character; prose takes a hundredth of that


def test_documents_are_filtered_and_counted_by_them(tmp_path: Path, models: FakeModels) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.txt").write_text("Send 1,200 USD to ann@b.org by May 5, 2021.", "utf-8")
    (tmp_path / "root" / "b.md").write_text("---\nemail: own@b.org\n---\nann@b.org got 2만 원.", "utf-8")
    with Library(tmp_path / "library", models=models) as library:
        library.index(tmp_path / "root")

        def found(**filter: Any) -> list[str]:
            return sorted(Path(one.uri).name for one in library.documents(filter=filter)[0])

        assert found(email="ann@b.org") == ["a.txt"]  # what a file says of itself wins
        assert found(email="own@b.org") == ["b.md"] and found(day={"$gte": "2021-05"}) == ["a.txt"]
        assert found(**{"amount.USD": {"$gt": 1000}}) == ["a.txt"] and found(**{"amount.USD": {"$gt": 2000}}) == []
        assert found(**{"amount.KRW": 20000}) == ["b.md"]
        (facet,) = library.search("ann", facets=["day"], min_relevance=0).facets.values()
        assert facet.values == (("2021-05-05", 1),) and facet.missing == 1
