"""A parsed item made ready to be written: cut into chunks, with the text that is embedded for each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from quarry.indexer import embedding
from quarry.indexer.chunking import chunk
from quarry.search import arguments
from quarry.search.dates import meanings
from quarry.search.errors import FileMalformed, InvalidRequest
from quarry.search.models.contracts import TextEncoder
from quarry.search.places import Place
from quarry.search.stores.content import content_digest, sorted_json
from quarry.search.stores.documents import NewDocument
from quarry.search.stores.enrichments import Results
from quarry.search.types import Chunk, Document, Heading, Medium, Parsed, Picture

MAX_METADATA = 65_536  # characters of metadata as JSON that may be given with a document
CUTTING = "2"  # raised when the same text would be cut or embedded differently: documents are then indexed anew


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """A document and what is to be embedded of it, by the keys of its chunks.

    A picture's first chunk is the picture itself, without any text; what is said about it comes after, as passages.

    Args:
        texts: of the passages.
        pictures: the picture, where it is one and was read just now.
        warning: what of it could not be read, "" where all could.
        results: what enrichments found in it, by their identity.
    """

    document: NewDocument
    texts: Mapping[bytes, str]
    pictures: Mapping[bytes, Picture] = field(default_factory=dict)
    warning: str = ""
    results: Results = field(default_factory=dict)

    def contents(self, medium: Medium) -> Mapping[bytes, Any]:
        """Return what is embedded of its chunks of a medium, by key."""
        by_medium: dict[Medium, Mapping[bytes, Any]] = {"text": self.texts, "image": self.pictures}
        return by_medium.get(medium, {})


def prepare(
    parsed: Parsed,
    encoder: TextEncoder,
    *,
    uri: str,
    title: str,
    metadata: Mapping[str, Any],
    modified: str | None,
    id: str | None = None,
    picture: bytes | None = None,
) -> PreparedDocument:
    """Cut `parsed` and say what is embedded.

    Args:
        picture: the key of a picture that is in the library already, and is not read again.
        title: what the document is called where its content gives no title; it is shown, not embedded.
        metadata: added to what the loader found; wins where both have a key.

    Raises:
        FileMalformed: its title, metadata or text holds what is no text or no JSON value.
    """
    before = embedding.context(parsed.title, encoder)
    chunks = chunk(parsed, encoder, max_tokens=embedding.passage_tokens(before, encoder))
    texts = [embedding.embedded_text(before, piece) for piece in chunks]
    keys = [embedding.vector_key(text) for text in texts]
    merged = {**parsed.metadata, **metadata}
    structure: dict[str, Any] = {
        "cutting": CUTTING,
        "title": parsed.title,
        "pages": list(parsed.page_starts),
        "headings": [[heading.start, heading.level, heading.text] for heading in parsed.headings],
    }
    if parsed.place is not None:
        structure["place"] = parsed.place.json
    own = embedding.picture_key(parsed.picture.pixels) if parsed.picture is not None else picture
    if own is not None:
        structure["picture"] = own.hex()
        said = (replace(chunk, ordinal=chunk.ordinal + 1, said_by="caption") for chunk in chunks)
        chunks = [Chunk(0, 0, 0, "", medium="image"), *said]
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
            keys=keys if own is None else [own, *keys],
            metadata=merged,
            structure=structure,
            modified=modified,
            kind="text" if own is None else "image",
            id=id,
        ),
        dict(zip(keys, texts, strict=True)),
        {own: parsed.picture} if own is not None and parsed.picture is not None else {},
        "; ".join(filter(None, [parsed.warning, _unclear_date(merged)])),
    )


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
    )


def timestamp(seconds: float) -> str:
    """Return a moment (seconds since 1970) in ISO 8601, UTC, to the second; the nearest that can be written."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return "1970-01-01T00:00:00+00:00" if seconds < 0 else "9999-12-31T23:59:59+00:00"
