"""The command line as real processes. Each start costs a good part of a second: tests ask much of one run."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from quarry.api.routes.documents import DocumentList, DocumentWithText
from quarry.api.routes.fields import FieldList
from quarry.api.routes.results import SearchResponse
from tests.folders import SAMPLE
from tests.processes import QUARRY, quarry

ESCAPE = "\x1b"


def answer(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    """What a command prints with --json."""
    body = json.loads(quarry(*arguments, "--json", code=code).stdout)
    assert isinstance(body, dict)
    return body


# --- search and show ------------------------------------------------------------------------------------------------


def test_search_prints_the_http_body(sample_library: Path) -> None:
    body = answer("search", "--library", sample_library, "how do stars form", "--limit", "3", "--explain")
    model = SearchResponse.model_validate(body)
    assert model.model_dump(mode="json", exclude_unset=True) == body
    assert body["hits"][0]["document"]["title"] == "How stars are born"
    hit = {"id", "kind", "score", "relevance", "document", "text", "start", "end", "page", "highlights"}
    assert all(hit <= set(one) and {"id", "uri", "title", "metadata"} <= set(one["document"]) for one in body["hits"])
    assert {"hits", "answers", "summary", "facets", "took_ms"} <= set(body)


def test_search_prints_for_people(sample_library: Path) -> None:
    env = {"COLUMNS": "80"}
    run = quarry("search", "--library", sample_library, "how", "do stars form", "-n", "2", "--explain", env=env)
    lines = run.stdout.splitlines()
    assert run.stderr == ""
    assert lines[0].startswith("  1. How stars are born  ")
    assert lines[1].endswith("data/sample/astronomy/star-formation.md:7")
    assert lines[2].startswith("     Stars form inside cold clouds")
    assert any(line.startswith("     lexical      rank 1, score ") for line in lines)
    assert any(line.startswith("  2. ") for line in lines)
    assert any(line.startswith("2 hits in ") for line in lines)
    assert any(line.startswith("in ms: open ") for line in lines)
    assert lines[-1].endswith("less relevant hits left out: --all shows them")
    assert all(len(line) <= 80 for line in lines)
    assert ESCAPE not in run.stdout  # no terminal, no colours
    korean = quarry("search", "--library", sample_library, "세종대왕 훈민정음", "-n", "1")
    assert "한글" in korean.stdout
    assert korean.stderr.startswith("! ")  # what was not weighed


def test_search_on_a_terminal_is_coloured(sample_library: Path) -> None:
    terminal, its_end = pty.openpty()
    command: list[str | Path] = [QUARRY, "search", "--library", sample_library, "how do stars form", "-n", "1"]
    with subprocess.Popen(command, stdout=its_end, stdin=subprocess.DEVNULL) as run:
        assert run.wait(60) == 0
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    os.close(its_end)
    assert "\x1b[1;33mStars\x1b[0m \x1b[1;33mform\x1b[0m inside" in shown


def test_search_pages_and_filters(sample_library: Path) -> None:
    library = ("--library", sample_library, "--mode", "lexical")
    whole = answer("search", *library, "water", "--limit", "6")["hits"]
    assert answer("search", *library, "water", "--limit", "3", "--offset", "3")["hits"] == whole[3:]
    numbered = quarry("search", *library, "water", "--limit", "3", "--offset", "3").stdout
    assert numbered.startswith("  4. ")
    pairs = answer("search", *library, "water", "--filter", "type=text/html,kind=text", "--limit", "50")["hits"]
    filter = '{"type": "text/html", "kind": {"$eq": "text"}}'
    assert pairs == answer("search", *library, "water", "--filter", filter, "--limit", "50")["hits"]
    assert {hit["document"]["type"] for hit in pairs} == {"text/html"}
    nothing = quarry("search", *library, "water", "--filter", "yeer=NaN", code=1)
    assert nothing.stdout.startswith("Nothing found in ")
    assert "No document has the field `yeer`" in nothing.stderr


def test_fields_are_listed(sample_library: Path) -> None:
    printed = answer("fields", "--library", sample_library)
    assert FieldList.model_validate(printed).model_dump(mode="json") == printed
    shown = quarry("fields", "--library", sample_library).stdout.splitlines()
    assert shown[0].startswith("id  ")
    for field in printed["fields"]:
        line = shown.index(next(line for line in shown if line.startswith(f"{field['name']}  ")))
        assert str(field["values"][0]["value"])[:10] in shown[line + 1]
    assert "text/html" in " ".join(shown)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["stars", "--limit", "0"], 1, "limit is 0; it can be 1 to 1,000."),
        (["stars", "--limit", "1" + "0" * 30], 1, "limit is 1"),
        (["stars", "--offset", "-1"], 1, "offset is -1"),
        ([" "], 1, "The query is empty"),
        (["stars", "--filter", '{"year": {"$near": 5}}'], 1, "filter year.$near"),
        (["stars", "--filter", "{"], 2, "not JSON"),
        (["stars", "--filter", '{"a":' * 20_000], 2, "nested too deep"),
        (["stars", "--filter", "year"], 2, "'year' is not field=value"),
        (["stars", "--mode", "psychic"], 2, "psychic"),
        ([], 2, "Missing argument"),
        ([b"stars \xff\xfe"], 1, "surrogate"),
    ],
)
def test_search_refuses_in_a_sentence(sample_library: Path, arguments: list[Any], code: int, said: str) -> None:
    run = quarry("search", "--library", sample_library, *arguments, code=code)
    assert said in run.stderr
    assert run.stdout == ""
    if code == 1:
        assert run.stderr.startswith("quarry: ")
        assert run.stderr.count("\n") == 1


def test_show(sample_library: Path) -> None:
    hit = answer("search", "--library", sample_library, "silk road", "-n", "1")["hits"][0]
    body = answer("show", "--library", sample_library, hit["document"]["id"])
    assert DocumentWithText.model_validate(body).model_dump(mode="json") == body
    assert body["text"][hit["start"] : hit["end"]] == hit["text"]
    by_path = quarry("show", "--library", sample_library, body["uri"]).stdout
    assert body["id"] in by_path
    assert body["text"][:40] in by_path
    assert "text" not in answer("show", "--library", sample_library, body["id"], "--no-text")
    file = SAMPLE / "home" / "knots.txt"
    assert quarry("show", "--library", sample_library, file, "--original").stdout == file.read_text()
    missing = quarry("show", "--library", sample_library, "nothing", code=1)
    assert missing.stderr == "quarry: This library has no document with the id or path 'nothing'.\n"


def test_a_pipe_closed_early_is_quiet(sample_library: Path) -> None:
    command = f"set -o pipefail; {QUARRY} search --library {sample_library} water -n 100 --json | head -1"
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert run.stdout == "{\n"
    assert run.stderr == ""


@pytest.mark.parametrize("arguments", [["search", "water"], ["status", "--json"], ["search", "--help"]])
def test_output_that_cannot_be_written_is_told(sample_library: Path, arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        run = subprocess.run(
            [QUARRY, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            env=os.environ | {"QUARRY_LIBRARY": str(sample_library)},
        )
    assert run.returncode == 1
    assert run.stderr == b"quarry: The output can't be written: No space left on device.\n"


def test_closed_streams_are_no_error(sample_library: Path) -> None:
    for redirection in (">&-", "2>&-", "2>/dev/full"):
        command = f"{QUARRY} search --library {sample_library} water -n 1 --json {redirection}"
        assert subprocess.run(["bash", "-c", command], capture_output=True).returncode == 0


def test_colours_by_environment(sample_library: Path) -> None:
    search = ("search", "--library", sample_library, "how do stars form", "-n", "1")
    assert "\x1b[1;33mStars\x1b[0m" in quarry(*search, env={"FORCE_COLOR": "1"}).stdout
    assert ESCAPE not in quarry(*search, env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).stdout


def test_a_terminal_of_six_columns(sample_library: Path) -> None:
    shown = quarry("search", "--library", sample_library, "water", "-n", "2", env={"COLUMNS": "6"}).stdout
    assert shown.splitlines()[-2].startswith("2 hits in ")


def test_output_that_is_not_unicode(sample_library: Path) -> None:
    env = {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0", "LC_ALL": "C"}
    found = quarry("search", "--library", sample_library, "김치", "-n", "1", "--json", env=env | {"LC_ALL": "C.UTF-8"})
    assert json.loads(found.stdout)["query"] == "김치"
    assert found.stdout.isascii()
    quarry("search", "--library", sample_library, "김치", "-n", "1", env=env | {"LC_ALL": "C.UTF-8"})


def test_documents_are_listed(sample_library: Path) -> None:
    target = ("list", "--library", sample_library, "--filter", "type=text/csv")
    body = answer(*target, "--limit", "2", "--offset", "1")
    assert DocumentList.model_validate(body).model_dump(mode="json") == body
    assert [one["title"] for one in body["documents"]] == ["K2", "Kangchenjunga"]
    shown = quarry(*target, "-n", "2")
    first, second = shown.stdout.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d  csv           \S+/mountains.csv#row=1  Mount Everest", first)
    assert second.endswith("#row=2  K2")
    assert shown.stderr == f"1 to 2 of {body['total']} documents; --offset and --limit show others.\n"
    assert quarry("list", "--library", sample_library, "--filter", "type=text/none").stderr.startswith(
        "No documents.\n! No document has"
    )


# --- index, delete, forget ------------------------------------------------------------------------------------------


def test_a_folder_is_indexed_and_forgotten(tmp_path: Path) -> None:
    notes, library = tmp_path / "notes", tmp_path / "library"
    notes.mkdir()
    (notes / "otters.md").write_text("---\nriver: Tweed\n---\n# Otters\n\nOtters hold hands asleep.\n")
    (notes / os.fsdecode(b"odd-\xff.txt")).write_text("A pika makes hay.")
    (notes / "tool.bin").write_bytes(b"\0\1")
    target = ("--library", library)

    dry = answer("index", *target, notes, "--dry-run")
    assert (dry["dry_run"], dry["added"]) == (True, 2)
    first = answer("index", *target, notes, "--meta", "shelf=3")
    assert (first["added"], first["failed"], sum(first["skipped"].values())) == (2, {}, 1)
    again = quarry("index", *target)
    assert "nothing changed" in again.stdout
    assert again.stderr == ""

    status = answer("status", *target)
    assert status["documents"] == 2
    odd = answer("search", *target, "pika", "--filter", "shelf=3")["hits"][0]["document"]
    assert odd["uri"] == f"file://{tmp_path}/notes/odd-%FF.txt"
    otters = answer("search", *target, "otters", "--filter", "river=Tweed")["hits"]
    assert [hit["document"]["title"] for hit in otters] == ["Otters"]

    (notes / "broken.pdf").write_bytes(b"%PDF-1.7 broken")
    failed = quarry("index", *target, "--json", code=3)
    assert list(json.loads(failed.stdout)["failed"]) == [str(notes / "broken.pdf")]
    listed = quarry("index", *target, "--verify", code=3)
    assert f"{notes}/broken.pdf: " in listed.stderr

    assert answer("delete", *target, otters[0]["document"]["id"]) == {"deleted": 1}
    (notes / "broken.pdf").unlink()
    (notes / "otters.md").write_text("---\nriver: Tweed\ntitle: Otters: a life\n---\nOtters hold hands.\n")
    told = quarry("index", *target)
    assert f"{notes}/otters.md: line 3, in its front matter, is no YAML" in told.stderr
    assert len(answer("search", *target, "hands", "--filter", "river=Tweed")["hits"]) == 1
    assert answer("forget", *target, notes) == {"root": str(notes), "dropped": 2}
    assert answer("status", *target)["documents"] == 0


def test_standard_input_is_indexed(tmp_path: Path) -> None:
    target = ("--library", tmp_path / "library")
    text = b"# Pangolins\n\nA pangolin rolls into a ball.\n"
    run = quarry("index", *target, "-", "--name", "pangolins.md", "--meta", "scales=true", "--json", input=text)
    (id,) = json.loads(run.stdout)["ids"]
    document = answer("show", *target, id)
    assert (document["title"], document["type"], document["metadata"]["scales"]) == ("Pangolins", "text/markdown", True)
    assert "holds nothing" in quarry("index", *target, "-", input=b"", code=1).stderr
    assert "stands alone" in quarry("index", *target, "-", ".", input=b"x", code=2).stderr


# --- the rest -------------------------------------------------------------------------------------------------------


def test_keeping_commands(own_library: Path) -> None:
    target = ("--library", own_library)
    status = answer("status", *target)
    assert status["documents"] > 100
    assert status["passages"] >= status["documents"]
    assert answer("doctor", *target)["ok"] is True
    assert set(answer("compact", *target)) == {"bytes_before", "bytes", "kept_for_readers"}
    assert answer("doctor", *target)["ok"] is True
    for command in ("status", "doctor"):
        assert ESCAPE not in quarry(command, *target).stdout
    model = answer("models")
    assert model["text"]["prepared"]["parity"]["min"] > 0.98


def test_a_library_that_is_not_there(tmp_path: Path) -> None:
    for command in (["search", "x"], ["status"], ["show", "x"], ["delete", "x"], ["doctor"], ["compact"]):
        run = quarry(*command, "--library", tmp_path / "none", code=1)
        assert run.stderr.startswith("quarry: ")
        assert "quarry index PATH" in run.stderr, command
        assert run.stderr.count("\n") == 1
    assert not (tmp_path / "none").exists()
    assert "quarry index PATH" in quarry("index", "--library", tmp_path / "none", code=1).stderr
    by_environment = quarry("status", env={"QUARRY_LIBRARY": str(tmp_path / "other")}, code=1)
    assert str(tmp_path / "other") in by_environment.stderr


def test_help_and_usage() -> None:
    assert "search" in quarry("--help").stdout
    assert quarry("--version").stdout.startswith("quarry, version ")
    assert "quarry index ~/notes" in quarry().stdout
    assert "No such command 'serach'. Did you mean search?" in quarry("serach", code=2).stderr
    assert "'--limit'?" in quarry("search", "x", "--limt", "3", code=2).stderr
    assert "No such command 'xyzzy'." in quarry("xyzzy", code=2).stderr


# --- locales --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1"])
def test_a_locale_that_is_not_utf8(tmp_path: Path, encoding: str) -> None:
    notes, library = tmp_path / "notes", tmp_path / "library"
    notes.mkdir()
    for name, text in (("größe.txt", "A walrus on the ice."), ("서울.md", "# Seals\n\nSeals on the ice.")):
        (notes / name).write_text(text)
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    if encoding != "ascii":
        made = ["localedef", "-i", "en_US", "-f", encoding.upper(), str(tmp_path / f"en_US.{encoding.upper()}")]
        if shutil.which("localedef") is None or subprocess.run(made, capture_output=True).returncode > 1:
            pytest.skip("no locale can be made here")
        env |= {"LOCPATH": str(tmp_path), "LC_ALL": f"en_US.{encoding.upper()}"}
    quarry("index", notes, "--library", library, env=env)
    assert answer("status", "--library", library)["documents"] == 2
    found = json.loads(quarry("search", "walrus", "--mode", "lexical", "--json", "--library", library, env=env).stdout)
    assert [hit["document"]["uri"] for hit in found["hits"]] == [str(notes / "größe.txt")]
    assert "nothing changed" in quarry("index", "--library", library, env=env).stdout
    (notes / "größe.txt").rename(notes / "øre.txt")
    assert "1 moved" in quarry("index", "--library", library, env=env).stdout
    shown = quarry("show", notes / "서울.md", "--json", "--library", library, env=env).stdout
    assert json.loads(shown)["uri"] == str(notes / "서울.md")
