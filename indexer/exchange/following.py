"""Keeping a replica up to date: the source is looked at every few seconds, and what is new is brought.

A source that is away is waited for: the replica is searched meanwhile as it is, and says what is wrong.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from quarry.indexer.exchange.commit_files import CommitState
from quarry.indexer.exchange.replicating import Replicated, replicate
from quarry.indexer.exchange.sources import LibrarySource
from quarry.indexer.prepared import timestamp
from quarry.indexer.report import Progress
from quarry.search.errors import InvalidRequest, LibraryError, QuarryError
from quarry.search.stores.replicas import Replica, SourceSeen

EVERY_S = 2.0
_AWAY_S = 30.0  # at most between two looks at a source that is away
_TOLD_S = 30.0  # between two notes that nothing is new


def follow(
    source: LibrarySource,
    target: Path,
    stop: threading.Event,
    done: Callable[[Replicated], None],
    tell: Callable[[str], None],
    progress: Progress,
    wait_s: float = 30.0,
) -> None:
    """Bring each generation of a source to a replica as it comes, until `stop` is set.

    Args:
        done: is told of each generation that was brought.
        tell: is told in words what is wrong, once, and when it is well again.

    Raises:
        InvalidRequest: nothing can be brought to that place.
    """
    last: CommitState | None = None
    problem, pause_s, told = "", EVERY_S, time.monotonic()
    while not stop.is_set():
        try:
            newest = source.newest()
            if newest != last or problem or time.monotonic() - told > _TOLD_S:
                brought = replicate(source, target, progress, wait_s)
                last, told = newest, time.monotonic()
                if brought.is_new:
                    done(brought)
            if problem:
                tell(f"{source.name} is there again")
            problem, pause_s = "", EVERY_S
        except InvalidRequest:
            raise
        except QuarryError as error:
            if str(error) != problem:
                problem = str(error)
                tell(problem)
                _keep(target, problem)
            pause_s = min(2 * pause_s, _AWAY_S)
        stop.wait(pause_s)


def _keep(target: Path, problem: str) -> None:
    with suppress(LibraryError):
        replica = Replica.find(target)
        seen = replica.seen() if replica is not None else None
        if replica is not None:
            generation, at = (seen.generation, seen.at) if seen is not None else (0, timestamp(time.time()))
            replica.tell(SourceSeen(generation, at, problem))
