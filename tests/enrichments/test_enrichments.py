"""What enrichments find: fields that filters name, and texts to be found by. Each runs once for a content, and again,
alone, when it has changed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from quarry.api.library import Library
from quarry.indexer.enrichments import renditions
from quarry.indexer.enrichments.base import Enrichment, Own, Pictured, Pixels, Result, Said, Unread, WholePicture
from quarry.indexer.enrichments.language import Language
from quarry.indexer.enrichments.reenriching import reenrich
from quarry.indexer.enrichments.town import NearestTown
from quarry.indexer.report import NoProgress, Report
from quarry.indexer.sync import RunOptions, sync
from quarry.indexer.wiring import open_writer
from quarry.indexer.writer import Writer, compact
from quarry.search.config import Settings
from quarry.search.errors import ModelMissing
from quarry.search.models.fake import FakeModels
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.rows import enrichments as enrichment_rows
from quarry.search.stores.rows.enrichments import Enrichable
from quarry.search.types import Document, Preprocessing
from quarry.search.values.places import Place
from quarry.search.wiring import Searcher

TEXTS = {
    "a.md": "# Tides\n\nThe Moon raises two tides a day.",
    "b.txt": "한글은 조선의 네 번째 임금인 세종이 만든 문자로, 백성이 쉽게 배우고 쓰도록 하려는 뜻에서 시작되었다.",
    "c.txt": "Le soleil se lève à l'est et se couche à l'ouest, sauf pour ceux qui dorment toute la journée.",
}


class Toy(Enrichment):
    """Finds what it is told to find; keeps the texts that it was given."""

    def __init__(self, found: Callable[[str], Result], version: int = 1, name: str = "toy") -> None:
        self.name = name  # type: ignore[misc]
        self._version = version
        self._found = found
        self.seen: list[str] = []

    @property
    def identity(self) -> str:
        return f"{self.name} {self._version}"

    def enrich(self, texts: Sequence[str]) -> list[Result]:
        self.seen += texts
        return [self._found(text) for text in texts]


@pytest.fixture
def library(tmp_path: Path, models: FakeModels) -> Iterator[Library]:
    for name, text in TEXTS.items():
        (tmp_path / "root" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "root" / name).write_text(text, "utf-8")
    with Library(tmp_path / "library", models=models) as opened:
        Catalog(tmp_path / "library", writable=True).close()
        yield opened


def writer_of(library: Library, *enrichments: Enrichment) -> Writer:
    catalog = library.catalog()
    settings = Settings(catalog.directory, live=FakeModels())
    return replace(open_writer(settings, Searcher(catalog, settings)), enrichments=enrichments)


def run(library: Library, *enrichments: Enrichment) -> Report:
    """Sync the folder with these enrichments."""
    catalog = library.catalog()

    def writer() -> Writer:
        return writer_of(library, *enrichments)

    return sync(
        library.searcher.vectors,
        writer,
        [catalog.directory.parent / "root"],
        None,
        RunOptions(),
        NoProgress(),
        enrichments,
    )


def document(library: Library, name: str) -> Document:
    return library.get(str(library.catalog().directory.parent / "root" / name))


def words(text: str) -> Result:
    return Result({"words": len(text.split())})


def shouted(text: str) -> Result:
    return Result(said=(Said(f"shouting {text.split()[-1].upper()}", Place(page=3), 0.75),))


def heard(library: Library, query: str) -> list[tuple[str, str, float | None]]:
    hits = library.search(query, mode="lexical", min_relevance=None).hits
    return [(hit.text, hit.said_by, hit.confidence) for hit in hits]


def is_sound(library: Library) -> bool:
    return not [finding for finding in library.doctor() if finding.level == "damage"]


def test_a_field_is_shown_filtered_by_and_counted(library: Library) -> None:
    run(library, Toy(words))
    assert document(library, "a.md").enriched == {"words": 9} and document(library, "a.md").metadata == {}
    documents, _ = library.documents(filter={"words": {"$lt": 12}})
    assert [one.title for one in documents] == ["Tides"]
    (field,) = [field for field in library.fields() if field.name == "words"]
    assert field.documents == 3
    assert heard(library, "words") == []  # what was found out about a document is no word of it
    assert is_sound(library)


def test_a_documents_own_field_wins(library: Library, tmp_path: Path) -> None:
    (tmp_path / "root" / "a.md").write_text("---\nwords: many\n---\nThe Moon raises two tides a day.")
    run(library, Toy(words))
    assert [one.uri for one in library.documents(filter={"words": "many"})[0]] == [document(library, "a.md").uri]
    assert library.documents(filter={"words": 7})[1] == 0
    assert document(library, "a.md").enriched == {"words": 7}


def test_it_runs_once_for_a_content(library: Library, tmp_path: Path) -> None:
    toy = Toy(words)
    run(library, toy)
    (tmp_path / "root" / "a.md").rename(tmp_path / "root" / "z.md")
    (tmp_path / "root" / "copy.txt").write_text(TEXTS["c.txt"], "utf-8")
    run(library, toy)
    assert sorted(toy.seen) == sorted(TEXTS.values())
    assert document(library, "copy.txt").enriched == document(library, "c.txt").enriched


def test_one_that_has_changed_runs_again_alone(library: Library) -> None:
    other, before = Toy(words, name="other"), Toy(lambda text: Result({"first": text[0], "old": True}))
    run(library, other, before)
    after = Toy(lambda text: Result({"first": text[:2]}), 2)
    report = run(library, other, after)
    assert (report.files_read, report.embedded, report.changed) == (0, 0, 0)
    assert sorted(after.seen) == sorted(TEXTS.values()) and len(other.seen) == 3
    assert document(library, "a.md").enriched == {"words": 9, "first": "# "}
    run(library, other, after)
    assert len(after.seen) == 3
    run(library)
    assert document(library, "a.md").enriched == {}


def test_what_is_said_is_found_beside_the_text(library: Library) -> None:
    run(library, Toy(shouted))
    (hit,) = library.search("shouting day", mode="lexical", min_relevance=None).hits[:1]
    assert (hit.text, hit.said_by, hit.confidence, hit.place) == ("shouting DAY.", "toy", 0.75, Place(page=3))
    assert (hit.start, hit.end, hit.page) == (41, 54, 3)  # after the text
    assert [library.text(str(library.catalog().directory.parent / "root" / name)) for name in TEXTS] == list(
        TEXTS.values()
    )
    assert document(library, "a.md").chunks == 2
    assert any(hit.said_by == "toy" for hit in library.search("shouting DAY.", mode="semantic").hits)
    assert is_sound(library)


def test_what_it_said_before_is_replaced(library: Library) -> None:
    run(library, Toy(shouted))
    louder = Toy(lambda text: Result(said=(*shouted(text).said, Said("louder")) if "Moon" in text else ()), 2)
    report = run(library, louder)
    assert report.embedded == 0 and report.files_read == 0
    assert sorted(heard(library, "shouting louder")) == [("louder", "toy", None), ("shouting DAY.", "toy", 0.75)]
    assert document(library, "a.md").chunks == 3 and document(library, "b.txt").chunks == 1
    assert is_sound(library)
    run(library)
    assert heard(library, "shouting louder") == [] and document(library, "a.md").chunks == 1
    assert is_sound(library)


def test_what_a_slow_one_said_stays_until_it_has_looked_again(library: Library) -> None:
    """As where an engine was updated: a run may end at any time, and a file may be away."""

    class Slow(Toy):
        is_slow = True

    run(library, Slow(shouted))
    there: list[int] = []

    def anew(text: str) -> Result:
        there.append(len(heard(library, "shouting")))
        return None if "Moon" in text else Result(said=(Said("anew"),))  # type: ignore[return-value]

    run(library, Slow(anew, 2))
    assert there == [3] * 3
    assert sorted(text for text, _, _ in heard(library, "shouting anew")) == ["anew", "shouting DAY."]
    run(library, Slow(lambda text: Result(said=(Said("anew"),)), 2))
    assert [text for text, _, _ in heard(library, "shouting anew")] == ["anew"]
    assert is_sound(library)


def test_what_stays_for_one_goes_with_it(library: Library) -> None:
    """Where a file was away when an engine was updated, and the engine is turned off then."""

    class Slow(Toy):
        is_slow = True

    run(library, Slow(shouted))
    for _ in range(2):  # the second finds that all is settled
        run(library, Slow(lambda text: None if "Moon" in text else Result(), 2))  # type: ignore[arg-type, return-value]
    assert [text for text, _, _ in heard(library, "shouting")] == ["shouting DAY."]
    run(library)
    assert not heard(library, "shouting")


def test_what_is_said_comes_to_what_was_indexed_before(library: Library) -> None:
    run(library)
    run(library, Toy(shouted))
    assert [text for text, _, _ in heard(library, "shouting")].count("shouting DAY.") == 1
    assert [library.text(str(library.catalog().directory.parent / "root" / name)) for name in TEXTS] == list(
        TEXTS.values()
    )
    library.delete([document(library, "a.md").id])
    library.undelete()
    assert library.text(document(library, "a.md").id) == TEXTS["a.md"]


def test_a_text_that_trips_it_costs_the_others_nothing(library: Library) -> None:
    def fussy(text: str) -> Result:
        if "Moon" in text:
            raise ValueError("no moons")
        return words(text)

    report = run(library, Toy(fussy))
    assert report.complete and report.added == 3
    assert document(library, "a.md").enriched == {} and document(library, "b.txt").enriched == {"words": 15}


class Colour(Enrichment):
    """Says which colour a picture is mostly of."""

    name = "colour"
    identity = "colour 1"
    rendition = Pixels(Preprocessing(8, 6, "squash"))

    def enrich(self, items: Sequence[np.ndarray]) -> list[Result]:
        assert all(item.shape == (6, 8, 3) for item in items)
        names = [("red", "green", "blue")[item.mean((0, 1)).argmax()] for item in items]
        return [Result({"colour": name}, (Said(f"something {name}", Place(box=(0, 0, 1, 1))),)) for name in names]


def test_pixels_are_given_in_the_size_that_is_asked_for(library: Library, tmp_path: Path) -> None:
    for name, colour in (("r.png", (200, 10, 10)), ("b.jpg", (10, 10, 200))):
        Image.new("RGB", (64, 48), colour).save(tmp_path / "root" / name)
    run(library, Colour())
    assert document(library, "r.png").enriched == {"colour": "red", "said_by": ["colour"]}
    assert document(library, "a.md").enriched == {}
    (hit,) = library.search("something blue", mode="lexical", min_relevance=None).hits[:1]
    assert (hit.kind, hit.text, hit.said_by, hit.place) == (
        "image", "something blue", "colour", Place(box=(0, 0, 1, 1))
    )  # fmt: skip
    run(library)
    assert document(library, "r.png").enriched == {}
    (tmp_path / "root" / "b.jpg").rename(tmp_path / "b.jpg")  # it is held back, and its thumbnail is there
    found = reenrich(library.catalog(), [Colour()], lambda: writer_of(library, Colour()), NoProgress())
    assert found == 2 and document(library, "b.jpg").enriched == {"colour": "blue", "said_by": ["colour"]}
    assert is_sound(library)


class Away(Enrichment):
    """Finds something in pictures whose files are there; counts what it was given."""

    name = "away"
    identity = "away 1"
    rendition = Unread()
    is_slow = True
    given = 0

    def enrich(self, items: Sequence[Pictured]) -> list[Result | None]:
        self.given += len(items)
        return [Result({"seen": "yes"}) if item.path.is_file() else None for item in items]


def test_what_is_away_is_tried_again_alone(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan whose file stays away has no run look at all other documents, and is read when it is back."""
    looked: list[int] = []
    due = enrichment_rows.due

    def counted(*given: Any) -> list[Enrichable]:
        found = due(*given)
        if given[4] > 1:  # else it is only asked whether there are any
            looked.append(len(found))
        return found

    monkeypatch.setattr(enrichment_rows, "due", counted)
    picture = tmp_path / "root" / "scan.png"
    Image.new("RGB", (64, 48), (200, 10, 10)).save(picture)
    run(library)
    picture.rename(tmp_path / "scan.png")
    away = Away()

    def again() -> int:
        looked.clear()
        away.given = 0
        return reenrich(library.catalog(), [away], lambda: writer_of(library, away), NoProgress())

    assert (again(), away.given, sum(looked)) == (0, 1, 4)
    for _ in range(2):
        assert (again(), away.given, sum(looked)) == (0, 1, 1)
    (tmp_path / "scan.png").rename(picture)
    assert (again(), away.given) == (1, 1)
    assert document(library, "scan.png").enriched == {"seen": "yes"}
    assert (again(), away.given, looked) == (0, 0, [])


