"""Let stored documents have what enrichments find that came, or changed, since they were written.

Their text is taken from the catalog: no file is read, and only what an enrichment says anew is embedded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

from quarry.indexer import storing
from quarry.indexer.enrichments import enriching
from quarry.indexer.enrichments.base import Enrichment, OwnVectors, Unheard, Unread
from quarry.indexer.enrichments.renditions import Beside, Content
from quarry.indexer.prepared import PreparedDocument
from quarry.indexer.report import NoProgress, Progress
from quarry.indexer.writer import Writer, commit
from quarry.search.errors import LibraryDamaged, QuarryError
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lookups import picture_rows
from quarry.search.stores.lookups.document_vectors import VectorsOf
from quarry.search.stores.rows import documents, tasks
from quarry.search.stores.rows import enrichments as rows
from quarry.search.stores.rows.documents import NewDocument
from quarry.search.stores.rows.enrichments import Enrichable, Unlooked
from quarry.search.stores.thumbnails import Thumbnails
from quarry.search.types import Kind

_PORTION = 512  # documents of one commit, where nothing is slow
_NOTHING = enriching.Passages((), (), {})


def reenrich(
    catalog: Catalog,
    enrichments: Sequence[Enrichment],
    open_writer: Callable[[], Writer],
    progress: Progress,
    unable: dict[str, str] | None = None,
    slow: Collection[str] | None = None,
    written: Sequence[int] | None = None,
) -> int:
    """Bring stored documents up to these enrichments; return how many have something else now.

    Args:
        open_writer: called only where something is said anew: what finds fields alone needs no encoder.
        unable: is told which enrichments could not look at anything now, and why, by their names.
        slow: the names of those that are slow, and may look now; None for all.
        written: documents that are looked at alone; None for all that there are.
    """
    # With other limits, what took too long is tried again.
    identities, among = [*(one.identity for one in enrichments), _limits(enrichments)], written
    if written is None:
        with catalog.snapshot() as snapshot:
            if rows.settled(snapshot.connection) == identities:  # what came since was enriched when it was written
                among = rows.waiting(snapshot.connection)
        if among is None:
            with catalog.transaction(bump=False) as connection:
                for one in enrichments:
                    tasks.forget_late(connection, one.identity, one.limit_s)
    if among == []:
        return 0
    work = _Work(catalog, enrichments, open_writer, progress, among)
    changed = work.look(_PORTION, [one for one in enrichments if not one.is_slow], identities)
    waiting = [one for one in enrichments if one.is_slow]
    asked = [one for one in waiting if slow is None or one.name in slow]
    able = [one for one in asked if _is_able(catalog, one, among, {} if unable is None else unable)]
    with ExitStack() as running:
        for one in able:
            running.enter_context(one.running())
        for portion in sorted({one.at_once for one in able}, reverse=True):  # what is quick does not wait
            some = [one for one in able if one.at_once == portion]
            changed |= work.look(portion, some, None, slow=some)
    if written is None and able == waiting and (away := work.away()) is not None and away != among:
        with catalog.transaction(bump=False) as connection:
            rows.settle(connection, identities, away)
    return len(changed)


def label_written(writer: Writer, ids: Sequence[str]) -> None:
    """Let documents that were just written have what is told by their vectors."""
    fields = {one.name for one in writer.enrichments if isinstance(one.rendition, OwnVectors)}
    if fields:
        with writer.catalog.snapshot() as snapshot:
            written = [found[0] for id in ids if (found := documents.find(snapshot.connection, id))]
        reenrich(writer.catalog, writer.enrichments, lambda: writer, NoProgress(), slow=fields, written=written)


@dataclass(slots=True)
class _Work:
    """Going over the documents that lack something; `lefts` are pages and minutes to be looked at, by the document,
    -1 where it can't be looked at now.

    Args:
        among: the documents that are gone over, None for all.
    """

    catalog: Catalog
    enrichments: Sequence[Enrichment]
    open_writer: Callable[[], Writer]
    progress: Progress
    among: Sequence[int] | None
    lefts: dict[int, int] = field(default_factory=dict)

    def look(
        self, portion: int, lacking: Sequence[Enrichment], known: Sequence[str] | None, slow: Sequence[Enrichment] = ()
    ) -> set[int]:
        """Look at documents that lack what one of `lacking` finds, so many to a commit; return those that changed.

        Args:
            known: as of `rows.due`.
        """
        wanted, after, changed = [one.identity for one in lacking], 0, set[int]()
        lefts: dict[int, int] = {}
        while True:
            with self.catalog.snapshot() as snapshot:
                due = rows.due(snapshot.connection, wanted, known, after, portion, self.among)
                if due and not lefts and (slow or len(due) == portion):  # else it is done at once
                    self.progress.start(*rows.due_count(snapshot.connection, wanted, known, self.among))
            if not due:
                self.lefts |= {row: left for row, left in lefts.items() if left or row not in self.lefts}
                return changed
            if any(one.recording for one in due) and any(isinstance(one.rendition, Unheard) for one in slow):
                self.progress.note("hearing what is said (Ctrl-C loses nothing)")
            elif any(isinstance(one.rendition, Unread) for one in slow):
                self.progress.note("reading what scans and pictures show (Ctrl-C loses nothing)")
            else:
                self.progress.note("looking at documents again")
            stored = VectorsOf(self.catalog, [one.row for one in due])
            beside = partial(self._beside, wanted)
            contents = {one.hash: _content(self.catalog, one, stored, beside) for one in due}
            found = enriching.find(self.catalog, self.enrichments, contents, slow=slow)
            changed |= _enrich(self.catalog, self.enrichments, self.open_writer, due, found, wanted)
            now = {one.row: _left(lacking, found[one.hash]) for one in due}
            begun = [row for row, left in now.items() if left > 0 and left != lefts.get(row)]
            steps = sum(_done(one, now.get(one.row)) - _done(one, lefts.get(one.row)) for one in due)
            lefts |= now
            after = min(begun) - 1 if begun else due[-1].row
            if steps:
                self.progress.advance(sum(left == 0 for left in now.values()), steps, 0)

    def _beside(self, lacking: Sequence[str], outer: str, field: Unlooked, kind: Kind | None) -> list[str]:
        with self.catalog.snapshot() as snapshot:
            return rows.due_within(snapshot.connection, lacking, self.among, outer, field, kind)

    def away(self) -> list[int] | None:
        """Return the documents that can't be looked at now, None where others are to be looked at as well."""
        away = [row for row, left in self.lefts.items() if left < 0]
        has_more = any(left > 0 for left in self.lefts.values()) or len(away) > rows.MOST_WAITING
        return None if has_more else away


