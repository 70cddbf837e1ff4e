"""A parsed item made ready to be written: cut into chunks, with the text that is embedded for each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from quarry.indexer.chunking import chunk
from quarry.search.errors import FileMalformed, InvalidRequest
from quarry.search.language.dates import meanings
from quarry.search.media.base import medium
from quarry.search.models import embedded_texts
from quarry.search.models.contracts import TextEncoder
from quarry.search.queries import arguments
from quarry.search.stores.database.content import content_digest, sorted_json
from quarry.search.stores.rows.documents import NewDocument
from quarry.search.stores.rows.enrichments import Results
from quarry.search.types import (
    KINDS,
    WORDS,
    Chunk,
    Document,
    Heading,
    Json,
    Kind,
    Parsed,
    ParsedPart,
    Picture,
)
from quarry.search.values.places import Place
from quarry.search.values.unread import Recording, Scan

MAX_METADATA = 65_536  # characters of metadata as JSON that may be given with a document
CUTTING = "2"  # raised when the same text would be cut or embedded differently: documents are then indexed anew


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """A document and what is to be embedded of it, by the keys of its chunks.

    The first chunks of what is no text, such as a picture, are its parts, without any text; what is said about it comes
    after, as passages.

    Args:
        texts: of the passages.
        parts: those that it has, where they were read just now.
        warning: what of it could not be read, "" where all could.
        results: what enrichments found in it, by their identity.
    """

    document: NewDocument
    texts: Mapping[bytes, str]
    parts: Mapping[bytes, ParsedPart] = field(default_factory=dict)
    warning: str = ""
    results: Results = field(default_factory=dict)

    @property
    def pictures(self) -> Mapping[bytes, Picture]:
        """The picture that it is, by its key, where it is one and was read just now."""
        return {key: part.thing for key, part in self.parts.items() if isinstance(part.thing, Picture)}

    def contents(self, medium: Kind) -> Mapping[bytes, Any]:
        """Return what is embedded of its chunks of a medium, by key."""
        if medium == WORDS:
            return self.texts
        return {key: part.thing for key, part in self.parts.items() if part.medium == medium}


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part of a document that is in the library already, and is not read again."""

    medium: Kind
    key: bytes
    place: Place | None = None


def prepare(
    parsed: Parsed,
    encoder: TextEncoder,
    *,
    uri: str,
    title: str,
    metadata: Mapping[str, Any],
    modified: str | None,
    id: str | None = None,
    stored: Sequence[StoredPart] = (),
) -> PreparedDocument:
    """Cut `parsed` and say what is embedded.

    Args:
        stored: its parts, where they are in the library already.
        title: what the document is called where its content gives no title; it is shown, not embedded.
        metadata: added to what the loader found; wins where both have a key.

    Raises:
        FileMalformed: its title, metadata or text holds what is no text or no JSON value.
    """
    before = embedded_texts.context(parsed.title, encoder)
    chunks = chunk(parsed, encoder, max_tokens=embedded_texts.passage_tokens(before, encoder))
    texts = [embedded_texts.embedded_text(before, piece) for piece in chunks]
    keys = [embedded_texts.vector_key(text) for text in texts]
    merged = {**parsed.metadata, **metadata}
    structure: dict[str, Any] = {
        "cutting": CUTTING,
        "title": parsed.title,
        "pages": list(parsed.page_starts),
        "headings": [[heading.start, heading.level, heading.text] for heading in parsed.headings],
    }
    if parsed.place is not None:
        structure["place"] = parsed.place.json
    if parsed.places:
        structure["places"] = [[start, place.json] for start, place in parsed.places]
    if parsed.scan:
        structure["scan"] = parsed.scan.json
    if parsed.recording:
        structure["recording"] = parsed.recording.json
    own = [StoredPart(part.medium, medium(part.medium).key(part.thing), part.place) for part in parsed.parts]
    own = own or list(stored)
    if own:
        structure[medium(own[0].medium).one] = _written(own)
        said = (replace(chunk, ordinal=chunk.ordinal + len(own), said_by="caption") for chunk in chunks)
        chunks = [*(Chunk(n, 0, 0, "", part.place, medium=part.medium) for n, part in enumerate(own)), *said]
    try:
        title.encode()
        digest = content_digest(parsed.type, parsed.text, merged, structure)
    except (ValueError, TypeError) as error:
        raise FileMalformed(f"its title, metadata or text can't be stored ({error})") from error
    return PreparedDocument(
        NewDocument(
            uri=uri,
            type=parsed.type,
            title=parsed.title or title,
            text=parsed.text,
            hash=digest,
            chunks=chunks,
            keys=[*(part.key for part in own), *keys],
            metadata=merged,
            structure=structure,
            modified=modified,
            kind=own[0].medium if own else WORDS,
            id=id,
        ),
        dict(zip(keys, texts, strict=True)),
        {part.key: read for part, read in zip(own, parsed.parts, strict=False)},
        "; ".join(filter(None, [parsed.warning, _unclear_date(merged)])),
    )


