"""Engines that keep their vectors elsewhere, for tests: where each is in a folder, how it is spoilt and let go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from quarry.search.engines.base import VectorEngine
from quarry.search.engines.following.store import OpenStore, VectorStore
from quarry.search.engines.following.vectors import FollowingVectors
from quarry.search.engines.milvus import MilvusStore
from quarry.search.engines.qdrant import QdrantStore
from quarry.search.files.access import OWNER
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.lineage import Commit
from quarry.search.stores.spaces import Space


@dataclass(frozen=True)
class Engine:
    """An engine for tests: how its stores are opened in a folder, what spoils it, and what lets go of it."""

    open_store: Callable[[Path], OpenStore]
    damage: Callable[[VectorEngine], None]
    close: Callable[[Path], None] = lambda folder: None

    def __call__(self, catalog: Catalog, space: Space) -> FollowingVectors:
        folder = catalog.directory.parent / "elsewhere"
        return FollowingVectors(catalog, space, f"the engine at {folder}", self.open_store(folder))


def store_of(engine: VectorEngine) -> VectorStore:
    """Return the store that an engine has open."""
    assert isinstance(engine, FollowingVectors)
    with engine.collection.store() as store:
        return store


def lose_a_commit(engine: VectorEngine) -> None:
    """Have a collection say that it holds a commit that the library has not had."""
    store = store_of(engine)
    mark = store.mark()
    assert mark is not None
    store.settle(replace(mark, commit=Commit(mark.commit.library, mark.commit.generation + 5, "another")))
    assert isinstance(engine, FollowingVectors)
    engine.collection.link.changed()


def spoil_the_mark(engine: VectorEngine) -> None:
    """Write something else into the mark of a shard."""
    store = store_of(engine)
    assert isinstance(store, QdrantStore)
    (store._path / "mark.json").write_text('{"commit": 3')


def stop_lite(folder: Path) -> None:
    """Stop the server that milvus-lite runs in this process."""
    from milvus_lite.server_manager import server_manager_instance

    server_manager_instance.release_server(str(folder / "milvus.db"))


STORES = {
    "milvus-lite": Engine(lambda folder: partial(MilvusStore, str(folder / "milvus.db")), lose_a_commit, stop_lite),
    "qdrant": Engine(lambda folder: partial(QdrantStore, folder, OWNER), spoil_the_mark),
}
