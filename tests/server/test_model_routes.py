"""Models, embeddings as OpenAI's clients want them, status, several searches at once, several libraries in a server."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from quarry.api import Library, Text
from quarry.api.routes.libraries import LibraryList, StatusBody
from quarry.api.routes.models import EmbeddingsResponse, ModelList
from quarry.api.routes.search import BatchResponse
from quarry.search.errors import InvalidRequest, NotFound
from quarry.search.models.fake import FakeModels
from tests.processes import Served, quarry, served
from tests.replies import described, refused

MODEL = "all-MiniLM-L6-v2"


def embedded(client: httpx.Client, **body: object) -> list[np.ndarray]:
    given = client.post("/v1/embeddings", json={"model": MODEL, **body})
    return [np.array(one["embedding"]) for one in described(given, EmbeddingsResponse)["data"]]


def test_embeddings_have_the_form_that_openai_gives_them(server: Served) -> None:
    texts = ["How do stars form?", "가나다 bread"]
    response = server.client.post("/v1/embeddings", json={"model": MODEL, "input": texts, "user": "me"})
    body = described(response, EmbeddingsResponse)
    assert (body["object"], body["model"]) == ("list", MODEL)
    assert [(one["object"], one["index"]) for one in body["data"]] == [("embedding", 0), ("embedding", 1)]
    assert body["usage"]["prompt_tokens"] == body["usage"]["total_tokens"] >= 5
    vectors = np.array([one["embedding"] for one in body["data"]], np.float32)
    assert vectors.shape == (2, 384) and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    packed = server.client.post("/v1/embeddings", json={"model": MODEL, "input": texts, "encoding_format": "base64"})
    raw = [np.frombuffer(base64.b64decode(one["embedding"]), "<f4") for one in packed.json()["data"]]
    assert np.array_equal(raw, vectors)
    assert np.allclose(embedded(server.client, input=texts[0]), vectors[:1], atol=1e-6)
    assert np.allclose(embedded(server.client, input=texts[0], dimensions=384, model="text"), vectors[:1], atol=1e-6)
    assert len(embedded(server.client, input=texts[0], input_type="query")) == 1


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"input": ""}, 422, "input[0] is empty"),
        ({"input": []}, 422, "input has 0 texts"),
        ({"input": ["x", " "]}, 422, "input[1] is empty"),
        ({"input": "x " * 600}, 422, "tokens"),
        ({"input": [1, 2]}, 422, "input"),
        ({"input": "x", "dimensions": 7}, 422, "dimensions"),
        ({"input": "x", "encoding_format": "int8"}, 422, "encoding_format"),
        ({"input": "x", "model": "gpt-4"}, 404, "gpt-4"),
        ({"input": ["x"] * 2_049}, 422, "2,048"),
        ({}, 422, "input"),
    ],
)
def test_embeddings_refuse_as_openai_does(server: Served, body: dict[str, object], status: int, said: str) -> None:
    response = server.client.post("/v1/embeddings", json={"model": MODEL, **body})
    assert response.status_code == status and response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert said in problem["detail"]
    assert problem["error"] == {
        "message": problem["detail"],
        "type": "invalid_request_error",
        "param": None,
        "code": "model_not_found" if status == 404 else None,
    }


def test_models_and_status(server: Served) -> None:
    models = described(server.client.get("/v1/models"), ModelList)["data"]
    text = next(one for one in models if one["kind"] == "text")
    assert (text["id"], text["space"], text["dimension"], text["is_loaded"]) == (MODEL, "text", 384, True)
    assert text["identity"] and text["licence"] == "Apache-2.0"
    assert {"image", "reader"} < {one["kind"] for one in models}
    status = described(server.client.get("/v1/status"), StatusBody)
    assert status["documents"] == server.client.get("/v1/documents", params={"limit": 0}).json()["total"]


def test_a_library_embeds(tmp_path: Path, models: FakeModels) -> None:
    with Library(tmp_path / "library", models=models) as library:
        library.add([Text("stars")])
        found = library.embed(["a star", "bread"])
        assert found.vectors.shape[0] == 2 and found.tokens == 3
        assert library.embed("a star", model=found.model).vectors.shape[0] == 1
        for wrong, error in (({"texts": []}, InvalidRequest), ({"texts": "x", "model": "y"}, NotFound)):
            with pytest.raises(error):
                library.embed(**wrong)  # type: ignore[arg-type]
        kinds = {one.kind: one for one in library.models()}
        assert kinds["text"].is_loaded and kinds["text"].name == found.model


def test_several_searches(server: Served) -> None:
    searches = [{"query": "how do stars form", "limit": 2}, {"query": "bread", "mode": "lexical", "limit": 3}]
    results = described(server.client.post("/v1/search/batch", json={"searches": searches}), BatchResponse)["results"]
    for search, result in zip(searches, results, strict=True):
        assert result["hits"] == server.client.post("/v1/search", json=search).json()["hits"]
    wrong = server.client.post("/v1/search/batch", json={"searches": [*searches, {"query": "x", "limit": 0}]})
    assert "limit" in refused(wrong, 422)
    assert "searches" in refused(server.client.post("/v1/search/batch", json={"searches": []}), 422)
    assert "searches" in refused(server.client.post("/v1/search/batch", json={"searches": searches * 17}), 422)


# --- several libraries ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server of a default library and one called `other`."""
    place = tmp_path_factory.mktemp("two")
    with served(place / "one", place / "log", "--library", f"other={place / 'two'}") as running:
        yield running.client


def test_libraries_are_apart(two: httpx.Client) -> None:
    listed = described(two.get("/v1/libraries"), LibraryList)["libraries"]
    assert [(one["name"], one["path"], one["is_default"]) for one in listed] == [
        ("default", "/v1", True),
        ("other", "/v1/libraries/other", False),
    ]
    for path, text in (("/v1", "Ferrets sleep."), ("/v1/libraries/other", "Wombats dig.")):
        assert two.put(f"{path}/documents/animal", json={"text": text}).status_code == 201
    assert two.get("/v1/documents/animal").json()["text"] == "Ferrets sleep."
    assert two.get("/v1/libraries/default/documents/animal/").json()["text"] == "Ferrets sleep."
    assert two.get("/v1/libraries/other/documents/animal").json()["text"] == "Wombats dig."
    hits = two.post("/v1/libraries/other/search", json={"query": "wombats"}).json()["hits"]
    assert [hit["text"] for hit in hits] == ["Wombats dig."]
    job = two.post("/v1/libraries/other/roots/sync")
    assert "no roots" in refused(job, 404)
    assert "'nothing'" in refused(two.get("/v1/libraries/nothing/documents"), 404)
    refused(two.get("/v1/libraries/other/nothing"), 404)
    refused(two.get("/v1/libraries/other/libraries/other/documents"), 404)
    refused(two.get("/v1/libraries/other"), 404)


@pytest.mark.parametrize("given", [("a=x", "a=y"), ("x", "y"), ("a=",)])
def test_libraries_have_names_of_their_own(given: tuple[str, ...]) -> None:
    options = [part for one in given for part in ("--library", one)]
    assert "--library" in quarry("serve", *options, code=2).stderr
