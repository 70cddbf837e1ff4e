"""Check a library against its catalog, say what it holds, and rebuild what is derived and damaged."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from quarry.indexer import roots
from quarry.indexer.prepared import content_digest
from quarry.indexer.thumbnails import make_thumbnails, without_thumbnail
from quarry.search.config import Settings
from quarry.search.encoders.base import ImageEncoder, TextEncoder
from quarry.search.errors import LibraryDamaged, LibraryError, ModelError, QuarryError
from quarry.search.stores import documents, lexical_files, sqlite
from quarry.search.stores.catalog import Catalog, Space, active_spaces
from quarry.search.stores.lexical import LexicalReader
from quarry.search.stores.sqlite import Connection, DatabaseError
from quarry.search.wiring import Searcher, open_vectors

_MEND = "`quarry doctor --repair` rebuilds it"
_LITTLE_SPACE = 500_000_000
_LENGTH_TOLERANCE = 0.02  # of a unit vector in float16
# Releases with the bug of SQLite's WAL reset (two connections writing and checkpointing): 3.7.0 to 3.51.2.
_WAL_RESET_FIXED = (3, 51, 3)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. Only `damage` means that something is broken; `repaired` was."""

    level: Literal["ok", "warning", "damage", "repaired"]
    part: str
    text: str

    def body(self) -> dict[str, str]:
        """Return the finding as JSON."""
        return {"level": self.level, "part": self.part, "text": self.text}


def examine(settings: Settings, *, repair: bool = False) -> list[Finding]:
    """Look at everything; with `repair`, rebuild derived parts that are damaged, and look at them again.

    Raises:
        NoLibrary, LibraryFormat: there is nothing to look at.
    """
    try:
        catalog = Catalog(settings.library, wait_s=settings.wait_s)
    except LibraryDamaged as error:
        return [Finding("damage", "catalog", str(error))]
    try:
        findings = list(_catalog(catalog))
        if any(finding.level == "damage" and finding.part == "catalog" for finding in findings):
            return findings
        derived = list(_derived(catalog))
        if repair and any(finding.level == "damage" for finding in derived):
            before = [finding for finding in derived if finding.level == "damage"]
            _repair(catalog)
            derived = list(_derived(catalog))
            if not any(finding.level == "damage" for finding in derived):
                derived += [
                    Finding("repaired", one.part, f"rebuilt from the catalog; it was: {one.text}") for one in before
                ]
        return [*findings, *derived, *_surroundings(catalog, settings)]
    finally:
        catalog.close()


