"""Documents that are handed over instead of read from a root: by Python, over HTTP, or on standard input."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import quote

from quarry.indexer import claims, storing
from quarry.indexer.embedding.nulls import fit_nulls
from quarry.indexer.enrichments.enriching import enrich
from quarry.indexer.enrichments.reenriching import label_written
from quarry.indexer.formats import may_hold_pictures
from quarry.indexer.loaders.base import LoadOptions
from quarry.indexer.loaders.sandbox.sandbox import as_file
from quarry.indexer.parsers import Parsers
from quarry.indexer.prepared import PreparedDocument, checked_metadata, item_uri, prepare, timestamp
from quarry.indexer.texts import Text
from quarry.indexer.writer import Writer, flush
from quarry.search.errors import Conflict, InvalidRequest
from quarry.search.queries import arguments
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows import documents, items
from quarry.search.stores.rows.files import title_of
from quarry.search.types import Parsed

MAX_TEXT = 10_000_000  # characters of one document
MAX_DOCUMENTS = 50_000  # of one file that is handed over
MAX_ID = 128  # characters of an id
MAX_NAME = 255  # characters of an uploaded file's name, with its folders
UPLOADED = "quarry:file/"  # what the URIs of uploaded files begin with


def add(writer: Writer, texts: Sequence[Text]) -> list[str]:
    """Index texts; return their ids. All become visible at once.

    Raises:
        InvalidRequest: one is empty, too long, or holds what can't be stored; the message says which.
        Conflict: one has the id or URI of a file that is kept in sync.
    """
    prepared, taken = [], dict[str, str]()
    if not isinstance(texts, Iterable):
        raise InvalidRequest(f"documents is {texts!r}; give a list of Texts.")
    for position, text in enumerate(texts):
        where = f"documents[{position}]"
        if not hasattr(text, "metadata"):
            raise InvalidRequest(f"{where} is of the type {type(text).__name__}; give a Text.")
        body = clean(text.text, f"{where}.text").replace("\r\n", "\n").strip()
        title = " ".join(clean(text.title, f"{where}.title").split())
        if not body:
            raise InvalidRequest(f"{where}.text is empty.")
        if len(body) > MAX_TEXT:
            raise InvalidRequest(f"{where}.text has {len(body):,} characters; at most {MAX_TEXT:,} are taken.")
        if text.id is not None:
            check_id(text.id, f"{where}.id")
        named = "" if text.uri is None else clean(text.uri, f"{where}.uri").strip()
        uri = named or f"quarry:{text.id or secrets.token_hex(8)}"
        for name in (text.id or uri, uri):
            if (other := taken.setdefault(name, where)) != where:
                raise InvalidRequest(f"{where} and {other} go by the same name, {name!r}; one would replace the other.")
        prepared.append(
            prepare(
                Parsed(body, clean(text.type, f"{where}.type"), title=title),
                writer.encoder_for(body),
                uri=uri,
                title=title or body[:80].split("\n", 1)[0],
                metadata=checked_metadata(text.metadata, where),
                modified=timestamp(time.time()),
                id=text.id,
            )
        )
    return _commit(writer, prepared)


def add_file(
    writer: Writer,
    parsers: Parsers,
    content: bytes | IO[bytes],
    name: str,
    metadata: Mapping[str, Any],
    id: str | None = None,
    *,
    hear: bool = True,
    again: bool = False,
) -> list[str]:
    """Index the documents of one file's content, parsed in the sandbox as its name says; return their ids.

    They replace all that was uploaded under that name before; with an `id`, what is there under that id, and no more:
    the document gets it, beside which its pictures have their own.

    Args:
        hear: whether recordings are heard.
        again: only where it is there as it was handed over, since it is handed over for what was not done then.

    Raises:
        LoadError: it can't be read, or has no end.
        InvalidRequest: it holds no documents, or too many; with an id, more than one.
        Conflict: the id is that of a file that is kept in sync; or what is there is not as it was.
        Busy: others are being read.
    """
    if not (isinstance(content, bytes | bytearray | memoryview) or hasattr(content, "read")):
        raise InvalidRequest(f"data is of the type {type(content).__name__}; give the content of the file as bytes.")
    if len(arguments.text(name, "name")) > MAX_NAME:
        raise InvalidRequest(f"name has {len(name):,} characters; at most {MAX_NAME} are taken.")
    place = PurePosixPath(*_steps(clean(name, "name")))
    name, base = place.name, f"{UPLOADED}{place}"
    if id is not None:
        check_id(id, "id")
        base = f"{UPLOADED}{quote(id, safe='')}/{place}"
    prepared: list[PreparedDocument] = []
    taken: set[str] = set()
    whole = False  # whether the file is one document, of which all else is part
    options = LoadOptions(preprocessing=writer.pictures.preprocessing if may_hold_pictures(Path(name)) else None)
    with as_file(content, options.max_bytes) as path:
        with closing(parsers.load(path, name, options)) as items:
            for parsed in items:
                whole = whole or not parsed.key
                if len(prepared) == MAX_DOCUMENTS:  # all are held in memory until they are committed
                    raise InvalidRequest(
                        f"{name} holds more than {MAX_DOCUMENTS:,} documents; split it, or index it as a file of a "
                        "folder."
                    )
                prepared.append(
                    prepare(
                        parsed,
                        writer.encoder_for(parsed.text),
                        uri=item_uri(base, parsed.key, taken),
                        title=title_of(name, parsed.key),
                        metadata=checked_metadata(metadata, "the file"),
                        modified=timestamp(time.time()),
                        id=id if not prepared else None,
                    )
                )
                if id is not None and len(prepared) > 1 and not (whole and parsed.picture is not None):
                    raise InvalidRequest(
                        f"{name} holds more than one document, which can't have one id; add it without."
                    )
        if not prepared:
            raise InvalidRequest(f"{name} holds nothing that could be searched.")
        return _commit(writer, prepared, base, id, path, hear=hear, again=again)


def _steps(name: str) -> list[str]:
    """Return the folders and the name that an uploaded file goes by; none of them leads upwards."""
    return [step for step in name.replace("\\", "/").split("/") if step not in ("", ".", "..")] or ["upload.txt"]


def _commit(
    writer: Writer,
    prepared: Sequence[PreparedDocument],
    instead_of: str | None = None,
    id: str | None = None,
    path: Path | None = None,
    *,
    hear: bool = True,
    again: bool = False,
) -> list[str]:
    """Write documents; what the file `instead_of` held goes, and what stood in the document `id`, but for these.

    Args:
        path: where the content is.
        hear, again: as of `add_file`.
    """

    if again:
        with writer.catalog.snapshot() as snapshot:  # before hours are spent on it
            _check_as_it_was(snapshot.connection, prepared)
    prepared = enrich(writer.catalog, writer.enrichments, writer.encoder, prepared, path, now=True, hear=hear)

    def change(connection: Connection, stored: storing.Stored) -> list[str]:
        for reason in stored.spoilt.values():
            raise InvalidRequest(f"{reason} Nothing was added.")
        if again:
            _check_as_it_was(connection, prepared)
        for one in prepared:
            claims.check(connection, one.document.id, one.document.uri)
        now = timestamp(time.time())
        if id is not None and (old := documents.find(connection, id)) is not None and old[1].uri != instead_of:
            documents.remove(connection, items.parts_of(connection, old[0]))
        if instead_of is not None:
            uris = {one.document.uri for one in prepared}
            documents.remove(connection, items.others_at(connection, instead_of, uris))
        return [documents.put(connection, one.document, now) for one in prepared]

    ids, _ = storing.write(writer, prepared, change)
    label_written(writer, ids)
    flush(writer.vectors)
    fit_nulls(writer)
    return ids


def _check_as_it_was(connection: Connection, prepared: Sequence[PreparedDocument]) -> None:
    for one in prepared:
        if documents.unchanged(connection, one.document) is None:
            raise Conflict(f"{one.document.title!r} is gone, or another one is in its place; nothing was changed.")


def check_id(id: str, where: str) -> None:
    """Refuse an id that could not be asked for again."""
    if clean(id, where) != id or not id.isprintable():
        raise InvalidRequest(f"{where} has characters that can't be printed; give others.")
    if not 1 <= len(id) <= MAX_ID or not id.strip() or id in (".", ".."):
        raise InvalidRequest(f"{where} must have 1 to {MAX_ID} characters, and can't be blank, '.' or '..'.")


def clean(text: str, where: str) -> str:
    """Return a text without control characters; refuse what is none."""
    arguments.text(text, where)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(f"{where} has a lone surrogate at character {error.start}; send valid Unicode.") from error
    return "".join(c for c in text if c >= " " or c in "\n\t\r") if any(c < " " for c in text) else text
