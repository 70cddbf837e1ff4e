"""The writing side of vector segments: flush, merge, compact, verify, repair.

Whatever the step, it is the same: read a range of generations from the catalog, build and save a file outside the
writer's lock, then list it in one transaction, in place of the segments it replaces if they are all still listed.
A process that dies anywhere leaves either list, and at worst a file that nothing lists.
"""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from quarry.search.engines.base import Damage
from quarry.search.engines.faiss.growing_segment import GrowingSegment
from quarry.search.engines.faiss.segment import LISTS_FORMAT, Segment
from quarry.search.engines.faiss.segment_file import UNFINISHED, open_segment, saving, write_segment
from quarry.search.errors import LibraryDamaged, LibraryLocked
from quarry.search.files.access import access_of, make_folder
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database.checksums import ADVICE
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lineage import Commit, forgotten
from quarry.search.stores.rows.documents import deleted_since
from quarry.search.stores.rows.segment_rows import (
    Listed,
    SegmentFile,
    confirm_segments,
    count_vectors,
    list_segment,
    listed_files,
    listed_segments,
    read_vectors,
    unlist_segments,
    vector_batches,
)
from quarry.search.stores.spaces import Space, active_space

FLUSH_FROM = 5_000  # vectors; a scan of as many takes 0.2 ms
LISTS_FROM = 1_000_000  # vectors; a graph of more takes too long to build, and too much memory
FOLDER = "segments"  # in the library's
RETIRED, QUARANTINE = "retired", "quarantine"

_FAN = 4  # segments of a size that are merged; each vector is rebuilt log4(n / FLUSH_FROM) times
_DEAD = 0.2
_UNFINISHED_S = 3_600.0  # another process may still be writing it
_RETIRED_S = 60.0  # a reader may hold a snapshot that lists the file, and not have opened it yet


