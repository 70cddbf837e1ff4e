"""What fits nowhere in a library is found, per kind, and texts that mean the same."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from quarry.api import Library, Text
from quarry.api.cli import cli
from quarry.api.routes.outliers import OutliersBody
from quarry.search.alike import neighbours
from quarry.search.alike.neighbours import belonging, pairs
from quarry.search.errors import InvalidRequest
from quarry.search.models.fake import FakeModels
from tests.processes import Served


def units(rng: np.random.Generator, count: int, dimension: int = 32) -> np.ndarray:
    vectors = rng.normal(size=(count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def around(rng: np.random.Generator, middles: np.ndarray, each: int, width: float) -> np.ndarray:
    vectors = np.repeat(middles, each, axis=0)
    vectors = vectors + width * rng.normal(size=vectors.shape).astype(np.float32) / vectors.shape[1] ** 0.5
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize("sample", [8_192, 300])
def test_strangers_come_first_also_among_a_sample(sample: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "SAMPLE", sample)
    rng = np.random.default_rng(1)
    vectors = np.concatenate([around(rng, units(rng, 4), 250, 0.5), units(rng, 6)])
    found = belonging(vectors)
    assert set(np.argsort(-found.spreads)[:6].tolist()) == set(range(1000, 1006))
    assert (found.spreads[1000:] > 3).all() and np.median(found.spreads) == pytest.approx(0, abs=0.01)
    assert (found.nearest != np.arange(len(vectors))).all()


def test_what_is_all_the_same_has_no_outliers() -> None:
    found = belonging(np.repeat(units(np.random.default_rng(0), 1), 50, axis=0))
    assert np.isfinite(found.spreads).all() and (np.abs(found.spreads) < 1).all()


@pytest.mark.parametrize("one_cell", [4_096, 100])
def test_pairs_are_those_that_are_near_one_that_is_like_none_before(
    one_cell: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_ONE_CELL", one_cell)
    monkeypatch.setattr(neighbours, "_BLOCK", 64)
    rng = np.random.default_rng(2)
    vectors = rng.permutation(around(rng, units(rng, 150), 3, 0.2))
    ones, others, alike = pairs(vectors, 0.9)
    assert (ones < others).all() and (alike >= 0.9).all()
    np.testing.assert_allclose(np.einsum("ij,ij->i", vectors[ones], vectors[others]), alike, atol=1e-5)
    near = np.triu(vectors @ vectors.T >= 0.9, 1)
    has = set(np.flatnonzero(near.any(axis=0)).tolist())  # like one before it
    assert len(set(others.tolist()) & has) >= (1 if one_cell == 4_096 else 0.95) * len(has) > 200


def test_outliers_of_a_library(sample_library: Path) -> None:
    with Library(sample_library) as library:
        found = library.outliers(least=0, limit=1_000)
        assert found.compared + found.left_out == library.status()["documents"] and found.compared > 100
        assert [one.spreads for one in found.outliers] == sorted((one.spreads for one in found.outliers), reverse=True)
        assert all(one.nearest.id != one.document.id for one in found.outliers)
        assert library.outliers(least=0, limit=1, offset=1).outliers == found.outliers[1:2]
        assert library.outliers(kind="image").outliers == ()
        for wrong in ({"least": -1}, {"least": float("nan")}, {"limit": 1_001}, {"offset": -1}, {"kind": "sound"}):
            with pytest.raises(InvalidRequest):
                library.outliers(**wrong)  # type: ignore[arg-type]
    told = CliRunner().invoke(cli, ["outliers", "--library", str(sample_library), "--least", "0", "--json"])
    assert told.exit_code == 0
    body = OutliersBody.model_validate(json.loads(told.output))
    assert [one.document.id for one in body.outliers] == [one.document.id for one in found.outliers[:20]]
    printed = CliRunner().invoke(cli, ["outliers", "--library", str(sample_library), "--least", "0", "-n", "2"])
    assert found.outliers[0].document.uri.rsplit("/", 1)[-1] in printed.output and "nearest: " in printed.output


def test_outliers_over_http(server: Served) -> None:
    answer = server.client.get("/v1/outliers?least=1&limit=3")
    body = OutliersBody.model_validate(answer.json())
    assert len(body.outliers) == 3 and body.total >= 3
    assert server.client.get("/v1/outliers?least=-1").status_code == 422


def test_of_a_few_documents_nobody_can_tell(tmp_path: Path) -> None:
    with Library(tmp_path / "library", models=FakeModels()) as library:
        library.add([Text(f"text {n}") for n in range(5)])
        found = library.outliers(least=0)
        assert (found.outliers, found.compared, found.left_out) == ((), 0, 5)
    told = CliRunner().invoke(cli, ["outliers", "--library", str(tmp_path / "library")], obj=FakeModels())
    assert "No outliers." in told.output and "5 documents" in told.output


SAYINGS = [
    "The meeting was put off until next week because the director was ill.",
    "Since the head of the company is sick, they postponed the meeting to next week.",
    "The ferry to the island leaves at nine in the morning.",
    "Sourdough needs flour, water, salt and much time.",
]


def test_texts_that_say_the_same_in_other_words(tmp_path: Path) -> None:
    with Library(tmp_path / "library") as library:
        library.add([Text(text, title=f"t{n}") for n, text in enumerate(SAYINGS)])
        assert library.duplicates().groups == ()
        (group,) = library.duplicates(by="meaning", alike=0.7).groups
        assert {group.keep.document.title, group.copies[0].document.title} == {"t0", "t1"}
        assert 0.7 <= group.copies[0].alike < 1 and not group.copies[0].same
        assert library.duplicates(by="meaning", alike=0.97).groups == ()
        with pytest.raises(InvalidRequest):
            library.duplicates(by="looks")  # type: ignore[arg-type]
