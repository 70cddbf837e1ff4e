from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quarry.search.stores import lineage
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lookups import hit_rows
from quarry.search.stores.rows import documents, files, items
from quarry.search.stores.rows.documents import NewDocument
from quarry.search.stores.rows.passages import passages_of
from quarry.search.stores.rows.segment_rows import read_vectors
from quarry.search.stores.spaces import Space
from quarry.search.types import Chunk
from quarry.search.values.places import Place

TEXT = "First passage.\n\nSecond passage.  Third."
CHUNKS = (
    Chunk(0, 0, 14, TEXT[0:14], Place(1), "A"),
    Chunk(1, 16, 31, TEXT[16:31], Place(2), "A > B"),
    Chunk(2, 33, 39, TEXT[33:39], Place(lines=(4, 4))),
)
NOW = "2024-01-01T00:00:00+00:00"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog(tmp_path / "library", writable=True)
    yield opened
    opened.close()


@pytest.fixture
def space(catalog: Catalog) -> Space:
    return catalog.ensure_space("text", "fake", "fake", 2)


def new(uri: str = "/a.txt", **changes: object) -> NewDocument:
    keys = [f"{uri}-{chunk.ordinal}".encode() for chunk in CHUNKS]
    document = NewDocument(uri, "text/plain", "Title", TEXT, b"hash", CHUNKS, keys, {"year": 2024}, {"pages": []}, NOW)
    return replace(document, **changes)  # type: ignore[arg-type]


def put(catalog: Catalog, space: Space, *many: NewDocument) -> list[str]:
    with catalog.transaction() as connection:
        ids = []
        for one in many:
            documents.stage_vectors(connection, space.id, {key: np.array([0.6, 0.8], np.float32) for key in one.keys})
            ids.append(documents.put(connection, one, NOW))
        return ids


def table(catalog: Catalog, sql: str) -> list[tuple[object, ...]]:
    with catalog.snapshot() as snapshot:
        return list(snapshot.connection.execute(sql).fetchall())


def test_what_is_put_comes_back(catalog: Catalog, space: Space) -> None:
    (id,) = put(catalog, space, new())
    with catalog.snapshot() as snapshot:
        connection = snapshot.connection
        by_id, by_uri = documents.find(connection, id), documents.find(connection, "/a.txt")
        assert by_id is not None and by_id == by_uri
        row_id, document = by_id
        assert (document.id, document.uri, document.title, document.type) == (id, "/a.txt", "Title", "text/plain")
        assert (document.metadata, document.modified, document.indexed) == ({"year": 2024}, NOW, NOW)
        assert (document.characters, document.chunks) == (len(TEXT), 3)
        assert documents.text_of(connection, row_id) == TEXT
        assert passages_of(connection, row_id) == list(CHUNKS)
        assert documents.structure_of(connection, row_id) == {"pages": []}
        hydrated = hit_rows.hydrate(connection, [3, 1, 99])
        assert {key: chunk for key, (chunk, _) in hydrated.items()} == {1: CHUNKS[0], 3: CHUNKS[2]}
        assert documents.find(connection, "nothing") is None


def test_putting_again_replaces_under_the_same_id_with_new_chunk_ids(catalog: Catalog, space: Space) -> None:
    (first,) = put(catalog, space, new())
    (second,) = put(catalog, space, new(text="Other.", chunks=[Chunk(0, 0, 6, "Other.")], keys=[b"other"]))
    assert first == second
    assert table(catalog, "SELECT id, text FROM chunks") == [(4, "Other.")]
    with catalog.snapshot() as snapshot:
        assert documents.deleted_since(snapshot.connection, snapshot.generation - 1).tolist() == [1, 2, 3]
        assert [row.id for row in documents.chunks_since(snapshot.connection, snapshot.generation - 1)] == [4]


def test_an_id_that_is_given_is_kept_and_names_what_is_replaced(catalog: Catalog, space: Space) -> None:
    assert put(catalog, space, new(id="mine")) == ["mine"]
    assert put(catalog, space, new("/b.txt", id="mine")) == ["mine"]
    assert table(catalog, "SELECT public_id, uri FROM documents") == [("mine", "/b.txt")]


