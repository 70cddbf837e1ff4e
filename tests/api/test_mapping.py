"""The map of a library: its sample, its vectors in few dimensions, and the route."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest

from quarry.api import Library, Text
from quarry.api.members.mapping import DIMENSIONS
from quarry.api.routes.map import MapBody
from quarry.search.alike.principal import principal, quantized
from quarry.search.errors import InvalidFilter, InvalidRequest
from quarry.search.models.fake import FakeModels
from tests.processes import Served


def test_texts_and_pictures_are_parts_of_one_map(picture_library: Path) -> None:
    with Library(picture_library) as library:
        found = library.map()
        texts, pictures = found.parts
        assert (texts.medium, pictures.medium) == ("text", "image")
        assert len(pictures.ids) == 15 and found.total == len(texts.ids) + 15
        assert {one.uri for one in found.documents} == {one.uri for one in library.documents(limit=1000)[0]}
        for part in found.parts:
            assert part.vectors.dtype == np.int8 and part.vectors.shape == (len(part.ids), part.vectors.shape[1])
        hit = library.search("how do stars form").hits[0]
        (at,) = np.flatnonzero(texts.ids == int(hit.id))
        assert found.documents[texts.documents[at]] == hit.document
        assert tuple(texts.spans[at]) == (hit.start, hit.end)


def test_what_is_alike_stays_so(sample_library: Path) -> None:
    with Library(sample_library) as library:
        part = library.map().parts[0]  # passages in Korean are another
        assert part.vectors.shape[1] == DIMENSIONS
        near = part.vectors.astype(np.float32)
        distances = np.linalg.norm(near[:, None] - near[None], axis=2)
        np.fill_diagonal(distances, np.inf)
        folders = np.array([Path(library.map().documents[at].uri).parent.name for at in part.documents])
        share = (folders[distances.argmin(axis=1)] == folders).mean()
        assert share > 0.6  # of 15 folders


def test_a_sample_is_the_same_and_changes_little(tmp_path: Path, models: FakeModels) -> None:
    with Library(tmp_path / "library", models=models) as library:
        library.add([Text(f"Text number {number}.") for number in range(200)])
        first = library.map(limit=50)
        assert len(first.parts[0].ids) == 50 and first.total == 200
        assert library.map(limit=50) is first
        assert set(library.map(limit=20).parts[0].ids) < set(first.parts[0].ids)
        library.add([Text("One more.")])
        second = library.map(limit=50)
        assert second.generation > first.generation and second.total == 201
        assert len(set(second.parts[0].ids) & set(first.parts[0].ids)) >= 49


def test_few_points_and_none(tmp_path: Path, models: FakeModels) -> None:
    with Library(tmp_path / "library", models=models) as library:
        library.catalog(create=True)
        assert library.map().parts == ()
        library.add([Text("One.")])
        assert library.map().parts[0].vectors.shape == (1, 1)
        library.add([Text("One.", uri="note:2"), Text("Two.")])
        assert library.map().parts[0].vectors.shape == (3, 2)
        assert library.map(filter={"uri": "note:2"}).total == 1
        for limit in (0, 10_001):
            with pytest.raises(InvalidRequest, match="limit"):
                library.map(limit=limit)
        with pytest.raises(InvalidFilter):
            library.map(filter={"year": {"$near": 1}})


def test_principal_components_are_those_of_the_vectors() -> None:
    random = np.random.default_rng(0)
    vectors = (random.normal(size=(300, 3)) @ random.normal(size=(3, 20))).astype(np.float32) + 5
    found = principal(vectors, 8)
    centred = vectors - vectors.mean(axis=0)
    assert found.shape == (300, 8)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.linalg.norm(centred, axis=1), rtol=1e-3)
    assert (found.var(axis=0)[:3] > 1e-3).all() and (found.var(axis=0)[3:] < 1e-6).all()
    codes, scale = quantized(found)
    assert np.abs(codes * scale - found).max() <= scale / 2 + 1e-6


def test_the_map_over_http(server: Served) -> None:
    response = server.client.get("/v1/map", params={"limit": 100})
    body = MapBody.model_validate_json(response.content)
    assert body.model_dump(mode="json") == response.json()
    assert sum(len(part.ids) for part in body.parts) == 100
    assert body.parts[0].dimensions == DIMENSIONS
    for part in body.parts:
        assert len(base64.b64decode(part.vectors)) == len(part.ids) * part.dimensions
        assert max(part.documents) < len(body.documents)
    again = server.client.get("/v1/map", params={"limit": 100}, headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304
    assert server.client.get("/v1/map", params={"limit": 100, "filter": '{"type": "pdf"}'}).json()["total"] < body.total
    assert server.client.get("/v1/map", params={"filter": "{"}).status_code == 422
    assert server.client.get("/v1/map", params={"limit": 0}).status_code == 422