class SegmentWriter:
    """Brings the segment files of one space up to the catalog.

    Args:
        catalog: where vectors and the list of segments are.
        space: the one whose vectors they are.
    """

    def __init__(self, catalog: Catalog, space: Space) -> None:
        self._catalog = catalog
        self._directory = catalog.directory / FOLDER
        self._space = space

    def flush(self, minimum: int = FLUSH_FROM) -> bool:
        """Make a segment of the tail where it has at least `minimum` vectors; return whether one was made."""
        with self._catalog.snapshot() as snapshot:
            boundary = max((row.last for row in self._rows(snapshot.connection)), default=0)
            if count_vectors(snapshot.connection, self._space.id, boundary, snapshot.generation) < max(minimum, 1):
                return False
            last = snapshot.generation
        return self._rebuild((), boundary, last)

    def merge(self) -> bool:
        """Do the one merge that is most due: a segment of which a fifth is dead, or four of a size.

        Returns whether there was one, so that a caller with time to spare may call again.
        """
        with self._catalog.snapshot() as snapshot:
            rows = self._rows(snapshot.connection)
            due = next(([row] for row in rows if self._is_dying(snapshot.connection, row)), None) or _piled(rows)
        self._sweep_retired()
        with contextlib.suppress(LibraryDamaged):  # it can wait
            return bool(due) and self._rebuild(due, due[0].first, due[-1].last)
        return False

    def compact(self) -> bool:
        """Bring everything into one segment, and remove stray files; return whether anything was rebuilt.

        A segment with inverted lists is left as it is while four fifths of it live and all that is newer is no more
        than a quarter of it: to build it anew would take minutes, and gain next to nothing.

        Raises:
            LibraryLocked: other processes kept changing the list.
        """
        rebuilt = False
        for _ in range(3):
            with self._catalog.snapshot() as snapshot:
                rows = self._rows(snapshot.connection)
                if not self._is_current(snapshot.connection):
                    break  # it was replaced meanwhile
                last = snapshot.generation
                settled = self._settled(snapshot.connection, rows, last)
                first, newer = settled[-1].last if settled else 0, rows[len(settled) :]
                if self._is_compact(snapshot.connection, first, last, newer):
                    self._confirm(snapshot.connection, rows, last)
                    break
            rebuilt = self._rebuild(newer, first, last)
            if rebuilt:
                break
        else:
            raise LibraryLocked("Another process is merging segments. Run `quarry compact` again when it is done.")
        self._sweep()
        return rebuilt

    def _settled(self, connection: Connection, rows: Sequence[Listed], generation: int) -> list[Listed]:
        """Return the oldest segments, those that a compaction leaves as they are."""
        settled: list[Listed] = []
        newer = count_vectors(connection, self._space.id, 0, generation) if rows else 0
        for row in rows:
            alive = self._alive(connection, row)
            newer -= alive
            is_large = row.file.format == LISTS_FORMAT and newer * _FAN <= alive
            follows = row.first == (settled[-1].last if settled else 0)
            if not (is_large and follows and self._is_usable(connection, row)) or self._is_dying(connection, row):
                break
            settled.append(row)
        return settled

    def _confirm(self, read: Connection, rows: Sequence[Listed], generation: int) -> None:
        """Say of segments without anything dead that they hold for a generation: it needs no deletion before that."""
        whole = [row.id for row in rows if row.built < generation and self._alive(read, row) == row.file.count]
        if whole:
            with self._catalog.transaction(bump=False) as connection:
                if self._is_current(connection):
                    confirm_segments(connection, whole, generation)

    def release(self, *, is_read: bool) -> int:
        """Remove the files that were replaced, unless a reader's snapshot may list them; return how much they take."""
        if not is_read:
            _remove_older(self._directory / RETIRED, -math.inf)
        return sum(path.stat().st_size for path in (self._directory / RETIRED).glob(f"{self._space.id}-*"))

    def leave(self) -> None:
        """Take all segments off the list, and their files out of the way of who lists them no more."""
        with self._catalog.transaction(bump=False) as connection:
            rows = self._rows(connection)
            unlist_segments(connection, [row.id for row in rows])
        for row in rows:
            if row.file.is_plain:
                self._move(row.file.name, RETIRED)

    def verify(self, opened: dict[str, Segment] | None = None) -> list[Damage]:
        """Compare every segment with its description and, value by value, with the catalog; return what is wrong.

        Segments whose SHA-256 is right are added to `opened`, by their files: that took reading all of them.
        """
        with self._catalog.snapshot() as snapshot:
            return [problem for _, problem in self._problems(snapshot.connection, {} if opened is None else opened)]

    def repair(self) -> list[Damage]:
        """Rebuild what is wrong from the catalog, keep the old files in quarantine; return what was wrong."""
        with self._catalog.snapshot() as snapshot:
            found = list(self._problems(snapshot.connection, {}))
            rows = self._rows(snapshot.connection)
            last = snapshot.generation
        wrong = {row.id: row for row, _ in found}
        if any(later.first < row.last for row, later in pairwise(rows)):
            self._rebuild(rows, 0, last, into=QUARANTINE)
        else:
            for row in wrong.values():
                self._rebuild([row], row.first, row.last, into=QUARANTINE)
        self._sweep()
        return [problem for _, problem in found]

    def _is_current(self, connection: Connection) -> bool:
        """Whether the space is active, and has been since the catalog told of it."""
        return active_space(connection, self._space.name) == self._space

    def _rows(self, connection: Connection) -> list[Listed]:
        return listed_segments(connection, self._space.id)

    def _is_dying(self, connection: Connection, row: Listed) -> bool:
        limit = _DEAD * row.file.count
        if len(deleted_since(connection, row.built)) < limit:  # cheap, and nearly always enough
            return False
        return row.file.count - self._alive(connection, row) >= limit

    def _is_usable(self, connection: Connection, row: Listed) -> bool:
        is_followed = row.built >= forgotten(connection)
        return is_followed and row.file.identity == self._space.identity and (self._directory / row.file.name).exists()

    def _alive(self, connection: Connection, row: Listed) -> int:
        return count_vectors(connection, self._space.id, row.first, row.last)

    def _is_compact(self, connection: Connection, first: int, generation: int, rows: Sequence[Listed]) -> bool:
        """Whether the generations in (first, generation] are in one segment, which has nothing else."""
        boundary = max((row.last for row in rows), default=first)
        if len(rows) > 1 or count_vectors(connection, self._space.id, boundary, generation):
            return False
        return all(self._is_usable(connection, row) and self._alive(connection, row) == row.file.count for row in rows)

    def _rebuild(self, old: Sequence[Listed], first: int, last: int, into: str = RETIRED) -> bool:
        """Build one segment of the chunks of generations in (first, last] and list it in place of `old`.

        Returns False, with nothing changed, where another process has changed the list meanwhile.
        """
        with self._catalog.snapshot() as snapshot:
            if not self._is_current(snapshot.connection):
                return False
            count = count_vectors(snapshot.connection, self._space.id, first, last)
        name = f"{self._space.id}-{first}-{last}-{secrets.token_hex(4)}.faiss"
        save = self._save_large if count >= LISTS_FROM else self._save
        file, built = save(name, first, last, is_copied=bool(old) and into == RETIRED)
        try:
            with self._catalog.transaction(bump=False) as connection:
                current = self._rows(connection)
                replaced = {row.id for row in old}
                kept = [row for row in current if row.id not in replaced]
                # What was staged for a space while it was not active, this snapshot may have lacked.
                changed = not self._is_current(connection) or len(current) - len(kept) != len(replaced)
                changed |= any(row.first < last and first < row.last for row in kept)
                if file is not None and (changed or not (self._directory / file.name).exists()):
                    (self._directory / file.name).unlink(missing_ok=True)
                    return False
                if changed:
                    return False
                unlist_segments(connection, replaced)
                if file is not None:
                    list_segment(connection, self._space.id, file, first, last, built.generation)
        except Exception:
            if file is not None:
                (self._directory / file.name).unlink(missing_ok=True)
            raise
        for row in old:
            if row.file.is_plain:
                self._move(row.file.name, into)
        return True

    def _save(self, name: str, first: int, last: int, *, is_copied: bool) -> tuple[SegmentFile | None, Commit]:
        """Save a segment that is built in memory; return its file, if there is anything in it, and its commit."""
        space = self._space
        with self._catalog.snapshot() as snapshot:
            built = snapshot.commit
            stored = read_vectors(snapshot.connection, space.id, space.dimension, first, last)
        _require_good(len(stored.unusable), is_copied=is_copied)
        if not len(stored.ids):
            return None, built
        segment = Segment.build(stored.ids, stored.values, threads=_threads())
        del stored
        return write_segment(segment, self._directory, name, space.identity, built), built

    def _save_large(self, name: str, first: int, last: int, *, is_copied: bool) -> tuple[SegmentFile, Commit]:
        """Do as `_save` in little memory."""
        space, unusable = self._space, 0
        with saving(self._directory, name) as stream:
            growing = GrowingSegment(stream, space.dimension)
            with self._catalog.snapshot() as snapshot:
                built = snapshot.commit
                for batch in vector_batches(snapshot.connection, space.id, space.dimension, first, last):
                    growing.append(batch.ids, batch.values)
                    unusable += len(batch.unusable)
            _require_good(unusable, is_copied=is_copied or not growing.count)
            return growing.finish(name, space.identity, built, threads=_threads()), built

    def _move(self, name: str, into: str) -> None:
        target = self._directory / into / name
        try:
            make_folder(target.parent, access_of(self._directory.parent))
            os.utime(self._directory / name, follow_symlinks=False)  # its time in retirement counts from now
            (self._directory / name).rename(target)
        except FileNotFoundError:
            pass
        except NotADirectoryError as error:
            raise LibraryDamaged(f"{target.parent} is no folder. Take away what is there.") from error

    def _problems(self, connection: Connection, opened: dict[str, Segment]) -> Iterator[tuple[Listed, Damage]]:
        rows = self._rows(connection)
        for row, later in pairwise(rows):
            if later.first < row.last:
                yield later, Damage(later.file.name, f"it covers passages that {row.file.name} covers, too")
        for row in rows:
            for what in self._differences(connection, row, opened):
                yield row, Damage(row.file.name, what)

    def _differences(self, connection: Connection, row: Listed, opened: dict[str, Segment]) -> Iterator[str]:
        if (row.file.identity, row.file.dimension) != (self._space.identity, self._space.dimension):
            yield f"it was built by the model {row.file.identity}, the library's is {self._space.identity}"
        try:
            require_followed(connection, row)
            segment = opened[row.file.name] = open_segment(self._directory, row.file)
        except LibraryDamaged as error:
            yield str(error)
            return
        if segment.dimension != self._space.dimension:
            return
        ids, lacking, differing = [np.empty(0, np.int64)], 0, 0
        for batch in vector_batches(connection, self._space.id, self._space.dimension, row.first, row.last):
            ids.append(batch.ids)
            at = np.minimum(np.searchsorted(segment.ids, batch.ids), segment.count - 1)
            common = segment.ids[at] == batch.ids if segment.count else np.zeros(len(at), bool)
            lacking += int(np.count_nonzero(~common))
            values = segment.values[segment.rows[at[common]]]
            differing += int((values.view(np.uint16) != batch.values[common].view(np.uint16)).any(axis=1).sum())
        alive = ~segment.members(deleted_since(connection, row.built))
        extra = np.count_nonzero(alive & ~segment.members(np.sort(np.concatenate(ids))))
        if extra:
            yield f"it holds {extra:,} passages that the catalog does not"
        if lacking:
            yield f"it lacks {lacking:,} passages of the catalog"
        if differing:
            yield f"{differing:,} of its vectors are not those of the catalog"

    def _sweep(self) -> None:
        """Retire the files that nothing lists; what another process was about to list, it finds gone, and gives up."""
        if self._directory.is_dir():
            with self._catalog.lock.held(), self._catalog.snapshot() as snapshot:
                listed = listed_files(snapshot.connection)
                for path in self._directory.iterdir():
                    if path.is_file() and path.name not in listed:
                        self._move(path.name, RETIRED)
        _remove_older(self._directory / UNFINISHED, _UNFINISHED_S)
        self._sweep_retired()

    def _sweep_retired(self) -> None:
        _remove_older(self._directory / RETIRED, _RETIRED_S)


