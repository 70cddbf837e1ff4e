"""Commands that search several libraries as one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quarry.api import Library, Text
from tests.processes import quarry


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[str | Path]:
    folder = tmp_path_factory.mktemp("several")
    for name, text in (("stars", "Stars form where clouds of gas collapse."), ("food", "A star of pastry is baked.")):
        with Library(folder / f"{name}.quarry") as library:
            library.add([Text(text, id=name, metadata={"kind of": name})])
    return ["--library", folder / "stars.quarry", "--library", f"kitchen={folder / 'food.quarry'}"]


def test_search_ask_and_facets_take_several(both: list[str | Path]) -> None:
    found = quarry("search", *both, "star").stdout
    assert "[stars] " in found and "[kitchen] " in found
    body = json.loads(quarry("search", *both, "--json", "star").stdout)
    assert {hit["document"]["library"] for hit in body["hits"]} == {"stars", "kitchen"}
    assert json.loads(quarry("ask", *both, "--json", "what is baked").stdout)["hits"]
    assert "text 2" in quarry("facets", *both, "kind").stdout
    assert "food" in quarry("search", *both, "--like", "stars/stars", "--all").stdout


def test_what_can_not_be_several_is_said(both: list[str | Path]) -> None:
    said = quarry("search", "--library", "a/x", "--library", "b/x", "star", code=1).stderr
    assert "two called 'x'" in said
    said = quarry("ask", *both, "--picture", "x", "what is it", code=2).stderr
    assert "one library" in said
    said = quarry("serve", "--library", "http://127.0.0.1:1", code=2).stderr
    assert "--together" in said
    said = quarry("serve", "--together", "--library", "http://127.0.0.1:1", code=1).stderr
    assert "of this machine" in said
    missing = quarry("search", "--library", both[1], "--library", "gone=nowhere", "star").stderr
    assert "gone is left out" in missing
