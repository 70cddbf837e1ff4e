from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quarry.api import Library, Text
from quarry.api.members.reading import find
from quarry.indexer.exchange.dump import numbers
from quarry.search.errors import FileMalformed, InvalidRequest, MissingExtra, NotFound, StorageFull
from quarry.search.models.fake import FakeModels
from quarry.search.types import Vectors
from tests.processes import quarry

QUERIES = ("how do stars form", "bread", "a cat", "coffee in a cup", "gravity telescope")
FORMATS = ("jsonl", "parquet")


@pytest.fixture
def small(tmp_path: Path, models: FakeModels) -> Path:
    with Library(tmp_path / "small", models=models) as library:
        library.add([Text(f"number {number} about stars", id=f"id-{number}") for number in range(3)])
    return tmp_path / "small"


def found(library: Library, mode: Any) -> list[Any]:
    return [
        [(hit.document.id, hit.start, hit.end, round(hit.score, 3)) for hit in library.search(query, mode=mode).hits]
        for query in QUERIES
    ]


def picture_vector(library: Library, id: str) -> Vectors:
    (row_id, document) = find(library.opened, id)
    return library.searcher.like(row_id, document.kind)["image"]


def described(library: Library) -> list[Any]:
    """Everything of the documents but when they were indexed and the hash, which is also of what loaders alone tell."""
    listed, total = library.documents(limit=1000)
    assert len(listed) == total
    return [(replace(one, indexed="", hash=""), library.text(one.id), library.page_starts(one.id)) for one in listed]


def rows_of(library: Library, **options: Any) -> list[dict[str, Any]]:
    stream = io.BytesIO()
    library.export(stream, **options)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("format", FORMATS)
def test_a_round_trip_gives_the_same_library(picture_library: Path, tmp_path: Path, format: str) -> None:
    """Equal documents and pages, the same hits and thumbnails; nothing is embedded; again changes nothing."""
    if format == "parquet":
        pytest.importorskip("pyarrow")
    file = tmp_path / f"documents.{format}"
    with Library(picture_library) as library:
        assert library.export(file, vectors=True) == library.documents()[1]
        wanted, semantic, lexical = described(library), found(library, "semantic"), found(library, "lexical")
        pictures = [one.id for one in library.documents(filter={"kind": "image"})[0]]
        thumbnails = [library.thumbnail(id) for id in pictures]
    assert file.stat().st_mode & 0o777 == 0o600
    with Library(tmp_path / "other") as library:
        done = library.import_file(file)
        assert (done.added, done.embedded, done.failed, done.kept) == (len(wanted), 0, {}, [])
        assert described(library) == wanted
        assert found(library, "semantic") == semantic
        assert found(library, "lexical") == lexical
        assert [library.thumbnail(id) for id in pictures] == thumbnails
        assert [finding for finding in library.doctor() if finding.level == "damage"] == []
        again = library.import_file(file)
        assert (again.added, again.changed, again.unchanged, again.embedded) == (0, 0, len(wanted), 0)
        assert library.roots() == []


def test_without_vectors_everything_is_embedded_anew(own_pictures: tuple[Path, Path], tmp_path: Path) -> None:
    """Pictures from their thumbnails, which look the same."""
    with Library(own_pictures[0]) as library:
        library.add(Text("about stars", id="stars"))
        library.export(tmp_path / "rows.jsonl")
        wanted = [one[0] for one in found(library, "semantic")[2]]
        own = {one.id: picture_vector(library, one.id) for one in library.documents()[0][:3]}
    with Library(tmp_path / "other") as library:
        done = library.import_file(tmp_path / "rows.jsonl")
        assert (done.added, done.embedded, done.failed) == (4, 4, {})
        assert next(one[0] for one in found(library, "semantic")[2]) == wanted[0]
        for id, vector in own.items():
            assert float(picture_vector(library, id) @ vector) > 0.9


