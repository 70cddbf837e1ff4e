"""The file that a catalog was opened from: whether it is still there, and goes on from what was seen of it."""

from __future__ import annotations

from pathlib import Path

from quarry.search.errors import LibraryError, LibraryReplaced
from quarry.search.stores import lineage
from quarry.search.stores.database import checksums
from quarry.search.stores.database.sqlite import Connection


class LibraryPlace:
    """Where a catalog is, and what was there when it was opened.

    Args:
        path: of the catalog.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: tuple[int, int] | None = None
        self._is_replaced = False
        self.seen = lineage.Commit()  # the newest commit that was

    def settle(self) -> None:
        """Hold on to the file that is there now."""
        self._opened = self.found()

    def found(self) -> tuple[int, int] | None:
        """Tell the file at this place from others; None where there is none."""
        try:
            status = self._path.lstat()  # of a link itself, which is refused when it is opened
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            raise LibraryError(f"The library at {self._path.parent} can't be read by this user.") from error
        return status.st_dev, status.st_ino

    def is_current(self) -> bool:
        """Whether the file that was opened is still the one at this place, and goes on from what was seen of it."""
        return not self._is_replaced and self.found() == self._opened

    def require(self) -> None:
        """Raise `LibraryReplaced` where the file that was opened is not the one at this place any more."""
        if not self.is_current():
            found = "Another library" if self.found() else "No library"
            raise LibraryReplaced(
                f"{found} is at {self._path.parent} since it was opened; nothing was read or written. Try again."
            )

    def follow(self, connection: Connection, seen: lineage.Commit) -> lineage.Commit:
        """Return the newest commit, which must go on from one that was `seen` before the transaction began."""
        checksums.require(connection, "meta", "key IN ('generation', 'library', 'nulls', 'compacted')")
        newest = lineage.newest(connection)
        if newest != seen:
            if seen.generation >= 0 and not lineage.has_had(connection, seen):
                self._is_replaced = True
                raise LibraryReplaced(
                    f"The library at {self._path.parent} was put back to another state since it was opened; nothing "
                    "was read or written. Try again."
                )
            self.seen = newest
        return newest
