"""Files -> prepared documents, one after the other; each file ends with a word on how it went."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from quarry.indexer.files.changes import content_hash
from quarry.indexer.files.walking import HOLDS_NOTHING, UNSUPPORTED, VANISHED, look
from quarry.indexer.formats import is_picture
from quarry.indexer.loaders.base import largest
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.indexer.loaders.sandbox.wire import Reached
from quarry.indexer.prepared import PreparedDocument, item_uri, prepare, timestamp
from quarry.search.errors import FileMalformed, FileUnreadable, LoadError, QuarryError, UnsupportedType
from quarry.search.files import openings
from quarry.search.files.uris import path_of
from quarry.search.models.contracts import TextEncoder
from quarry.search.stores.rows import files, roots
from quarry.search.types import Parsed

EncoderFor = Callable[[str], TextEncoder]

_ATTEMPTS = 2  # at a file that changes while it is read


@dataclass(frozen=True, slots=True)
class FileToRead:
    """A file that is to be read, for which root; `options_hash` is recorded with it."""

    root: roots.Root
    found: files.FileStat
    options_hash: bytes


@dataclass(frozen=True, slots=True)
class FileDocument:
    """One document of a file; `share` (0..1) of which was read before it, 0 where that is not known."""

    reading: FileToRead
    prepared: PreparedDocument
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class FileReached:
    """A share (0..1) of a file was read, of which there is nothing yet to be written."""

    reading: FileToRead
    share: float


@dataclass(frozen=True, slots=True)
class FileEnd:
    """The end of a file.

    Args:
        found: the file as it was when it was read.
        seen_ns: a moment before that; 0 where it is to be tried again whatever its stat says.
        hash: of its content; None where it was not read to its end.
        uris: of the documents that it holds, or held up to where it failed.
        error: why it failed.
        skipped: why it was passed by, "" where it was not.
    """

    reading: FileToRead
    found: files.FileStat
    seen_ns: int
    uris: Set[str]
    hash: bytes | None = None
    error: LoadError | None = None
    skipped: str = ""


FilePart = FileDocument | FileReached | FileEnd


def read(readings: Iterable[FileToRead], sandbox: Sandbox, encoder_for: EncoderFor) -> Iterator[FilePart]:
    """Parse files in the sandbox and cut their documents, each for the model that its text calls for."""
    for reading in readings:
        yield from _read_one(reading, sandbox, encoder_for)


def _read_one(reading: FileToRead, sandbox: Sandbox, encoder_for: EncoderFor) -> Iterator[FilePart]:
    path, found = path_of(reading.found.path), reading.found
    for _ in range(_ATTEMPTS):
        uris, seen_ns, digest = set[str](), time.time_ns(), None
        error: LoadError | None = None
        try:
            found = look(path)
            hashing = _hashing(path)
            try:
                yield from _documents(reading, found, path, sandbox, encoder_for, uris)
            finally:
                digest = hashing()
            changed = look(path) != found
        except LoadError as failure:
            error = failure
            changed = _has_changed(path, found)
        except OSError as failure:
            error, changed = FileUnreadable(f"it can't be read: {failure.strerror or failure}"), False
        if not changed:
            break
    else:
        error = FileUnreadable("it keeps changing while it is read; index it again")
    if error is None:
        yield FileEnd(reading, found, seen_ns, uris, digest, skipped="" if uris else HOLDS_NOTHING)
    elif not os.path.lexists(path):
        yield FileEnd(reading, found, 0, uris, skipped=VANISHED)
    elif isinstance(error, UnsupportedType):
        yield FileEnd(reading, found, seen_ns, uris, digest, skipped=UNSUPPORTED)
    else:  # what can't be opened today may be there tomorrow: that is tried again in any case
        yield FileEnd(reading, found, 0 if isinstance(error, FileUnreadable) else seen_ns, uris, error=error)


def _has_changed(path: Path, found: files.FileStat) -> bool:
    try:
        return look(path) != found
    except OSError:
        return False  # it is gone, or can't be reached any more: that is told, not tried again


def _hashing(path: Path) -> Callable[[], bytes | None]:
    """Return what gives the hash of a file; a photo is hashed while the sandbox decodes it.

    What is too large to be read is not hashed either: the sandbox says why it is refused.
    """
    if openings.look(path).st_size > largest(path):
        return lambda: None
    if not is_picture(path):
        digest = content_hash(path)
        return lambda: digest
    pool = ThreadPoolExecutor(1)
    hashed = pool.submit(content_hash, path)
    pool.shutdown(wait=False)
    return hashed.result


def _documents(
    reading: FileToRead, found: files.FileStat, path: Path, sandbox: Sandbox, encoder_for: EncoderFor, uris: set[str]
) -> Iterator[FileDocument | FileReached]:
    share = 0.0
    for parsed in sandbox.follow(path):
        if isinstance(parsed, Reached):
            if parsed.share > share:
                share = parsed.share
                yield FileReached(reading, share)
            continue
        uri = item_uri(found.path, parsed.key, uris)
        title = files.title_of(found.path, parsed.key)
        modified = timestamp(found.mtime_ns / 1e9)
        yield FileDocument(reading, _prepared(parsed, encoder_for, uri, title, reading.root, modified), share)


def _prepared(
    parsed: Parsed, encoder_for: EncoderFor, uri: str, title: str, root: roots.Root, modified: str
) -> PreparedDocument:
    try:
        encoder = encoder_for(parsed.text)
        return prepare(parsed, encoder, uri=uri, title=title, metadata=root.options.metadata, modified=modified)
    except QuarryError:
        raise
    except Exception as error:  # a text that trips the cutting is one bad file, and stops no run
        raise FileMalformed(f"its text could not be cut into passages ({type(error).__name__}: {error})") from error
