"""The catalog's schema, as numbered steps that are only ever appended to.

`PRAGMA user_version` holds the number of steps applied, `PRAGMA application_id` says that the file is a catalog.
A newer library is refused untouched; an older one is copied beside itself before it is migrated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from quarry.search.errors import LibraryDamaged, LibraryFormat, LibraryReadOnly, StorageFull
from quarry.search.stores.database import checksums, content, sqlite
from quarry.search.stores.database.schema import check_schema
from quarry.search.stores.database.sqlite import Connection

if TYPE_CHECKING:
    from sqlite_utils import Database

APPLICATION_ID = 0x51554152  # "QUAR"


def _001_initial(db: Database) -> None:
    db["meta"].create({"key": str, "value": str}, pk="key", strict=True)
    db["spaces"].create(
        {"id": int, "name": str, "identity": str, "model": str, "dimension": int, "active": int},
        pk="id",
        not_null={"name", "identity", "model", "dimension", "active"},
        strict=True,
    )
    db["spaces"].create_index(["name", "identity"], unique=True)
    db["roots"].create(
        {"id": int, "path": str, "options": str, "added": str, "synced": str},
        pk="id",
        not_null={"path", "options", "added"},
        strict=True,
    )
    db["roots"].create_index(["path"], unique=True)
    # Ids that outlive their rows in derived indexes are AUTOINCREMENT, which sqlite-utils can't declare.
    for statement in (
        """CREATE TABLE files (
            id INTEGER PRIMARY KEY AUTOINCREMENT, root_id INTEGER NOT NULL REFERENCES roots(id),
            path TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
            inode INTEGER NOT NULL, seen_ns INTEGER NOT NULL, hash BLOB, options_hash BLOB NOT NULL, error TEXT
        ) STRICT""",
        "CREATE INDEX files_root ON files(root_id)",
        """CREATE TABLE documents (
            id INTEGER PRIMARY KEY AUTOINCREMENT, public_id TEXT NOT NULL UNIQUE, uri TEXT NOT NULL UNIQUE,
            file_id INTEGER REFERENCES files(id), kind TEXT NOT NULL, type TEXT NOT NULL, title TEXT NOT NULL,
            metadata TEXT NOT NULL, structure TEXT NOT NULL, modified TEXT, indexed TEXT NOT NULL, hash BLOB NOT NULL,
            characters INTEGER NOT NULL, chunks INTEGER NOT NULL, generation INTEGER NOT NULL
        ) STRICT""",
        "CREATE INDEX documents_file ON documents(file_id)",
        "CREATE INDEX documents_generation ON documents(generation)",
        """CREATE TABLE vectors (
            id INTEGER PRIMARY KEY, space_id INTEGER NOT NULL REFERENCES spaces(id), key BLOB NOT NULL,
            vector BLOB NOT NULL, UNIQUE (space_id, key)
        ) STRICT""",
        # `text` runs to the start of the next chunk, so that the chunks of a document add up to its text;
        # the passage itself is its first (end - start) characters.
        """CREATE TABLE chunks (
            id INTEGER PRIMARY KEY AUTOINCREMENT, document_id INTEGER NOT NULL REFERENCES documents(id),
            ordinal INTEGER NOT NULL, "start" INTEGER NOT NULL, "end" INTEGER NOT NULL, page INTEGER,
            heading TEXT NOT NULL, text TEXT NOT NULL, key BLOB NOT NULL, vector_id INTEGER,
            generation INTEGER NOT NULL, UNIQUE (document_id, ordinal)
        ) STRICT""",
        "CREATE INDEX chunks_generation ON chunks(generation, vector_id)",
        "CREATE INDEX chunks_vector ON chunks(vector_id)",
        """CREATE TABLE deletions (
            chunk_id INTEGER PRIMARY KEY, generation INTEGER NOT NULL
        ) STRICT""",
        "CREATE INDEX deletions_generation ON deletions(generation)",
        """CREATE TABLE segments (
            id INTEGER PRIMARY KEY AUTOINCREMENT, space_id INTEGER NOT NULL REFERENCES spaces(id),
            file TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, count INTEGER NOT NULL,
            dimension INTEGER NOT NULL, identity TEXT NOT NULL, format TEXT NOT NULL,
            first_generation INTEGER NOT NULL, last_generation INTEGER NOT NULL, built_generation INTEGER NOT NULL,
            state TEXT NOT NULL DEFAULT 'ok'
        ) STRICT""",
        "INSERT INTO meta (key, value) VALUES ('generation', '0')",
    ):
        db.execute(statement)


def _002_trash(db: Database) -> None:
    # Deleted documents until the next compaction. The generation, and with it the order, is that of the deletion.
    db.execute(
        """CREATE TABLE trash (
            id INTEGER PRIMARY KEY AUTOINCREMENT, generation INTEGER NOT NULL, deleted TEXT NOT NULL,
            public_id TEXT NOT NULL, uri TEXT NOT NULL, file_id INTEGER, kind TEXT NOT NULL, type TEXT NOT NULL,
            title TEXT NOT NULL, metadata TEXT NOT NULL, structure TEXT NOT NULL, modified TEXT, text TEXT NOT NULL
        ) STRICT"""
    )
    db.execute("CREATE INDEX trash_public_id ON trash(public_id)")
    db.execute("CREATE INDEX trash_uri ON trash(uri)")


def _003_checksums(db: Database) -> None:
    # Rows get one over what they hold now, but for those that can be told to be damaged without any.
    connection: Connection = db.conn
    altered, spoilt = list(content.altered(connection)), list(content.spoilt_vectors(connection))
    for table in (
        "meta", "spaces", "roots", "files", "documents", "chunks", "vectors", "deletions", "segments", "trash",
    ):  # fmt: skip
        connection.execute(f"ALTER TABLE {table} ADD COLUMN {checksums.COLUMN} BLOB")
        checksums.fill(connection, table)
    for sql, ids in (
        ("UPDATE documents SET checksum = NULL WHERE id = ?", altered),
        ("UPDATE chunks SET checksum = NULL WHERE document_id = ?", altered),
        ("UPDATE vectors SET checksum = NULL WHERE id = ?", spoilt),
    ):
        connection.executemany(sql, [(id_,) for id_ in ids])


def _004_media(db: Database) -> None:
    # A chunk meets its vectors at (space, key), so that it may have one in each of any number of spaces.
    for statement in (
        "ALTER TABLE spaces ADD COLUMN medium TEXT NOT NULL DEFAULT 'text'",
        "ALTER TABLE spaces ADD COLUMN takes TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE spaces ADD COLUMN state TEXT NOT NULL DEFAULT 'staged'",
        "UPDATE spaces SET medium = name, state = CASE WHEN active THEN 'active' ELSE 'staged' END",
        "ALTER TABLE spaces DROP COLUMN active",
        "CREATE UNIQUE INDEX spaces_active ON spaces(name) WHERE state = 'active'",
        "ALTER TABLE documents ADD COLUMN enriched TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE chunks ADD COLUMN medium TEXT NOT NULL DEFAULT 'text'",
        "ALTER TABLE chunks ADD COLUMN place TEXT",
        "ALTER TABLE chunks ADD COLUMN said_by TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE chunks ADD COLUMN confidence REAL",
        "UPDATE chunks SET place = json_object('page', page) WHERE typeof(page) = 'integer'",
        "UPDATE chunks SET medium = iif(ordinal = 0, 'image', 'text'), said_by = iif(ordinal = 0, '', 'caption')"
        " WHERE document_id IN (SELECT id FROM documents WHERE kind = 'image')",
        "DROP INDEX chunks_generation",
        "DROP INDEX chunks_vector",
        "ALTER TABLE chunks DROP COLUMN vector_id",
        "ALTER TABLE chunks DROP COLUMN page",
        "CREATE INDEX chunks_generation ON chunks(generation, key)",
        "CREATE INDEX chunks_key ON chunks(key)",
        f"""CREATE TABLE enrichments (
            identity TEXT NOT NULL, key BLOB NOT NULL, result TEXT NOT NULL, {checksums.COLUMN} BLOB,
            PRIMARY KEY (identity, key)
        ) STRICT""",
    ):
        db.execute(statement)


STEPS = (_001_initial, _002_trash, _003_checksums, _004_media)
_CHECKSUMS = 3  # the step from which on rows have them


def check_format(connection: Connection, path: Path) -> int:
    """Return how many steps the catalog has had; 0 for an empty file.

    Raises:
        LibraryFormat: a newer version made it.
        LibraryDamaged: it is an SQLite file, but not a catalog, or has something more in it than one has.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if version > len(STEPS):
        raise LibraryFormat(
            f"The library at {path.parent} has format {version}; this version of Quarry knows up to {len(STEPS)}. "
            "Nothing was changed. Update Quarry to use it."
        )
    if application != APPLICATION_ID and (
        version or connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    ):
        raise LibraryDamaged(f"{path} is an SQLite file, but not a Quarry catalog. Choose another --library DIR.")
    if version:
        check_schema(connection, version, STEPS, path)
    return version


