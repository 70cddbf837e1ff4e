"""What indexes on other machines: a contract, and how a backend is asked for by its name.

A backend brings jobs to processes that have Quarry, runs there what `indexer/cluster/worker.py` can do, and brings back
what it says. All that goes and comes is bytes (`indexer/cluster/messages.py`). It need do nothing exactly once: who
sends the jobs knows what has come, and he alone writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from quarry.search.errors import InvalidRequest


class WorkerLost(Exception):
    """The process that did a job has ended, or its machine has, and what it had done is lost."""


class Stream(Protocol):
    """The blocks that come of a job of reading."""

    def take(self) -> bytes | None:
        """Return the next block, None after the last one.

        Raises:
            WorkerLost: there will be no more.
            ClusterUnavailable: no worker can do such a job.
        """
        ...


class Answer(Protocol):
    """What comes of a job of embedding."""

    def take(self) -> bytes:
        """Wait for it; raise as `Stream.take` does."""
        ...


class Cluster(Protocol):
    """Machines that index."""

    @property
    def described(self) -> str:
        """What it is, in some words."""
        ...

    @property
    def workers(self) -> int:
        """How many jobs of either kind are done at once; machines may come and go."""
        ...

    def read(self, job: bytes) -> Stream:
        """Begin to read files: `Worker.read`. No more than `workers` such jobs may be open."""
        ...

    def ready(self, streams: Sequence[Stream], seconds: float) -> Sequence[Stream]:
        """Wait until some of the streams have a block, or time is over, and return these.

        Raises:
            ClusterUnavailable: the cluster is gone.
        """
        ...

    def embed(self, job: bytes) -> Answer:
        """Begin to embed: `Worker.embed`. A job whose worker is lost is given to others, a few times."""
        ...

    def close(self) -> None:
        """Leave the cluster, and end what it does."""
        ...


Open = Callable[[], Cluster]


def backend(on: str) -> Open:
    """Return what opens a cluster by what it is asked for as: `ray`, or `ray=ADDRESS`.

    Raises:
        InvalidRequest: there is no such backend.
        MissingExtra: its package is not installed.
    """
    name, _, address = on.partition("=")
    if name != "ray":
        raise InvalidRequest(
            f"on: there is no {name!r}; `ray` indexes on a Ray cluster, `ray=HOST:PORT` on a named one."
        )
    from quarry.indexer.cluster.on_ray import RayCluster, check_installed

    check_installed()
    return lambda: RayCluster(address)


@contextmanager
def opened(on: str | None) -> Iterator[Open | None]:
    """Give what opens a cluster when it is first needed, the same each time, and leave it at the end; None for none."""
    if on is None:
        yield None
        return
    begin = backend(on)
    kept: list[Cluster] = []

    def once() -> Cluster:
        if not kept:
            kept.append(begin())
        return kept[0]

    try:
        yield once
    finally:
        for cluster in kept:
            cluster.close()
