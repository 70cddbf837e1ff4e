"""Tell what of a library is boilerplate (`search.alike.boilerplate`), and which of its passages hold some, as it grows.

What stands in `OFTEN` documents is. These are counted anew when a tenth of the library is other than when they were
last; in between only new passages are looked at. So one more file costs what it holds, and a library that grows by a
file at a time is looked at as often as the logarithm of its size says.

Documents that are nearly the same count as one: twelve drafts of a letter have much in common, and none of it is
boilerplate. (The same are one content anyway.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import compress, islice

import numpy as np

from quarry.search.alike.boilerplate import LEAST, OFTEN, Boilerplate
from quarry.search.alike.duplicates import groups
from quarry.search.alike.fingerprints import Fingerprints
from quarry.search.alike.sketches import TextSketches
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows import boilerplate as rows
from quarry.search.stores.rows import documents
from quarry.search.stores.rows.boilerplate import Printed, Told
from quarry.search.stores.rows.passages import generation_of
from quarry.search.types import Ids

PORTION = 500  # passages whose words are looked at again in one commit: searches hold what is newer than their index
_OTHER = 0.1  # of a library, from which it is told anew what stands in many documents
_BLOCK = 4_096  # contents that are looked at together
_COPIES = 0.9  # how alike documents are that count as one


@dataclass(frozen=True, slots=True)
class Step:
    """What to keep, and the passages that are found by other words with it.

    Args:
        after: the generation that it is told at: another where something else was written meanwhile.
        is_last: whether nothing is left to do; until then what is kept says that it is not done.
    """

    kept: Told
    passages: list[int]
    after: int
    is_last: bool = True


def steps(catalog: Catalog) -> tuple[str, list[Step]]:
    """Return the stamp of what a catalog knows of its boilerplate, and the steps to what is to be told of it now.

    Each is a commit, but for one without passages. There is none where nothing is new.
    """
    with catalog.snapshot() as snapshot:
        before, stamp = rows.read(snapshot.connection), rows.stamp(snapshot.connection)
        if before.marked == snapshot.generation:
            return stamp, []
        now = _told(snapshot.connection, before, snapshot.generation)
    other = _other_words(before.found, now.found)
    if not len(other):
        return stamp, [Step(now, [], snapshot.generation)]
    found = []
    for number, start in enumerate(range(0, len(other), PORTION)):
        portion, left = other[start : start + PORTION], other[start + PORTION :]
        kept = Told(_without(before.found, now.found, left)) if len(left) else now
        found.append(Step(kept, portion.tolist(), snapshot.generation + number, not len(left)))
    return stamp, found


def record(connection: Connection, step: Step, stamp: str) -> str | None:
    """Take a step; return the stamp that the next needs, None where another process has told something since."""
    if rows.stamp(connection) != stamp:
        return None
    kept = step.kept
    if step.passages:
        rows.renew(connection, step.passages)
        generation = generation_of(connection)
        if step.is_last and generation == step.after + 1:  # nothing else was written meanwhile
            kept = replace(kept, marked=generation, told=generation if kept.told == kept.marked else kept.told)
    rows.keep(connection, kept)
    return rows.stamp(connection)


def _other_words(before: Boilerplate, now: Boilerplate) -> Ids:
    """Return the passages that are found by other words than before, ascending."""
    both = np.intersect1d(before.apart, now.apart)
    others: Ids = np.union1d(np.setxor1d(before.apart, now.apart), both[before.share_of(both) != now.share_of(both)])
    return others


def _without(before: Boilerplate, now: Boilerplate, left: Ids) -> Boilerplate:
    """Return what is told now, but of some passages what was told before."""
    old, new = np.isin(before.ids, left), ~np.isin(now.ids, left)
    ids = np.concatenate([before.ids[old], now.ids[new]])
    shares = np.concatenate([before.shares[old], now.shares[new]])
    frames = np.concatenate([before.frames[old], now.frames[new]])
    order = np.argsort(ids)
    return replace(now, ids=ids[order], shares=shares[order], frames=frames[order])


def _told(connection: Connection, before: Told, generation: int) -> Told:
    every, newer, contents = rows.counts(connection, before.told)
    gone = max(0, before.documents + newer - every)
    other = max(newer + gone, abs(contents - before.contents))
    found, due = before.found, list[bytes]()
    if is_new := other >= _OTHER * max(every, 1):
        prints, often = _often(lambda: rows.contents(connection))
        changed = np.setxor1d(prints, found.prints)
        found = replace(found, prints=prints, documents=often)
        due = [one.hash for one in _holding(rows.contents(connection), changed)] if len(changed) else []
    if len(found.prints):
        due += [one.hash for one in _holding(rows.contents(connection, before.marked), found.prints)]
    found = _marked(connection, found, list(dict.fromkeys(due)), before.marked)
    if is_new:
        return Told(found, every, contents, generation, generation)
    return replace(before, found=found, marked=generation)


def _marked(connection: Connection, found: Boilerplate, due: list[bytes], since: int) -> Boilerplate:
    """Return it with the shares of the passages of these contents told anew, and without those that are gone."""
    looked = {id: found.share(text) for id, text in rows.passages_with(connection, due)}
    stays = ~np.isin(found.ids, [*looked, *documents.deleted_since(connection, since).tolist()])
    held = {id: one for id, one in looked.items() if one[0] >= LEAST}
    ids = np.concatenate([found.ids[stays], np.fromiter(held, np.int64, len(held))])
    shares = np.concatenate([found.shares[stays], np.array([share for share, _ in held.values()], np.float32)])
    frames = np.concatenate([found.frames[stays], np.array([frame for _, frame in held.values()], np.uint32)])
    order = np.argsort(ids)
    return replace(found, ids=ids[order], shares=shares[order], frames=frames[order])


def _often(contents: Callable[[], Iterator[Printed]]) -> tuple[Fingerprints, np.ndarray]:
    """Return the fingerprints that stand in many contents, ascending, and in how many, near copies counted once.

    Args:
        contents: yields them all, again and again: only those are kept that hold what stands in many.
    """
    none = Boilerplate.none()
    own = [np.concatenate([one.prints for one in block]) for block in _blocks(contents())]
    values, counts = np.unique(np.concatenate([none.prints, *own]), return_counts=True)
    del own
    likely = values[counts >= OFTEN]
    if not len(likely):
        return none.prints, none.documents
    held = [(one.sketch, likely[np.isin(likely, one.prints)]) for one in _holding(contents(), likely)]
    stands_for = np.arange(len(held))
    for group in groups(TextSketches.of([sketch for sketch, _ in held]), _COPIES):
        stands_for[group.others] = group.keep
    pairs = np.concatenate([own.astype(np.int64) << 32 | keep for keep, (_, own) in zip(stands_for, held, strict=True)])
    values, counts = np.unique(np.unique(pairs) >> 32, return_counts=True)
    often = counts >= OFTEN
    return values[often].astype(np.uint32), counts[often].astype(np.int32)


def _holding(contents: Iterable[Printed], any_of: Fingerprints) -> Iterator[Printed]:
    """Yield the contents that hold any of some fingerprints."""
    for block in _blocks(contents):
        begins = np.cumsum([0, *(len(one.prints) for one in block[:-1])])
        holds = np.logical_or.reduceat(np.isin(np.concatenate([one.prints for one in block]), any_of), begins)
        yield from compress(block, holds.tolist())


def _blocks(contents: Iterable[Printed]) -> Iterator[list[Printed]]:
    contents = iter(contents)
    while block := list(islice(contents, _BLOCK)):
        yield block