def migrate(connection: Connection, path: Path) -> None:
    """Apply the steps that are missing, each all or nothing; the writer's lock is held by the caller."""
    version = check_format(connection, path)
    if version == len(STEPS):
        return
    from sqlite_utils import Database

    if version:
        _back_up(connection, path, version)
    for number, step in enumerate(STEPS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            with _keeping_checksums(connection, number):
                step(Database(connection, execute_plugins=False))
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            checksums.seal_schema(connection)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


@contextmanager
def _keeping_checksums(connection: Connection, number: int) -> Iterator[None]:
    """Give rows that a step changes their checksums anew, but for those that were damaged before it."""
    if number <= _CHECKSUMS:
        yield
        return
    wrong = {
        table: [row.rowid for row in checksums.damaged_rows(connection, table)]
        for table in checksums.tables(connection)
    }
    yield
    for table in wrong:
        checksums.fill(connection, table)
        ids = [(rowid,) for rowid in wrong[table]]
        connection.executemany(f"UPDATE {table} SET {checksums.COLUMN} = NULL WHERE rowid = ?", ids)


@contextmanager
def stuck(directory: Path, version: int) -> Iterator[None]:
    """Say of a library of an older format that can't be written that it stays as it is, and can't be read so."""
    try:
        yield
    except (LibraryReadOnly, StorageFull) as error:
        if not version:
            raise
        raise type(error)(
            f"The library at {directory} has format {version}, made by an older version of Quarry, and can't be "
            f"brought to format {len(STEPS)}, as it would have to be to be searched. Nothing was changed; copy it to a "
            f"place that can be written to. {error}"
        ) from error


def _back_up(connection: Connection, path: Path, version: int) -> None:
    """Copy the catalog beside itself, through SQLite: a plain copy would miss the log and drop this process's locks."""
    backup = path.with_name(f"{path.name}.format-{version}.bak")
    temporary = backup.with_name(f"{backup.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        with closing(sqlite.open_writer(temporary)) as copy:
            connection.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        temporary.replace(backup)
    finally:
        for suffix in ("", "-wal", "-shm"):
            temporary.with_name(temporary.name + suffix).unlink(missing_ok=True)
