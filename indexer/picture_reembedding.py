"""Embed a library's pictures anew by another image model, from their files or else from their thumbnails."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import closing
from dataclasses import dataclass

from quarry.indexer import embedding
from quarry.indexer.changes import content_hash
from quarry.indexer.nulls import fit_null
from quarry.indexer.parsers import PARSERS
from quarry.indexer.prefetch import prefetch
from quarry.indexer.query_pictures import QueryPictures
from quarry.indexer.reembedding import begin, check_any, portions, take_over
from quarry.indexer.report import Progress, Report
from quarry.search.errors import LibraryDamaged, LoadError
from quarry.search.models.contracts import ImageEncoder
from quarry.search.stores import documents
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.content import content_digest
from quarry.search.stores.passages import passages_of
from quarry.search.stores.spaces import Space
from quarry.search.stores.sqlite import Connection
from quarry.search.stores.thumbnails import Thumbnails
from quarry.search.types import Pixels, Vectors
from quarry.search.uris import path_of
from quarry.search.wiring import open_vectors

_LOST = "Its file is gone or has changed, and there is no thumbnail of it: it is found by words only."
_AHEAD = 1  # portions that are read while another is embedded


@dataclass(frozen=True, slots=True)
class _Known:
    """A picture as the catalog knows it: `key` is that of the picture itself, the rest is of its file.

    `path` is a URI, `hash` of the content; both are None of what was handed over.
    """

    id: int
    uri: str
    key: bytes
    file_id: int | None
    path: str | None
    hash: bytes | None
    size: int


@dataclass(frozen=True, slots=True)
class _Read:
    """What the picture that was known as `before` became: `key` is that of its pixels for the new model.

    `is_lost` where it could not be read, and has its key still; `is_small` where it was read from its thumbnail.
    """

    before: _Known
    key: bytes
    is_small: bool = False
    is_lost: bool = False

    def is_of(self, one: _Known) -> bool:
        """Whether reading it would still end so: a file that was gone may have moved meanwhile."""
        return one.key == self.before.key and (one.path == self.before.path or not (self.is_small or self.is_lost))


def reembed_pictures(catalog: Catalog, encoder: ImageEncoder, progress: Progress) -> Report:
    """Read every picture as `encoder` asks for, embed it, then change over in one commit.

    A run after one that was interrupted reads the pictures again, but embeds only those that were not staged.

    Returns:
        `passages` (how many pictures there are), `embedded`, and by URI those that `failed` to get a vector, and those
        that were read `from_thumbnails`.

    Raises:
        ModelError: the model gives no picture a usable vector; nothing was changed.
    """
    started = time.monotonic()
    report = Report()
    space = begin(catalog, "image", encoder)
    with closing(PARSERS):
        reader = QueryPictures(PARSERS)
        run = _Run(catalog, space, encoder, reader, report)
        take_over(catalog, space, lambda after: run.stage(after, progress), run.change_over, progress)
    fit_null(open_vectors(catalog), space, encoder.encode_texts)
    report.seconds = time.monotonic() - started
    return report


class _Run:
    """One run, which remembers what it has read, so that the change-over needs to read only what came meanwhile."""

    def __init__(
        self, catalog: Catalog, space: Space, encoder: ImageEncoder, reader: QueryPictures, report: Report
    ) -> None:
        self._catalog = catalog
        self._space = space
        self._encoder = encoder
        self._reader = reader
        self._report = report
        self._thumbnails = Thumbnails(catalog.directory)
        self._done: dict[int, _Read] = {}  # by row id
        self._spoilt: dict[bytes, str] = {}  # why a picture has no vector, by its new key

    def stage(self, after: int, progress: Progress) -> tuple[int, int]:
        """Embed what was written after a generation; return the one that is covered now, and how many there were."""
        with self._catalog.snapshot() as snapshot:
            generation = snapshot.generation
            known = [one for one in _known(snapshot.connection, after) if not self._has_read(one)]
        progress.start(len(known), sum(one.size for one in known))
        read = ((portion, self._read(portion)) for portion in portions(known))
        with closing(prefetch(read, _AHEAD, lambda _: 1, PARSERS.close)) as ahead:
            for portion, pixels in ahead:
                with self._catalog.snapshot() as snapshot:
                    missing = self._missing(snapshot.connection, pixels)
                if vectors := self._embedded(missing):
                    with self._catalog.transaction(bump=False) as connection:
                        documents.stage_vectors(connection, self._space.id, vectors)
                progress.advance(len(portion), sum(one.size for one in portion), len(portion))
        return generation, len(known)

    def change_over(self, connection: Connection) -> None:
        """Make every picture refer to its new vector; one that came meanwhile is read and embedded now."""
        known = list(_known(connection))
        ids: set[bytes] = set()
        for portion in portions(known):
            late = [one for one in portion if not self._is_covered(connection, one)]
            vectors = self._embedded(self._missing(connection, self._read(late)))
            documents.stage_vectors(connection, self._space.id, vectors)
            ids |= documents.known_vectors(connection, self._space.id, (self._done[one.id].key for one in portion))
        self._thumbnails.copy({self._done[one.id].key: one.key for one in known})
        for one in known:
            self._change(connection, one, ids)
        self._report.passages += len(known)
        check_any(any(self._done[one.id].key in ids for one in known), self._encoder, self._report)

    def _change(self, connection: Connection, one: _Known, ids: Set[bytes]) -> None:
        read = self._done[one.id]
        if one.key != read.key:
            _rewrite(connection, one, read.key)
        if read.key not in ids:
            reason = _LOST if read.is_lost else self._spoilt[read.key]
            self._report.failed[one.uri] = reason
            connection.execute("UPDATE files SET error = ? WHERE id = ?", (reason, one.file_id))
        elif read.is_small:
            self._report.from_thumbnails.append(one.uri)

    def _has_read(self, one: _Known) -> bool:
        return one.id in self._done and self._done[one.id].is_of(one)

    def _is_covered(self, connection: Connection, one: _Known) -> bool:
        if not self._has_read(one):
            return False
        read = self._done[one.id]
        staged = documents.known_vectors(connection, self._space.id, [read.key])  # a compaction may have dropped it
        return read.is_lost or read.key in self._spoilt or bool(staged)

    def _read(self, known: Iterable[_Known]) -> dict[bytes, Pixels]:
        """Return the pixels of pictures by their new keys, and remember how each was read."""
        found: dict[bytes, Pixels] = {}
        for one in known:
            pixels, is_small = self._from_file(one), False
            if pixels is None:
                pixels, is_small = self._from_thumbnail(one), True
            if pixels is None:
                self._done[one.id] = _Read(one, one.key, is_lost=True)
                continue
            key = embedding.picture_key(pixels)
            found[key] = pixels
            self._done[one.id] = _Read(one, key, is_small)
        return found

    def _from_file(self, one: _Known) -> Pixels | None:
        """Return the pixels of the file, None where it is gone or not the one that was indexed."""
        if one.path is None:
            return None
        path = path_of(one.path)
        try:
            pixels = self._reader.read(path, self._encoder.preprocessing)
            return pixels if content_hash(path) == one.hash else None
        except LoadError:
            return None

    def _from_thumbnail(self, one: _Known) -> Pixels | None:
        try:
            jpeg = self._thumbnails.get(one.key)
            return self._reader.read(jpeg, self._encoder.preprocessing) if jpeg else None
        except (LibraryDamaged, LoadError):
            return None

    def _missing(self, connection: Connection, pixels: Mapping[bytes, Pixels]) -> dict[bytes, Pixels]:
        known = documents.known_vectors(connection, self._space.id, pixels)
        return {key: value for key, value in pixels.items() if key not in known}

    def _embedded(self, pixels: Mapping[bytes, Pixels]) -> dict[bytes, Vectors]:
        if not pixels:
            return {}
        vectors, bad = embedding.embed_pictures(self._encoder, list(pixels.values()))
        keys = list(pixels)
        self._spoilt |= {keys[position]: why for position, why in bad.items()}
        good = {key: vectors[position] for position, key in enumerate(keys) if position not in bad}
        self._report.embedded += len(good)
        return good


def _known(connection: Connection, after: int = -1) -> Iterator[_Known]:
    """Yield the pictures of documents that were written after a generation."""
    rows = connection.execute(
        "SELECT d.id, d.uri, c.key, f.id, f.path, f.hash, coalesce(f.size, 0) FROM documents d"
        " JOIN chunks c ON c.document_id = d.id AND c.medium = 'image' LEFT JOIN files f ON f.id = d.file_id"
        " WHERE d.generation > ? ORDER BY d.id",
        (after,),
    )
    for row in rows:
        yield _Known(*row)


def _rewrite(connection: Connection, one: _Known, key: bytes) -> None:
    """Put a picture's document in its own place, with another key; what is said about it keeps its vectors."""
    found = documents.find(connection, one.uri)
    assert found is not None
    document = found[1]
    text = documents.text_of(connection, one.id)
    structure = {**documents.structure_of(connection, one.id), "picture": key.hex()}
    said = connection.execute(
        "SELECT key FROM chunks WHERE document_id = ? AND medium = 'text' ORDER BY ordinal", (one.id,)
    ).fetchall()
    new = documents.NewDocument(
        uri=document.uri,
        type=document.type,
        title=document.title,
        text=text,
        hash=content_digest(document.type, text, document.metadata, structure),
        chunks=passages_of(connection, one.id),
        keys=[key, *(other for (other,) in said)],
        metadata=document.metadata,
        structure=structure,
        enriched=document.enriched,
        modified=document.modified,
        kind=document.kind,
        file_id=one.file_id,
        id=document.id,
    )
    documents.put(connection, new, document.indexed or "")
