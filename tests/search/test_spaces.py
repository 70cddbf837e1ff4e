"""Several text spaces in one library: each is asked what it knows, and their answers are one list."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quarry.api import Library, Text
from quarry.search.errors import ModelMissing
from quarry.search.models.fake import DIMENSION, FakeModels
from quarry.search.ranking import fusion
from quarry.search.stores.rows import documents
from quarry.search.stores.spaces import active_space, add_space
from quarry.search.types import MODES, Mode

ENGLISH = {"stars": "bright stars at night", "tides": "the tides of the sea", "bread": "bread with butter"}
KOREAN = {"별": "밝은 별", "바다": "바다의 밀물과 썰물", "빵": "버터 바른 빵"}
LATIN, HANGUL = {"scripts": ["Latin"]}, {"scripts": ["Hangul"]}


def takes(library: Library, name: str, rules: Mapping[str, Any], texts: Sequence[str], models: FakeModels) -> None:
    """Let a space take some texts alone; add it, with the model of its name, where there is none."""
    with library.catalog().transaction() as connection:
        space = active_space(connection, name)
        if space is None:
            encoder = models.text(name)
            space = add_space(connection, name, "text", encoder.identity, name, DIMENSION)
            rows = connection.execute("SELECT key, text FROM chunks").fetchall()
            made = zip(rows, encoder.encode_documents([text.strip() for _, text in rows]), strict=True)
            documents.stage_vectors(connection, space.id, {key: vector for (key, _), vector in made})
        connection.execute("UPDATE spaces SET takes = ? WHERE id = ?", (json.dumps(rules), space.id))
        for key, text in connection.execute("SELECT key, text FROM chunks").fetchall():
            if text.strip() not in texts:
                connection.execute("DELETE FROM vectors WHERE space_id = ? AND key = ?", (space.id, key))


@pytest.fixture
def library(tmp_path: Path, models: FakeModels) -> Iterator[Library]:
    """A library whose English is in one space, and whose Korean in another."""
    with Library(tmp_path / "library", models=models) as opened:
        opened.add([Text(text, id=id) for id, text in {**ENGLISH, **KOREAN}.items()])
        takes(opened, "text", LATIN, list(ENGLISH.values()), models)
        takes(opened, "turned", HANGUL, list(KOREAN.values()), models)
    with Library(tmp_path / "library", models=models) as opened:
        yield opened


def ids(library: Library, query: str, **options: Any) -> list[str]:
    response = library.search(query, **options)
    assert response.degraded == ()
    return [hit.document.id for hit in response.hits]


@pytest.mark.parametrize("mode", ["semantic", "hybrid"])
def test_a_query_is_asked_of_the_spaces_that_know_its_script(library: Library, mode: Mode) -> None:
    assert set(ids(library, "bright stars", mode=mode)) == set(ENGLISH)
    assert ids(library, "bright stars", mode=mode)[0] == "stars"
    assert set(ids(library, "밝은 별", mode=mode)) == set(KOREAN)
    assert ids(library, "밝은 별", mode=mode)[0] == "별"


def test_a_query_in_two_scripts_is_asked_of_both(library: Library) -> None:
    for mode in ("semantic", "hybrid"):
        assert set(ids(library, "별 x", mode=mode)) == {*ENGLISH, *KOREAN}
    hit = library.search("별 x", explain=True).hits[0]
    assert hit.explanation is not None and hit.explanation["fusion"]["semantic_weight"] == fusion.DENSE_WEIGHT


def test_a_script_that_no_space_knows_is_searched_by_words(library: Library) -> None:
    response = library.search("звёзды")
    assert response.hits == []
    assert any("do not know the query's script; it was searched by words only" in note for note in response.degraded)


def test_what_is_like_a_text_is_found_in_its_own_space(library: Library) -> None:
    assert set(ids(library, "", like="별")) == set(KOREAN) - {"별"}
    assert set(ids(library, "", like="stars", mode="lexical")) == set(ENGLISH) - {"stars"}
    assert set(ids(library, "the sea", like="stars")) == set(ENGLISH) - {"stars"}


def test_a_text_in_two_spaces_is_one_hit(library: Library, models: FakeModels, tmp_path: Path) -> None:
    with Library(tmp_path / "both", models=models) as both:
        both.add([Text(text, id=id) for id, text in ENGLISH.items()])
        alone = {mode: ids(both, "bread and stars", mode=mode) for mode in MODES}
        takes(both, "turned", {}, list(ENGLISH.values()), models)
        for mode in MODES:
            assert sorted(ids(both, "bread and stars", mode=mode)) == sorted(alone[mode])
        assert ids(both, "bread with butter", mode="semantic")[0] == "bread"


def test_pictures_in_two_spaces(tmp_path: Path, photos: Path, models: FakeModels) -> None:
    with Library(tmp_path / "pictures", models=models) as both:
        both.index(photos)
        every = set(ids(both, "", picture=photos / "coffee.png", kinds=("image",), limit=100))
        encoder = models.image("second")
        with both.catalog().transaction() as connection:
            space = add_space(connection, "second", "image", encoder.identity, "second", encoder.dimension)
            keys = [key for (key,) in connection.execute("SELECT DISTINCT key FROM chunks WHERE medium = 'image'")]
            noise = np.random.default_rng(0).integers(0, 256, (len(keys) - 1, 32, 32, 3), np.uint8)  # one is not in it
            vectors = encoder.encode_pictures(list(noise))
            documents.stage_vectors(connection, space.id, dict(zip(keys, vectors, strict=False)))
        for options in ({"picture": photos / "coffee.png"}, {"like": next(iter(every))}):
            found = ids(both, "", kinds=("image",), limit=100, **options)
            assert set(found) == every - {options.get("like")}
            assert len(found) == len(set(found))
        assert set(ids(both, "a cup of coffee", kinds=("image",), limit=100)) == every


def test_a_space_without_its_model_costs_its_own_passages(library: Library, models: FakeModels) -> None:
    def missing(name: str) -> None:
        if name == "turned":
            raise ModelMissing("the model turned is gone")

    models.on_load = missing
    for mode in ("semantic", "hybrid"):
        response = library.search("the stars", mode=mode)
        assert {hit.document.id for hit in response.hits} == set(ENGLISH)
        assert any("turned is gone The space turned was not searched" in note for note in response.degraded)