def test_what_can_not_look_now_is_asked_again(library: Library) -> None:
    """One that is quick, too, such as of a model that could not be loaded."""
    given: list[str] = []

    def absent(text: str) -> Result:
        given.append(text)
        return None if "Moon" in text else words(text)  # type: ignore[return-value]

    run(library, Toy(absent))
    assert len(given) == 4  # once when it was written, once in the same run
    run(library, Toy(absent))
    assert len(given) == 5 and "Moon" in given[-1]
    run(library, Toy(words))
    assert document(library, "a.md").enriched == {"words": len(TEXTS["a.md"].split())}


def test_one_that_is_away_costs_itself_alone(library: Library) -> None:
    """What it said and found stays; what others find is stored once, and seen."""

    class Slow(Toy):
        is_slow = True

        def open(self) -> None:
            if self.identity == "slow 2":
                raise ModelMissing("it is away")

    given: list[str] = []

    def counted(text: str) -> Result:
        given.append(text)
        return Result({"words": 1})

    def found(text: str) -> Result:
        return Result({"slow": ["a"], "words": 2}, (Said("aside"),), {"slow": {"a": 0.5}})

    run(library, Slow(found, 1, "slow"))
    for _ in range(2):
        report = run(library, Slow(found, 2, "slow"), Toy(counted))
        assert report.unable == {"slow": "it is away"} and len(given) == 3
        assert document(library, "a.md").enriched == {
            "slow": ["a"], "words": 1, "said_by": ["slow"], "confidence": {"slow": {"a": 0.5}}
        }  # fmt: skip
        assert heard(library, "aside")
    run(library, Toy(counted))
    assert document(library, "a.md").enriched == {"words": 1} and not heard(library, "aside")
    assert is_sound(library)


