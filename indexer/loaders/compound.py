"""OLE compound files, which old and encrypted office documents are kept in: what they hold, and their properties."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from quarry.indexer.loaders.base import MEBIBYTE
from quarry.indexer.loaders.titles import person, title_of
from quarry.search.errors import FileMalformed

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED = "it is encrypted; save it without a password"
DAMAGED = "it is damaged, its streams can't be read; save it anew, or get it again"
_LONGEST = 256 * MEBIBYTE
_EARLIEST = 1980


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

    def properties(self, codec: str = "") -> tuple[str, dict[str, Any]]:
        """Return the title and what else is known of the document; what of it is damaged is left out.

        Args:
            codec: of its strings, where the document itself tells; else its properties do.
        """
        try:
            read = self._file.getproperties("\x05SummaryInformation", no_conversion=[10])
        except Exception:  # whatever damaged properties make it raise: the text is there all the same
            return "", {}
        codec = codec or _codec(read.get(1))

        def string(key: int) -> str:
            found = read.get(key)
            return found.decode(codec, "replace") if isinstance(found, bytes) else str(found or "")

        metadata: dict[str, Any] = {
            "author": person(string(4)),
            "subject": string(3),
            "keywords": string(5),
            "date": getattr(read.get(12), "isoformat", str)() if getattr(read.get(12), "year", 0) >= _EARLIEST else "",
        }
        return title_of(string(2)), {name: value for name, value in metadata.items() if value}


@contextmanager
def opened(stream: IO[bytes] | bytes) -> Iterator[Compound]:
    """Open a compound file.

    Raises:
        FileMalformed: it is damaged, or encrypted as a whole.
    """
    import olefile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            source = io.BytesIO(stream) if isinstance(stream, bytes) else stream
            source.seek(0)
            file = olefile.OleFileIO(source)
            compound = Compound(file)
            if "EncryptedPackage" in compound:
                raise FileMalformed(ENCRYPTED)
            yield compound
        except (OSError, IndexError, ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
            raise FileMalformed(DAMAGED) from error


def _codec(number: Any) -> str:
    """Name the codec of a code page; Windows' Western one where there is none of that number."""
    number = number % 65536 if isinstance(number, int) else 1252
    name = {65001: "utf-8", 1200: "utf-16-le"}.get(number, f"cp{number}")
    try:
        "".encode(name)
    except LookupError:
        return "cp1252"
    return name