def require_followed(connection: Connection, row: Listed) -> None:
    """Refuse a segment that nobody can tell what of it was deleted since: another engine was used for the space then.

    Raises:
        LibraryDamaged: it is as if it were missing.
    """
    if row.built < forgotten(connection):
        raise LibraryDamaged(
            f"The vector segment {row.file.name} can't be used: what was deleted since it was built is not known any "
            "more. `quarry doctor --repair` rebuilds it."
        )


def _require_good(unusable: int, *, is_copied: bool) -> None:
    if unusable and is_copied:
        raise LibraryDamaged(  # the segments that would be dropped may hold the only good copy
            f"{unusable:,} vectors of the catalog are damaged: no segment is replaced. {ADVICE}"
        )


def _threads() -> int:
    return len(os.sched_getaffinity(0))


def _piled(rows: Sequence[Listed]) -> list[Listed]:
    """Return the adjacent segments that should become one: the smallest sizes first, [] where none are due."""
    tiers = [max(0, int(math.log(max(row.file.count, 1) / FLUSH_FROM, _FAN))) for row in rows]
    for tier in sorted(set(tiers)):
        run: list[Listed] = []
        for row, own in zip(rows, tiers, strict=True):
            if own <= tier:
                run.append(row)
            elif len(run) >= _FAN:
                break
            else:
                run = []
        if len(run) >= _FAN:
            return run
    return []


def _remove_older(directory: Path, seconds: float) -> None:
    for path in directory.glob("*"):
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            if time.time() - path.stat().st_mtime > seconds:
                path.unlink()