def test_nothing_is_read_for_one_that_waits(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Shape(Colour):
        name = identity = "shape"
        rendition = WholePicture()  # type: ignore[assignment]
        is_slow = True

        def enrich(self, items: Sequence[np.ndarray]) -> list[Result]:
            return [Result({"shape": item.shape[1]}) for item in items]

    read: list[Preprocessing] = []

    def small(content: renditions.Content, wanted: Preprocessing) -> np.ndarray:
        read.append(wanted)
        return np.zeros((4, 6, 3), np.uint8)

    monkeypatch.setattr(renditions, "_read", small)
    Image.new("RGB", (64, 48)).save(tmp_path / "root" / "r.png")
    run(library, Shape())
    assert document(library, "r.png").enriched == {"shape": 6} and len(read) == 1


def test_what_is_said_is_embedded_anew_with_the_rest(library: Library) -> None:
    """By another model, beside the first, and again after the enrichment has changed."""

    def said() -> list[str]:
        hits = library.search("shouting DAY.", mode="semantic", min_relevance=None).hits
        return [hit.text for hit in hits if hit.said_by == "toy"]

    run(library, Toy(shouted))
    before = said()
    assert before[0] == "shouting DAY." and len(before) == len(TEXTS)
    report = library.reembed("other")
    assert (report.passages, report.embedded, report.failed) == (6, 6, {})
    library.reembed("turned", space="second")
    assert [space["vectors"] for space in library.status()["spaces"]] == [6, 6]
    assert said()[0] == before[0] and is_sound(library)
    run(library, Toy(lambda text: Result(said=(Said("whispered"),)), 2))
    assert said() == ["whispered"] and is_sound(library)  # equal texts are one hit
    assert [space["vectors"] for space in library.status()["spaces"]] == [6, 6]


def test_what_no_document_holds_any_more_is_forgotten_by_a_compaction(library: Library, tmp_path: Path) -> None:
    run(library, Toy(words))
    (tmp_path / "root" / "a.md").unlink()
    run(library, Toy(words))
    compact(library.searcher.vectors)
    with library.catalog().snapshot() as snapshot:
        (count,) = snapshot.connection.execute("SELECT count(*) FROM enrichments").fetchone()
    assert count == 2


def test_the_language_of_each_document(library: Library, tmp_path: Path) -> None:
    (tmp_path / "root" / "d.md").write_text("---\nlanguage: Middle English\n---\n" + TEXTS["c.txt"], "utf-8")
    (tmp_path / "root" / "e.txt").write_text("x = 3")
    (tmp_path / "root" / "f.py").write_text("print('hello')")
    run(library, Language())
    found = {Path(one.uri).name: one.enriched.get("language") for one in library.documents()[0]}
    assert found == {"a.md": "en", "b.txt": "ko", "c.txt": "fr", "d.md": "fr", "e.txt": None, "f.py": None}

    def named(language: str | None) -> list[str]:
        return sorted(Path(one.uri).name for one in library.documents(filter={"language": language})[0])

    assert (named("fr"), named("ko")) == (["c.txt"], ["b.txt"])
    assert (named("Middle English"), named("python"), named(None)) == (["d.md"], ["f.py"], ["e.txt"])


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The quick brown fox jumps over the lazy dog while nobody is watching.", "en"),
        ("Der schnelle braune Fuchs springt über den faulen Hund, während niemand zusieht.", "de"),
        ("素早い茶色の狐がのろまな犬を飛び越える。", "ja"),
        ("敏捷的棕色狐狸跳过了懒狗，没有人看见。", "zh"),
        ("Быстрая коричневая лиса прыгает через ленивую собаку.", "ru"),
        ("", None),
        ("12345 67890 3.14", None),
        ("README", None),
    ],
)
def test_languages(text: str, language: str | None) -> None:
    assert Language().enrich([text]) == [Result({"language": language} if language else {})]


