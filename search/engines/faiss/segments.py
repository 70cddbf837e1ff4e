"""The vectors of one space: immutable segments, what was deleted since, and the tail that is in none yet.

A `SegmentsView` is all of that at one generation, a value that any number of threads may search. Making the next one
costs what has changed: new files are opened, newer vectors read from the catalog, deletions marked.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from quarry.search.engines.base import Damage, KeptFile, Told
from quarry.search.engines.exact import check_query, damaged_vectors
from quarry.search.engines.faiss.segment import Segment
from quarry.search.engines.faiss.segment_file import open_segment
from quarry.search.engines.faiss.segment_writer import FOLDER, RETIRED, SegmentWriter, require_followed
from quarry.search.errors import LibraryDamaged, ModelMismatch
from quarry.search.fields.filters import EVERYTHING, Allowed
from quarry.search.requests import deadline
from quarry.search.stores.catalog import Catalog, Snapshot
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lineage import forgotten
from quarry.search.stores.rows.documents import deleted_since
from quarry.search.stores.rows.segment_rows import (
    Listed,
    SegmentFile,
    count_vectors,
    listed_ids,
    listed_segments,
    read_vectors,
)
from quarry.search.stores.spaces import Space
from quarry.search.types import Candidates, Ids, Vectors


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A segment within a view.

    Args:
        segment: its vectors.
        first, last: it holds the chunks of generations in (first, last].
        file: name of its file, "" for a part of the tail.
        alive: (n,) mask of what was not deleted, None where all is alive.
        note: what is wrong with it, "" where nothing is.
    """

    segment: Segment
    first: int
    last: int
    file: str = ""
    alive: NDArray[np.bool_] | None = None
    note: str = ""

    @property
    def count(self) -> int:
        """How many vectors are alive."""
        return self.segment.count if self.alive is None else int(np.count_nonzero(self.alive))

    def without(self, deleted: Ids) -> Part:
        """Return the part with more ids marked as deleted."""
        dead = self.segment.members(deleted)
        if not dead.any():
            return self
        return replace(self, alive=~dead if self.alive is None else self.alive & ~dead)

    def search(self, query: Vectors, k: int, allowed: Allowed) -> Candidates:
        """Find the k nearest that are alive and allowed."""
        mask = self.alive
        if allowed.ids is not None:
            members = self.segment.members(allowed.ids)
            mask = members if mask is None else mask & members
        return self.segment.search(query, k, mask)


