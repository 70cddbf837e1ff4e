"""The list of the files of a commit: their names, lengths and hashes, as one side tells it and the other checks it.

A database is the one file that is not written anew as a whole: most of its pages stay what and where they are. So it is
listed in blocks as well, and who has an older one fetches those that have changed. A block's digest only tells what to
fetch; what was put together is believed for its SHA-256.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from quarry.indexer.exchange.archive import is_member
from quarry.indexer.exchange.commit_files import CommitFile, CommitState, OpenedCommit
from quarry.search.errors import FileMalformed
from quarry.search.stores.catalog import FILE
from quarry.search.stores.lineage import Commit
from quarry.search.stores.thumbnails import FILE as THUMBNAILS

FORMAT = 1
BLOCK = 4 << 10  # bytes: a page of a database
_DATABASES = (FILE, THUMBNAILS)
_DIGEST = 8  # bytes of a block's
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HEX = re.compile(r"[0-9a-f]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file of a commit.

    Args:
        blocks: the digests of its blocks one after another, of a database; else b"".
    """

    name: str
    size: int
    sha256: str
    blocks: bytes = b""

    def changed(self, older: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
        """Yield where each block begins and what it holds, None where an older file does not have it there."""
        for number in range(-(-self.size // BLOCK)):
            start = number * BLOCK
            older.seek(start)
            held = older.read(min(BLOCK, self.size - start))
            own = self.blocks[number * _DIGEST : (number + 1) * _DIGEST]
            yield start, held if _digest(held) == own else None


@dataclass(frozen=True, slots=True)
class CommitListing:
    """The files of one commit.

    Args:
        documents: how many it has.
        left_out: derived files that are damaged at the source, and why.
    """

    state: CommitState
    documents: int
    files: tuple[ListedFile, ...]
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, opened: OpenedCommit) -> CommitListing:
        """List the files that are open."""
        return cls(opened.state, opened.documents, tuple(map(_listed, opened.files)), opened.left_out)

    @property
    def body(self) -> dict[str, Any]:
        """The list as JSON."""
        files = [
            {"name": one.name, "bytes": one.size, "sha256": one.sha256, "blocks": one.blocks.hex()}
            for one in self.files
        ]
        more = {"documents": self.documents, "files": files, "left_out": list(self.left_out)}
        return {"format": FORMAT, **state_body(self.state), **more}

    @classmethod
    def read(cls, body: Mapping[str, Any], source: str) -> CommitListing:
        """Read a list that a stranger may have written.

        Raises:
            FileMalformed: it is none, names what no library has, or was made by a newer version.
        """
        try:
            if int(body["format"]) > FORMAT:
                raise FileMalformed(f"{source} lists its files as a newer version of Quarry does. Update it here.")
            files = tuple(_read(one) for one in body["files"])
            names = {one.name for one in files}
            if FILE not in names or len(names) < len(files):
                raise ValueError
            left_out = tuple(map(str, body.get("left_out", ())))
            return cls(read_state(body, source), int(body["documents"]), files, left_out)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _unlike(source) from error


def state_body(state: CommitState) -> dict[str, Any]:
    """Return a state as JSON."""
    commit = state.commit
    return {
        "library": commit.library,
        "generation": commit.generation,
        "commit": commit.id,
        "derived": state.derived,
    }


def read_state(body: Mapping[str, Any], source: str) -> CommitState:
    """Read a state; raise `FileMalformed` where it is none."""
    try:
        derived = str(body["derived"])
        if not _SHA256.fullmatch(derived) or int(body["generation"]) < 0:
            raise ValueError
        return CommitState(Commit(str(body["library"]), int(body["generation"]), str(body["commit"])), derived)
    except (ValueError, KeyError, TypeError) as error:
        raise _unlike(source) from error


def _listed(file: CommitFile) -> ListedFile:
    if file.name not in _DATABASES:
        return ListedFile(file.name, file.size, file.sha256)
    whole, blocks = hashlib.sha256(), bytearray()
    file.stream.seek(0)
    while block := file.stream.read(BLOCK):
        whole.update(block)
        blocks += _digest(block)
    return ListedFile(file.name, file.size, whole.hexdigest(), bytes(blocks))


def _read(one: Mapping[str, Any]) -> ListedFile:
    name, size, sha256, blocks = str(one["name"]), int(one["bytes"]), str(one["sha256"]), str(one.get("blocks", ""))
    if not is_member(name) or size < 0 or not _SHA256.fullmatch(sha256) or not _HEX.fullmatch(blocks):
        raise ValueError(name)
    held = bytes.fromhex(blocks)
    if held and len(held) != -(-size // BLOCK) * _DIGEST:
        raise ValueError(name)
    return ListedFile(name, size, sha256, held)


def _digest(block: bytes) -> bytes:
    return hashlib.blake2b(block, digest_size=_DIGEST).digest()


def _unlike(source: str) -> FileMalformed:
    return FileMalformed(f"What {source} says of its files is nothing that Quarry writes.")