def test_a_result_is_stored_as_it_was() -> None:
    result = Result({"labels": ["a", "b"]}, (Said("x", Place(box=(0.1, 0.2, 0.3, 0.4)), 0.5), Said("y")))
    assert Result.of(result.json) == result
    assert Result.of(Result().json) == Result()


def test_the_language_model_is_unpacked_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUARRY_CACHE", str(tmp_path))
    told = [Language().enrich(list(TEXTS.values()))]
    (folder,) = (tmp_path / "language").iterdir()
    written = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    monkeypatch.setattr("py3langid.modelio.load_model", None)  # it is not unpacked again
    told.append(Language().enrich(list(TEXTS.values())))
    assert told[0] == told[1] == [Result({"language": "en"}), Result({"language": "ko"}), Result({"language": "fr"})]
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == written


@pytest.mark.parametrize("name", ["ptc.npy", "sha256"])
def test_a_damaged_language_model_is_unpacked_anew(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUARRY_CACHE", str(tmp_path))
    Language().enrich([TEXTS["b.txt"]])
    (folder,) = (tmp_path / "language").iterdir()
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert Language().enrich([TEXTS["b.txt"]]) == [Result({"language": "ko"})]
    assert (folder / name).read_bytes() == whole


def test_a_language_model_that_can_not_be_kept_is_unpacked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "language").write_text("a file where a folder should be")
    monkeypatch.setenv("QUARRY_CACHE", str(tmp_path))
    assert Language().enrich([TEXTS["b.txt"]]) == [Result({"language": "ko"})]


