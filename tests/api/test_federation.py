"""Several libraries that are searched as one: merged, folded, paged, and what is said of those that don't answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from quarry.api import Library, Text
from quarry.api.bodies.responses import response_body
from quarry.api.federation.adding import field
from quarry.api.federation.circuit import Circuit
from quarry.api.federation.federation import Federation
from quarry.api.federation.merging import Contribution, merged
from quarry.api.federation.places import federated, keys, places
from quarry.api.federation.received import response_of
from quarry.api.federation.remote import Remote, parted
from quarry.api.routes.results import SearchResponse
from quarry.search.errors import InvalidRequest, LibraryError, LibraryUnreachable, NotFound
from quarry.search.fields.held import Field
from quarry.search.models.live import SharedModels
from quarry.search.queries.query import Query, Response
from quarry.search.types import Document, Hit

STARS = [
    Text("Stars form where clouds of gas collapse.", id="birth", metadata={"date": "2021-03-01", "author": "Eve"}),
    Text("The Sun is a star of middle age.", id="sun", metadata={"date": "2019-01-01", "author": "Ann"}),
    Text("Copyright of this library: all rights are reserved by nobody at all.", id="rights"),
]
BREAD = [
    Text("Bread rises because yeast makes gas.", id="bread", metadata={"date": "2020-06-01", "author": "Eve"}),
    Text("A star of pastry is baked for feasts.", id="pastry", metadata={"author": ["Ann", "Bo"]}),
    Text("Copyright of this library: all rights are reserved by nobody at all.", id="rights"),
]
CANAL = [Text("The Panama Canal opened on 15 August 1914.", id="canal", metadata={"date": "1914-08-15"})]


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    folder = tmp_path_factory.mktemp("libraries")
    with federated({name: str(folder / name) for name in ("stars", "food", "canals")}) as federation:
        for library, texts in zip(federation.here, (STARS, BREAD, CANAL), strict=True):
            library.add(texts)
        yield federation


def seen(response: Response) -> list[tuple[str, str]]:
    return [(hit.document.library, hit.document.id) for hit in response.hits]


def test_hits_of_all_stand_in_one_list_by_relevance(joined: Federation) -> None:
    response = joined.search("how do stars form", limit=20)
    singly = {name: library.search("how do stars form", limit=20) for name, library in joined.libraries.items()}
    every = [(-hit.relevance, list(singly).index(name), place) for name, one in singly.items()
             for place, hit in enumerate(one.hits)]  # fmt: skip
    expected = [
        (list(singly)[library], list(singly.values())[library].hits[place].document.id)
        for _, library, place in sorted(every)
    ]
    expected.remove(max((one for one in expected if one[1] == "rights"), key=expected.index))  # its text stands above
    assert seen(response) == expected
    assert response.hits[0].id.startswith("stars/") and response.hits[0].document.id == "birth"
    assert response.generation == sum(one.generation for one in singly.values())
    assert not response.degraded


def test_a_text_that_two_libraries_hold_is_one_hit(joined: Federation) -> None:
    (hit,) = [hit for hit in joined.search("copyright", limit=20).hits if hit.document.id == "rights"]
    (other,) = hit.also
    assert {hit.document.library, other.document.library} == {"stars", "food"}
    assert other.id.startswith(f"{other.document.library}/")


@pytest.mark.parametrize("options", [{}, {"sort": "-date"}, {"fold": "near"}, {"group": "document"}])
def test_pages_have_no_gaps_and_no_repeats(joined: Federation, options: dict) -> None:
    whole = seen(joined.search("star gas copyright", limit=20, min_relevance=0.01, **options))
    paged = [
        one
        for offset in range(0, 8, 2)
        for one in seen(joined.search("star gas copyright", limit=2, offset=offset, min_relevance=0.01, **options))
    ]
    assert len(whole) > 2 and paged == whole[:8]


def test_sorted_by_a_field_what_lacks_it_comes_last(joined: Federation) -> None:
    found = joined.search("star bread canal gas", sort="date", min_relevance=0.001, limit=20).hits
    dates = [hit.document.metadata.get("date") for hit in found]
    given = [date for date in dates if date]
    assert given == sorted(given) and len(given) > 2
    authors = joined.search("star bread canal gas", sort="-author", min_relevance=0.001, limit=20).hits
    assert authors[0].document.metadata.get("author") == "Eve"
    assert authors[-1].document.metadata.get("author") is None


def test_facets_are_added_up(joined: Federation) -> None:
    found, notes = joined.facets(["author", "date"])
    assert dict(found["author"].values) == {"Eve": 2, "Ann": 2, "Bo": 1} and not notes
    years = dict(found["date"].values)
    assert years["1914"] == 1 and all(len(str(value)) == 4 for value in years)
    names = {field.name: field for field in joined.fields()}
    assert names["author"].documents == 4


def test_answers_compete_by_confidence_and_name_their_library(joined: Federation) -> None:
    response = joined.ask("when did the Panama Canal open")
    best = response.answers[0]
    assert "1914" in best.text and best.hit.document.library == "canals"
    body = response_body(response)
    assert body["answers"][0]["citation"]["library"] == body["answers"][0]["document"]["library"] == "canals"
    SearchResponse.model_validate(body)
    summary = joined.search("stars", summarize=True).summary
    assert summary and summary.sentences[0].sources[0][0].document.library


def test_what_is_like_something_of_one_library_is_found_in_others_by_its_words(joined: Federation) -> None:
    response = joined.search("", like="stars/sun", limit=10)
    assert ("stars", "sun") not in seen(response)
    assert ("food", "pastry") in seen(response) and ("stars", "birth") in seen(response)
    assert [note.code for note in response.notes] == ["like_by_words"]
    hit = joined.search("yeast", limit=1).hits[0]
    assert seen(joined.search("", like=hit.id, limit=1)) != [("food", "bread")]
    with pytest.raises(InvalidRequest, match="LIBRARY/ID"):
        joined.search("", like="sun")
    with pytest.raises(NotFound):
        joined.search("", like="stars/nothing")


def test_a_library_that_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    with federated({"stars": str(tmp_path / "stars"), "gone": str(tmp_path / "gone")}) as federation:
        federation.here[0].add(STARS)
        response = federation.search("stars")
        assert ("stars", "birth") in seen(response)
        (note,) = response.notes
        assert (note.code, note.values["library"], note.values["cause"]) == ("library_left_out", "gone", "NoLibrary")
    with federated({"gone": str(tmp_path / "gone")}) as federation, pytest.raises(LibraryError, match="gone"):
        federation.search("stars")


def test_what_is_asked_wrongly_is_refused(joined: Federation) -> None:
    with pytest.raises(InvalidRequest, match="first 1,000"):
        joined.search("stars", offset=1_000)
    with pytest.raises(InvalidRequest, match="empty"):
        joined.search("")
    with pytest.raises(InvalidRequest, match="filter"):
        joined.search("stars", filter={"year": {"$near": 3}})
    with pytest.raises(InvalidRequest):
        Federation({})


def test_what_another_server_answers_is_read_back_or_refused(joined: Federation) -> None:
    query = Query("when did the Panama Canal open", answer=True)
    library = joined.libraries["canals"]
    own = library.search(query.text, answer=True)
    body = response_body(own)
    found = response_of(query, SearchResponse.model_validate(body))
    assert response_body(replace(found, took_ms=own.took_ms)) == body
    hit, answer = body["hits"][0], body["answers"][0]
    for wrong in (
        {"hits": [hit | {"relevance": float("nan")}]},
        {"hits": [hit | {"relevance": 1.5}]},
        {"hits": [hit] * 11},
        {"answers": [answer | {"end": 10_000}]},
        {"answers": [answer | {"confidence": -1}]},
    ):
        with pytest.raises(LibraryUnreachable):
            response_of(query, SearchResponse.model_validate(body | wrong))
    endless = body | {"hits": [hit | {"pages": (1, 2**60), "end": 2**60}]}
    pages = response_of(query, SearchResponse.model_validate(endless)).hits[0].pages
    assert pages is not None and pages.last < 1_000


def test_models_are_loaded_once_for_all(tmp_path: Path) -> None:
    models = SharedModels()
    names = ("one", "other")
    with federated({name: str(tmp_path / name) for name in names}, lambda at: Library(at, models=models)) as federation:
        for library in federation.here:
            library.add(CANAL)
        federation.ask("when did the Panama Canal open")
        one, other = (library.searcher for library in federation.here)
        assert one.encoder() is other.encoder()
        assert one.models.listed()[0][2] is other.models.listed()[0][2] is not None


def hit_of(number: int, relevance: float, text: str) -> Hit:
    return Hit(str(number), 0.0, relevance, Document(str(number), "", "", "text/plain", {}), text, 0, len(text))


LISTS = some.lists(
    some.lists(some.tuples(some.integers(0, 5), some.sampled_from("abcdefgh")), max_size=6), min_size=1, max_size=3
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(LISTS, some.integers(1, 8))
def test_what_stands_at_the_top_stays_however_far_down_libraries_are_asked(
    lists: list[list[tuple[int, str]]], asked: int
) -> None:
    """Each text occurs once in a library, whose own order need not be that of relevance, as where it was reranked."""

    def part(number: int, own: list[tuple[int, str]], limit: int) -> Contribution:
        once = {text: relevance / 5 for relevance, text in reversed(own)}
        hits = [hit_of(100 * number + place, one, text) for place, (text, one) in enumerate(once.items())]
        return Contribution(str(number), Response(Query("x"), hits[:limit], 0, 0.0), limit)

    whole = merged(Query("x"), [part(number, own, 100) for number, own in enumerate(lists)])
    top = merged(Query("x"), [part(number, own, asked) for number, own in enumerate(lists)])
    assert whole.is_whole
    assert [hit.id for hit in top.hits] == [hit.id for hit in whole.hits[: len(top.hits)]]
    assert not top.is_whole or len(top.hits) == len(whole.hits)
    assert len({hit.text for hit in whole.hits}) == len(whole.hits)
    texts = {text for own in lists for _, text in own}
    assert {hit.text for hit in whole.hits} == texts


def test_a_circuit_opens_for_longer_each_time() -> None:
    now = 0.0
    circuit = Circuit(lambda: now)
    assert circuit.closed()
    circuit.failed()
    assert not circuit.closed()
    now = 1.5
    assert circuit.closed() and not circuit.closed()  # one tries, the others wait for what it says
    circuit.failed()
    now = 3.0
    assert not circuit.closed()
    now = 4.0
    assert circuit.closed()
    circuit.succeeded()
    assert circuit.closed() and circuit.closed()


def test_libraries_are_named_by_their_places() -> None:
    found = places(["~/notes.quarry", "mail=/srv/mail", "http://there:7700/v1/libraries/work", "http://there:7700"])
    assert list(found) == ["notes", "mail", "work", "there"]
    for twice in (["a/x", "b/x"], ["/"], ["x="]):
        with pytest.raises(InvalidRequest):
            places(twice)
    assert parted("https://there/v1/") == ("https://there", None)
    for wrong in ("http://me:secret@there", "http://there/else", "ftp://there", "http://there?x=1", "http://there:x"):
        with pytest.raises(InvalidRequest) as told:
            parted(wrong)
        assert "secret" not in str(told.value)


def test_keys_come_from_the_environment_or_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# keys\nwork = s3cret\nother=x\n")
    file.chmod(0o644)
    environment = {"QUARRY_LIBRARY_KEYS": str(file), "QUARRY_KEY_MY_MAIL": "k2"}
    with pytest.raises(InvalidRequest, match="chmod 600"):
        keys(["work"], environment)
    file.chmod(0o600)
    assert keys(["work", "my-mail"], environment) == {"work": "s3cret", "my-mail": "k2"}
    file.write_text("work\n")
    with pytest.raises(InvalidRequest, match="line 1"):
        keys(["work"], environment)


def test_a_server_that_is_not_there_is_not_asked_each_time() -> None:
    remote = Remote("http://127.0.0.1:1")
    with pytest.raises(LibraryUnreachable, match="can't be reached"):
        remote.search("stars")
    with pytest.raises(LibraryUnreachable, match="not asked now"):
        remote.search("stars")
    remote.close()


def test_a_field_has_as_many_values_as_all_libraries_show() -> None:
    one, other = (Field("author", 1, {"text": 1}, ((name, 1),), 1, ()) for name in ("Ann", "Bob"))
    assert field([one, other]).distinct == 2
