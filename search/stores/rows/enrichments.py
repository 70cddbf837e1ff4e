"""What enrichments found, as rows of the catalog: by the identity of each and the digest of a document's content.

So one that has changed runs again alone, and none runs again over a content that it has seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from quarry.search.stores.database import checksums
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows import documents, passages
from quarry.search.types import OWN_WORDS, Chunk, Kind, Metadata
from quarry.search.values.unread import Recording, Scan

Unlooked = Literal["scan", "recording"]  # what is looked at in files themselves, as `documents.structure` names it
SPEECH = "automatic-speech-recognition"  # who says what was heard; in `meta`, the model by which it is, or OFF
_OCR = "ocr"  # who says what was read; in `meta`, the engine that a library has scans read by, or OFF
OFF = "off"
_SETTLED, _WAITING = "enriched_by", "enriched_later"  # in `meta`
MOST_WAITING = 10_000  # documents
Results = Mapping[str, Mapping[str, Any]]  # of one content, by identity


@dataclass(frozen=True, slots=True)
class Enrichable:
    """A stored document whose enrichments are to be looked at.

    Args:
        hash: the digest of its content.
        title: that its content gives, or "".
        passages: how many chunks it has of its own.
        scan: which of its pages are pictures of text.
        recording: what can be heard in it.
    """

    row: int
    hash: bytes
    metadata: Metadata
    kind: Kind
    uri: str
    title: str
    passages: int
    text: str
    scan: Scan | None
    recording: Recording | None

    @property
    def parts(self) -> int:
        """How many steps it takes to look at it: its pages of pictures and its minutes, 1 of any other."""
        return max(1, len(self.scan.pages) if self.scan else 0, self.recording.parts if self.recording else 0)


def known(connection: Connection, identity: str, hashes: Iterable[bytes]) -> dict[bytes, dict[str, Any]]:
    """Return what an enrichment has found already, by the digest of the content; a damaged row counts for none."""
    found: dict[bytes, dict[str, Any]] = {}
    for batch in documents.batches(list(dict.fromkeys(hashes))):
        marks = ",".join("?" * len(batch))
        for row in checksums.rows(connection, "enrichments", f"identity = ? AND key IN ({marks})", (identity, *batch)):
            if row.is_whole:
                found[row.values["key"]] = json.loads(row.values["result"])
    return found


def stage(connection: Connection, hash: bytes, results: Results) -> None:
    """Store what enrichments found in a content, in place of what was there."""
    connection.executemany(
        "INSERT OR REPLACE INTO enrichments (identity, key, result) VALUES (?, ?, ?)",
        [(identity, hash, json.dumps(result, ensure_ascii=False)) for identity, result in results.items()],
    )


def due(
    connection: Connection,
    lacking: Sequence[str],
    known: Sequence[str] | None,
    after: int,
    limit: int,
    among: Sequence[int] | None = None,
) -> list[Enrichable]:
    """Return documents, by row id, that lack what one enrichment of `lacking` finds, or a part of it.

    Args:
        known: the identities of all; documents that have what another found come, too. None: they don't.
        among: the documents that are looked at, all where there are none.
    """
    condition, params = _lacks(lacking, known, among)
    rows = connection.execute(
        f"SELECT d.id, d.hash, d.metadata, d.kind, d.uri, json_extract(d.structure, '$.title'),"
        f" (SELECT count(*) FROM chunks WHERE document_id = d.id AND {passages.OWN_CHUNKS}),"
        " json_extract(d.structure, '$.scan'), json_extract(d.structure, '$.recording') FROM documents d"
        f" WHERE d.id > ? AND {condition} ORDER BY d.id LIMIT ?",
        (after, *params, limit),
    ).fetchall()
    return [
        Enrichable(
            row,
            hash,
            json.loads(fields),
            kind,
            uri,
            title,
            passages,
            documents.text_of(connection, row),
            Scan.of(json.loads(scan)) if scan else None,
            Recording.of(json.loads(recording)) if recording else None,
        )
        for row, hash, fields, kind, uri, title, passages, scan, recording in rows
        if not documents.is_damaged(connection, row)
    ]


def due_within(
    connection: Connection,
    lacking: Sequence[str],
    among: Sequence[int] | None,
    outer: str,
    field: Unlooked,
    kind: Kind | None,
) -> list[str]:
    """Return the keys of the documents within a file, by its URI, that `due` returns: which have a field, or a kind."""
    condition, params = _lacks(lacking, None, among)
    rows = connection.execute(
        f"SELECT substr(uri, ?) FROM documents d WHERE uri >= ? AND uri < ? AND {condition}"
        f" AND (json_extract(structure, '$.{field}') NOT NULL OR kind IS ?) ORDER BY id",
        (len(outer) + 2, f"{outer}#", f"{outer}$", *params, kind),  # "$" follows "#"
    )
    return [key for (key,) in rows]


def due_count(
    connection: Connection, lacking: Sequence[str], known: Sequence[str] | None, among: Sequence[int] | None
) -> tuple[int, int]:
    """Return how many documents `due` returns in all, and their parts: pages and minutes, or 1 of what has none."""
    condition, params = _lacks(lacking, known, among)
    parts = (
        "max(1, coalesce(json_array_length(structure, '$.scan[0]'), 0),"
        " coalesce(json_extract(structure, '$.recording[0]'), 0))"
    )
    row = connection.execute(f"SELECT count(*), coalesce(sum({parts}), 0) FROM documents d WHERE {condition}", params)
    count, steps = row.fetchone()
    return int(count), int(steps)


def _lacks(
    lacking: Sequence[str], known: Sequence[str] | None, among: Sequence[int] | None
) -> tuple[str, tuple[str | None, ...]]:
    """Return the condition of `due` and its parameters."""
    lacks = [
        "NOT EXISTS (SELECT 1 FROM enrichments e WHERE e.identity = ? AND e.key = d.hash"
        " AND json_extract(e.result, '$.left') IS NULL)"
        for _ in lacking
    ]
    if known is not None:
        marks = ",".join("?" * len(known))
        lacks.append(f"d.hash IN (SELECT key FROM enrichments WHERE identity NOT IN ({marks}))")
    only = None if among is None else json.dumps(list(among))
    lacks_one = f"({' OR '.join(lacks) or '0'}) AND (? IS NULL OR d.id IN (SELECT value FROM json_each(?)))"
    return lacks_one, (*lacking, *(known or ()), only, only)


def apply(
    connection: Connection,
    one: Enrichable,
    enriched: Metadata,
    chunks: Sequence[Chunk] | None,
    keys: Sequence[bytes],
    keeps: Mapping[str, str],
) -> bool:
    """Let a document have what its enrichments found; return whether that is anything new, and it is still the same.

    Args:
        chunks: None where what was said before stays, since who said it is to look again.
        keeps: the fields, by the names of who found them, that stay for that reason.
    """
    row = connection.execute("SELECT enriched FROM documents WHERE id = ? AND hash = ?", (one.row, one.hash)).fetchone()
    if row is None or documents.is_damaged(connection, one.row):
        return False
    enriched = _beside(json.loads(row[0]), enriched, keeps) if keeps else enriched
    is_new = documents.enriched_json(enriched) != row[0]
    if is_new:
        connection.execute(
            "UPDATE documents SET enriched = ? WHERE id = ?", (documents.enriched_json(enriched), one.row)
        )
    if chunks is None:
        return bool(is_new)
    before = [chunk for chunk in passages.passages_of(connection, one.row) if chunk.said_by not in OWN_WORDS]
    if list(chunks) != before:
        passages.say(connection, one.row, chunks, keys)
        return True
    return bool(is_new)


def _beside(before: Metadata, now: Metadata, keeps: Mapping[str, str]) -> dict[str, Any]:
    """Return fields as they are now, and those of before that are kept, with how sure it was, and who found them."""
    fields = {field for field in keeps.values() if field in before and field not in now}
    kept = {field: before[field] for field in fields}
    for name in ("confidence", "share"):
        if own := {field: value for field, value in before.get(name, {}).items() if field in {*keeps.values()}}:
            kept[name] = own | now.get(name, {})
    if said_by := [name for name in before.get("said_by", ()) if name in keeps]:
        kept["said_by"] = list(dict.fromkeys([*now.get("said_by", ()), *said_by]))
    return {**now, **kept}


def sayers(connection: Connection, row_ids: Iterable[int]) -> dict[int, set[str]]:
    """Return which enrichments have said something, by the document."""
    found: dict[int, set[str]] = {}
    for batch in documents.batches(list(row_ids)):
        sql = f"SELECT DISTINCT document_id, said_by FROM chunks WHERE document_id IN ({','.join('?' * len(batch))})"
        for row, name in connection.execute(sql, batch):
            found.setdefault(row, set()).add(name)
    return found


def settled(connection: Connection) -> list[str] | None:
    """Return the identities of the enrichments that no document lacked, or had others beside, when that was noted."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_SETTLED,)).fetchone()
    return list(json.loads(row[0])) if row else None