PLACES = {
    "Namsan, Seoul": ((37.5512, 126.9882), ("Seoul", "South Korea", "서울, 대한민국")),
    "Gangnam, Seoul": ((37.4979, 127.0276), ("Seoul", "South Korea", "서울, 대한민국")),
    "a suburb of Seoul": ((37.5030, 126.7660), ("Bucheon", "South Korea", "부천, 대한민국")),
    "the beach of Busan": ((35.1587, 129.1604), ("Busan", "South Korea", "부산, 대한민국")),
    "the Eiffel tower": ((48.8584, 2.2945), ("Paris", "France", "파리, 프랑스")),
    "Versailles": ((48.8049, 2.1204), ("Versailles", "France", "베르사유, 프랑스")),
    "the opera of Sydney": (("-33.8568", "151.2153"), ("Sydney", "Australia", "시드니, 오스트레일리아")),
    "in Fiji": ((-16.50, 179.40), ("Labasa", "Fiji", "피지")),
    "the middle of the Atlantic": ((30.0, -40.0), None),
    "the pole": ((90.0, 0.0), None),
    "nowhere": ((0.0, 0.0), None),
    "no place": ((37.5, 200.0), None),
    "no number": (("north", "east"), None),
}


def test_the_town_of_coordinates() -> None:
    names = [("latitude", "longitude"), ("lat", "lng")]
    own = [Own("text", dict(zip(names[at % 2], spot, strict=True))) for at, (spot, _) in enumerate(PLACES.values())]
    for result, (name, (_, told)) in zip(NearestTown().enrich(own), PLACES.items(), strict=True):
        fields = result.fields
        found = (fields["town"], fields["country"], fields["place"].partition("(")[2][:-1]) if fields else None
        assert (found, result.said) == (told, ()), name
    assert NearestTown().enrich([Own("text", {}), Own("image", {"latitude": 37.5})]) == [Result(), Result()]


