"""Prepared documents -> what enrichments find in them: fields, and passages beside those of the text."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from quarry.indexer.chunking import chunk
from quarry.indexer.enrichments.base import CONFIDENCE, SAID_BY, Enrichment, Pictured, Recorded, Result, Unheard, Unread
from quarry.indexer.enrichments.renditions import Beside, Content, may_have, rendered
from quarry.indexer.loaders.sandbox.endings import TookLong
from quarry.indexer.loaders.scans.engines import ADVICE
from quarry.indexer.prepared import PreparedDocument
from quarry.search.errors import (
    Busy,
    FileUnreadable,
    InvalidRequest,
    LoadError,
    MissingExtra,
    ModelError,
    QuarryError,
)
from quarry.search.models import embedded_texts
from quarry.search.models.contracts import TextEncoder
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.rows import enrichments as rows
from quarry.search.stores.rows.enrichments import Unlooked
from quarry.search.types import Chunk, Kind, Parsed
from quarry.search.values.unread import Recording, Scan

Findings = Mapping[str, Result]  # of one content, by the identity of the enrichment
_NOTHING = Result()


@dataclass(frozen=True, slots=True)
class Passages:
    """What is said about a document as passages, with the key of each, and the texts to be embedded by key."""

    chunks: tuple[Chunk, ...]
    keys: tuple[bytes, ...]
    texts: Mapping[bytes, str]


def enrich(
    catalog: Catalog,
    enrichments: Sequence[Enrichment],
    encoder: TextEncoder,
    prepared: Sequence[PreparedDocument],
    path: Path | None = None,
    *,
    now: bool = False,
    hear: bool = True,
) -> list[PreparedDocument]:
    """Add to documents what is found out about them; what was found in a content before is not looked for again.

    Args:
        path: of the file that they are from, where that is about to go.
        now: whether what is slow looks at them, too, since no run follows; else it looks when all are written
            (`indexer.enrichments.reenriching`).
        hear: whether recordings are heard then, which takes as long as a tenth of them.
    """
    beside = partial(_beside, prepared)
    contents = {one.document.hash: _content(one, path, beside) for one in prepared}
    slow = [one for one in enrichments if one.is_slow and (hear or not isinstance(one.rendition, Unheard))]
    able = [one for one in slow if _opened(one)] if now else []
    found = find(catalog, enrichments, contents, slow=able, whole=True)
    added = [_added(one, enrichments, found[one.document.hash], encoder) for one in prepared]
    if any(isinstance(one.rendition, Unread) for one in enrichments):
        return added
    return [_warned(one) for one in added]


def find(
    catalog: Catalog,
    enrichments: Sequence[Enrichment],
    contents: Mapping[bytes, Content],
    *,
    slow: Collection[Enrichment],
    whole: bool = False,
) -> dict[bytes, Findings]:
    """Return what all enrichments find in contents, or found before, by the digest of each.

    There is nothing of one that could not look at a content now.

    Args:
        slow: those of them that are slow, and may look now.
        whole: whether all pages and minutes of a content are looked at; else some, and the others are `Result.left`.
    """
    found: dict[bytes, dict[str, Result]] = {hash: {} for hash in contents}
    for enrichment in enrichments:
        with catalog.snapshot() as snapshot:
            stored = rows.known(snapshot.connection, enrichment.identity, contents)
        known = {hash: Result.of(values) for hash, values in stored.items()}
        wanted = [hash for hash in contents if hash not in known or known[hash].left]
        items: dict[bytes, tuple[Any, tuple[int, ...]]]
        if enrichment.is_slow and enrichment not in slow:  # it waits, and nothing is read for it yet
            items = {hash: (None, ()) for hash in wanted if may_have(contents[hash], enrichment.rendition)}
            tried: Sequence[Result | None] = [None] * len(items)
        else:
            items, away, late = {}, {}, {}
            for hash in wanted:
                try:
                    item = rendered(contents[hash], enrichment.rendition)
                except (Busy, FileUnreadable):  # it is asked for again
                    away[hash] = (None, ())
                    continue
                except TookLong as error:
                    late[hash] = Result.failure(error)
                    continue
                if item is not None:
                    items[hash] = _next(item, known.get(hash), whole)
            looked = _tried(enrichment, [item for item, _ in items.values()])
            tried = [*looked, *[None] * len(away), *late.values()]
            items |= away | dict.fromkeys(late, (None, ()))
        fresh = dict(zip(items, tried, strict=True))
        for hash in contents:
            before, new = known.get(hash), fresh.get(hash)
            if new is not None:
                left = () if new.gives_up else items[hash][1]  # which would take as long to fail
                found[hash][enrichment.identity] = replace(new.after(before), left=left)
            elif before is not None or hash not in items:
                found[hash][enrichment.identity] = before or _NOTHING
    return dict(found)


def _next(item: Any, before: Result | None, whole: bool) -> tuple[Any, tuple[int, ...]]:
    """Return what is looked at of an item, whose first parts may have been, and the parts that are left then."""
    if not isinstance(item, Pictured | Recorded):
        return item, ()
    parts = before.left if before else item.parts
    most = len(parts) if whole else item.AT_ONCE
    return replace(item, parts=parts[:most]), parts[most:]


def fields(enrichments: Sequence[Enrichment], found: Findings) -> dict[str, Any]:
    """Return the fields that enrichments found in one content, how sure they are of them, and who said something.

    Of a field that two of them find, lists are one, and of anything else the last one's counts.
    """
    results = {one.name: _of(one, found) for one in enrichments}
    named: dict[str, Any] = {}
    confidence: dict[str, dict[str, float]] = {}
    for result in results.values():
        named |= {name: _joined(named.get(name), value) for name, value in result.fields.items()}
        for name, values in result.confidence.items():
            own = confidence.setdefault(name, {})
            own |= {value: max(sure, own.get(value, 0.0)) for value, sure in values.items()}
    said_by = [name for name, result in results.items() if result.said or result.confidence]
    return named | {name: value for name, value in ((CONFIDENCE, confidence), (SAID_BY, said_by)) if value}


def _joined(before: Any, value: Any) -> Any:
    """Return what one enrichment found in a field beside what another did."""
    if isinstance(before, list) and isinstance(value, list):
        return list(dict.fromkeys([*before, *value]))
    return {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value


def passages(
    enrichments: Sequence[Enrichment], found: Findings, title: str, encoder: TextEncoder, first: int, after: int
) -> Passages:
    """Cut what enrichments say about one content.

    Args:
        title: put before each passage when it is embedded, as before those of the document's text.
        first: the ordinal of the first passage.
        after: the characters of the document's own text, after which the offsets of these go on.
    """
    before = embedded_texts.context(title, encoder)
    most = embedded_texts.passage_tokens(before, encoder)
    chunks: list[Chunk] = []
    at = after
    for enrichment in enrichments:
        for said in _of(enrichment, found).said:
            parsed = Parsed(said.text.rstrip(), "text/plain", place=said.place, places=said.places)
            for piece in chunk(parsed, encoder, max_tokens=most):
                ordinal = first + len(chunks)
                chunks.append(
                    replace(
                        piece,
                        ordinal=ordinal,
                        start=piece.start + at,
                        end=piece.end + at,
                        place=piece.place if said.places else said.place,
                        said_by=enrichment.name,
                        confidence=said.confidence,
                    )
                )
            at += len(parsed.text) + 1
    texts = [embedded_texts.embedded_text(before, piece) for piece in chunks]
    keys = tuple(embedded_texts.vector_key(text) for text in texts)
    return Passages(tuple(chunks), keys, dict(zip(keys, texts, strict=True)))


def _added(
    one: PreparedDocument, enrichments: Sequence[Enrichment], found: Findings, encoder: TextEncoder
) -> PreparedDocument:
    new = one.document
    results = {identity: result.json for identity, result in found.items()}
    enriched = fields(enrichments, found)
    if not any(result.said for result in found.values()):
        return replace(one, document=replace(new, enriched=enriched), results=results)
    said = passages(enrichments, found, str(new.structure.get("title", "")), encoder, len(new.chunks), len(new.text))
    return replace(
        one,
        document=replace(new, enriched=enriched, chunks=[*new.chunks, *said.chunks], keys=[*new.keys, *said.keys]),
        texts={**one.texts, **said.texts},
        results=results,
    )


def _of(enrichment: Enrichment, found: Findings) -> Result:
    return found.get(enrichment.identity, _NOTHING)


def _warned(one: PreparedDocument) -> PreparedDocument:
    """Say of a document which pages are in no text, where nothing reads them."""
    scan = Scan.of(one.document.structure.get("scan"))
    if scan is None:
        return one
    pages = one.document.structure["pages"]
    what = (
        "it holds no text, only pictures of it"
        if not one.document.text
        else f"{len(scan.pages):,} of its {len(pages):,} pages hold no text, only pictures of it"
    )
    return replace(one, warning="; ".join(filter(None, [one.warning, f"{what}, which are not read: {ADVICE}"])))


def _beside(prepared: Sequence[PreparedDocument], outer: str, field: Unlooked, kind: Kind | None) -> list[str]:
    """Return the keys of what is prepared within a file, and has a field or is of a kind."""
    within = [one.document for one in prepared if one.document.uri.startswith(f"{outer}#")]
    unlooked = [one for one in within if one.structure.get(field) or one.kind == kind]
    return [one.uri.removeprefix(f"{outer}#") for one in unlooked]


def _content(one: PreparedDocument, path: Path | None, beside: Beside) -> Content:
    picture, document = next(iter(one.pictures.values()), None), one.document
    thumbnail, look, pixels = (picture.thumbnail, picture.look, picture.pixels) if picture else (b"", b"", None)
    scan = Scan.of(document.structure.get("scan"))
    recording = Recording.of(document.structure.get("recording"))
    return Content(
        document.text,
        document.metadata,
        document.kind,
        document.uri,
        lambda: thumbnail,
        look,
        pixels,
        scan=scan,
        recording=recording,
        path=path,
        beside=beside,
    )


def _tried(enrichment: Enrichment, items: Sequence[Any]) -> list[Result | None]:
    """Run an enrichment; an item that trips it has no result, and costs the others of the batch nothing."""
    if not items:
        return []
    try:
        results = enrichment.enrich(items)
        if len(results) == len(items):
            return list(results)
        reason: Exception = ModelError(f"it found something out about {len(results)} documents of {len(items)}")
    except (LoadError, ModelError, InvalidRequest, MissingExtra) as error:
        reason = error
    except Busy:
        return [None] * len(items)
    except QuarryError:  # nothing is wrong with what it looked at, such as where a disk is full
        raise
    except Exception as error:  # whatever a model raises over an odd item stops no run
        reason = error
    middle = len(items) // 2
    if not middle:
        return [Result.failure(reason)]
    return [*_tried(enrichment, items[:middle]), *_tried(enrichment, items[middle:])]


def _opened(enrichment: Enrichment) -> bool:
    """Whether one can look now; why not is told where documents are looked at again."""
    try:
        enrichment.open()
    except QuarryError:
        return False
    return True