def test_vectors_of_other_texts_and_models_are_not_taken(small: Path, tmp_path: Path, models: FakeModels) -> None:
    with Library(small, models=models) as library:
        rows = rows_of(library, vectors=True)
    rows[0]["text"] = "another text than was embedded"
    rows[1]["text_model"] = "another model"
    rows[2]["passages"][0]["vector"] = [float("inf"), *rows[2]["passages"][0]["vector"][1:]]
    content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    with Library(tmp_path / "other", models=models) as library:
        done = library.import_file(io.BytesIO(content))
        assert (done.added, done.embedded, done.failed) == (3, 3, {})
        assert models.embedded[-3:] == ["another text than was embedded", *(row["text"] for row in rows[1:])]
        assert [finding for finding in library.doctor() if finding.level == "damage"] == []


def test_rows_of_other_programs(small: Path, tmp_path: Path) -> None:
    """A text is enough; the same row is the same document."""
    rows: list[dict[str, Any]] = [
        {"text": "only a text"},
        {"title": "Tides", "text": "The Moon raises them.", "metadata": {"year": 2024}},
    ]
    content = b"\n".join(json.dumps(row).encode() for row in rows) + b"\n\n"
    with Library(tmp_path / "other", models=FakeModels()) as library:
        assert library.import_file(io.BytesIO(content)).added == 2
        assert library.import_file(io.BytesIO(content)).unchanged == 2
        (document,), total = library.documents(filter={"year": 2024})
        assert (document.title, document.type, total) == ("Tides", "text/plain", 1)
        rows[0]["id"] = "mine"
        assert library.import_file(io.BytesIO(json.dumps(rows[0]).encode())).added == 1
        rows[0]["text"] = "changed"
        assert library.import_file(io.BytesIO(json.dumps(rows[0]).encode())).changed == 1
        assert library.text("mine") == "changed"


WRONG: list[tuple[Any, str]] = [
    (b"no json", "is no JSON"),
    (b"[1]", "is [1] (list)"),
    ({"text": ""}, "text is empty"),
    ({"text": 5}, "text"),
    ({"text": "a", "id": ".."}, "id"),
    ({"text": "a", "kind": "video"}, "kind is 'video'"),
    ({"text": "a", "metadata": [1]}, "metadata"),
    ({"text": "a", "metadata": "{"}, "metadata is no JSON"),
    ({"text": "a", "pages": [0, 99]}, "pages must"),
    ({"text": "a", "pages": ["x"]}, "pages"),
    ({"text": "a", "headings": [{"start": 5, "level": 1, "text": "h"}]}, "headings must"),
    ({"text": "a", "modified": "yesterday"}, "modified is 'yesterday'"),
    ({"text": "a", "passages": [{"key": "zz", "vector": [1]}]}, "key"),
    ({"text": "a", "passages": [{"key": "00" * 16, "vector": ["x"]}]}, "no list of numbers"),
    ({"kind": "image"}, "picture without a thumbnail"),
    ({"kind": "image", "thumbnail": base64.b64encode(b"<script>").decode()}, "no small JPEG"),
    ({"kind": "image", "thumbnail": "no base64"}, "base64"),
    ({"kind": "image", "thumbnail": base64.b64encode(b"\xff\xd8\xff damaged").decode()}, "is damaged"),
    (b'{"text": "\\ud800"}', "lone surrogate"),
    (b'{"text": "a", "metadata": {"a": NaN}}', "metadata"),
    (b"[" * 100_000, "is no JSON"),
]


def test_rows_that_are_wrong_are_listed_and_stop_none_of_the_rest(tmp_path: Path, models: FakeModels) -> None:
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row, _ in WRONG]
    content = b"\n".join(
        part for line in lines for part in (line, json.dumps({"text": f"good {line!r}"[:90]}).encode())
    )
    with Library(tmp_path / "library", models=models) as library:
        done = library.import_file(io.BytesIO(content))
        assert library.documents()[1] == done.added == len(WRONG)
    assert sorted(done.failed, key=lambda where: int(where[5:])) == [f"line {at}" for at in range(1, 2 * len(WRONG), 2)]
    for at, (_, why) in enumerate(WRONG):
        assert why in (said := done.failed[f"line {2 * at + 1}"]) and not said.startswith("line")


