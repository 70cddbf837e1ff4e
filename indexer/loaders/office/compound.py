"""OLE compound files, which old and encrypted office documents are kept in: their streams and properties."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from quarry.indexer.loaders.base import MEBIBYTE
from quarry.indexer.loaders.office.property_sets import properties
from quarry.search.errors import FileMalformed

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED = "it is encrypted; save it without a password"
DAMAGED = "it is damaged, its streams can't be read; save it anew, or get it again"
SUMMARY = "\x05SummaryInformation"
_LONGEST = 256 * MEBIBYTE


class Compound:
    """An open compound file."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.names: tuple[str, ...] = tuple("/".join(path) for path in file.listdir())
        self._by_case = {name.lower(): name for name in self.names}

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._by_case

    def read(self, name: str) -> bytes:
        """Return a stream, b"" where there is none."""
        if (stored := self._by_case.get(name.lower())) is None:
            return b""
        data: bytes = self._file.openstream(stored.split("/")).read(_LONGEST)
        return data

    def properties(self, stream: str = SUMMARY) -> tuple[str, dict[str, Any]]:
        """Return the title and what else is known of the document."""
        return properties(self.read(stream))


@contextmanager
def opened(stream: IO[bytes]) -> Iterator[Compound]:
    """Open a compound file.

    Raises:
        FileMalformed: it is damaged, or encrypted as a whole.
    """
    import olefile

    stream.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compound = Compound(olefile.OleFileIO(stream))
            if "EncryptedPackage" in compound:
                raise FileMalformed(ENCRYPTED)
            yield compound
        except (OSError, LookupError, ValueError, TypeError, AttributeError, OverflowError) as error:
            raise FileMalformed(DAMAGED) from error
