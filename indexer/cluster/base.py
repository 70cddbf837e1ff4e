"""What indexes on other machines: the contract; `indexer/cluster/table.py` names the backends.

A backend brings jobs to processes that have Quarry, runs there what `indexer/cluster/worker.py` can do, and brings back
what it says. All that goes and comes is bytes (`indexer/cluster/messages.py`). It need do nothing exactly once: who
sends the jobs knows what has come, and he alone writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol


class WorkerLost(Exception):
    """The process that did a job has ended, or its machine has, and what it had done is lost."""


class Blocks(Protocol):
    """The blocks that come of a job of reading."""

    def take(self) -> bytes | None:
        """Return the next block, None after the last one.

        Raises:
            WorkerLost: there will be no more.
            ClusterUnavailable: no worker can do such a job.
        """
        ...


class Pending(Protocol):
    """What comes of a job of embedding."""

    def take(self) -> bytes:
        """Wait for it; raise as `Blocks.take` does."""
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

    def read(self, job: bytes) -> Blocks:
        """Begin to read files: `Worker.read`. No more than `workers` such jobs may be open."""
        ...

    def ready(self, streams: Sequence[Blocks], seconds: float) -> Sequence[Blocks]:
        """Wait until some of the streams have a block, or time is over, and return these.

        Raises:
            ClusterUnavailable: the cluster is gone.
        """
        ...

    def embed(self, job: bytes) -> Pending:
        """Begin to embed: `Worker.embed`. A job whose worker is lost is given to others, a few times."""
        ...

    def close(self) -> None:
        """Leave the cluster, and end what it does."""
        ...


Open = Callable[[], Cluster]
