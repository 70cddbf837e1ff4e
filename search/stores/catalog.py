"""The catalog: one SQLite file that is the only truth of a library. Everything beside it can be rebuilt from it."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakSet

from quarry.search.errors import (
    CatalogLost,
    LibraryClosed,
    LibraryReadOnly,
    NoLibrary,
)
from quarry.search.files import disks
from quarry.search.files.access import CATALOG, access_for, check_folders, make_library
from quarry.search.requests import deadline
from quarry.search.stores import lineage
from quarry.search.stores.database import checksums, migrations, sqlite
from quarry.search.stores.database.damage import translated
from quarry.search.stores.database.lock import WriterLock
from quarry.search.stores.database.place import LibraryPlace
from quarry.search.stores.database.readers import Readers
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.replicas import EnteredGeneration, Replica, enter
from quarry.search.stores.spaces import Space, active_space, active_spaces, add_space, check_identity
from quarry.search.types import Kind

FILE = CATALOG


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One generation, seen through a read transaction that ends with the `with` block."""

    connection: Connection
    commit: lineage.Commit

    @property
    def generation(self) -> int:
        """The number of the commit."""
        return self.commit.generation


_reading = threading.local()  # the catalog that a thread is in a snapshot of
_opened: WeakSet[Catalog] = WeakSet()


