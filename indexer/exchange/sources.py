"""Where a replica's library is: what is asked of it, and a library in a folder of this machine."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from quarry.indexer.exchange.commit_files import CommitFile, CommitState, newest_state, opened_commit
from quarry.indexer.exchange.listing import CommitListing, ListedFile
from quarry.indexer.report import NoProgress, Progress
from quarry.search.engines.opened import OpenedVectors
from quarry.search.engines.table import Engines
from quarry.search.errors import FileMalformed, InvalidRequest
from quarry.search.stores.catalog import Catalog
from quarry.search.wiring import open_vectors


class HeldCommit(Protocol):
    """A commit whose files stay what they are while it is held."""

    @property
    def listing(self) -> CommitListing:
        """Its files."""
        ...

    def read(self, file: ListedFile, start: int, end: int) -> bytes:
        """Return the bytes of a file in [start, end); fewer where it is not as long as it was listed."""
        ...


class LibrarySource(Protocol):
    """A library that is copied from.

    All raise an error of `search.errors` where it can't be reached, which is no fault of the copy: it may be later.
    """

    @property
    def name(self) -> str:
        """Where it is: a path or an address."""
        ...

    def check(self, target: Path) -> None:
        """Raise `InvalidRequest` where it can't be copied to a folder."""
        ...

    def newest(self) -> CommitState:
        """Return what a copy that is made now would be of."""
        ...

    def held(self, scratch: Path) -> AbstractContextManager[HeldCommit]:
        """Hold the newest commit in the block; `scratch` is an empty folder for what that takes."""
        ...


class FolderSource:
    """A library in a folder.

    Args:
        directory: may be a replica itself.
    """

    def __init__(self, directory: Path, engines: Engines | None = None) -> None:
        self._directory = directory
        self._engines = engines

    @property
    def name(self) -> str:
        """Its path."""
        return str(self._directory)

    def check(self, target: Path) -> None:
        """Refuse to copy a library into itself, or over what it lies in."""
        own, other = self._directory.resolve(), target.resolve()
        if own == other or own in other.parents or other in own.parents:
            raise InvalidRequest(f"{target} and the library at {own} lie within each other; name a folder elsewhere.")

    def newest(self) -> CommitState:
        """Look at the catalog."""
        with closing(Catalog(self._directory)) as catalog:
            return newest_state(catalog)

    @contextmanager
    def held(self, scratch: Path) -> Iterator[HeldFolder]:
        """Open the files, and copy the databases."""
        with (
            closing(Catalog(self._directory)) as catalog,
            held_commit(open_vectors(catalog, self._engines), scratch) as held,
        ):
            yield held


class HeldFolder:
    """A commit of a library of this machine, whose files are open; for many threads.

    Args:
        files: by their SHA-256.
    """

    def __init__(self, listing: CommitListing, files: dict[str, CommitFile]) -> None:
        self.listing = listing
        self.files = files

    def read(self, file: ListedFile, start: int, end: int) -> bytes:
        """Read by the descriptor that is open."""
        try:
            return os.pread(self.files[file.sha256].stream.fileno(), end - start, start)
        except OSError as error:
            raise FileMalformed(f"{file.name} can't be read at its source: {error.strerror}.") from error

    def opened(self, file: CommitFile) -> IO[bytes]:
        """Return a stream of a file with a position of its own, to be closed by the caller: it outlives the holding."""
        return io.BufferedReader(_Apart(os.dup(file.stream.fileno())))


class _Apart(io.RawIOBase):
    """A file by a descriptor that is a copy of another one, with which it shares its position: that is not used."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        count = os.preadv(self._descriptor, [buffer], self._at)
        self._at += count
        return count

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


@contextmanager
def held_commit(vectors: OpenedVectors, scratch: Path, progress: Progress | None = None) -> Iterator[HeldFolder]:
    """Hold the newest commit of a library of this machine; raise as `opened_commit`."""
    with opened_commit(vectors, scratch, progress or NoProgress()) as opened:
        listing = CommitListing.of(opened)
        by_sum = {one.sha256: file for one, file in zip(listing.files, opened.files, strict=True)}
        yield HeldFolder(listing, by_sum)
