"""What SQLite and our own code raise over a catalog that is not what was written -> errors of the tree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path

from quarry.search.stores.database import checksums, sqlite
from quarry.search.stores.database.readers import Readers
from quarry.search.stores.database.sqlite import DatabaseError

_LOOK_S = 5.0
# What code raises that gets other values than it wrote; anything else is meant.
_UNFORESEEN = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


@contextmanager
def translated(path: Path, readers: Readers) -> Iterator[None]:
    """Raise errors of the tree for what the work with a catalog raises, where the catalog or its disk is the cause."""
    try:
        yield
    except DatabaseError as error:
        ours = sqlite.translate(error, path)
        if ours is error and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in sqlite.UNFORESEEN:
            ours = _explained(error, path, readers)
        if ours is error:
            raise
        raise ours from error
    except (UnicodeDecodeError, JSONDecodeError) as error:  # of a schema that SQLite quotes, of what is stored
        raise sqlite.damaged(path, error) from error
    except _UNFORESEEN as error:
        ours = _explained(error, path, readers)
        if ours is error:
            raise
        raise ours from error


def _explained(error: Exception, path: Path, readers: Readers) -> Exception:
    """Return what a damaged row did to code that took it for what was written; `error` itself where none is found.

    It takes a look at the whole catalog, as far as that is done in a few seconds: for what would be a traceback.
    """
    try:
        with readers.connection() as connection:
            row = checksums.first_damaged(connection, _LOOK_S)
    except (DatabaseError, UnicodeDecodeError) as other:
        return sqlite.damaged(path, other)
    return error if row is None else sqlite.damaged(path, f"{checksums.named(row)} is not what was written")