class Catalog:
    """Connections to `catalog.db`: one that writes, under the writer's lock, and one for each thread that reads.

    They stay with the file that was opened. Where another has taken its place, nothing is read or written any more:
    what is derived is found by its path, and would be the other's.

    Args:
        directory: the library; of a replica, the generation is entered that is the newest now.
        writable: create the library where there is none, and allow writing.
        wait_s: how long a write waits for another process's batch.
        shared: make it for this user's group, too; one that is there must be for its group already.

    Raises:
        InvalidRequest: it is there, and not shared.
        NoLibrary: there is none, and `writable` is false.
        CatalogLost: there is none any more, beside files that were derived from it: none is made in its place.
        LibraryFormat: a newer version made it.
        LibraryReadOnly: it can't be made there, or an older version made it and it can't be migrated.
    """

    def __init__(self, directory: Path, *, writable: bool = False, wait_s: float = 30.0, shared: bool = False) -> None:
        self.library = directory
        self.replica = Replica.find(directory)
        self._entered = self.replica.enter() if self.replica is not None else None
        if self._entered is not None:
            directory, writable = self._entered.directory, False
        self.directory = directory  # where its files are
        self.path = directory / FILE
        self.writable = writable
        self._readers = Readers(self.path)
        self._translated = partial(translated, self.path, self._readers)
        self._inside = threading.local()  # the snapshot that a thread is in
        self._writer: Connection | None = None
        self._written: tuple[int, ...] = ()  # the state of the file that the writer knows
        self.place = LibraryPlace(self.path)
        self._access = access_for(directory, shared)
        self._is_closed = False
        self._process = os.getpid()
        _opened.add(self)
        refusal = self.replica.refusal if self.replica is not None else ""
        self.lock = WriterLock(directory / "writer.lock", wait_s, self._access, refusal)
        if writable:
            try:
                make_library(directory, self._access)
            except (PermissionError, FileExistsError, FileNotFoundError, NotADirectoryError) as error:
                raise LibraryReadOnly(f"No library can be made at {directory}: {error.strerror}.") from error
            except OSError as error:
                raise disks.translated(error, directory) from error
        check_folders(directory)
        try:
            version = self._format()
            if not version:
                self._begin()
            elif version < len(migrations.STEPS):
                self._migrate(version)
            self.place.settle()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        """Make the catalog where there was none; never in place of one that is lost."""
        from quarry.search.stores.remains import find_remains

        if remains := find_remains(self.directory):
            raise CatalogLost(
                f"The catalog {self.path} is lost, and with it {remains}. Restore a backup of it. To start afresh "
                f"instead, move {self.directory} away, or choose another --library, and index your folders again."
            )
        if not self.writable:
            raise NoLibrary(f"There is no library at {self.directory}. Make one with `quarry index PATH`.")
        self._migrate()

    def _migrate(self, version: int = 0) -> None:
        with migrations.stuck(self.directory, version), self.lock.held(), self._translated():
            migrations.migrate(self._write_connection(create=True), self.path)
            checksums.keep(self._write_connection())

    def close(self) -> None:
        """Close all connections; the last one to close folds the write-ahead log into the catalog.

        What is written is waited for; what is read goes on with the connection that it has.

        Raises:
            LibraryClosed: this thread is writing.
        """
        if self._process != os.getpid():
            return  # the parent's, and so are its connections
        with self.lock.between():
            self._is_closed = True
            self._readers.close()
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        self._leave()

    def abandoned(self) -> tuple[object, ...]:
        """Return the connections of the process that this one was forked from, and forget them."""
        writer, self._writer = self._writer, None
        return (writer, *self._readers.abandoned())

    def check_open(self) -> None:
        """Raise `LibraryClosed` where it was closed, or opened by the process that this one was forked from."""
        if self._process != os.getpid():
            raise LibraryClosed(
                f"The catalog {self.path} was opened by process {self._process}, which this one was forked from; "
                "open it here anew."
            )
        if self._is_closed:
            raise LibraryClosed(f"The catalog {self.path} was closed; open it anew.")

    def retire(self) -> None:
        """Let go of a catalog that another has taken the place of: what still runs on it keeps what it uses."""
        self._readers.close()
        self._writer = None
        self._leave()

    def is_newest(self) -> bool:
        """Whether it is what is opened at this place now, as far as that is a replica: another generation may be."""
        return self.replica is None or self.replica.current() == self.directory

    def held(self) -> EnteredGeneration | None:
        """Return what keeps the files of a replica where they are until it is left, though another generation came."""
        return None if self.replica is None else enter(self.directory)

    def _leave(self) -> None:
        if self._entered is not None:
            self._entered.leave()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Read one generation; a nested call in the same thread sees the outer one's."""
        if (outer := getattr(self._inside, "snapshot", None)) is not None:
            yield outer
            return
        self.check_open()
        self.place.require()
        seen = self.place.seen
        with self._translated(), self._readers.connection() as connection:
            connection.execute("BEGIN")
            commit = self.place.follow(connection, seen)
            self.place.require()  # again: the connection may have been opened just now
            self._inside.snapshot = Snapshot(connection, commit)
            held, _reading.catalog = Catalog.of_thread(), self
            try:
                with deadline.interrupting(connection):
                    yield self._inside.snapshot
            finally:
                self._inside.snapshot = None
                _reading.catalog = held

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend a connection in a read transaction, whatever the catalog says of itself: to look for damage."""
        self.check_open()
        with self._translated(), self._readers.connection() as connection:
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def transaction(self, *, bump: bool = True) -> Iterator[Connection]:
        """Write, all or nothing, under the writer's lock. Every commit but one with `bump=False` is a generation.

        Raises:
            LibraryLocked: another process held the lock for longer than `wait_s`.
            LibraryReadOnly, StorageFull, LibraryDamaged: as SQLite says.
        """
        self.check_open()
        self.place.require()
        seen = self.place.seen
        with self.lock.held(), self._translated():
            connection = self._write_connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                self.place.follow(connection, seen)
                self.place.require()
                lineage.name(connection)
                if bump:
                    lineage.bump(connection)
                with deadline.interrupting(connection):
                    yield connection
                deadline.check()
                connection.execute("COMMIT")
                if bump:
                    deadline.lift()  # what is left to do brings the rest up to it
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._written = sqlite.stamp(self.path, log=False)

    def take_content(self, source: Connection) -> None:
        """Put what another database holds in the place of all that is here, in one commit."""
        self.place.require()
        with self.lock.held(), self._translated():
            source.backup(self._write_connection())

    def space(self, name: str) -> Space | None:
        """Return the active space of that name, None before anything was embedded."""
        with self.snapshot() as snapshot:
            return active_space(snapshot.connection, name)

    def spaces(self) -> list[Space]:
        """Return the active spaces."""
        with self.snapshot() as snapshot:
            return active_spaces(snapshot.connection)

    def ensure_space(
        self,
        medium: Kind,
        identity: str,
        model: str,
        dimension: int,
        *,
        name: str = "",
        takes: Mapping[str, Any] | None = None,
    ) -> Space:
        """Return the active space of a name, which is its medium's where none is given, made on first use.

        Args:
            takes: which chunks it takes, where it is made now.

        Raises:
            ModelMismatch: the library was embedded by another model.
        """
        name = name or medium
        with self.snapshot() as snapshot:
            space = active_space(snapshot.connection, name)
        if space is None:
            with self.transaction() as connection:
                space = active_space(connection, name)
                space = space or add_space(connection, name, medium, identity, model, dimension, takes=takes)
        check_identity(space, identity, model)
        return space

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the catalog, as far as readers allow."""
        self.place.require()
        with self.lock.held(), self._translated():
            self._write_connection().execute("PRAGMA wal_checkpoint(PASSIVE)")

    def vacuum(self) -> bool:
        """Give unused space back to the disk; what readers still hold is given back by a later commit.

        Returns whether no reader of an older generation is left: the log could be folded in whole.
        """
        self.place.require()
        with self.lock.held(), self._translated():
            connection = self._write_connection()
            connection.execute("VACUUM")
            connection.execute("PRAGMA busy_timeout=1000")
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            connection.execute(f"PRAGMA busy_timeout={sqlite.BUSY_MS}")
            return not busy

    @staticmethod
    def of_thread() -> Catalog | None:
        """Return the catalog that this thread is in a snapshot of: until it ends, nothing may be read from another."""
        return getattr(_reading, "catalog", None)

    def _format(self) -> int:
        """Return how many steps the catalog has had, 0 where there is none: SQLite is not let near an empty file."""
        if self.place.found() is None or not self.path.lstat().st_size:
            return 0
        with self._translated(), self._readers.connection() as connection:
            return migrations.check_format(connection, self.path)

    def _write_connection(self, *, create: bool = False) -> Connection:
        self.check_open()
        if self._writer is not None and self._written != sqlite.stamp(self.path, log=False):
            self._writer.close()  # another process has written the file, or copied one over it: see `readers`
            self._writer = None
        if self._writer is None:
            self._writer = sqlite.open_writer(self.path, create=self._access if create else None)
            if not create:  # one that migrates gives rows their checksums itself, and its steps change the columns
                checksums.keep(self._writer)
            self._written = sqlite.stamp(self.path, log=False)
        return self._writer


def _after_fork() -> None:
    """Keep the parent's connections from being closed here, also at the end: SQLite can't tell them from its own."""
    if held := [catalog.abandoned() for catalog in _opened]:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(held))


os.register_at_fork(after_in_child=_after_fork)
