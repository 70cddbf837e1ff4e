"""Embed what a library holds anew by another model, beside the vectors that are there, and change over in one commit.

Nothing is cut anew: each chunk gets a vector under its own key, made from its stored text, or from its picture. What
changed over is undone by changing back, until a compaction.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, TypeVar

from quarry.indexer.embedding.embedders import Embedder
from quarry.indexer.embedding.nulls import fit_null
from quarry.indexer.embedding.read_again import again
from quarry.indexer.prefetch import prefetch
from quarry.indexer.report import NoProgress, Progress, Report
from quarry.indexer.writer import commit, flush
from quarry.search.engines.opened import OpenedVectors
from quarry.search.errors import ModelError, NotFound
from quarry.search.stores import spaces
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lookups.lacking import Lacking, count_taken, described, lacking, with_keys
from quarry.search.stores.rows import documents, files
from quarry.search.stores.spaces import Space
from quarry.search.types import Vectors

T = TypeVar("T")
PORTION = 64  # chunks that are embedded and staged at once
_PASSES = 4  # over what others write meanwhile, before they have to wait
_AHEAD = 1  # portions that are read while another is embedded


def reembed(
    vectors: OpenedVectors,
    embedder: Embedder,
    progress: Progress,
    takes: Mapping[str, Any] | None = None,
) -> Report:
    """Embed every chunk of a medium by a model, then put its space in the place of the one of its name.

    Searches go on by the old vectors until then. A run after one that was interrupted embeds only what was not staged.

    Args:
        takes: which chunks a space takes that is not there yet; all of its medium where None.

    Returns:
        `passages` (how many chunks there are), `embedded`, and by URI the documents that `failed` to get a vector for
        each, and the pictures that were read `from_thumbnails`.

    Raises:
        ModelError: the model gives nothing a usable vector; nothing was changed.
    """
    encoder = embedder.encoder
    with vectors.catalog.transaction(bump=False) as connection:
        space = spaces.add_space(
            connection,
            embedder.name,
            embedder.medium,
            encoder.identity,
            encoder.card.name,
            encoder.dimension,
            state="staged",
            takes=takes,
        )
        spaces.stage_again(connection, space)
    return _take_over(vectors, space, embedder, progress)


def undo(vectors: OpenedVectors, space: Space, embedder: Embedder, progress: Progress) -> Report:
    """Put a retired space back in its place; what came since gets its vectors first."""
    with vectors.catalog.transaction(bump=False) as connection:
        spaces.stage_again(connection, space)
    return _take_over(vectors, space, embedder, progress)


def retire(catalog: Catalog, name: str) -> None:
    """Take a space that stands beside its medium's own from those that are searched.

    Raises:
        NotFound: there is none of that name, or it is the only one of its kind.
    """

    def change(connection: Connection) -> None:
        space = spaces.active_space(connection, name)
        if space is None or space.name == space.medium:
            raise NotFound(f"There is nothing to undo: no model has taken the place of another in the space {name!r}.")
        spaces.retire(connection, space)

    commit(catalog, change)


def embed_lacking(catalog: Catalog, space: Space, embedder: Embedder) -> int:
    """Embed what an active space lacks; return how many vectors there were to make."""
    run = _Run(catalog, space, embedder, Report())
    with closing(run.again):
        run.stage(-1, NoProgress())
    return run.report.embedded


def _take_over(vectors: OpenedVectors, space: Space, embedder: Embedder, progress: Progress) -> Report:
    """Stage what the space lacks, pass by pass over what others write meanwhile; the last of it inside the commit."""
    started = time.monotonic()
    run = _Run(vectors.catalog, space, embedder, Report())
    with closing(run.again):
        covered = -1
        for _ in range(_PASSES):
            covered, count = run.stage(covered, progress)
            if count <= PORTION:
                break
        progress.note("changing over")
        commit(vectors.catalog, run.change_over)
    flush(vectors)
    if embedder.is_open:
        fit_null(vectors, space, embedder.encode_queries)
    run.report.seconds = time.monotonic() - started
    return run.report


class _Run:
    """One run, which remembers what it could not embed, so that the change-over has to do only what came meanwhile."""

    def __init__(self, catalog: Catalog, space: Space, embedder: Embedder, report: Report) -> None:
        self._catalog = catalog
        self._space = space
        self._embedder = embedder
        self.again = again(catalog, space.medium, lambda: embedder.encoder.preprocessing)
        self._spoilt: dict[bytes, str] = {}  # why a chunk has no vector, by its key
        self._fresh: set[bytes] = set()
        self.report = report

    def stage(self, after: int, progress: Progress) -> tuple[int, int]:
        """Embed what was written after a generation; return the one that is covered now, and how much there was."""
        with self._catalog.snapshot() as snapshot:
            generation = snapshot.generation
            ids = lacking(snapshot.connection, self._space, after)
        progress.start(len(ids), len(ids))
        with closing(prefetch(map(self._read, _portions(ids)), _AHEAD, lambda _: 1, self.again.close)) as ahead:
            for count, items in ahead:
                if vectors := self._embedded(items):
                    with self._catalog.transaction(bump=False) as connection:
                        documents.stage_vectors(connection, self._space.id, vectors)
                progress.advance(count, count, count)
        return generation, len(ids)

    def change_over(self, connection: Connection) -> None:
        """Make every chunk have a vector, and the space an active one; what came meanwhile is embedded now."""
        late = lacking(connection, self._space)
        for portion in _portions(late):
            self._store(connection, [one for one in described(connection, portion) if one.key not in self._spoilt])
        # A file that was gone may have moved meanwhile.
        unsure = {**self.again.small, **{key: path for key, (_, path) in self.again.lost.items()}}
        self._store(
            connection, [one for one in with_keys(connection, unsure) if one.path != unsure[one.key]], anew=True
        )
        is_active = spaces.active_space(connection, self._space.name) == self._space
        spaces.activate(connection, self._space)
        if is_active:
            documents.renew(connection, self._fresh)
        self._tell(connection)

    def _read(self, ids: Sequence[int]) -> tuple[int, dict[bytes, Any]]:
        with self._catalog.snapshot() as snapshot:
            chunks = list(described(snapshot.connection, ids))
            known = documents.known_vectors(snapshot.connection, self._space.id, [one.key for one in chunks])
        return len(ids), self.again.read(one for one in chunks if one.key not in known and one.key not in self._spoilt)

    def _store(self, connection: Connection, chunks: Sequence[Lacking], *, anew: bool = False) -> None:
        vectors = self._embedded(self.again.read(chunks))
        if anew:
            documents.drop_vectors(connection, self._space.id, vectors)
        documents.stage_vectors(connection, self._space.id, vectors)

    def _embedded(self, items: Mapping[bytes, Any]) -> dict[bytes, Vectors]:
        if not items:
            return {}
        vectors, bad = self._embedder.embed(list(items.values()))
        keys = list(items)
        self._spoilt |= {keys[position]: why for position, why in bad.items()}
        good = {key: vectors[position] for position, key in enumerate(keys) if position not in bad}
        self._fresh |= good.keys()
        self.report.embedded += len(good)
        return good

    def _tell(self, connection: Connection) -> None:
        """Report what has no vector, and mark its files; refuse to change over to a model that gave nothing any.

        Raises:
            ModelError: says why, as far as that is known.
        """
        report = self.report
        report.passages, found = count_taken(connection, self._space)
        reasons = self._spoilt | {key: why for key, (why, _) in self.again.lost.items()}
        for one in with_keys(connection, reasons):
            report.failed[one.uri] = reasons[one.key]
        report.from_thumbnails += [one.uri for one in with_keys(connection, self.again.small)]
        if report.passages and not found:
            reason = next(iter(report.failed.values()), "it gave no vector at all.")
            raise ModelError(f"{self._space.model} can't embed this library: {reason} Nothing was changed.")
        files.mark_failing(connection, {one.file_id: reasons[one.key] for one in with_keys(connection, reasons)})


def _portions(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), PORTION):
        yield rows[start : start + PORTION]
