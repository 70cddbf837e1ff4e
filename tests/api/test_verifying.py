"""Citations are verified: by Python, over HTTP, and on the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from quarry.api import Library, Text
from quarry.api.bodies.responses import response_body
from quarry.api.routes.verify import VerifyRequest, VerifyResponse
from quarry.search.errors import InvalidRequest
from quarry.search.hits.citations import Citation, of_answer, of_hit, quote_hash
from quarry.search.models.fake import FakeModels
from quarry.search.types import Hit
from tests.processes import Served, quarry
from tests.replies import described, refused

FOXES = "Foxes live in dens. They hunt at night, alone. Their cubs are born in March."
QUOTE = "They hunt at night, alone."


@pytest.fixture
def library(tmp_path: Path, models: FakeModels) -> Library:
    return Library(tmp_path / "library", models=models)


def cited(library: Library, id: str, quote: str = QUOTE) -> Citation:
    document, text = library.get(id), library.text(id)
    start = text.index(quote)
    hash = quote_hash(quote)
    return Citation(id, document.uri, document.hash, start, start + len(quote), None, hash, quote)


@pytest.mark.parametrize("has_quote", [True, False])
def test_what_became_of_a_citation(library: Library, has_quote: bool) -> None:
    (id,) = library.add([Text(FOXES, "Foxes", uri="foxes")])
    citation = cited(library, id)
    citation = citation if has_quote else replace(citation, quote="")

    def verdict() -> tuple[str, str | None, int | None, bool]:
        (one,) = library.verify([citation])
        return one.standing, one.document.id if one.document else None, one.start, one.is_same

    start = citation.start
    assert verdict() == ("valid", id, start, True)
    library.add([Text(FOXES, "Foxes", id=id, metadata={"read": True})])
    assert verdict() == ("valid", id, start, False)  # something else of it has changed
    library.add([Text(f"Of foxes.\n\n{FOXES}", "Foxes", id=id)])
    assert verdict() == ("moved", id, start + 11, False)
    library.add([Text("Foxes live in dens.", "Foxes", id=id)])
    assert verdict() == ("changed", id, None, False)
    (other,) = library.add([Text(f"Somebody wrote: {QUOTE}", "Elsewhere")])
    assert verdict() == (("moved", other, 16, False) if has_quote else ("changed", id, None, False))
    library.delete([id, other])
    assert verdict() == ("gone", None, None, False)
    (again,) = library.add([Text(FOXES, "Foxes", uri="renamed")])
    assert verdict() == ("moved", again, start, True)  # by its hash


def test_a_file_that_was_renamed_or_copied(library: Library, tmp_path: Path) -> None:
    root = tmp_path / "files"
    root.mkdir()
    (root / "foxes.txt").write_text(FOXES)
    library.index(root)
    (document,), _ = library.documents()
    citation = replace(cited(library, document.id), quote="")
    (root / "foxes.txt").rename(root / "renamed.txt")
    library.index(root)
    (found,) = library.verify([citation])
    assert found.standing == "valid" and found.document and found.document.uri == str(root / "renamed.txt")
    (root / "copy.txt").write_text(FOXES)
    (root / "renamed.txt").write_text("Something else.")
    library.index(root)
    (found,) = library.verify([citation])
    assert found.standing == "moved" and found.document and found.document.uri == str(root / "copy.txt")


def test_the_nearest_place_is_told(library: Library) -> None:
    (id,) = library.add([Text(f"{QUOTE} One. {QUOTE} Two. {QUOTE}")])
    citation = replace(cited(library, id), start=40, end=40 + len(QUOTE))
    for one in (citation, replace(citation, quote="")):
        assert library.verify([one])[0].start == 32


def test_a_quote_is_no_query(library: Library) -> None:
    quote = 'Foxes -alone, "at night" AND type:csv * hunt'
    (id,) = library.add([Text(f"They say: {quote}.")])
    gone = replace(cited(library, id, quote), document="other", uri="other", hash="")
    (found,) = library.verify([gone])
    assert found.standing == "moved" and found.document and found.document.id == id


@pytest.mark.parametrize(
    "changed", [{"start": -1}, {"end": 0}, {"quote": "other"}, {"start": 5, "end": 5}], ids=lambda changed: str(changed)
)
def test_what_is_no_citation_is_refused(library: Library, changed: dict[str, object]) -> None:
    (id,) = library.add([Text(FOXES)])
    with pytest.raises(InvalidRequest, match=r"citations\[1\]"):
        library.verify([cited(library, id), replace(cited(library, id), **changed)])  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="at most"):
        library.verify([cited(library, id)] * 1_001)


def test_only_the_documents_own_words_are_cited(library: Library) -> None:
    (id,) = library.add([Text(FOXES)])
    (hit,) = library.search("foxes", mode="lexical").hits
    citation = of_hit(hit)
    assert citation and citation.document == id and library.verify([citation])[0].standing == "valid"
    assert of_hit(replace(hit, said_by="caption"))
    assert of_hit(replace(hit, said_by="somebody")) is None and of_hit(replace(hit, text="")) is None
    assert isinstance(hit, Hit) and response_body(library.search("foxes"))["hits"][0]["citation"]["quote_hash"]


def test_over_http(server: Served) -> None:
    body = server.client.post(
        "/v1/search", json={"query": "when was the Panama Canal opened", "answer": True, "limit": 5}
    ).json()
    found = [*body["hits"], *body["answers"]]
    assert body["answers"]
    for quotes in ([one["text"] for one in found], [""] * len(found)):
        citations = [{**one["citation"], "quote": quote} for one, quote in zip(found, quotes, strict=True)]
        response = server.client.post("/v1/verify", json={"citations": citations})
        verdicts = described(response, VerifyResponse)["verdicts"]
        assert {(one["standing"], one["is_same"]) for one in verdicts} == {("valid", True)}
        assert [one["page"] for one in verdicts] == [one["citation"]["page"] for one in found]
    example = VerifyRequest.model_config["json_schema_extra"]["examples"][0]  # type: ignore[index,call-overload]
    assert server.client.post("/v1/verify", json=example).json()["verdicts"][0]["standing"] == "gone"
    refused(server.client.post("/v1/verify", json={"citations": [{**citations[0], "end": 0}]}), 422)


def test_on_the_command_line(own_library: Path, tmp_path: Path) -> None:
    place = ("--library", str(own_library))
    asked = quarry("ask", "--json", "when was the Panama Canal opened", *place).stdout
    done = quarry("verify", *place, input=asked.encode())
    assert "valid" in done.stdout and "still stand" in done.stdout
    file = tmp_path / "answer.json"
    file.write_text(asked)
    changed = json.loads(asked)["answers"][0]["document"]["id"]
    quarry("delete", changed, *place)
    verdicts = json.loads(quarry("verify", str(file), "--json", *place, code=3).stdout)["verdicts"]
    assert "gone" in {one["standing"] for one in verdicts}
    assert "no citation" in quarry("verify", *place, input=b"{}", code=1).stderr
    assert "no JSON" in quarry("verify", *place, input=b'{"citation": {"x": 1}}', code=1).stderr


def test_an_answer_is_cited(sample_library: Path) -> None:
    with Library(sample_library) as library:
        answer = library.ask("when was the Panama Canal opened").answers[0]
        citation = of_answer(answer)
        assert citation and library.text(citation.document)[citation.start : citation.end] == answer.text
