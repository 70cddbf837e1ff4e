"""Prepared documents -> what enrichments find in them: fields, and passages beside those of the text."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quarry.indexer.chunking import chunk
from quarry.indexer.enrichments.base import Enrichment, Pictured, Result, Unread
from quarry.indexer.enrichments.renditions import Content, rendered
from quarry.indexer.loaders.scans.engines import ADVICE
from quarry.indexer.prepared import PreparedDocument
from quarry.search import embedded_texts
from quarry.search.errors import Busy, DeadlineExceeded, QuarryError
from quarry.search.models.contracts import TextEncoder
from quarry.search.stores import enrichments as rows
from quarry.search.stores.catalog import Catalog
from quarry.search.types import Chunk, Parsed, Scan

Findings = Mapping[str, Result]  # of one content, by the identity of the enrichment
CONFIDENCE, SAID_BY = "confidence", "said_by"  # fields of a document
_NOTHING = Result()
_REASON = 300  # characters
_PAGES = 16  # that are looked at before what was found on them is stored


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
) -> list[PreparedDocument]:
    """Add to documents what is found out about them; what was found in a content before is not looked for again.

    Args:
        path: of the file that they are from, where that is about to go.
        now: whether what is slow looks at them, too, since no run follows; else it looks when all are written
            (`indexer.enrichments.reenriching`).
    """
    contents = {one.document.hash: _content(one, path) for one in prepared}
    able = [one for one in enrichments if one.is_slow and _opened(one)] if now else []
    found = find(catalog, enrichments, contents, slow=able, pages=sys.maxsize)
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
    pages: int = _PAGES,
) -> dict[bytes, Findings]:
    """Return what all enrichments find in contents, or found before, by the digest of each.

    There is nothing of one that could not look at a content now.

    Args:
        slow: those of them that are slow, and may look now.
        pages: of each content that are looked at, where it has more; the others are `Result.left`.
    """
    found: dict[bytes, dict[str, Result]] = {hash: {} for hash in contents}
    for enrichment in enrichments:
        with catalog.snapshot() as snapshot:
            stored = rows.known(snapshot.connection, enrichment.identity, contents)
        known = {hash: Result.of(values) for hash, values in stored.items()}
        wanted = (hash for hash in contents if hash not in known or known[hash].left)
        renditions = ((hash, rendered(contents[hash], enrichment.rendition)) for hash in wanted)
        items = {hash: _next(item, known.get(hash), pages) for hash, item in renditions if item is not None}
        waits = enrichment.is_slow and enrichment not in slow
        tried = [None] * len(items) if waits else _tried(enrichment, [item for item, _ in items.values()])
        fresh = dict(zip(items, tried, strict=True))
        for hash in contents:
            before, new = known.get(hash), fresh.get(hash)
            if new is not None:
                said = (*before.said, *new.said) if before else new.said
                found[hash][enrichment.identity] = replace(new, said=said, left=items[hash][1])
            elif before is not None or hash not in items:
                found[hash][enrichment.identity] = before or _NOTHING
    return dict(found)


def _next(item: Any, before: Result | None, most: int) -> tuple[Any, tuple[int, ...]]:
    """Return what is looked at of an item, whose first pages may have been, and the pages that are left then."""
    if not isinstance(item, Pictured):
        return item, ()
    pages = before.left if before else item.pages
    return replace(item, pages=pages[:most]), pages[most:]


def fields(enrichments: Sequence[Enrichment], found: Findings) -> dict[str, Any]:
    """Return the fields that enrichments found in one content, how sure they are of them, and who said something."""
    results = {one.name: _of(one, found) for one in enrichments}
    named = {name: value for result in results.values() for name, value in result.fields.items()}
    confidence = {name: values for result in results.values() for name, values in result.confidence.items()}
    said_by = [name for name, result in results.items() if result.said or result.confidence]
    return named | {name: value for name, value in ((CONFIDENCE, confidence), (SAID_BY, said_by)) if value}


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


def _content(one: PreparedDocument, path: Path | None) -> Content:
    picture, document = next(iter(one.pictures.values()), None), one.document
    thumbnail, look = (picture.thumbnail, picture.look) if picture else (b"", b"")
    scan = Scan.of(document.structure.get("scan"))
    return Content(
        document.text, document.metadata, document.kind, document.uri, lambda: thumbnail, look, scan=scan, path=path
    )


def _tried(enrichment: Enrichment, items: Sequence[Any]) -> list[Result | None]:
    """Run an enrichment; an item that trips it has no result, and costs the others of the batch nothing."""
    if not items:
        return []
    try:
        results = enrichment.enrich(items)
        if len(results) == len(items):
            return list(results)
        reason = f"it found something out about {len(results)} documents of {len(items)}"
    except DeadlineExceeded:  # nothing is wrong with what it looked at
        raise
    except Busy:
        return [None] * len(items)
    except Exception as error:  # whatever a model raises over an odd item stops no run
        reason = " ".join(str(error).split())[:_REASON] or type(error).__name__
    middle = len(items) // 2
    if not middle:
        return [Result(failed=reason)]
    return [*_tried(enrichment, items[:middle]), *_tried(enrichment, items[middle:])]


def _opened(enrichment: Enrichment) -> bool:
    """Whether one can look now; why not is told where documents are looked at again."""
    try:
        enrichment.open()
    except QuarryError:
        return False
    return True