def _limits(enrichments: Sequence[Enrichment]) -> str:
    return f"limits {' '.join(f'{one.limit_s:g}' for one in enrichments)}"


def _is_able(catalog: Catalog, one: Enrichment, among: Sequence[int] | None, unable: dict[str, str]) -> bool:
    """Whether an enrichment can look now; what there is nothing for is not asked to load what it needs."""
    with catalog.snapshot() as snapshot:
        if not rows.due(snapshot.connection, [one.identity], None, 0, 1, among):
            return True
    try:
        one.open()
    except QuarryError as error:
        unable[one.name] = str(error)
        return False
    return True


def _left(lacking: Sequence[Enrichment], found: enriching.Findings) -> int:
    """Return how many pages and minutes of a content are to be looked at still; -1 where it can't be looked at now."""
    results = [found.get(one.identity) for one in lacking]
    return -1 if None in results else sum(len(result.left) for result in results if result)


def _done(one: Enrichable, left: int | None) -> int:
    """Return how many of a document's parts were looked at, where so many are left; None of one not looked at yet."""
    return 0 if left is None or left < 0 else max(0, one.parts - left)


def _enrich(
    catalog: Catalog,
    enrichments: Sequence[Enrichment],
    open_writer: Callable[[], Writer],
    due: Sequence[Enrichable],
    found: Mapping[bytes, enriching.Findings],
    wanted: Collection[str],
) -> set[int]:
    # What one that is slow said and found stays until it has looked, or can look, again.
    slow = [one for one in enrichments if one.is_slow]
    awaited = {one.row: [each for each in slow if each.identity not in found[one.hash]] for one in due}
    with catalog.snapshot() as snapshot:
        sayers = rows.sayers(snapshot.connection, [row for row, some in awaited.items() if some])
    saying = {row for row, names in sayers.items() if any(one.name in names for one in awaited[row])}
    apply = partial(_apply, due=due, enrichments=enrichments, found=found, wanted=wanted, awaited=awaited)
    kept: dict[int, enriching.Passages | None] = dict.fromkeys(saying)
    said = {one.row for one in due if any(result.said for result in found[one.hash].values())} - saying
    if not said:
        return commit(catalog, partial(apply, passages=kept))
    writer = open_writer()
    passages = {
        one.row: enriching.passages(
            enrichments, found[one.hash], one.title, writer.encoder, one.passages, len(one.text)
        )
        for one in due
        if one.row in said
    }
    new = [_texts(own.texts) for own in passages.values()]
    changed, _ = storing.write(writer, new, lambda connection, _: apply(connection, passages=passages | kept))
    return changed


def _apply(
    connection: Connection,
    *,
    due: Sequence[Enrichable],
    enrichments: Sequence[Enrichment],
    found: Mapping[bytes, enriching.Findings],
    passages: Mapping[int, enriching.Passages | None],
    wanted: Collection[str],
    awaited: Mapping[int, Sequence[Enrichment]],
) -> set[int]:
    """Write what was found; return which documents have something else now.

    Of what `wanted` does not name, the results are stored already. The passages of a document stay as they are where
    `passages` has None.
    """
    changed = set()
    for one in due:
        results = found[one.hash]
        rows.stage(
            connection, one.hash, {identity: result.json for identity, result in results.items() if identity in wanted}
        )
        own = passages.get(one.row, _NOTHING)
        chunks, keys = (own.chunks, own.keys) if own else (None, ())
        keeps = {each.name: each.field for each in awaited[one.row]}
        if rows.apply(connection, one, enriching.fields(enrichments, results), chunks, keys, keeps):
            changed.add(one.row)
    return changed


def _content(catalog: Catalog, one: Enrichable, stored: VectorsOf, beside: Beside) -> Content:
    def thumbnail() -> bytes | None:
        with catalog.snapshot() as snapshot:
            key = picture_rows.picture_key(snapshot.connection, one.row)
        try:
            return Thumbnails(catalog.directory).get(key) if key else None
        except LibraryDamaged:  # the picture goes without
            return None

    vectors = partial(stored.of, one.row)
    return Content(
        one.text,
        one.metadata,
        one.kind,
        one.uri,
        thumbnail,
        scan=one.scan,
        recording=one.recording,
        vectors=vectors,
        beside=beside,
    )


def _texts(texts: Mapping[bytes, str]) -> PreparedDocument:
    """Return texts that are to be embedded, of a document that is written already."""
    return PreparedDocument(NewDocument("", "", "", "", b"", (), tuple(texts)), texts)