@dataclass(frozen=True, slots=True, eq=False)
class SegmentsView:
    """All vectors of a space at one generation.

    Args:
        generation: that of the catalog.
        listed: ids of the segments that were listed; they change without a commit when segments are merged.
        dimension: how many numbers a vector has.
        parts: oldest first, those of the tail last.
    """

    generation: int
    listed: tuple[int, ...]
    dimension: int
    parts: tuple[Part, ...]

    @property
    def count(self) -> int:
        """How many vectors there are."""
        return sum(part.count for part in self.parts)

    @property
    def tail(self) -> int:
        """How many of them are in no segment file yet."""
        return sum(part.count for part in self.parts if not part.file)

    @property
    def segments(self) -> int:
        """How many segment files there are."""
        return sum(bool(part.file) for part in self.parts)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is damaged and what that costs, in words; () in health."""
        return tuple(part.note for part in self.parts if part.note)

    def search(self, query: Vectors, k: int, allowed: Allowed = EVERYTHING) -> Candidates:
        """Find the k nearest to one (d,) query among what is allowed.

        Raises:
            ValueError: the query has another dimension or is not finite.
        """
        check_query(query, self.dimension)
        found = [part.search(query, k, allowed) for part in self.parts]
        if len(found) == 1:
            return found[0]
        if not found:
            return Candidates.empty()
        ids = np.concatenate([candidates.ids for candidates in found])
        scores = np.concatenate([candidates.scores for candidates in found])
        order = np.lexsort((ids, -scores))[:k]
        return Candidates(ids[order], scores[order])

    def vectors(self, ids: Ids) -> Vectors:
        """Return the (n, d) float32 vectors of (n,) ids, in their order; zeros where this generation has none."""
        vectors = np.zeros((len(ids), self.dimension), np.float32)
        for part in self.parts:
            held = part.segment.ids
            if not len(held):
                continue
            positions = np.minimum(np.searchsorted(held, ids), len(held) - 1)
            here = held[positions] == ids
            if part.alive is not None:
                here &= part.alive[positions]
            if here.any():
                vectors[here] = part.segment.vectors(positions[here])
        return vectors

    def sample(self, about: int) -> Vectors:
        """Return (n, d) float32 vectors spread evenly over all."""
        if not self.parts:
            return np.empty((0, self.dimension), np.float32)
        ids = np.concatenate([part.segment.ids for part in self.parts])
        vectors = self.vectors(ids[:: max(1, len(ids) // about)])
        return vectors[vectors.any(axis=1)]  # what was deleted is zeros


class SegmentedVectors:
    """The `VectorEngine` of a library: the segments of one space, and the tail that is in none yet."""

    def __init__(self, catalog: Catalog, space: Space) -> None:
        self.catalog = catalog
        self.space = space
        self.directory = catalog.directory / FOLDER
        self._view: SegmentsView | None = None
        self._opened: dict[str, Segment] = {}
        self._lock = threading.Lock()

    def view(self, snapshot: Snapshot) -> SegmentsView:
        """Return the vectors as of the generation that is seen.

        A file that is missing or damaged is not an error: its range is read from the catalog and searched exactly,
        and the view says so.

        Raises:
            ModelMismatch: a segment was built from another model's vectors.
        """
        connection, generation = snapshot.connection, snapshot.generation
        wanted = (generation, listed_ids(connection, self.space.id))
        view = self._view
        if view is not None and (view.generation, view.listed) == wanted:
            return view
        # What is read here is for all that come after: it is finished even where this request is late.
        with deadline.holding(self._lock), deadline.shielded():
            view = self._view
            if view is not None and (view.generation, view.listed) == wanted:
                return view
            if view is not None and view.generation > generation:
                # A request that began before the newest commit gets its own generation, from the beginning.
                return self._read(connection, generation, None)
            view = self._read(connection, generation, view)
            names = {part.file for part in view.parts}
            self._opened = {name: segment for name, segment in self._opened.items() if name in names}
            self._view = view
            return view

    def count(self, snapshot: Snapshot) -> int:
        """Return how many vectors there are: the catalog counts them where no segment was opened yet."""
        if self._view is not None:
            return self.view(snapshot).count
        return count_vectors(snapshot.connection, self.space.id, 0, snapshot.generation)

    def catch_up(self) -> None:
        """Move the tail into a segment where it is long, and do one merge where segments pile up."""
        writer = SegmentWriter(self.catalog, self.space)
        writer.flush()
        writer.merge()

    def compact(self) -> int:
        """Bring everything into one segment, and remove stray files; return the generation that all was built from."""
        with self.catalog.snapshot() as snapshot:
            followed = snapshot.generation
        SegmentWriter(self.catalog, self.space).compact()
        with self.catalog.snapshot() as snapshot:
            return min((row.built for row in listed_segments(snapshot.connection, self.space.id)), default=followed)

    def fill(self, progress: Told) -> None:
        """Bring everything into one segment."""
        with self.catalog.snapshot() as snapshot:
            count = count_vectors(snapshot.connection, self.space.id, 0, snapshot.generation)
        progress(0, count)
        self.compact()
        progress(count, count)

    def leave(self) -> None:
        """Take all segments off the list; their files go once no reader may open them."""
        SegmentWriter(self.catalog, self.space).leave()

    def release(self, *, is_read: bool) -> int:
        """Drop the files of replaced segments where nobody may still open them; return how much they take."""
        return SegmentWriter(self.catalog, self.space).release(is_read=is_read)

    def verify(self) -> list[Damage]:
        """Compare every segment with its description and with the catalog; return what is wrong."""
        opened: dict[str, Segment] = {}
        problems = SegmentWriter(self.catalog, self.space).verify(opened)
        if not problems:  # the view that is asked for next need not read them once more
            with self._lock:
                self._opened |= opened
        return problems

    def repair(self) -> list[Damage]:
        """Quarantine and rebuild what is wrong; return what was."""
        return SegmentWriter(self.catalog, self.space).repair()

    def files(self, snapshot: Snapshot) -> list[KeptFile]:
        """Return the files of the segments that are listed; one that was replaced a moment ago is retired."""
        files = [row.file for row in listed_segments(snapshot.connection, self.space.id)]
        folders = (self.directory, self.directory / RETIRED)
        return [
            KeptFile(f"{FOLDER}/{file.name}", tuple(folder / file.name for folder in folders), file.bytes, file.sha256)
            for file in files
        ]

    def kept(self, connection: Connection, ids: Ids) -> dict[int, NDArray[np.float16]]:
        """Return vectors as the segments hold them whose SHA-256 is right."""
        found: dict[int, NDArray[np.float16]] = {}
        for row in listed_segments(connection, self.space.id):
            with contextlib.suppress(LibraryDamaged):
                segment = open_segment(self.directory, row.file)
                positions = np.flatnonzero(segment.members(ids))
                values = segment.values[segment.rows[positions]]
                found |= dict(zip(segment.ids[positions].tolist(), values, strict=True))
        return found

    def _read(self, connection: Connection, generation: int, previous: SegmentsView | None) -> SegmentsView:
        rows = listed_segments(connection, self.space.id)
        if previous is not None and previous.generation < forgotten(connection):
            previous = None  # what was deleted since is not known any more: it can't be caught up on
        known = {} if previous is None else {part.file: part for part in previous.parts if part.file}
        deleted = None if previous is None else deleted_since(connection, previous.generation)
        parts = []
        boundary = 0
        for row in rows:
            self._check(row.file)
            if row.file.name in known and deleted is not None:
                parts.append(known[row.file.name].without(deleted))
            else:
                parts.append(self._part(connection, generation, row))
            boundary = max(boundary, row.last)
        tail: Sequence[Part] = ()
        if previous is not None and deleted is not None:
            tail = [part.without(deleted) for part in previous.parts if not part.file and part.last > boundary]
            if tail and tail[0].first < boundary:  # a new segment ends in the middle of what was read
                tail = ()
        tail = self._extended(connection, generation, tail, boundary)
        return SegmentsView(generation, tuple(sorted(row.id for row in rows)), self.space.dimension, (*parts, *tail))

    def _check(self, file: SegmentFile) -> None:
        space = self.space
        if (file.identity, file.dimension) != (space.identity, space.dimension):
            raise ModelMismatch(
                f"The vector segment {file.name} was built by the model {file.identity} ({file.dimension} dimensions), "
                f"and the query's is {space.identity} ({space.dimension} dimensions). Embed the library anew: "
                "`quarry reembed --text-model MODEL`, or --image-model for pictures."
            )

    def _part(self, connection: Connection, generation: int, row: Listed) -> Part:
        try:
            require_followed(connection, row)
            segment = self._opened.get(row.file.name) or self._open(row.file)
        except LibraryDamaged as error:
            part = self._from_catalog(connection, row.first, min(row.last, generation))
            note = f"{error} Until then its {part.count:,} passages are searched one by one."
            return replace(part, file=row.file.name, note=f"{note} {part.note}".rstrip())
        self._opened[row.file.name] = segment
        return Part(segment, row.first, row.last, row.file.name).without(deleted_since(connection, row.built))

    def _open(self, file: SegmentFile) -> Segment:
        try:
            return open_segment(self.directory, file)
        except LibraryDamaged as error:
            # A snapshot from before a merge lists files that were moved out of the way by it.
            try:
                return open_segment(self.directory, file, RETIRED)
            except LibraryDamaged:
                raise error from None

    def _from_catalog(self, connection: Connection, first: int, last: int) -> Part:
        stored = read_vectors(connection, self.space.id, self.space.dimension, first, last)
        note = damaged_vectors(len(stored.unusable)) if len(stored.unusable) else ""
        return Part(Segment.build(stored.ids, stored.values, graph=False), first, last, note=note)

    def _extended(
        self, connection: Connection, generation: int, tail: Sequence[Part], boundary: int
    ) -> tuple[Part, ...]:
        """Read what is newer than the tail, and join parts so that each is more than twice the size of the next."""
        parts = list(tail)
        newest = self._from_catalog(connection, parts[-1].last if parts else boundary, generation)
        if newest.segment.count or newest.note:
            parts.append(newest)
        elif parts:
            parts[-1] = replace(parts[-1], last=generation)
        while len(parts) > 1 and parts[-2].count <= 2 * parts[-1].count:
            last = parts.pop()
            parts[-1] = _joined(parts[-1], last)
        return tuple(parts)


def _joined(left: Part, right: Part) -> Part:
    ids, values = [], []
    for part in (left, right):
        alive = slice(None) if part.alive is None else part.alive
        ids.append(part.segment.ids[alive])
        values.append(part.segment.values[part.segment.rows[alive]])
    segment = Segment.build(np.concatenate(ids), np.concatenate(values), graph=False)
    return Part(segment, left.first, right.last, note=" ".join(filter(None, (left.note, right.note))))
