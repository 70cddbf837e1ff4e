"""Words of a document's fields: found, marked, and never in the way of the text's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from quarry.api.bodies.responses import response_body
from quarry.api.cli import cli
from quarry.api.library import Library
from quarry.api.routes.results import SearchResponse
from quarry.search.language.field_words import MAX_SHOWN, matching, worded
from quarry.search.lexical import files as lexical_files
from quarry.search.types import Document, Hit, Mode

TICKETS = [
    {"key": "HER-101", "text": "The lamp of the harbour blinks.", "reporter": "Ana Núñez", "votes": 4},
    {"key": "HER-102", "text": "The door of the shed is stuck.", "reporter": "Bo Lind", "votes": 40217},
    {"key": "HER-103", "text": "A duplicate: it was told before, see HER-102.", "reporter": "Ana Núñez", "votes": 3},
    {"id": "ZK/77", "text": "Rust on the railing.", "tags": ["pier", "C++"], "done": True},
]


def document(**metadata: object) -> Document:
    return Document("d1", "/notes/a.jsonl#id=ZK/77", "", "application/jsonl", metadata)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fields")


@pytest.fixture(scope="module")
def library(root: Path) -> Iterator[Library]:
    (root / "tickets.jsonl").write_text("\n".join(json.dumps(row) for row in TICKETS))
    (root / "retro.md").write_text("---\nauthor: Jonas Wexler\ndate: 2024-03-09\n---\nThe release was on time.\n")
    long = "\n\n".join(f"Part {n} of the long history of weaving, with looms and threads. " * 12 for n in range(9))
    (root / "weaving.md").write_text(f"---\nauthor: Maja Holm\n---\n{long}\n")
    (root / "dyes.md").write_text("---\nauthor: Maja Holm\n---\nA note on dyes.\n")
    (root / "letter.txt").write_text("Dear Maja Holm, the weather is fine. Jonas Wexler wrote about the release, too.")
    for n in range(5):
        (root / f"n{n}.txt").write_text(f"A note about the weather on day {n}, with rain in the evening.")
    with Library(root / "library") as opened:
        opened.index(root)
        yield opened


def first(library: Library, query: str, mode: Mode) -> Hit:
    return library.search(query, mode=mode, limit=1).hits[0]


@pytest.mark.parametrize("mode", ["lexical", "hybrid"])
@pytest.mark.parametrize(
    ("query", "text", "name"),
    [
        ("HER-102", "door", "key"),
        ("her102", "door", "key"),
        ("Jonas Wexler", "release was on time", "author"),
        ("jonas wexler", "release was on time", "author"),
        ("Bo Lind", "door", "reporter"),
        ("40217", "door", "votes"),
        ("ZK/77", "Rust", "id"),
        ("pier", "Rust", "tags"),
        ("C++", "Rust", "tags"),
        ("2024-03-09", "release was on time", "date"),
    ],
)
def test_what_a_field_says_comes_first_and_is_marked(
    library: Library, query: str, text: str, name: str, mode: Mode
) -> None:
    hit = first(library, query, mode)
    assert text in hit.text
    (match,) = hit.fields
    assert match.name == name
    assert match.highlights[0][0] == 0


def test_accents_are_folded_in_fields_as_well(library: Library) -> None:
    hits = library.search("ana nunez", mode="lexical").hits
    assert [hit.document.metadata["key"] for hit in hits] == ["HER-101", "HER-103"]
    assert hits[0].fields[0].value == "Ana Núñez"


def test_an_authors_documents_come_before_the_passages_of_the_longest(library: Library) -> None:
    hits = library.search("Maja Holm", mode="lexical", limit=20).hits
    assert {Path(hit.document.uri).name for hit in hits[:2]} == {"weaving.md", "dyes.md"}
    assert sum(hit.document.uri.endswith("weaving.md") for hit in hits) > 3
    assert all(hit.fields for hit in hits if not hit.document.uri.endswith("letter.txt"))
    loom = library.search("Maja Holm on looms, threads and weaving", mode="lexical").hits[0]
    assert loom.document.uri.endswith("weaving.md")


def test_the_text_is_not_drowned(library: Library) -> None:
    hits = library.search("release by Jonas Wexler on time", mode="lexical").hits
    assert hits[0].document.uri.endswith("retro.md")
    assert library.search("weather", mode="lexical").hits[0].document.uri.endswith(".txt")


def test_fields_are_in_json_and_on_the_command_line(library: Library, root: Path) -> None:
    response = library.search("HER-102", limit=1)
    body = response_body(response)
    SearchResponse.model_validate(body)
    assert body["hits"][0]["fields"] == [{"name": "key", "value": "HER-102", "highlights": [[0, 7]]}]
    result = CliRunner().invoke(cli, ["search", "HER-102", "--limit", "1", "--library", str(root / "library")])
    assert "key: HER-102" in result.output


def test_an_index_from_before_boilerplate_is_searched_and_brought_up(library: Library, root: Path) -> None:
    lexical = root / "library" / "lexical"
    state = lexical_files.State.read(lexical)
    assert state is not None and state.format == lexical_files.FORMAT == 4
    replace(state, format=3).write(lexical)
    assert not library.search("HER-102", mode="lexical").degraded
    library.index(root)  # though nothing is new
    now = lexical_files.State.read(lexical)
    assert now is not None and (now.format, now.folder, now.covers) == (4, state.folder, state.covers)
    assert "door" in first(library, "HER-102", "lexical").text


@pytest.mark.parametrize("format", [2, 5])
def test_an_index_that_this_version_can_not_write_is_rebuilt(library: Library, root: Path, format: int) -> None:
    lexical = root / "library" / "lexical"
    state = lexical_files.State.read(lexical)
    assert state is not None
    replace(state, format=format).write(lexical)
    degraded = library.search("HER-102").degraded
    assert bool(degraded) == (format > lexical_files.FORMAT)  # what a newer one wrote may mean something else
    assert all("was made by another version" in why for why in degraded)
    library.index(root)
    now = lexical_files.State.read(lexical)
    assert now is not None and now.format == lexical_files.FORMAT and now.folder != state.folder
    assert "door" in first(library, "HER-102", "lexical").text


def test_an_index_of_the_first_version_is_rebuilt_by_the_next_run(library: Library, root: Path) -> None:
    lexical = root / "library" / "lexical"
    state = json.loads((lexical / "state.json").read_text())
    (lexical / "state.json").write_text(json.dumps(state | {"format": 1, "analysis": 1}))
    (root / "late.txt").write_text("A late note.")
    library.index(root)
    now = lexical_files.State.read(lexical)
    assert now is not None and now.format == lexical_files.FORMAT
    assert "door" in first(library, "HER-102", "lexical").text


def test_values_that_are_words() -> None:
    fields = {
        "author": "Ana",
        "tags": ["a", 7, True],
        "where": {"town": "Ulm"},
        "draft": True,
        "width": 4000,
        "x": None,
    }
    assert list(worded(fields)) == [("author", "Ana"), ("tags", "a"), ("tags", "7"), ("where.town", "Ulm")]
    assert list(worded({}, "/a.jsonl#id=HER-7")) == [("id", "HER-7")]


def test_what_the_text_spells_out_is_not_said_twice() -> None:
    many = {f"f{n}": f"lamp {n}" for n in range(9)}
    assert len(matching(document(**many), "", "lamp")) == MAX_SHOWN
    assert matching(document(key="lamp"), "name: x\nkey: lamp", "lamp") == ()
    assert [match.name for match in matching(document(key="lamp"), "a lamp", "zk77 lamp")] == ["id", "key"]
