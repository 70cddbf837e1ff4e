"""Documents that are handed over instead of read from a root: by Python, over HTTP, or on standard input."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from indexer import storing
from indexer.loaders.base import LoadOptions, is_picture
from indexer.loaders.sandbox import Sandbox
from indexer.nulls import fit_nulls
from indexer.prepared import Prepared, checked_metadata, item_uri, prepare, timestamp
from indexer.roots import stem
from indexer.writer import Writer, flush
from search.errors import InvalidRequest
from search.stores import documents
from search.stores.sqlite import Connection
from search.types import Parsed

MAX_TEXT = 10_000_000  # characters of one document


class Text(Protocol):
    """What is handed over; see `api.library.Text`."""

    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def uri(self) -> str | None: ...  # noqa: D102
    @property
    def id(self) -> str | None: ...  # noqa: D102
    @property
    def metadata(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def type(self) -> str: ...  # noqa: D102


def add(writer: Writer, texts: Sequence[Text]) -> list[str]:
    """Index texts; return their ids. All become visible at once.

    Raises:
        InvalidRequest: one is empty, too long, or holds what can't be stored; the message says which.
    """
    prepared = []
    for position, text in enumerate(texts):
        where = f"documents[{position}]"
        body = _clean(text.text, f"{where}.text").replace("\r\n", "\n").strip()
        title = " ".join(_clean(text.title, f"{where}.title").split())
        if not body:
            raise InvalidRequest(f"{where}.text is empty.")
        if len(body) > MAX_TEXT:
            raise InvalidRequest(f"{where}.text has {len(body):,} characters; at most {MAX_TEXT:,} are taken.")
        if text.id is not None and not 1 <= len(_clean(text.id, f"{where}.id")) <= 128:
            raise InvalidRequest(f"{where}.id must have 1 to 128 characters.")
        uri = _clean(text.uri, f"{where}.uri") if text.uri else f"quarry:{text.id or secrets.token_hex(8)}"
        prepared.append(
            prepare(
                Parsed(body, _clean(text.type, f"{where}.type"), title=title),
                writer.encoder,
                uri=uri,
                title=title or body[:80].split("\n", 1)[0],
                metadata=checked_metadata(text.metadata, where),
                modified=timestamp(time.time()),
                id=text.id,
            )
        )
    return _commit(writer, prepared)


def add_file(writer: Writer, data: bytes, name: str, metadata: Mapping[str, Any]) -> list[str]:
    """Index the documents of one file's content, parsed in the sandbox as its name says; return their ids.

    Raises:
        LoadError: it can't be read.
    """
    name = _clean(name, "name").replace("/", "_") or "upload.txt"
    base = f"quarry:{secrets.token_hex(4)}/{name}"
    prepared, taken = [], set[str]()
    options = LoadOptions(preprocessing=writer.pictures.preprocessing if is_picture(Path(name)) else None)
    with Sandbox(options) as sandbox:
        for parsed in sandbox.load_bytes(data, name):
            prepared.append(
                prepare(
                    parsed,
                    writer.encoder,
                    uri=item_uri(base, parsed.key, taken),
                    title=f"{stem(name)} {parsed.key}".strip(),
                    metadata=checked_metadata(metadata, "the file"),
                    modified=timestamp(time.time()),
                )
            )
    if not prepared:
        raise InvalidRequest(f"{name} holds nothing that could be searched.")
    return _commit(writer, prepared)


def _commit(writer: Writer, prepared: Sequence[Prepared]) -> list[str]:
    def change(connection: Connection, stored: storing.Stored) -> list[str]:
        for reason in stored.spoilt.values():
            raise InvalidRequest(f"{reason} Nothing was added.")
        now = timestamp(time.time())
        return [documents.put(connection, one.document, stored.ids, now) for one in prepared]

    ids, _ = storing.write(writer, prepared, change)
    flush(writer.catalog)
    fit_nulls(writer)
    return ids


def _clean(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(f"{where} has a lone surrogate at character {error.start}; send valid Unicode.") from error
    return "".join(c for c in text if c >= " " or c in "\n\t\r") if any(c < " " for c in text) else text