def test_an_id_and_a_uri_of_two_documents_become_one(catalog: Catalog, space: Space) -> None:
    put(catalog, space, new("/a.txt", id="a"), new("/b.txt", id="b"))
    assert put(catalog, space, new("/b.txt", id="a")) == ["a"]
    assert table(catalog, "SELECT public_id, uri FROM documents") == [("a", "/b.txt")]
    assert table(catalog, "SELECT count(*) FROM chunks") == [(3,)]


def test_ids_are_never_used_again(catalog: Catalog, space: Space) -> None:
    put(catalog, space, new())
    with catalog.transaction() as connection:
        assert documents.remove(connection, [1, 77]) == 1
    put(catalog, space, new("/b.txt"))
    assert table(catalog, "SELECT id FROM documents UNION ALL SELECT id FROM chunks") == [(2,), (4,), (5,), (6,)]


def test_renaming_keeps_chunks_and_replaces_who_was_there(catalog: Catalog, space: Space) -> None:
    put(catalog, space, new(), new("/b.txt"))
    with catalog.transaction() as connection:
        documents.rename(connection, 1, "/b.txt", "New title")
    assert table(catalog, "SELECT id, uri, title FROM documents") == [(1, "/b.txt", "New title")]
    with catalog.snapshot() as snapshot:
        rows = list(documents.chunks_since(snapshot.connection, snapshot.generation - 1))
    assert [(row.id, row.title, row.uri) for row in rows] == [(n, "New title", "/b.txt") for n in (1, 2, 3)]


def test_a_repetition_is_known_as_unchanged(catalog: Catalog, space: Space) -> None:
    put(catalog, space, new())
    with catalog.transaction() as connection:
        assert documents.unchanged(connection, new()) == 1
        assert documents.unchanged(connection, new(hash=b"other")) is None
        assert documents.unchanged(connection, new("/b.txt")) is None
        connection.execute("DELETE FROM vectors WHERE key = (SELECT key FROM chunks WHERE id = 2)")
        assert documents.unchanged(connection, new()) is None  # it lacks a vector: try again


def test_a_passage_without_a_vector_is_stored_without(catalog: Catalog, space: Space) -> None:
    document = new()
    with catalog.transaction() as connection:
        documents.stage_vectors(connection, space.id, {document.keys[0]: np.array([1, 0], np.float32)})
        documents.put(connection, document, NOW)
    with catalog.snapshot() as snapshot:
        stored = read_vectors(snapshot.connection, space.id, 2, 0, snapshot.generation)
    assert (stored.ids.tolist(), stored.unusable.tolist()) == ([1], [])


def test_a_vector_is_stored_once_and_stays(catalog: Catalog, space: Space) -> None:
    def stage(vectors: Mapping[bytes, tuple[float, float]]) -> None:
        with catalog.transaction(bump=False) as connection:
            documents.stage_vectors(connection, space.id, {k: np.array(v, np.float32) for k, v in vectors.items()})

    stage({b"a": (1, 0)})
    stage({b"a": (0, 1), b"b": (0, 1)})
    with catalog.snapshot() as snapshot:
        keys = [*(str(number).encode() for number in range(2000)), b"a", b"b"]  # more than one statement holds
        known = documents.known_vectors(snapshot.connection, space.id, keys)
        assert documents.known_vectors(snapshot.connection, space.id + 1, keys) == set()
    assert known == {b"a", b"b"}
    (vector,) = table(catalog, "SELECT vector FROM vectors WHERE key = x'61'")[0]
    assert np.frombuffer(vector, "<f2").tolist() == [1, 0]  # type: ignore[call-overload]