def _catalog(catalog: Catalog) -> Iterator[Finding]:
    try:
        with catalog.snapshot() as snapshot:
            connection = snapshot.connection
            problems = [row[0] for row in connection.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
            problems += [
                f"{row[0]}: row {row[1]} refers to nothing" for row in connection.execute("PRAGMA foreign_key_check")
            ]
            problems += list(_inconsistencies(connection))
            total = connection.execute("SELECT count(*) FROM documents").fetchone()[0]
    except (DatabaseError, LibraryError) as error:
        problems, total = [str(error)], 0
    for problem in problems:
        yield Finding(
            "damage", "catalog", f"{problem}. The catalog is the truth: restore a backup, or index into a new library."
        )
    if not problems:
        yield Finding("ok", "catalog", f"{total:,} documents, generation {snapshot.generation}")


def _inconsistencies(connection: Connection) -> Iterator[str]:
    for sql, text in (
        (
            "SELECT count(*) FROM documents d WHERE chunks <>"
            " (SELECT count(*) FROM chunks c WHERE c.document_id = d.id)",
            "{} documents do not have the passages they should",
        ),
        (
            "SELECT count(*) FROM chunks c WHERE vector_id IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM vectors v WHERE v.id = c.vector_id AND v.key = c.key)",
            "{} passages refer to a vector that is not there, or not theirs",
        ),
        ("SELECT count(*) FROM chunks c JOIN deletions x ON x.chunk_id = c.id", "{} passages are logged as deleted"),
    ):
        count = connection.execute(sql).fetchone()[0]
        if count:
            yield text.format(f"{count:,}")
    spoilt = _count_spoilt_vectors(connection)
    if spoilt:
        yield f"{spoilt:,} vectors are not of length 1, or have the wrong dimension"
    altered = [uri for uri, is_whole in _contents(connection) if not is_whole]
    if altered:
        yield f"{len(altered):,} documents are not what was stored: {', '.join(altered[:3])}"


def _count_spoilt_vectors(connection: Connection) -> int:
    """SQLite keeps no checksums: a flipped bit in a vector shows in its length only."""
    spoilt = 0
    for space_id, dimension in connection.execute("SELECT id, dimension FROM spaces").fetchall():
        cursor = connection.execute("SELECT vector FROM vectors WHERE space_id = ?", (space_id,))
        while rows := cursor.fetchmany(4096):
            whole = [vector for (vector,) in rows if len(vector) == 2 * dimension]
            values = np.frombuffer(b"".join(whole), "<f2").reshape(len(whole), dimension).astype(np.float32)
            lengths = np.linalg.norm(values, axis=1)
            spoilt += len(rows) - int(np.count_nonzero(np.abs(lengths - 1) < _LENGTH_TOLERANCE))
    return spoilt


def _contents(connection: Connection) -> Iterator[tuple[str, bool]]:
    """Say of each document whether its text and metadata still have the digest that was stored with them."""
    rows = connection.execute("SELECT id, uri, type, metadata, structure, hash FROM documents")
    for row_id, uri, type_, metadata, structure, digest in rows:
        try:
            text = documents.text_of(connection, row_id)
            now = content_digest(type_, text, json.loads(metadata), json.loads(structure))
        except ValueError:
            now = b""
        yield uri, now == digest


def _derived(catalog: Catalog) -> Iterator[Finding]:
    spaces = catalog.spaces()
    if not spaces:
        yield Finding("ok", "indexes", "nothing is indexed yet")
        return
    for space in spaces:
        problems = open_vectors(catalog, space).verify(catalog)
        for problem in problems:
            yield Finding("damage", "segments", f"{problem.file}: {problem.what}; {_MEND}")
        if not problems:
            with catalog.snapshot() as snapshot:
                view = open_vectors(catalog, space).view(snapshot.connection, snapshot.generation)
            text = f"{space.name}: {view.count:,} vectors, {view.tail:,} of them not yet in a segment"
            yield Finding("ok", "segments", text)
    yield from _lexical(catalog)
    yield from _thumbnails(catalog)


def _thumbnails(catalog: Catalog) -> Iterator[Finding]:
    lacking = list(without_thumbnail(catalog))
    mendable = sum(path is not None for _, path in lacking)
    if mendable:
        yield Finding("damage", "thumbnails", f"{mendable:,} are missing or damaged; {_MEND}")
    elif lacking:
        yield Finding("warning", "thumbnails", f"{len(lacking):,} are gone, and so are the pictures' files")
    else:
        yield Finding("ok", "thumbnails", "every picture has one")


def _lexical(catalog: Catalog) -> Iterator[Finding]:
    directory = catalog.directory / "lexical"
    problems = lexical_files.verify(directory)
    if not problems:
        try:
            view = LexicalReader(directory).view()
        except LibraryError as error:
            problems = [str(error)]
    if not problems:
        with catalog.snapshot() as snapshot:
            expected = snapshot.connection.execute("SELECT count(*) FROM chunks").fetchone()[0]
            behind = snapshot.generation - view.generation
        if behind < 0:
            problems = [f"it covers generation {view.generation}, the catalog has only {snapshot.generation}"]
        elif behind == 0 and view.count != expected:
            problems = [f"it holds {view.count:,} passages, the catalog {expected:,}"]
        elif behind:
            yield Finding("warning", "lexical", f"it is {behind:,} commits behind; the next `quarry index` catches up")
        else:
            yield Finding("ok", "lexical", f"{view.count:,} passages, generation {view.generation}")
    for problem in problems:
        yield Finding("damage", "lexical", f"{problem.removesuffix('; ' + lexical_files.MEND)}; {_MEND}")


def _repair(catalog: Catalog) -> None:
    from quarry.indexer.writer import catch_up

    for space in catalog.spaces():
        open_vectors(catalog, space).repair(catalog)
    make_thumbnails(catalog)
    catch_up(catalog, rebuild=any(finding.level == "damage" for finding in _lexical(catalog)))


def _surroundings(catalog: Catalog, settings: Settings) -> Iterator[Finding]:
    searcher = Searcher(catalog, settings)
    models: dict[str, Callable[[], TextEncoder | ImageEncoder]] = {
        "text": searcher.encoder,
        "image": searcher.image_encoder,
    }
    for name in ["text", *(space.name for space in catalog.spaces() if space.name == "image")]:
        try:
            encoder = models[name]()
            yield Finding("ok", "model", f"{name}: {encoder.card.name}, {encoder.dimension} dimensions")
        except ModelError as error:
            yield Finding("warning", "model", str(error))
    level: Literal["ok", "warning"] = "ok"
    text = f"SQLite {sqlite.VERSION} ({sqlite.MODULE})"
    if tuple(int(part) for part in sqlite.VERSION.split(".")) < _WAL_RESET_FIXED:
        level = "warning"
        text += " has the WAL-reset bug of releases before 3.51.3; one connection writes here, which avoids it"
    yield Finding(level, "sqlite", text)
    free = shutil.disk_usage(catalog.directory).free
    yield Finding("ok" if free > _LITTLE_SPACE else "warning", "disk", f"{free / 1e9:,.1f} GB free")
    with catalog.snapshot() as snapshot:
        failing = snapshot.connection.execute("SELECT count(*) FROM files WHERE error IS NOT NULL").fetchone()[0]
    if failing:
        yield Finding("warning", "files", f"{failing:,} files could not be read; `quarry status` lists them")


def status(catalog: Catalog, settings: Settings) -> dict[str, Any]:
    """Return counts, models, roots and sizes."""
    with catalog.snapshot() as snapshot:
        connection = snapshot.connection
        count = {
            name: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for name, table in (("documents", "documents"), ("passages", "chunks"), ("files", "files"))
        }
        return {
            "library": str(catalog.directory),
            "generation": snapshot.generation,
            **count,
            "types": dict(connection.execute("SELECT type, count(*) FROM documents GROUP BY type ORDER BY 2 DESC")),
            "roots": [
                {"path": root.path, "documents": root.documents, "files": root.files, "synced": root.synced}
                for root in roots.listed(connection)
            ],
            "kinds": dict(connection.execute("SELECT kind, count(*) FROM documents GROUP BY kind ORDER BY 2 DESC")),
            "spaces": [
                _space_status(catalog, connection, snapshot.generation, space) for space in active_spaces(connection)
            ],
            "lexical": _lexical_status(catalog),
            "failing": dict(connection.execute("SELECT path, error FROM files WHERE error IS NOT NULL ORDER BY path")),
            "bytes": sum(_sizes(catalog.directory)),
            "sqlite": sqlite.VERSION,
        }


def _space_status(catalog: Catalog, connection: Connection, generation: int, space: Space) -> dict[str, Any]:
    body: dict[str, Any] = {"name": space.name, "model": space.model, "dimension": space.dimension}
    try:
        view = open_vectors(catalog, space).view(connection, generation)
    except QuarryError as error:
        return {**body, "vectors": 0, "segments": 0, "tail": 0, "degraded": [str(error)]}
    segments = sum(bool(part.file) for part in view.parts)
    return {
        **body,
        "vectors": view.count,
        "segments": segments,
        "tail": view.tail,
        "degraded": list(view.degraded),
    }


def _lexical_status(catalog: Catalog) -> dict[str, Any]:
    try:
        view = LexicalReader(catalog.directory / "lexical").view()
    except LibraryError as error:
        return {"passages": 0, "generation": None, "degraded": [str(error)]}
    return {"passages": view.count, "generation": view.generation, "degraded": []}


def _sizes(directory: Path) -> Iterator[int]:
    for path in directory.rglob("*"):
        try:
            info = path.lstat()
        except FileNotFoundError:  # taken away by a writer
            continue
        if stat.S_ISREG(info.st_mode):
            yield info.st_size
