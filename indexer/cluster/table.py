"""Which backends there are to index on, by name; and one that is opened when it is first needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from quarry.indexer.cluster.base import Cluster, Open
from quarry.indexer.cluster.on_ray import RayCluster, check
from quarry.search.errors import InvalidRequest


def backend(on: str) -> Open:
    """Return what opens a cluster by what it is asked for as: `ray`, or `ray=ADDRESS`.

    Raises:
        InvalidRequest: there is no such backend, or its address is none.
        MissingExtra: its package is not installed.
    """
    name, _, address = on.partition("=")
    if name != "ray":
        raise InvalidRequest(
            f"on: there is no {name!r}; `ray` indexes on a Ray cluster, `ray=HOST:PORT` on a named one."
        )
    check(address)
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
