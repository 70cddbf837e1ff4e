"""Files of a commit -> this machine: linked where they are here already, patched or fetched where they are not."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from quarry.indexer.exchange.listing import BLOCK, ListedFile
from quarry.indexer.exchange.sources import HeldCommit
from quarry.search.errors import FileMalformed
from quarry.search.files import disks
from quarry.search.files.access import make_file_anew, make_folder

PIECE = 4 << 20  # bytes that are asked for at a time
_GAP = 8 << 10  # bytes between two stretches that are asked for as one
_PART = ".part"

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came from a source: how many files, wholly or in part, and how many bytes of them."""

    files: int = 0
    bytes: int = 0


class Incoming:
    """What is brought for the next generation, by its SHA-256: what is whole has that as its name.

    Args:
        last: the folder of the generation that is read now, None where there is none.
        source: for messages.
    """

    def __init__(self, directory: Path, last: Path | None, source: str) -> None:
        self.directory = directory
        self.fetched = Fetched()
        self._last = last
        self._source = source
        make_folder(directory)

    def require_room(self, files: Sequence[ListedFile]) -> None:
        """Drop what no file is of, and raise `StorageFull` where the rest will not find room on the disk."""
        wanted = {one.sha256 for one in files}
        for path in self.directory.iterdir():
            if path.is_file() and path.name.removesuffix(_PART) not in wanted:
                path.unlink()
        lacking = sum(one.size for one in files if self._held(one) is None)
        begun = sum(path.stat().st_size for path in self.directory.glob(f"*{_PART}"))
        if lacking - begun > shutil.disk_usage(self.directory).free:
            raise disks.full(self.directory.parent)

    def bring(self, file: ListedFile, held: HeldCommit, advance: Advance) -> Path:
        """Return where a file is that is what was listed.

        Raises:
            FileMalformed: what came is not, twice.
        """
        if (found := self._held(file)) is not None:
            if _is(file, found):
                advance(file.size)
                return found
            if found.parent == self.directory:
                found.unlink()
        whole, part = self.directory / file.sha256, self.directory / f"{file.sha256}{_PART}"
        ways = (self._patched, self._fetched, self._fetched) if self._older(file) else (self._fetched, self._fetched)
        for way in ways:
            way(file, held, part, advance)
            if _is(file, part):
                part.replace(whole)
                self.fetched = Fetched(self.fetched.files + 1, self.fetched.bytes)
                return whole
            part.unlink()
        raise FileMalformed(
            f"{file.name} came from {self._source} otherwise than it is listed there, twice. "
            f"`quarry doctor` at the source tells whether it is damaged there."
        )

    def _held(self, file: ListedFile) -> Path | None:
        """Return where a file of that hash should be, in the last generation or from a run that was killed."""
        places = [self.directory / file.sha256]
        if self._last is not None:
            places.append(self._last / file.name)
        return next((path for path in places if path.is_file() and path.stat().st_size == file.size), None)

    def _older(self, file: ListedFile) -> Path | None:
        """Return an older state of a file that is listed by its blocks, where there is one."""
        path = self._last / file.name if self._last is not None and file.blocks else None
        return path if path is not None and path.is_file() else None

    def _patched(self, file: ListedFile, held: HeldCommit, part: Path, advance: Advance) -> None:
        """Put a file together from the blocks that an older one has, and fetch the others."""
        older = self._older(file) or part
        lacking = list[tuple[int, int]]()
        with make_file_anew(part) as stream, older.open("rb") as before:
            for start, block in file.changed(before):
                if block is not None:
                    stream.seek(start)
                    stream.write(block)
                    continue
                end = min(start + BLOCK, file.size)
                if lacking and start - lacking[-1][1] <= _GAP:
                    start = lacking.pop()[0]
                lacking.append((start, end))
            stream.truncate(file.size)
            advance(file.size - sum(end - start for start, end in lacking))
            for start, end in lacking:
                self._fetch(file, held, stream, start, end, advance)
            _settle(stream)

    def _fetched(self, file: ListedFile, held: HeldCommit, part: Path, advance: Advance) -> None:
        """Fetch a file from where a run that was killed ended."""
        if not part.exists():
            make_file_anew(part).close()
        with part.open("r+b") as stream:
            begun = min(part.stat().st_size, file.size)
            stream.truncate(begun)
            advance(begun)
            self._fetch(file, held, stream, begun, file.size, advance)
            _settle(stream)

    def _fetch(
        self, file: ListedFile, held: HeldCommit, stream: IO[bytes], start: int, end: int, advance: Advance
    ) -> None:
        stream.seek(start)
        for at in range(start, end, PIECE):
            piece = held.read(file, at, min(at + PIECE, end))
            stream.write(piece)
            advance(len(piece))
            self.fetched = Fetched(self.fetched.files, self.fetched.bytes + len(piece))


def _is(file: ListedFile, path: Path) -> bool:
    with path.open("rb") as stream:
        is_as_long = os.fstat(stream.fileno()).st_size == file.size
        return is_as_long and hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _settle(stream: IO[bytes]) -> None:
    stream.flush()
    os.fsync(stream.fileno())