def identity_of(connection: Connection, name: str) -> str:
    """Return the identity under which an enrichment looked at documents last, "" where it never did."""
    if found := [one for one in settled(connection) or () if one.startswith(f"{name} ")]:
        return found[-1]
    sql = "SELECT max(identity) FROM enrichments WHERE identity BETWEEN ? AND ?"
    return connection.execute(sql, (f"{name} ", f"{name} \U0010ffff")).fetchone()[0] or ""


def waiting(connection: Connection) -> list[int]:
    """Return the documents that were left out when that was noted, since they could not be looked at."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_WAITING,)).fetchone()
    return list(json.loads(row[0])) if row else []


def settle(connection: Connection, identities: Sequence[str], waiting: Sequence[int] = ()) -> None:
    """Note that documents have what these enrichments found; forget what any others did.

    Args:
        waiting: those that can't be looked at now, such as where their files are away: the next run tries them alone.
            What others found of them is not forgotten: it may be what they have.
    """
    marks = ",".join("?" * len(identities))
    connection.execute(
        f"DELETE FROM enrichments WHERE identity NOT IN ({marks})"
        " AND key NOT IN (SELECT hash FROM documents WHERE id IN (SELECT value FROM json_each(?)))",
        (*identities, json.dumps(list(waiting))),
    )
    unsettle(connection)
    connection.executemany(
        "INSERT INTO meta (key, value) VALUES (?, ?)",
        [(_SETTLED, json.dumps(identities)), (_WAITING, json.dumps(list(waiting)))],
    )


def ocr(connection: Connection) -> str:
    """Return by which engine scans are read, "" for the best that there is, OFF for none."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_OCR,)).fetchone()
    return str(row[0]) if row else ""


