"""What a score adds up from: signed shares of words, of a query's words, of a picture's patches; all of it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from quarry.api import Library, Text
from quarry.api.bodies.responses import response_body
from quarry.search.models import prepared
from quarry.search.models.fake import FakeModels
from quarry.search.models.graphs.outputs import averaged, with_outputs
from quarry.search.models.prepared import GRAPH
from quarry.search.models.text import serving, source
from quarry.search.types import MODES, Hit, Mode
from tests.processes import Served, quarry

CLOSE = 2e-5  # of numbers that are rounded to six decimals


def told(hit: Hit) -> dict[str, Any]:
    assert hit.explanation is not None
    return dict(hit.explanation)


def total(own: list[Any], beyond: dict[str, float]) -> float:
    return sum(one["share"] if isinstance(one, dict) else one for one in own) + sum(beyond.values())


@pytest.mark.parametrize("mode", MODES)
def test_shares_add_up_to_the_scores(sample_library: Path, mode: Mode) -> None:
    with Library(sample_library) as library:
        response = library.search("how do stars form from cold gas", mode=mode, explain=True)
        assert {"explain", "read"} <= response.timings.keys()
        for hit in response.hits:
            own = told(hit)
            if mode != "lexical":
                assert total(own["meaning"], own["meaning_beyond"]) == pytest.approx(own["cosine"], abs=CLOSE)
                assert own["semantic"]["score"] == pytest.approx(own["cosine"], abs=1e-4)
                assert abs(own["meaning_beyond"]["stored"]) < 2e-3
                spans = [(one["start"], one["end"]) for one in own["meaning"]]
                assert spans == sorted(spans) and all(hit.text[a:b].split() == [hit.text[a:b]] for a, b in spans)
                assert own["calibration"]["spreads_above_chance"] is not None
            else:
                assert "meaning" not in own
            if mode != "semantic":
                share = sum(one["share"] for one in own.get("words", []))
                assert share == pytest.approx(own["lexical"]["score"], abs=1e-3)
                assert {one["word"] for one in own.get("words", [])} <= {"stars", "form", "cold", "gas"}
            else:
                assert "words" not in own
        first = told(response.hits[0])
        if mode != "lexical":
            best = max(first["meaning"], key=lambda one: one["share"])
            said = response.hits[0].text[best["start"] : best["end"]].lower()
            assert any(word in said for word in ("star", "gas", "cold", "form", "cloud", "born"))
        assert library.search("how do stars form", mode=mode).hits[0].explanation is None


def test_a_passage_in_windows_and_one_with_a_long_title(tmp_path: Path) -> None:
    models = FakeModels()
    with Library(tmp_path / "library", models=models, text_model="short@24") as library:
        text = " ".join(f"star{n} shines over gas{n % 7}" for n in range(60))
        library.add([Text(text, title="A long title about stars " * 3)])
        hits = library.search("star3 gas5 shines", mode="semantic", explain=True).hits
        assert len(hits) > 1
        for hit in hits:
            own = told(hit)
            assert total(own["meaning"], own["meaning_beyond"]) == pytest.approx(own["cosine"], abs=CLOSE)
            assert own["meaning_beyond"]["title"] != 0
            assert "".join(hit.text[one["start"] : one["end"]] for one in own["meaning"]) == hit.text.replace(" ", "")


def test_what_a_field_adds_is_told(tmp_path: Path) -> None:
    with Library(tmp_path / "library", models=FakeModels()) as library:
        library.add([Text("A text on bread.", metadata={"by": "Jane Doe"}), Text("Jane met Doe."), Text("More.")])
        hits = library.search("Jane Doe", mode="lexical", explain=True).hits
        for hit in hits:
            own = told(hit)
            assert sum(one["share"] for one in own["words"]) == pytest.approx(own["lexical"]["score"], abs=1e-3)
        assert "the whole field" in {one["word"] for one in told(hits[0])["words"]}


@pytest.mark.parametrize("kept", [True, False])
def test_patches_of_a_picture_add_up_to_its_cosine(own_pictures: tuple[Path, Path], kept: bool) -> None:
    directory, folder = own_pictures
    if not kept:
        for path in folder.iterdir():
            path.unlink()
    with Library(directory) as library:
        hits = library.search("a photo of a cat", mode="semantic", kinds=("image",), explain=True).hits
        assert hits
        for hit in hits:
            own = told(hit)
            patches = own["patches"]
            assert (patches["rows"], patches["columns"], len(patches["shares"])) == (7, 7, 49)
            assert total(patches["shares"], own["patches_beyond"]) == pytest.approx(own["cosine"], abs=1e-4)
            assert set(own["patches_beyond"]) == {"seen", "classes", "hub", "stored"}
            assert abs(own["patches_beyond"]["stored"]) < (2e-3 if kept else 0.1)
            assert np.ptp(patches["shares"]) > 0


def test_hits_like_a_document_are_explained_too(sample_library: Path) -> None:
    with Library(sample_library) as library:
        first = library.search("stars", limit=1).hits[0]
        for hit in library.search(like=[first.document.id], explain=True, limit=3).hits:
            own = told(hit)
            assert total(own["meaning"], own["meaning_beyond"]) == pytest.approx(own["cosine"], abs=CLOSE)


def test_outputs_are_added_to_a_graph_without_a_weight_changed() -> None:
    ready = prepared.ready(source.resolve("all-MiniLM-L6-v2"))
    graph = (ready.folder / GRAPH).read_bytes()
    names = averaged(graph, serving.VECTOR)
    assert len(names) == 1
    more = onnx.load_from_string(with_outputs(graph, names))
    assert [one.name for one in more.graph.output] == [serving.VECTOR, *names]
    del more.graph.output[1:]
    assert more == onnx.load_from_string(graph)
    assert averaged(graph, "no such output") == []
    encoder = serving.serve(ready)
    vector = encoder.encode_documents(["Stars form of gas."])[0]
    states = encoder.token_states("Stars form of gas.")
    assert states is not None and np.abs(states.parts.sum(axis=0) - vector).max() < 1e-5


def test_over_http_and_on_the_command_line(server: Served, sample_library: Path) -> None:
    body = server.client.post("/v1/search", json={"query": "cold gas", "explain": True, "limit": 2}).json()
    own = body["hits"][0]["explanation"]
    assert own["meaning"] and own["words"] and own["fusion"] and own["relevance"] == body["hits"][0]["relevance"]
    with Library(sample_library) as library:
        same = response_body(library.search("cold gas", explain=True, limit=2))["hits"][0]["explanation"]
        assert same == own
    shown = quarry("search", "cold gas", "--explain", "-n", "1", "--library", str(sample_library)).stdout
    assert "meaning" in shown and "words" in shown and "cosine" in shown
