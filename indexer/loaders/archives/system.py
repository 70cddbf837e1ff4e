"""7-Zip and RAR archives, by libarchive where it is installed. Their members are read by their own loaders.

libarchive is the system's (`libarchive13`, `libarchive`), and `pip install 'quarry-search[7z]'` what speaks to it.
"""

from __future__ import annotations

import locale
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from quarry.indexer.formats import format_of
from quarry.indexer.loaders.archives.members import Members, member_name
from quarry.indexer.loaders.base import MEBIBYTE, Source
from quarry.search.errors import FileMalformed, UnsupportedType
from quarry.search.types import Parsed

_LEAST_BUDGET = 1024 * MEBIBYTE  # bytes that all that comes out of an archive may have
_RATIO = 20  # to the archive's own size, beyond that
_MOST_MEMBERS = 100_000
_RAR5 = b"Rar!\x1a\x07\x01\x00"
_MISSING = "{} needs libarchive: pip install 'quarry-search[7z]', and the system's own"
_DAMAGED = "it is damaged, and can't be read to its end; get it anew"
_ENCRYPTED = "it is encrypted; save it without a password"


def parse(source: Source) -> Iterator[Parsed]:
    """Read the members of an archive, within a budget of real bytes.

    Raises:
        UnsupportedType: libarchive is not installed.
        FileMalformed: some members could not be read.
    """
    is_rar = source.format.type == "application/vnd.rar"
    try:
        from libarchive.exception import ArchiveError
        from libarchive.read import fd_reader
    except Exception as error:  # without the library itself, importing what speaks to it fails in several ways
        raise UnsupportedType(_MISSING.format("RAR" if is_rar else "7-Zip")) from error
    for name in ("C.UTF-8", "en_US.UTF-8"):
        with suppress(locale.Error):
            locale.setlocale(locale.LC_CTYPE, name)  # in which it gives names; in the confined child alone
            break
    source.stream.seek(0)
    kind = ("rar5" if source.stream.read(len(_RAR5)) == _RAR5 else "rar") if is_rar else "7zip"
    os.lseek(source.stream.fileno(), 0, os.SEEK_SET)  # which is read beside the stream
    members = Members(source)
    budget = _Budget(max(_LEAST_BUDGET, _RATIO * os.fstat(source.stream.fileno()).st_size))
    try:
        with fd_reader(source.stream.fileno(), format_name=kind, filter_name="none") as archive:
            for count, entry in enumerate(archive):
                if count > _MOST_MEMBERS:
                    raise FileMalformed(f"it has more than {_MOST_MEMBERS:,} members; split it")
                name = member_name(str(entry.pathname or ""))
                if not name or not entry.isreg:
                    continue
                if format_of(Path(name)) is None:
                    members.pass_by()
                else:
                    yield from members.read(name, budget.pieces(entry))
    except (ArchiveError, FileMalformed) as error:
        members.note("the rest", str(error) if isinstance(error, FileMalformed) else _said(error))
    members.check()


class _Budget:
    """How many bytes may come out of all members together."""

    def __init__(self, most: int) -> None:
        self._left = self._most = most

    def pieces(self, entry: Any) -> Iterator[bytes]:
        """Yield the bytes of a member.

        Raises:
            FileMalformed: it is encrypted or damaged, or the budget is used up.
        """
        from libarchive.exception import ArchiveError

        try:
            for piece in entry.get_blocks():
                self._left -= len(piece)
                if self._left < 0:
                    raise FileMalformed(f"it inflates to more than {self._most // MEBIBYTE:,} MiB; split it")
                yield piece
        except ArchiveError as error:
            raise FileMalformed(_said(error)) from error


def _said(error: Exception) -> str:
    return _ENCRYPTED if "ncrypt" in str(error) or "assphrase" in str(error) else _DAMAGED
