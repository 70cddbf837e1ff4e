"""The files that documents were read from, given out by the id of a document and by nothing else."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from quarry.indexer.files.changes import content_hash
from quarry.indexer.formats import format_of, is_picture, is_picture_content, supported
from quarry.indexer.loaders.base import open_regular
from quarry.indexer.parsers import PARSERS
from quarry.search.errors import FileUnreadable, LoadError, NotFound
from quarry.search.files.uris import path_of
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows import files
from quarry.search.types import Document

_HEAD = 64  # bytes by which a picture is known
_MOST_HASHES = 64
_SETTLED_NS = 2_000_000_000
_HASHES: dict[tuple[int, ...], bytes] = {}  # of what is played, by its state


@dataclass(frozen=True, slots=True)
class Original:
    """A file that was indexed, and is as it was then: open at its beginning, to be closed by who has it.

    Args:
        hash: of its content, and of what is said beside it if it is a picture.
        is_picture: whether it is one, by its name and by what it holds.
        name: that it is saved by.
    """

    file: IO[bytes]
    size: int
    hash: bytes
    is_picture: bool
    name: str


def open_original(connection: Connection, row_id: int, document: Document) -> Original:
    """Open the file of a document.

    Raises:
        NotFound: there is none any more, or another one stands in its place: a link, say, or a changed file, which
            may be none of those that were to be searched.
    """
    row = files.of_document(connection, row_id)
    gone = NotFound(f"The file of {document.title!r} is not there any more, or has changed since it was indexed.")
    if row is None:
        raise NotFound(f"{document.title!r} has no file: it was handed over.")
    path, recorded = path_of(row[0]), row[1]
    if recorded is None or not supported(path):
        raise gone
    try:
        file = open_regular(path)
    except (OSError, LoadError) as error:
        raise gone from error
    try:
        head = file.read(_HEAD)
        # Of what is open: another file may stand there by now.
        if (is_picture(path) and not is_picture_content(head)) or _hash(path, file) != recorded:
            raise gone
        file.seek(0)
        return Original(file, os.fstat(file.fileno()).st_size, recorded, is_picture(path), path.name)
    except BaseException as error:
        file.close()
        raise gone if isinstance(error, OSError | LoadError) else error from error


def _hash(path: Path, file: IO[bytes]) -> bytes:
    """Return the hash of an open file; of what is played, which is asked for in many ranges, once as long as it stays.

    Whoever changes a file changes its `st_ctime`, which can't be set back.
    """
    form, found = format_of(path), os.fstat(file.fileno())
    if form is None or not form.type.startswith(("audio/", "video/")):
        return content_hash(path, file)
    state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    if (known := _HASHES.get(state)) is None:
        known = content_hash(path, file)
        if len(_HASHES) >= _MOST_HASHES:
            _HASHES.clear()
        if time.time_ns() - found.st_ctime_ns > _SETTLED_NS:  # else it may change again without a trace
            _HASHES[state] = known
    return known


def open_member(original: Original, path: Path, key: str) -> Original:
    """Take the file that holds an item out of the one that was indexed, in the confined child.

    Args:
        original: the latter, which is given back where the item is its own, and else closed.
        path: where it lies.
        key: of the item, such as `a/mail.eml#plan.pdf`.

    Raises:
        LoadError: that can't be done (any more).
        Busy: other files are being read.
    """
    member, name, digest = tempfile.TemporaryFile(), "", hashlib.blake2b(digest_size=16)  # noqa: SIM115
    try:
        for piece in PARSERS.extract(path, key):
            name = name or piece.name
            member.write(piece.data)
            digest.update(piece.data)
        now, then = path.lstat(), os.fstat(original.file.fileno())
        if (now.st_ino, now.st_dev, now.st_mtime_ns) != (then.st_ino, then.st_dev, then.st_mtime_ns):
            raise FileUnreadable("it changed while it was read; index it again")
        if not name:
            member.close()
            return original
        size = member.tell()
        member.seek(0)
        name, head = Path(name).name, member.read(_HEAD)
        member.seek(0)
    except BaseException:
        member.close()
        raise
    original.file.close()
    shown = is_picture(Path(name)) and is_picture_content(head)
    return Original(member, size, digest.digest(), shown, name)
