"""The one file that a backup is: a tar that any tar can list, whose every byte is checked before it is believed.

Members are plain files, one after another without compression, so that it is written and read as a stream and holds no
more than it is long. `manifest.json` ends it with the size and SHA-256 of each member, and `manifest.sha256` with that
of the manifest. What is read is a stranger's: only names that a backup has are taken, each once, and nothing but files;
the headers are read here, because `tarfile` reads some that may be of any size.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from quarry.search.errors import FileMalformed

MANIFEST, SEAL = "manifest.json", "manifest.sha256"
FORMAT = 1
_BLOCK = 512
_PIECE = 1 << 20
_LARGEST_MANIFEST = 64 << 20
_MOST_MEMBERS = 100_000
_NAME = re.compile(
    r"catalog\.db|thumbnails\.db|segments/[\w-][\w.-]*|lexical/state\.json|lexical/index-\d+/[\w.-]*\w", re.ASCII
)

Put = Callable[[bytes], object]


def is_member(name: str) -> bool:
    """Whether a file of that name can be part of a library; no such name leads out of its folder."""
    return _NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Member:
    """What the manifest says of a file."""

    bytes: int
    sha256: str


class ArchiveWriter:
    """Writes an archive to a stream that need not be seekable."""

    def __init__(self, stream: BinaryIO, advance: Callable[[int], None] = lambda size: None) -> None:
        self._stream = stream
        self._advance = advance
        self.members: dict[str, Member] = {}
        self.size = 0

    def add(self, name: str, source: BinaryIO, size: int) -> None:
        """Add a file of exactly `size` bytes."""
        digest, left = hashlib.sha256(), size
        self._begin(name, size)
        while left and (piece := source.read(min(left, _PIECE))):
            self._write(piece)
            digest.update(piece)
            left -= len(piece)
            self._advance(len(piece))
        if left:
            raise FileMalformed(f"{name} became shorter while it was read.")
        self._write(bytes(-size % _BLOCK))
        self.members[name] = Member(size, digest.hexdigest())

    def close(self, about: Mapping[str, Any]) -> None:
        """End the archive with its manifest, which says `about` the backup as well."""
        members = {name: {"bytes": one.bytes, "sha256": one.sha256} for name, one in self.members.items()}
        manifest = json.dumps({"format": FORMAT, **about, "members": members}, indent=1).encode()
        seal = hashlib.sha256(manifest).hexdigest().encode()
        for name, content in ((MANIFEST, manifest), (SEAL, seal)):
            self._begin(name, len(content))
            self._write(content + bytes(-len(content) % _BLOCK))
        self._write(bytes(2 * _BLOCK))

    def _begin(self, name: str, size: int) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        self._write(info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict"))

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self.size += len(data)


class ArchiveReader:
    """Reads an archive from a stream.

    Args:
        stream: is read from where it stands.
        name: of the archive, for messages.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._read: dict[str, Member] = {}

    def read(self, begin: Callable[[str], Put], advance: Callable[[int], None] = lambda size: None) -> dict[str, Any]:
        """Read all of it, handing each member piece by piece to what `begin` returns for its name.

        Returns:
            What the manifest says about the backup. Nothing that was handed over may be used before.

        Raises:
            FileMalformed: it is no backup, or is damaged; the member is named.
        """
        manifest: bytes | None = None
        while True:
            name, size = self._header()
            if name == SEAL:
                break
            if manifest is not None:
                raise self._damaged(f"{name} comes after {MANIFEST}")
            if name == MANIFEST:
                manifest = self._content(name, size, _LARGEST_MANIFEST)
                continue
            if name in self._read or not is_member(name) or len(self._read) >= _MOST_MEMBERS:
                raise self._damaged(f"{name!a} is nothing that a backup holds, or is there twice")
            self._copy(name, size, begin(name), advance)
        if manifest is None or hashlib.sha256(manifest).hexdigest().encode() != self._content(name, size, _BLOCK):
            raise self._damaged(f"{MANIFEST} is not what was written")
        if self._stream.read(2 * _BLOCK) != bytes(2 * _BLOCK) or self._stream.read(1):
            raise self._damaged("its end is not what was written")
        return self._checked(manifest)

    def _checked(self, manifest: bytes) -> dict[str, Any]:
        try:
            said = json.loads(manifest)
            version = int(said["format"])
            members = {name: Member(int(one["bytes"]), str(one["sha256"])) for name, one in said["members"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self._damaged(f"{MANIFEST} can't be read") from error
        if version > FORMAT:
            raise FileMalformed(f"The backup {self._name} was made by a newer version of Quarry. Update it to restore.")
        for name in {**members, **self._read}:
            if self._read.get(name) != members.get(name):
                raise self._damaged(f"{name} is not what was written")
        if "catalog.db" not in members:
            raise self._damaged("catalog.db is missing")
        return dict(said)

    def _header(self) -> tuple[str, int]:
        block = self._exactly(_BLOCK, "a header")
        try:
            info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.HeaderError, ValueError) as error:
            raise self._damaged("a header is not what was written") from error
        if not self._read and not is_member(info.name):
            raise FileMalformed(f"{self._name} is no backup of a library.")
        # All other fields are as they are always written: no link, no device, no sparse file, no flipped bit.
        plain = tarfile.TarInfo(info.name)
        plain.size, plain.mode = info.size, 0o600
        if info.size < 0 or block != plain.tobuf(tarfile.GNU_FORMAT, "ascii", "surrogateescape"):
            raise self._damaged(f"the header of {info.name!a} is not what was written")
        return info.name, info.size

    def _copy(self, name: str, size: int, put: Put, advance: Callable[[int], None]) -> None:
        digest, left = hashlib.sha256(), size
        while left:
            piece = self._stream.read(min(left, _PIECE))
            if not piece:
                raise self._damaged(f"it ends within {name}")
            put(piece)
            digest.update(piece)
            left -= len(piece)
            advance(len(piece))
        self._padding(name, size)
        self._read[name] = Member(size, digest.hexdigest())

    def _content(self, name: str, size: int, most: int) -> bytes:
        if size > most:
            raise self._damaged(f"{name} is too large")
        content = self._exactly(size, name)
        self._padding(name, size)
        return content

    def _padding(self, name: str, size: int) -> None:
        if any(self._exactly(-size % _BLOCK, name)):
            raise self._damaged(f"what follows {name} is not what was written")

    def _exactly(self, size: int, name: str) -> bytes:
        content = b""
        while len(content) < size and (piece := self._stream.read(size - len(content))):
            content += piece
        if len(content) < size:
            raise self._damaged(f"it ends before {name} does")
        return content

    def _damaged(self, why: str) -> FileMalformed:
        return FileMalformed(f"The backup {self._name} is damaged: {why}. Nothing was restored; take another backup.")