def test_orphans_are_dropped_and_what_may_still_be_asked_for_is_kept(catalog: Catalog, space: Space) -> None:
    put(catalog, space, new(), new("/b.txt"))
    with catalog.transaction() as connection:
        documents.remove(connection, [1])
    before = table(catalog, "SELECT value FROM meta WHERE key = 'generation'")
    with catalog.transaction(bump=False) as connection:
        other = connection.execute(
            "INSERT INTO spaces (name, identity, model, dimension) VALUES ('text', 'next', 'next', 2)"
        ).lastrowid
        assert other is not None
        kept = connection.execute("SELECT key FROM chunks WHERE id = 4").fetchone()[0]
        documents.stage_vectors(connection, other, {key: np.zeros(2, np.float32) for key in (kept, b"nobody's")})
        documents.drop_orphans(connection, -1)
    assert table(catalog, "SELECT count(*) FROM vectors") == [(4,)]
    assert table(catalog, "SELECT count(*) FROM deletions") == [(3,)]  # nothing has followed them
    generation = int(str(before[0][0]))
    with catalog.transaction(bump=False) as connection:
        documents.drop_orphans(connection, generation - 1)
        assert connection.execute("SELECT count(*) FROM deletions").fetchone() == (3,)
        assert lineage.forgotten(connection) == -1
        documents.drop_orphans(connection, generation)
        assert connection.execute("SELECT count(*) FROM deletions").fetchone() == (0,)
        assert lineage.forgotten(connection) == generation


def test_a_vector_that_comes_late_gives_its_documents_new_chunks(catalog: Catalog, space: Space) -> None:
    """A segment may cover the old ones, and was built without it."""
    with catalog.transaction() as connection:
        for one in (new(), new("/b.txt")):
            documents.put(connection, one, NOW)
    before = table(catalog, "SELECT ordinal, text, key, place, heading FROM chunks WHERE document_id = 1")
    late = new().keys[1]
    with catalog.transaction() as connection:
        documents.stage_vectors(connection, space.id, {late: np.array([0.6, 0.8], np.float32)})
        documents.renew(connection, [late])
    assert table(catalog, "SELECT id, document_id FROM chunks ORDER BY id") == [
        (4, 2),
        (5, 2),
        (6, 2),
        (7, 1),
        (8, 1),
        (9, 1),
    ]
    assert table(catalog, "SELECT ordinal, text, key, place, heading FROM chunks WHERE document_id = 1") == before
    with catalog.snapshot() as snapshot:
        last = snapshot.generation
        assert documents.deleted_since(snapshot.connection, last - 1).tolist() == [1, 2, 3]
        assert [row.id for row in documents.chunks_since(snapshot.connection, last - 1)] == [7, 8, 9]
        assert read_vectors(snapshot.connection, space.id, 2, last - 1, last).ids.tolist() == [8]
        assert read_vectors(snapshot.connection, space.id, 2, 0, last - 1).ids.tolist() == []


def test_what_one_document_costs_does_not_grow_with_those_that_have_no_file(catalog: Catalog) -> None:
    """An index finds what has no file, which may be all of a library: it must not be the one that is used."""
    looks: tuple[Callable[[Connection], object], ...] = (
        lambda connection: items.parts_of(connection, 7),
        lambda connection: items.strangers_at(connection, "/a/one"),
        lambda connection: files.of_root(connection, 1),
    )
    with catalog.transaction() as connection:
        connection.execute("INSERT INTO roots (id, path, options, added) VALUES (1, '/a', '{}', '')")
        connection.execute(
            "INSERT INTO files (root_id, path, size, mtime_ns, ctime_ns, inode, seen_ns, options_hash)"
            " VALUES (1, '/a/one', 0, 0, 0, 0, 0, x'')"
        )
    costs = []
    for count in (20, 600):
        with catalog.transaction() as connection:
            for number in range(count):
                one = NewDocument(f"quarry:{number}", "", "T", "x", b"", [], [], id=str(number))
                documents.put(connection, one, NOW)
        with catalog.snapshot() as snapshot:
            costs.append([steps(snapshot.connection, look) for look in looks])
    few, many = costs
    assert all(after <= before + 20 for before, after in zip(few, many, strict=True)), costs


def steps(connection: Connection, look: Callable[[Connection], object]) -> int:
    """Return how many instructions SQLite runs for a look into a catalog."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    connection.set_progress_handler(count, 1)
    try:
        look(connection)
    finally:
        connection.set_progress_handler(None, 1)
    return taken
