"""Milvus as a vector store: a server, a cluster, or milvus-lite over a local file, all by one client.

Vectors are float16 where the server knows them (from 2.4 on; one of 2.3 takes them without a word and computes
nonsense), else float32. The mark of a collection is one of its properties.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Set
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from quarry.search.engines.following.store import Mark
from quarry.search.engines.following.vectors import FollowingVectors
from quarry.search.errors import EngineUnavailable, InvalidRequest, MissingExtra
from quarry.search.files.access import make_folder
from quarry.search.requests import deadline
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.spaces import Space
from quarry.search.types import Ids, Vectors

TOKEN = "QUARRY_MILVUS_TOKEN"  # the variable that holds what a server asks for: `user:password`, or a key
OLDEST = (2, 3)
_HALVES_SINCE = (2, 4)
_LINKS, _BUILD_EFFORT, _LEAST_EFFORT = 32, 128, 192  # M, efConstruction, ef
_CONNECT_S = 3.0
_ANSWER_S = 10.0
_WRITE_S = 120.0
_SETTLED_S = 10.0  # after which every node of a cluster has what was written before; searches need not wait for it
_PART_BYTES = 8 << 20  # of vectors in a request; a server takes 64 MB
_FLUSH_FROM = 1_000  # vectors; each flush makes a segment of its own
_IDS = 5_000  # in an expression that reads or removes
_MARK = "quarry.mark"
_MISSING = 100  # code: there is no such collection

T = TypeVar("T")


def milvus_vectors(catalog: Catalog, space: Space) -> FollowingVectors:
    """Open the engine of a space: where its library says, else `milvus.db` in its folder."""
    uri = (space.engine.uri if space.engine.name == "milvus" else "") or str(catalog.directory / "milvus.db")
    return FollowingVectors(catalog, space, f"Milvus at {uri}", partial(MilvusStore, checked_uri(uri)))


def checked_uri(uri: str) -> str:
    """Return an address of Milvus that can be used.

    Raises:
        InvalidRequest: it is neither `http(s)://HOST:PORT[/DATABASE]` nor a file that ends in .db, or holds a password.
    """
    if "://" not in uri:
        if not uri.endswith(".db") or "\0" in uri:
            raise InvalidRequest(f"A file of milvus-lite must end in .db, and {uri!r} does not.")
        return str(Path(uri).expanduser().absolute())
    try:
        parts = urlsplit(uri)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_whole = False
    if not is_whole:
        raise InvalidRequest(f"{uri!r} is no address of Milvus, such as http://localhost:19530.")
    if "@" in parts.netloc:
        raise InvalidRequest(f"The address would be stored with its password: give it as {TOKEN} instead.")
    return uri


class MilvusStore:
    """A `VectorStore`: one collection of Milvus.

    Args:
        uri: checked.
        name: of the collection.
        dimension: of its vectors.

    Raises:
        EngineUnavailable: it does not answer, refuses the token, or is too old.
        MissingExtra: pymilvus is not installed, or milvus-lite for a file.
    """

    most = 16_384

    def __init__(self, uri: str, name: str, dimension: int) -> None:
        try:
            from pymilvus import DataType, MilvusClient, MilvusException
        except ImportError as error:
            raise MissingExtra("Milvus needs pymilvus: `pip install quarry-search[milvus]`.") from error
        for logger in ("pymilvus", "milvus_lite"):  # what they log, they raise
            logging.getLogger(logger).setLevel(logging.CRITICAL)
        self._uri, self._name, self._dimension = uri, name, dimension
        self._error = MilvusException
        self._written = 0
        self._seen: tuple[str, float] = ("", 0.0)
        self._is_there = False
        # A channel of its own: what others share goes on waiting after a server is back.
        options = {"grpc.use_local_subchannel_pool": 1}
        if "://" not in uri:
            self._asked(lambda: make_folder(Path(uri).parent))
            options["grpc.enable_http_proxy"] = 0  # milvus-lite listens in this process
        self._client: Any = self._asked(
            lambda: MilvusClient(uri, token=os.environ.get(TOKEN, ""), timeout=_CONNECT_S, grpc_options=options)
        )
        version = str(self._asked(lambda: self._client.get_server_version(timeout=_CONNECT_S)))
        found = re.search(r"(\d+)\.(\d+)", version)
        numbers = (int(found[1]), int(found[2])) if found else OLDEST
        is_lite = "milvus_lite" in version
        if not is_lite and numbers < OLDEST:
            raise EngineUnavailable(f"Milvus at {uri} is {version}; it must be {OLDEST[0]}.{OLDEST[1]} or newer.")
        self._type = DataType.FLOAT_VECTOR if is_lite or numbers < _HALVES_SINCE else DataType.FLOAT16_VECTOR
        self._halves = self._type == DataType.FLOAT16_VECTOR
        self._key_type = DataType.INT64

    def mark(self) -> Mark | None:
        """Return what the collection holds, None where there is none; ValueError where that can't be read."""
        described = self._asked(
            lambda: self._client.describe_collection(self._name, timeout=self._within(_ANSWER_S)), absent={}
        )
        if described and not self._is_there:  # whoever released it, or started the server anew
            self._asked(lambda: self._client.load_collection(self._name, timeout=self._within(_ANSWER_S)))
        self._is_there = bool(described)
        text = str((described.get("properties") or {}).get(_MARK, ""))
        if text != self._seen[0]:
            self._seen = (text, time.monotonic())
        return Mark.read(text) if text else None

    def settle(self, mark: Mark) -> None:
        """Flush what was put, and then set the mark."""
        self._make()
        if self._written >= _FLUSH_FROM:
            self._asked(lambda: self._client.flush(self._name, timeout=_WRITE_S))
        self._written = 0
        said = {_MARK: str(mark)}
        self._asked(lambda: self._client.alter_collection_properties(self._name, said, timeout=_WRITE_S))
        self._seen = (str(mark), time.monotonic())

    def put(self, ids: Ids, vectors: NDArray[np.float16]) -> None:
        """Store (n, d) vectors under (n,) ids."""
        self._make()
        values: NDArray[Any] = vectors if self._halves else vectors.astype(np.float32)
        rows = max(1, _PART_BYTES // (values.itemsize * self._dimension))
        for start in range(0, len(ids), rows):
            part = zip(ids[start : start + rows].tolist(), values[start : start + rows], strict=True)
            data = [{"id": id, "vector": vector} for id, vector in part]
            self._asked(lambda data=data: self._client.upsert(self._name, data, timeout=_WRITE_S))  # type: ignore[misc]
        self._written += len(ids)

    def remove(self, ids: Ids) -> None:
        """Remove vectors."""
        for part in _parts(ids):
            self._asked(
                lambda part=part: self._client.delete(self._name, ids=part, timeout=_WRITE_S),  # type: ignore[misc]
                absent=None,
            )

    def nearest(self, query: Vectors, k: int, among: Ids | None) -> Ids:
        """Return the ids of about the k largest inner products."""
        is_new = time.monotonic() < self._seen[1] + _SETTLED_S
        found = self._asked(
            lambda: self._client.search(
                self._name,
                [query.astype(np.float16 if self._halves else np.float32)],
                filter="" if among is None else _listed(among.tolist()),
                limit=k,
                output_fields=["id"],
                search_params={"metric_type": "IP", "params": {"ef": max(k, _LEAST_EFFORT)}},
                consistency_level="Strong" if is_new else "Bounded",
                timeout=self._within(_ANSWER_S),
            )
        )
        return np.array([hit["id"] for hit in found[0]], np.int64)

    def read(self, ids: Ids) -> tuple[Ids, NDArray[np.float16]]:
        """Return the ids of those that are there, and their (n, d) vectors."""
        rows: list[dict[str, Any]] = []
        for part in _parts(ids):
            rows += self._asked(
                lambda part=part: self._client.query(  # type: ignore[misc]
                    self._name,
                    filter=_listed(part),
                    output_fields=["id", "vector"],
                    consistency_level="Strong",
                    timeout=_WRITE_S,
                ),
                absent=[],
            )
        vectors = np.empty((len(rows), self._dimension), np.float16)
        for at, row in enumerate(rows):
            value = row["vector"]
            vectors[at] = np.frombuffer(value[0], np.float16) if self._halves else value
        return np.array([row["id"] for row in rows], np.int64), vectors

    def count(self) -> int:
        """Return how many vectors there are."""
        rows = self._asked(
            lambda: self._client.query(
                self._name, filter="", output_fields=["count(*)"], consistency_level="Strong", timeout=_WRITE_S
            ),
            absent=[{"count(*)": 0}],
        )
        return int(rows[0]["count(*)"])

    def clear(self) -> None:
        """Drop the collection."""
        self._asked(lambda: self._client.drop_collection(self._name, timeout=_WRITE_S), absent=None)
        self._is_there, self._written, self._seen = False, 0, ("", 0.0)

    def clear_others(self, prefix: str, kept: Set[str]) -> None:
        """Drop collections whose names begin so."""
        for name in self._asked(lambda: self._client.list_collections(timeout=_ANSWER_S)):
            if name.startswith(prefix) and name not in kept:
                self._asked(lambda name=name: self._client.drop_collection(name, timeout=_WRITE_S))  # type: ignore[misc]

    def _make(self) -> None:
        """Make the collection where there is none, with its graph."""
        if self._is_there:
            return
        if not self._asked(lambda: self._client.has_collection(self._name, timeout=_ANSWER_S)):
            schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
            schema.add_field("id", self._key_type, is_primary=True)
            schema.add_field("vector", self._type, dim=self._dimension)
            index = self._client.prepare_index_params()
            effort = {"M": _LINKS, "efConstruction": _BUILD_EFFORT}
            index.add_index("vector", index_type="HNSW", metric_type="IP", params=effort)
            self._asked(
                lambda: self._client.create_collection(
                    self._name, schema=schema, index_params=index, consistency_level="Strong", timeout=_WRITE_S
                )
            )
        self._is_there = True

    def _within(self, seconds: float) -> float:
        """Return how long an answer may take: no longer than the request has."""
        return max(0.001, deadline.left(seconds))

    def _asked(self, ask: Callable[[], T], absent: Any = ...) -> T:
        """Ask the server; return `absent`, where it is given, if there is no such collection."""
        try:
            return ask()
        except self._error as error:
            if absent is not ... and error.code == _MISSING:
                missing: T = absent
                return missing
            raise EngineUnavailable(self._told(error)) from error
        except Exception as error:  # what comes of gRPC, of sockets, of milvus-lite that could not start
            raise EngineUnavailable(self._told(error)) from error

    def _told(self, error: Exception) -> str:
        said = str(getattr(error, "message", "") or error)
        if isinstance(error.__cause__, Exception):  # what pymilvus makes of a refusal is that it can't connect
            details = getattr(error.__cause__, "details", None)
            said += f": {details()}" if details is not None else ""
        text = " ".join(said.split())
        if re.search(r"unauthenticated|auth check failure|invalid token|permission deny", text, re.IGNORECASE):
            return f"Milvus at {self._uri} refuses who asks: set {TOKEN} to `user:password`, or to a key that it knows."
        if re.search(r"deadline|timed? ?out|unavailable|fail(ed)? connecting|refused", text, re.IGNORECASE):
            return f"Milvus at {self._uri} does not answer ({text[:120]})."
        if "://" not in self._uri and re.search(r"lock|illegal uri|open local milvus|in use", text, re.IGNORECASE):
            return f"{self._uri} can't be opened, such as while another process uses it ({text[:120]})."
        return f"Milvus at {self._uri} can't be used: {text[:300]}."


def _listed(ids: list[int]) -> str:
    return f"id in [{','.join(map(str, ids))}]"


def _parts(ids: Ids) -> list[list[int]]:
    return [ids[start : start + _IDS].tolist() for start in range(0, len(ids), _IDS)]