def _written(parts: Sequence[StoredPart]) -> Json:
    """Return the parts of a document as its structure has them: of one that is all of it, its key alone."""
    if len(parts) == 1 and parts[0].place is None:
        return parts[0].key.hex()
    return [[part.key.hex(), part.place and part.place.json] for part in parts]


def stored_parts(structure: Mapping[str, Any]) -> list[StoredPart]:
    """Return the parts of a stored document, by its structure."""
    written = {kind: structure.get(medium(kind).one) for kind in KINDS}
    return [
        StoredPart(kind, bytes.fromhex(key), Place.of(place))
        for kind, value in written.items()
        for key, place in ([(value, None)] if isinstance(value, str) else value or ())
    ]


def _unclear_date(metadata: Mapping[str, Any]) -> str:
    """Say that a document's date could be two days, so that its file's time counts instead."""
    own = metadata.get("date")
    days = meanings(own) if isinstance(own, str) else []
    return f"its date {own} could be two days and stays a text; write {days[0]} or {days[1]}" if len(days) == 2 else ""


def item_uri(base: str, key: str, taken: set[str]) -> str:
    """Return the URI of an item of a file, and take it; an item whose key another one has gets a number."""
    wanted = f"{base}#{key}" if key else base
    uri, number = wanted, 1
    while uri in taken:
        number += 1
        uri = f"{wanted}~{number}"
    taken.add(uri)
    return uri


def checked_metadata(metadata: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return metadata as it can be stored.

    Raises:
        InvalidRequest: it is no JSON, holds NaN or lone surrogates, or is too large.
    """
    for name in arguments.mapping(metadata, f"{where}: metadata"):
        arguments.text(name, f"{where}: a name in metadata")
    try:
        text = sorted_json(metadata)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"{where}: metadata must be JSON without NaN or lone surrogates ({error}).") from error
    if len(text) > MAX_METADATA:
        raise InvalidRequest(f"{where}: metadata has {len(text):,} characters; at most {MAX_METADATA:,} are taken.")
    return dict(json.loads(text))


def restore(document: Document, text: str, structure: Mapping[str, Any]) -> Parsed:
    """Return what the loader had given for a stored document, so that it can be cut and embedded anew."""
    return Parsed(
        text=text,
        type=document.type,
        title=structure["title"],
        metadata=document.metadata,
        place=Place.of(structure.get("place")),
        page_starts=tuple(structure["pages"]),
        headings=tuple(Heading(*heading) for heading in structure["headings"]),
        places=tuple((start, found) for start, place in structure.get("places", ()) if (found := Place.of(place))),
        scan=Scan.of(structure.get("scan")),
        recording=Recording.of(structure.get("recording")),
    )


def timestamp(seconds: float) -> str:
    """Return a moment (seconds since 1970) in ISO 8601, UTC, to the second; the nearest that can be written."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return "1970-01-01T00:00:00+00:00" if seconds < 0 else "9999-12-31T23:59:59+00:00"
