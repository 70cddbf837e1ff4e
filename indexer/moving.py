"""A library's vectors moved from one engine to another: copied from the catalog as they are, and none embedded anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from quarry.indexer.report import Progress
from quarry.search.engines.table import DEFAULT_ENGINE, ENGINES, engine_named
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.chosen_engine import ChosenEngine, choose, chosen
from quarry.search.stores.rows.segment_rows import count_vectors
from quarry.search.stores.spaces import active_spaces


@dataclass(frozen=True, slots=True)
class Moved:
    """What keeps a library's vectors now, how many were copied to it, and how long that took."""

    engine: ChosenEngine
    vectors: int
    seconds: float


def move(catalog: Catalog, engine: ChosenEngine, progress: Progress) -> Moved:
    """Have a library's vectors kept by another engine, from the moment on that it has them all.

    Searches use the old one until then, and it lets go of what it keeps afterwards. Whoever dies in between leaves the
    library with the old one.

    Args:
        engine: checked.

    Raises:
        EngineUnavailable, MissingExtra: it can't be used.
        ModelMismatch: what is there is of another model.
    """
    started = time.monotonic()
    engine = engine.at(catalog.path)
    with catalog.snapshot() as snapshot:
        before, spaces = chosen(snapshot.connection), active_spaces(snapshot.connection)
        count = sum(count_vectors(snapshot.connection, space.id, 0, snapshot.generation) for space in spaces)
    progress.start(count, count)
    for space in spaces:
        engine_named(engine.name)(catalog, replace(space, engine=engine)).fill(_shown(progress))
    with catalog.transaction(bump=False) as connection:
        choose(connection, engine)
    left = replace(before, name=before.name or DEFAULT_ENGINE)
    if left != engine and left.name in ENGINES:
        for space in spaces:
            old = engine_named(left.name)(catalog, replace(space, engine=left))
            old.leave()
            old.release(is_read=False)
    for space in spaces if left.name == engine.name else ():  # whose old place may be the new one, by another name
        engine_named(engine.name)(catalog, replace(space, engine=engine)).fill(lambda done, of: None)
    return Moved(engine, count, time.monotonic() - started)


def _shown(progress: Progress) -> Callable[[int, int], None]:
    done = 0

    def told(now: int, of: int) -> None:
        nonlocal done
        progress.advance(now - done, now - done, now - done)
        done = now

    return told
