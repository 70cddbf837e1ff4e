"""`-word` and `-"a phrase"` leave out what holds it, in every mode; a minus that is none is a sign like all others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from quarry.api import Library, Text
from quarry.search.errors import InvalidRequest
from quarry.search.models.fake import FakeModels
from quarry.search.queries.negation import parted
from quarry.search.types import MODES, Mode
from tests.processes import Served

TEXTS = {
    "animal": "The jaguar is a large cat that hunts in the rainforest.",
    "car": "The jaguar is a car with a walnut dashboard and leather seats.",
    "cars": "Jaguars were fast cars, and this one has won a race.",
    "band": "A jaguar stood on the cover of the big band's record, not on that of a band big in Japan.",
    "wifi": "The jaguar of the zoo has Wi-Fi in its house.",
    "korean": "재규어 jaguar 자동차를 만드는 회사가 있다.",
    "author": "A jaguar was seen again.",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with Library(tmp_path_factory.mktemp("negation") / "library", models=FakeModels()) as opened:
        opened.add(
            [Text(text, title="jaguar", metadata={"name": name}) for name, text in TEXTS.items() if name != "author"]
        )
        opened.add([Text(TEXTS["author"], title="draft", metadata={"name": "author", "by": "Jane Doe"})])
        yield opened


@pytest.mark.parametrize(
    ("text", "rest", "without"),
    [
        ("jaguar -car", "jaguar", ("car",)),
        ("-car jaguar", "jaguar", ("car",)),
        ('jaguar -"big band" -car -car', "jaguar", ("big band", "car")),
        ("jaguar -“big band”", "jaguar", ("big band",)),
        ("jaguar −car", "jaguar", ("car",)),
        ("별 -자동차", "별", ("자동차",)),
        ("mail -wi-fi", "mail", ("wi-fi",)),
        *(
            (text, text, ())
            for text in (
                "-", "a - b", "jaguar -", "C-3PO", "sort --option", "-5 degrees", "below -273.15 °C", "--", "---",
                "well-known", "1-2", '-""', '-"', '-"..."', "a -- b", "- car", "x-ray", '"-car"', "(-car)", "",
            )
        ),
    ],
)  # fmt: skip
def test_what_a_minus_is(text: str, rest: str, without: tuple[str, ...]) -> None:
    assert parted(text) == (rest, without)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("negated", "gone"),
    [
        ("-car", {"car", "cars"}),
        ("-CARS", {"car", "cars"}),
        ('-"big band"', {"band"}),
        ('-"band big"', {"band"}),
        ('-"big in the band"', set()),
        ("-wifi", {"wifi"}),
        ("-wi-fi", {"wifi"}),
        ("-자동차", {"korean"}),
        ("-동차", {"korean"}),
        ("-차자", set()),
        ("-draft", {"author"}),
        ('-"Jane Doe"', {"author"}),
        ('-"Doe Jane"', set()),
        ("-car -draft", {"car", "cars", "author"}),
        ("-zebra", set()),
        ("- car", set()),
    ],
)
def test_what_holds_it_is_left_out(library: Library, mode: Mode, negated: str, gone: set[str]) -> None:
    hits = library.search(f"jaguar {negated}", mode=mode).hits
    assert {hit.document.metadata["name"] for hit in hits} == set(TEXTS) - gone


def test_the_rest_is_found_as_without_the_words(library: Library) -> None:
    found, plain = library.search("jaguar -zebra"), library.search("jaguar")
    assert [(hit.id, hit.score, hit.highlights) for hit in found.hits] == [
        (hit.id, hit.score, hit.highlights) for hit in plain.hits
    ]
    assert (found.query.text, found.query.without) == ("jaguar", ("zebra",))
    filtered = library.search("jaguar -car", filter={"name": {"$ne": "animal"}})
    assert {hit.document.metadata["name"] for hit in filtered.hits} == set(TEXTS) - {"car", "cars", "animal"}


@pytest.mark.parametrize("query", ["-car", '-"big band" -car', " -car "])
def test_negated_words_alone_are_refused(library: Library, query: str) -> None:
    with pytest.raises(InvalidRequest, match="what to look for"):
        library.search(query)
    with pytest.raises(InvalidRequest, match="at most 32"):
        library.search("jaguar " + " ".join(f"-word{'abcdefgh'[n % 8]}{n}" for n in range(40)))


def test_new_texts_are_left_out_before_they_are_indexed(tmp_path: Path) -> None:
    with Library(tmp_path / "library", models=FakeModels()) as library:
        library.add([Text(f"star number {n}") for n in range(3)])
        library.add([Text("star of paper", metadata={"by": "moon"})])
        assert len(library.search("star -paper", mode="semantic").hits) == 3
        assert len(library.search("star -moon -number", mode="hybrid").hits) == 0
        assert library.search("star -zebra", mode="semantic").degraded == ()


def test_pictures_are_left_out_by_what_is_said_about_them(tmp_path: Path) -> None:
    for name, colour in (("red dog.png", "red"), ("blue cat.png", "blue")):
        Image.new("RGB", (40, 40), colour).save(tmp_path / name)
    with Library(tmp_path / "library", models=FakeModels()) as library:
        library.index(tmp_path)
        assert len(library.search("animal", kinds=("image",), mode="semantic").hits) == 2
        found = library.search("animal -dog", kinds=("image",), mode="semantic").hits
        assert [Path(hit.document.uri).name for hit in found] == ["blue cat.png"]


def test_over_http(server: Served) -> None:
    body = server.client.post("/v1/search", json={"query": "stars -gas", "limit": 100}).json()
    assert body["without"] == ["gas"] and body["query"] == "stars"
    assert body["hits"] and not any("gas " in hit["text"].lower() for hit in body["hits"])
    refused = server.client.post("/v1/search", json={"query": "-gas"})
    assert refused.status_code == 422 and "what to look for" in refused.json()["detail"]
