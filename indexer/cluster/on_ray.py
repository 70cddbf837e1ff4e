"""A Ray cluster: jobs are its tasks, which it gives to the machines that have cores to spare.

Ray brings what a task returns as a pickle, and runs whatever is sent to it by who has its token: a cluster is as
trusted as the machine that writes. What our own tasks take and return is bytes.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

from quarry.indexer.cluster import worker
from quarry.indexer.cluster.base import Blocks, Pending, WorkerLost
from quarry.search.errors import ClusterUnavailable, InvalidRequest, MissingExtra

# As many readers as there are cores, each with a quarter of one (the child that parses is held back by what is read
# of it), and embedding with the rest: wherever the readers are, one machine has room to embed, or none could go on.
_READING, _EMBEDDING = 0.25, 0.75
_BLOCKS = 4  # of a stream that may wait to be taken
_AGAIN = 3  # times that embedding is given to another worker where one is lost
_LOOKING = 5.0  # seconds between two looks at the cluster
_REACHING = 5.0
_NEVER = "2000000"  # seconds, of 23 days
_LOCAL = "local"
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):(\d{1,5})")
_TOKENS = frozenset({"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"})


def check(address: str) -> None:
    """Look whether there may be a cluster.

    Raises:
        InvalidRequest: it is no address.
        MissingExtra: there is no Ray.
    """
    if address and not _ADDRESS.fullmatch(address):
        raise InvalidRequest(
            f"on: {address!r} is no HOST:PORT. This machine must be one of the cluster's: `ray start "
            "--address=HOST:PORT`."
        )
    if find_spec("ray") is None:
        raise MissingExtra("Indexing on a cluster needs Ray: `pip install quarry-search[ray]`.")


class RayCluster:
    """`Cluster` by Ray: the one at an address, in RAY_ADDRESS, that this process has joined, or one of this machine.

    Raises:
        ClusterUnavailable: it can't be reached, or has no core.
    """

    def __init__(self, address: str = "") -> None:
        self._address = address or os.environ.get("RAY_ADDRESS", "") or _LOCAL
        # Before it is loaded: it tells its maker how it is used, and keeps a token in a file, unless these are set.
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        # A minute after a head is gone it ends a process that had joined, even one that has left since.
        os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", _NEVER)
        if self._address == _LOCAL and "ray" not in sys.modules and not _TOKENS & os.environ.keys():
            os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
        import ray

        self._ray = ray
        self._open: set[Any] = set()  # what was asked for, and has not come
        self._looked = 0.0
        self._cores = 0
        self._joined = not ray.is_initialized()
        if self._joined:
            self._join()
        try:
            context = ray.get_runtime_context()
            self._node = context.get_node_id()
            host, _, port = context.gcs_address.rpartition(":")
            self._head = (host.strip("[]"), int(port))
            self._look()
        except BaseException:
            self.close()
            raise
        self._reading = ray.remote(
            num_cpus=_READING,
            max_retries=0,  # what has come of it is known here alone
            num_returns="streaming",
            _generator_backpressure_num_objects=_BLOCKS,
        )(worker.read)
        self._embedding = ray.remote(num_cpus=_EMBEDDING, max_retries=_AGAIN)(worker.embed)

    @property
    def described(self) -> str:
        """Where it is, and how large."""
        where = "this machine" if self._address == _LOCAL else self._address
        return f"indexing on Ray ({where}): {self._cores} {'core' if self._cores == 1 else 'cores'}"

    @property
    def workers(self) -> int:
        """How many cores there are; machines may come and go."""
        if time.monotonic() - self._looked > _LOOKING:
            self._look()
        return self._cores

    def read(self, job: bytes) -> Blocks:
        """Begin to read files."""
        return _RayStream(self, self._asked(self._reading.remote(job)))

    def embed(self, job: bytes) -> Pending:
        """Begin to embed."""
        return _RayAnswer(self, self._asked(self._embedding.remote(job)))

    def ready(self, streams: Sequence[Blocks], seconds: float) -> Sequence[Blocks]:
        """Wait until some of the streams have a block, or time is over, and return these."""
        waited = {stream.blocks: stream for stream in streams if isinstance(stream, _RayStream)}
        done = self.wait(list(waited), seconds)
        return [waited[blocks] for blocks in done]

    def wait(self, what: Sequence[Any], seconds: float) -> Sequence[Any]:
        """Wait for one of some results, or until time is over; look meanwhile whether the cluster is there."""
        done: list[Any] = self._ray.wait(list(what), num_returns=1, timeout=seconds)[0]
        if not done and seconds and time.monotonic() - self._looked > _LOOKING:
            self._look()
        return done

    def got(self, reference: Any) -> bytes:
        """Return a result that is there.

        Raises:
            WorkerLost, ClusterUnavailable: as of `Blocks.take`.
        """
        errors = self._ray.exceptions
        try:
            result: bytes = self._ray.get(reference)
        except errors.RayTaskError as error:
            reason = (str(error.cause or error).strip().splitlines() or [""])[-1][:300]
            raise ClusterUnavailable(
                f"A worker of the Ray cluster can't index ({reason}). All machines must have the same version of "
                "Quarry."
            ) from error
        except errors.RayError as error:
            self._look()
            raise WorkerLost from error
        return result

    def came(self, what: Any) -> None:
        """Take note that all has come that was asked for."""
        self._open.discard(what)

    def close(self) -> None:
        """Leave the cluster, one that this process had joined before as it was; one that was begun for this ends."""
        for what in () if self._joined else self._open:
            with suppress(Exception):  # of one that is gone, whatever it says
                self._ray.cancel(what)
        self._open.clear()
        with suppress(Exception):
            if self._joined:
                self._ray.shutdown()

    def _asked(self, what: Any) -> Any:
        self._open.add(what)
        return what

    def _join(self) -> None:
        options = {"include_dashboard": False} if self._address == _LOCAL else {}
        try:
            if named := _ADDRESS.fullmatch(self._address):  # Ray itself would try for minutes
                socket.create_connection((named[1].strip("[]"), int(named[2])), _REACHING).close()
            with _own_signals():
                self._ray.init(address=self._address, log_to_driver=False, configure_logging=False, **options)
        except Exception as error:  # of many kinds, from its own to those of sockets
            if self._ray.is_initialized():
                self._ray.shutdown()
            reason = " ".join(str(error).split())[:300]
            raise ClusterUnavailable(
                f"No Ray cluster can be used at {self._address}: {reason}. Start Ray on this machine (`ray start "
                "--address=HOST:PORT`), or leave out the address for a cluster of this machine alone."
            ) from error

    def _look(self) -> None:
        """Count the cores; ClusterUnavailable where the cluster, or this machine's part in it, is gone."""
        try:
            socket.create_connection(self._head, _REACHING).close()
            nodes = [node for node in self._ray.nodes() if node["Alive"]]
        except Exception as error:
            raise self._gone() from error
        if all(node["NodeID"] != self._node for node in nodes):
            raise self._gone()
        self._cores = int(sum(node["Resources"].get("CPU", 0) for node in nodes))
        if not self._cores:
            raise ClusterUnavailable(f"No machine of the Ray cluster at {self._address} has a core for this.")
        self._looked = time.monotonic()

    def _gone(self) -> ClusterUnavailable:
        return ClusterUnavailable(
            f"The Ray cluster ({self._address}) is gone. What was committed stays; run it again to go on from there, "
            "with a cluster or without."
        )


class _RayStream:
    def __init__(self, cluster: RayCluster, blocks: Any) -> None:
        self._cluster, self.blocks = cluster, blocks

    def take(self) -> bytes | None:
        try:
            return self._cluster.got(next(self.blocks))
        except StopIteration:
            self._cluster.came(self.blocks)
            return None


class _RayAnswer:
    def __init__(self, cluster: RayCluster, reference: Any) -> None:
        self._cluster, self._reference = cluster, reference

    def take(self) -> bytes:
        while not self._cluster.wait([self._reference], 1.0):
            pass
        self._cluster.came(self._reference)
        return self._cluster.got(self._reference)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what SIGTERM does, which Ray takes for itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: Callable[..., Any] | int | None = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