def test_what_is_a_files_stays_a_files(tmp_path: Path, models: FakeModels) -> None:
    """A document of a file becomes one of its own elsewhere, and changes nothing where that file is in sync."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.txt").write_text("of the file")
    with Library(tmp_path / "library", models=models) as library:
        library.index(tmp_path / "root")
        (row,) = rows_of(library)
        row["text"] = "of another"
        done = library.import_file(io.BytesIO(json.dumps(row).encode()))
        assert (done.kept, done.changed) == ([row["uri"]], 0)
        assert library.text(row["id"]) == "of the file"
    with Library(tmp_path / "other", models=models) as library:
        assert library.import_file(io.BytesIO(json.dumps(row).encode())).added == 1
        assert library.text(row["id"]) == "of another"


def test_only_what_a_filter_lets_through(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Library(small, models=FakeModels()) as library:
        assert [row["id"] for row in rows_of(library, filter={"id": "id-1"})] == ["id-1"]
        with pytest.raises(InvalidRequest, match="format is 'xml'"):
            library.export(tmp_path / "file", format="xml")  # type: ignore[arg-type]
        with pytest.raises(NotFound):
            library.import_file(tmp_path / "none")
        (tmp_path / "damaged").write_bytes(b"PAR1 and nothing else")
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        for use in (lambda: library.export(tmp_path / "x.parquet"), lambda: library.import_file(tmp_path / "damaged")):
            with pytest.raises(MissingExtra, match=r"pip install quarry-search\[parquet\]"):
                use()
        monkeypatch.undo()
    assert not (tmp_path / "x.parquet").exists()


def test_parquet_that_is_damaged(small: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with Library(small, models=FakeModels()) as library:
        library.export(tmp_path / "rows.parquet", vectors=True)
        content = (tmp_path / "rows.parquet").read_bytes()
        for damaged in (content[:-100], content[:100], b"PAR1" + bytes(len(content))):
            with pytest.raises(FileMalformed, match="as Parquet"):
                library.import_file(io.BytesIO(damaged))


def test_numbers_are_short_and_lose_nothing() -> None:
    values = np.random.default_rng(5).normal(0, 0.05, 10_000).astype("<f2")
    listed = numbers(values.tobytes())
    assert (np.asarray(listed, np.float32).astype("<f2") == values).all()
    assert len(json.dumps(listed)) < 12 * len(listed)


def test_a_full_disk(small: Path, disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=4k", str(disk)], check=True)
    with Library(small, models=FakeModels()) as library:
        library.add(Text("a long text " * 1000))
        with pytest.raises(StorageFull, match=f"{disk}.* is full"):
            library.export(disk / "rows.jsonl")
    assert list(disk.iterdir()) == []


def test_from_one_command_to_another(tmp_path: Path) -> None:
    (tmp_path / "notes.jsonl").write_text('{"text": "how stars form", "id": "stars"}\n{"text": 1}\n')
    done = quarry("import", tmp_path / "notes.jsonl", "--library", tmp_path / "one", "--json", code=3)
    assert json.loads(done.stdout)["added"] == 1 and "line 2" in json.loads(done.stdout)["failed"]
    exported = quarry("export", "--vectors", "--filter", "id=stars", "--library", tmp_path / "one")
    assert json.loads(exported.stdout)["id"] == "stars"
    assert "Exported 1 document." in exported.stderr
    done = quarry("import", "-", "--library", tmp_path / "two", input=exported.stdout.encode())
    assert done.stdout.startswith("1 added, 0 changed, 0 unchanged, 0 embedded.")