def choose_ocr(connection: Connection, engine: str) -> None:
    """Have scans read by another engine from now on; "" and OFF as `ocr` returns them."""
    connection.execute("DELETE FROM meta WHERE key = ?", (_OCR,))
    connection.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (_OCR, engine))


def ocr_counts(connection: Connection) -> tuple[int, int]:
    """Return how many documents hold what OCR read, and of how many with pictures of text nothing was read."""
    read = connection.execute("SELECT count(DISTINCT document_id) FROM chunks WHERE said_by = ?", (_OCR,)).fetchone()[0]
    unread = connection.execute(
        "SELECT count(*) FROM documents d WHERE type = 'application/pdf' AND json_extract(structure, '$.scan') NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM chunks WHERE document_id = d.id AND said_by = ?)",
        (_OCR,),
    ).fetchone()[0]
    return int(read), int(unread)


def hears(connection: Connection) -> str:
    """Return by which model recordings are heard, "" for the embedded one, OFF for none."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (SPEECH,)).fetchone()
    return str(row[0]) if row else ""


def choose_hearing(connection: Connection, model: str) -> None:
    """Have recordings heard by another model from now on; "" and OFF as `hears` returns them."""
    connection.execute("DELETE FROM meta WHERE key = ?", (SPEECH,))
    connection.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (SPEECH, model))


def misunderstood(connection: Connection) -> int:
    """Return how many recordings were heard and not understood."""
    sql = (
        "SELECT count(*) FROM documents WHERE json_extract(structure, '$.recording') NOT NULL"
        " AND instr(coalesce(json_extract(enriched, '$.spoken_language'), ''), 'unknown')"
    )
    return int(connection.execute(sql).fetchone()[0])


def unheard(connection: Connection, identity: str, ids: Sequence[str]) -> list[str]:
    """Return those of some documents, by their ids, that can be heard, and of which an enrichment heard nothing."""
    sql = (
        "SELECT public_id FROM documents d WHERE public_id IN (SELECT value FROM json_each(?))"
        " AND json_extract(structure, '$.recording') NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM enrichments e WHERE e.identity = ? AND e.key = d.hash) ORDER BY d.id"
    )
    return [id for (id,) in connection.execute(sql, (json.dumps(list(ids)), identity))]


def unsettle(connection: Connection) -> None:
    """Note that there are documents which one enrichment has not looked at yet."""
    connection.execute("DELETE FROM meta WHERE key IN (?, ?)", (_SETTLED, _WAITING))


def drop_orphans(connection: Connection) -> None:
    """Forget what was found in contents that no document has."""
    connection.execute("DELETE FROM enrichments WHERE key NOT IN (SELECT hash FROM documents)")
