"""Qdrant Edge as a vector store: Qdrant's own shards, in this process, in a folder that one process uses at a time.

A shard has no log of its own here: what was put is safe once it is flushed, and then the mark is written beside it.
Without that log Qdrant lets any number of processes open a shard, each of which sees nothing of what another one puts:
a lock of ours holds them off.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from collections.abc import Callable, Set
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from quarry.search.engines.following.store import Mark
from quarry.search.engines.following.vectors import FollowingVectors
from quarry.search.errors import EngineUnavailable, InvalidRequest, MissingExtra
from quarry.search.files.access import Access, access_of, make_folder, open_kept
from quarry.search.requests import deadline
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.spaces import Space
from quarry.search.types import Ids, Vectors

_LINKS, _BUILD_EFFORT, _LEAST_EFFORT = 32, 128, 192  # m, ef_construct, hnsw_ef
_FLAT_KB = 10_000  # of vectors that are scanned, where a filter leaves as few
_ROOM = 64 << 20  # bytes that must be free to write: it maps files of as many ahead, and a full disk ends the process
_BESIDE = 512  # bytes of a vector beside its numbers: links, offsets, what is deleted
_MARK = "mark.json"
_LOCK = "lock"

T = TypeVar("T")


def qdrant_vectors(catalog: Catalog, space: Space) -> FollowingVectors:
    """Open the engine of a space: in the folder that its library says, else in `qdrant` in its own."""
    uri = space.engine.uri if space.engine.name == "qdrant" else ""
    folder = Path(checked_folder(uri)) if uri else catalog.directory / "qdrant"
    return FollowingVectors(
        catalog, space, f"Qdrant at {folder}", partial(QdrantStore, folder, access_of(catalog.directory))
    )


def checked_folder(uri: str) -> str:
    """Return the path of a folder from the root; InvalidRequest where `uri` is an address of something else."""
    if "://" in uri or "\0" in uri:
        raise InvalidRequest(f"Qdrant Edge lies in a folder, and {uri!r} is none.")
    return str(Path(uri).expanduser().absolute())


class _Shard:
    """An open shard, which all that use it in this process share; it is closed when none does any more."""

    def __init__(self, path: Path, dimension: int, access: Access) -> None:
        import qdrant_edge

        graph = qdrant_edge.HnswIndexConfig(m=_LINKS, ef_construct=_BUILD_EFFORT, full_scan_threshold=_FLAT_KB)
        vectors = qdrant_edge.EdgeVectorParams(
            size=dimension,
            distance=qdrant_edge.Distance.Dot,
            datatype=qdrant_edge.VectorStorageDatatype.Float16,
            hnsw_config=graph,
        )
        config = qdrant_edge.EdgeConfig(vectors=vectors, max_search_threads=1, wal_enabled=False)
        for folder in (path.parents[1], path.parent):
            make_folder(folder, access)
        self._lock = path.with_name(_LOCK)
        self._descriptor = _locked(self._lock, access)
        try:
            is_new = make_folder(path, access)
            open_shard = qdrant_edge.EdgeShard.create if is_new else qdrant_edge.EdgeShard.load
            self.live = open_shard(str(path), config)
        except BaseException:
            os.close(self._descriptor)
            raise
        self.is_closed = False

    def is_there(self) -> bool:
        """Whether its files are still those at their place: another process may have removed them."""
        return not self.is_closed and _is_at(self._descriptor, self._lock)

    def close(self) -> None:
        """Let go of its files, which may be gone."""
        if not self.is_closed:
            self.is_closed = True
            try:
                self.live.close()
            finally:
                os.close(self._descriptor)

    def disown(self) -> None:
        """Leave it to the process that this one was forked from."""
        self.is_closed = True
        os.close(self._descriptor)

    def __del__(self) -> None:
        if hasattr(self, "is_closed"):
            with suppress(Exception):
                self.close()


_shards: WeakValueDictionary[Path, _Shard] = WeakValueDictionary()
_opening = threading.Lock()
_disowned: list[_Shard] = []  # kept, for whoever lets go of one flushes it


def _after_fork() -> None:
    global _opening
    _opening = threading.Lock()
    _disowned.extend(_shards.values())
    _shards.clear()
    for shard in _disowned:
        if not shard.is_closed:
            shard.disown()


os.register_at_fork(after_in_child=_after_fork)


def _locked(lock: Path, access: Access) -> int:
    """Take the lock of a collection, which the kernel frees when its holder dies; return its descriptor."""
    descriptor = open_kept(lock, lock.parent, os.O_RDWR | os.O_CREAT, access)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_at(descriptor, lock):  # removed since it was opened
            raise BlockingIOError
    except BlockingIOError as error:
        os.close(descriptor)
        raise EngineUnavailable(f"{lock.parent} is used by another process.") from error
    return descriptor


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except (FileNotFoundError, NotADirectoryError):
        return False


def _remove(path: Path, access: Access, *, is_used: bool) -> None:
    """Close the shard of a collection, whoever uses it in this process, and remove its folder.

    Args:
        is_used: the library goes on using it; while another process does, `EngineUnavailable` is raised.
    """
    with _opening:
        shard = _shards.pop(path, None)
        if shard is not None:
            with suppress(Exception):  # of one that is damaged
                shard.close()
        if not os.path.lexists(path):
            return
        descriptor = _locked(path / _LOCK, access) if is_used else -1
        try:
            shutil.rmtree(path)
        finally:
            if is_used:
                os.close(descriptor)


class QdrantStore:
    """A `VectorStore`: a folder with a shard, and its mark.

    Args:
        folder: with the collections of libraries.
        access: for whom it is made.
        name: of the collection.
        dimension: of its vectors.

    Raises:
        EngineUnavailable: it is damaged, or another process uses it.
        MissingExtra: qdrant-edge-py is not installed.
    """

    most = 65_536

    def __init__(self, folder: Path, access: Access, name: str, dimension: int) -> None:
        try:
            import qdrant_edge
        except ImportError as error:
            raise MissingExtra("Qdrant needs qdrant-edge-py: `pip install quarry-search[qdrant]`.") from error
        self._edge: Any = qdrant_edge
        self._path = folder / name
        self._access = access
        self._dimension = dimension
        self._shard: _Shard | None = None

    def mark(self) -> Mark | None:
        """Return what the shard holds, None where there is none; ValueError where that can't be read."""
        try:
            text = (self._path / _MARK).read_text()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise EngineUnavailable(f"{self._path / _MARK} can't be read: {error.strerror}.") from error
        self._used(lambda shard: shard.info())  # that there is a mark says nothing of the shard
        return Mark.read(text)

    def settle(self, mark: Mark) -> None:
        """Build the graph of what was put, flush, and then write the mark."""
        self._require_room(self.count() if self._path.exists() else 0)
        self._used(lambda shard: shard.optimize(), make=True)
        self._used(lambda shard: shard.flush())
        self._told(lambda: self._write(str(mark)))

    def put(self, ids: Ids, vectors: NDArray[np.float16]) -> None:
        """Store (n, d) vectors under (n,) ids."""
        self._require_room(2 * len(ids))
        pairs = zip(ids.tolist(), vectors.astype(np.float32).tolist(), strict=True)
        points = [self._edge.Point(id, vector) for id, vector in pairs]
        self._used(lambda shard: shard.update(self._edge.UpdateOperation.upsert_points(points)), make=True)

    def remove(self, ids: Ids) -> None:
        """Remove vectors."""
        self._require_room(0)
        self._used(lambda shard: shard.update(self._edge.UpdateOperation.delete_points(ids.tolist())), make=True)

    def nearest(self, query: Vectors, k: int, among: Ids | None) -> Ids:
        """Return the ids of about the k largest inner products."""
        deadline.check()
        edge = self._edge
        kept = None if among is None else edge.Filter(must=[edge.HasIdCondition(set(among.tolist()))])
        asked = edge.SearchRequest(
            edge.Query.Nearest(query.tolist()),
            k,
            filter=kept,
            params=edge.SearchParams(hnsw_ef=max(k, _LEAST_EFFORT)),
        )
        return np.array([point.id for point in self._used(lambda shard: shard.search(asked))], np.int64)

    def read(self, ids: Ids) -> tuple[Ids, NDArray[np.float16]]:
        """Return the ids of those that are there, and their (n, d) vectors."""
        rows = self._used(lambda shard: shard.retrieve(ids.tolist(), with_payload=False, with_vector=True))
        vectors = np.array([row.vector for row in rows], np.float16).reshape(len(rows), self._dimension)
        return np.array([row.id for row in rows], np.int64), vectors

    def count(self) -> int:
        """Return how many vectors there are."""
        return int(self._used(lambda shard: shard.count(self._edge.CountRequest(exact=True))))

    def clear(self) -> None:
        """Remove the folder."""
        self._told(lambda: _remove(self._path, self._access, is_used=True))

    def clear_others(self, prefix: str, kept: Set[str]) -> None:
        """Remove the folders whose names begin so."""
        for path in self._path.parent.glob(f"{prefix}*"):
            if path.name not in kept:
                self._told(partial(_remove, path, self._access, is_used=False))

    def _require_room(self, vectors: int) -> None:
        """Refuse to write so many vectors where there is no room: what is written to a map of a full disk is SIGBUS."""
        place = next(path for path in (self._path, *self._path.parents) if path.exists())
        needed, free = _ROOM + vectors * (2 * self._dimension + _BESIDE), shutil.disk_usage(place).free
        if free < needed:
            raise EngineUnavailable(
                f"Qdrant at {self._path} can't be written: its disk is full, or nearly so "
                f"({free >> 20:,} MB are free, and it needs {needed >> 20:,})."
            )

    def _write(self, text: str) -> None:
        new = self._path / f"{_MARK}.new"
        with new.open("w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(self._path / _MARK)

    def _used(self, use: Callable[[Any], T], *, make: bool = False) -> T:
        def used() -> T:
            with _opening:
                if self._shard is None or not self._shard.is_there():
                    if not make and not self._path.exists():
                        raise EngineUnavailable(f"{self._path} is gone.")
                    known = _shards.get(self._path)
                    if known is None or not known.is_there():
                        known = _Shard(self._path / "shard", self._dimension, self._access)
                    self._shard = _shards[self._path] = known
                shard = self._shard.live
            return use(shard)

        return self._told(used)

    def _told(self, use: Callable[[], T]) -> T:
        try:
            return use()
        except EngineUnavailable:
            raise
        except BaseException as error:
            # What panics in Rust comes as a BaseException, and is no reason to end.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            said = " ".join(str(error).split())[:200]
            raise EngineUnavailable(f"Qdrant at {self._path} can't be used: {said}.") from error