def test_a_picture_is_found_by_where_it_was_taken(library: Library, tmp_path: Path) -> None:
    for name, (north, east) in {"a.jpg": ((37, 33, 4), (126, 59, 17)), "b.jpg": ((48, 51, 30), (2, 17, 40))}.items():
        exif = Image.Exif()
        exif[0x8825] = {1: "N", 2: north, 3: "E", 4: east}
        Image.effect_noise((40, 30), len(name) + north[0]).save(tmp_path / "root" / name, exif=exif)
    run(library)  # by a version that knows of no towns
    run(library, NearestTown())
    for query, name in (("서울에서 찍은 사진", "a.jpg"), ("파리", "b.jpg"), ("pictures of Paris, France", "b.jpg")):
        hit = library.search(query, mode="lexical", kinds=["image"]).hits[0]
        assert hit.document.uri.endswith(name) and hit.said_by == "town"
    (seoul,), _ = library.documents(filter={"town": "Seoul"})
    assert seoul.enriched["place"] == "Seoul, South Korea (서울, 대한민국)"
    assert [one.id for one in library.documents(filter={"place": {"$contains": "서울"}})[0]] == [seoul.id]
    facets = library.search("Seoul Paris", mode="lexical", facets=["country"]).facets
    assert facets["country"].values == (("France", 1), ("South Korea", 1))
    assert is_sound(library)
