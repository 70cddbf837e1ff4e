"""Prepared documents -> what enrichments find in them: fields, and passages beside those of the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from quarry.indexer.chunking import chunk
from quarry.indexer.enrichments.base import Enrichment, Result
from quarry.indexer.enrichments.renditions import Content, rendered
from quarry.indexer.prepared import PreparedDocument
from quarry.search import embedded_texts
from quarry.search.models.contracts import TextEncoder
from quarry.search.stores import enrichments as rows
from quarry.search.stores.catalog import Catalog
from quarry.search.types import Chunk, Parsed

Findings = Mapping[str, Result]  # of one content, by the identity of the enrichment


@dataclass(frozen=True, slots=True)
class Passages:
    """What is said about a document as passages, with the key of each, and the texts to be embedded by key."""

    chunks: tuple[Chunk, ...]
    keys: tuple[bytes, ...]
    texts: Mapping[bytes, str]


def enrich(
    catalog: Catalog, enrichments: Sequence[Enrichment], encoder: TextEncoder, prepared: Sequence[PreparedDocument]
) -> list[PreparedDocument]:
    """Add to documents what is found out about them; what was found in a content before is not looked for again."""
    found = find(catalog, enrichments, {one.document.hash: _content(one) for one in prepared})
    return [_added(one, enrichments, found[one.document.hash], encoder) for one in prepared]


def find(
    catalog: Catalog, enrichments: Sequence[Enrichment], contents: Mapping[bytes, Content]
) -> dict[bytes, Findings]:
    """Return what all enrichments find in contents, or found before, by the digest of each."""
    found: dict[bytes, dict[str, Result]] = {hash: {} for hash in contents}
    for enrichment in enrichments:
        with catalog.snapshot() as snapshot:
            known = rows.known(snapshot.connection, enrichment.identity, contents)
        wanted = ((hash, rendered(contents[hash], enrichment.rendition)) for hash in contents if hash not in known)
        items = {hash: item for hash, item in wanted if item is not None}
        fresh = dict(zip(items, _tried(enrichment, list(items.values())), strict=True))
        for hash in contents:
            found[hash][enrichment.identity] = Result.of(known[hash]) if hash in known else fresh.get(hash, Result())
    return dict(found)


def fields(enrichments: Sequence[Enrichment], found: Findings) -> dict[str, Any]:
    """Return the fields that enrichments found in one content."""
    return {name: value for one in enrichments for name, value in found[one.identity].fields.items()}


def passages(
    enrichments: Sequence[Enrichment], found: Findings, title: str, encoder: TextEncoder, first: int
) -> Passages:
    """Cut what enrichments say about one content.

    Args:
        title: put before each passage when it is embedded, as before those of the document's text.
        first: the ordinal of the first passage.
    """
    before = embedded_texts.context(title, encoder)
    most = embedded_texts.passage_tokens(before, encoder)
    chunks: list[Chunk] = []
    for enrichment in enrichments:
        for said in found[enrichment.identity].said:
            parsed = Parsed(said.text.strip(), "text/plain", place=said.place)
            for piece in chunk(parsed, encoder, max_tokens=most):
                ordinal = first + len(chunks)
                chunks.append(
                    replace(
                        piece,
                        ordinal=ordinal,
                        place=said.place,
                        said_by=enrichment.name,
                        confidence=said.confidence,
                    )
                )
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
    said = passages(enrichments, found, str(new.structure.get("title", "")), encoder, len(new.chunks))
    return replace(
        one,
        document=replace(new, enriched=enriched, chunks=[*new.chunks, *said.chunks], keys=[*new.keys, *said.keys]),
        texts={**one.texts, **said.texts},
        results=results,
    )


def _content(one: PreparedDocument) -> Content:
    picture, document = next(iter(one.pictures.values()), None), one.document
    thumbnail, look = (picture.thumbnail, picture.look) if picture else (b"", b"")
    return Content(document.text, document.metadata, document.kind, document.uri, lambda: thumbnail, look)


def _tried(enrichment: Enrichment, items: Sequence[Any]) -> list[Result]:
    """Run an enrichment; an item that trips it has no result, and costs the others of the batch nothing."""
    if not items:
        return []
    try:
        results = enrichment.enrich(items)
        if len(results) == len(items):
            return results
    except Exception:  # whatever a model raises over an odd item stops no run
        pass
    middle = len(items) // 2
    return [*_tried(enrichment, items[:middle]), *_tried(enrichment, items[middle:])] if middle else [Result()]
