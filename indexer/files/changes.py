"""What changed on disk since the catalog last looked: new, changed, moved, gone.

A file is unchanged when its size, mtime, ctime and inode are as recorded and its ctime is older than the moment it was
read (the racy case of git's index: a change within the clock's granularity leaves no trace). Otherwise the hash of
its content decides. Clocks that lie about mtime do no harm: the kernel sets ctime.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from quarry.indexer.loaders.base import check_size, largest, open_regular, too_large
from quarry.indexer.loaders.pictures.sidecars import sidecars
from quarry.indexer.loaders.pictures.xmp import MAX_XMP
from quarry.search.errors import FileMalformed, FileUnreadable, LoadError
from quarry.search.files.uris import path_of
from quarry.search.stores.rows.files import FileStat, KnownFile

_BLOCK = 1 << 18
_GRANULARITY_NS = 2_000_000_000  # the coarsest clock of a file system in use (FAT)


@dataclass(slots=True)
class Plan:
    """What to do for one root. `read` pairs a file with what was known of it; `touch` only needs its stat updated."""

    options_hash: Callable[[str], bytes]
    read: list[tuple[FileStat, KnownFile | None]] = field(default_factory=list)
    touch: list[tuple[FileStat, KnownFile]] = field(default_factory=list)
    moved: list[tuple[FileStat, KnownFile]] = field(default_factory=list)
    gone: list[KnownFile] = field(default_factory=list)
    failing: dict[str, str] = field(default_factory=dict)
    unchanged: int = 0


def content_hash(path: Path, opened: IO[bytes] | None = None) -> bytes:
    """Return the 16-byte BLAKE2b digest of a file's content, and of what is said beside it if it is a picture.

    Args:
        opened: the file, where it was opened already: it is read from its beginning to its end.

    Raises:
        FileUnreadable: it can't be opened, or is not a regular file.
        FileMalformed: it is larger than a file of its name may be, and was not read, or not further.
    """
    digest = hashlib.blake2b(digest_size=16)
    left = limit = largest(path)
    try:
        with contextlib.nullcontext(opened) if opened is not None else open_regular(path) as file:
            check_size(file, limit)
            file.seek(0)
            while block := file.read(_BLOCK):
                digest.update(block)
                left -= len(block)
                if left < 0:  # it grows as fast as it is read
                    raise FileMalformed(too_large(limit))
    except OSError as error:
        raise FileUnreadable(f"it can't be read: {error.strerror or error}") from error
    for beside in sidecars(path):
        with contextlib.suppress(OSError, FileUnreadable), open_regular(beside) as file:
            digest.update(file.read(MAX_XMP))
    return digest.digest()


def plan(
    found: Sequence[FileStat],
    known: Iterable[KnownFile],
    options_hash: Callable[[str], bytes],
    *,
    verify: bool = False,
) -> Plan:
    """Compare what was found with what is known under the same root.

    Args:
        options_hash: gives, for a path, the digest of everything but the file that decides how it is read; another one
            means read again.
        verify: hash every file, whatever its stat says, and try again those that failed.
    """
    before = {file.path: file for file in known}
    result = Plan(options_hash)
    for file in found:
        old = before.pop(file.path, None)
        if old is None or old.options_hash != options_hash(file.path) or _is_unfinished(old, verify):
            result.read.append((file, old))
            continue
        has_same_stat = not verify and _same_stat(file, old)
        if not has_same_stat and not _same_content(file, old):
            result.read.append((file, old))
            continue
        if not has_same_stat:
            result.touch.append((file, old))
        elif old.error is None:
            result.unchanged += 1
        if old.error is not None:
            result.failing[file.path] = old.error
    result.gone = list(before.values())
    return result


def follow_moves(plans: Sequence[Plan]) -> None:
    """Pair new files with gone ones of the same content, across all plans; of several the likeliest.

    A move keeps the inode within a file system, and mostly the name: so each copy finds its own new place.
    """
    gone: dict[tuple[int, bytes, bytes], list[KnownFile]] = {}
    for one in plans:
        for old in one.gone:
            if old.hash is not None and old.error is None:
                gone.setdefault((old.size, old.hash, old.options_hash), []).append(old)
    sizes = {size for size, _, _ in gone}
    paired: set[int] = set()
    for one in plans:
        unpaired: list[tuple[FileStat, KnownFile | None]] = []
        for found, known in one.read:
            candidates: list[KnownFile] = []
            if known is None and found.size in sizes and (digest := _hash_or_none(found)) is not None:
                candidates = gone.get((found.size, digest, one.options_hash(found.path)), [])
            if not candidates:
                unpaired.append((found, known))
                continue
            best = max(candidates, key=lambda old: (old.inode == found.inode, _name(old.path) == _name(found.path)))
            candidates.remove(best)
            paired.add(best.id)
            one.moved.append((found, best))
        one.read = unpaired
    for one in plans:
        one.gone = [old for old in one.gone if old.id not in paired]


def _is_unfinished(old: KnownFile, verify: bool) -> bool:
    return old.has_strangers or (verify if old.error is not None else old.hash is None)


def _same_content(file: FileStat, old: KnownFile) -> bool:
    return file.size == old.size and old.hash is not None and _hash_or_none(file) == old.hash


def _same_stat(file: FileStat, old: KnownFile) -> bool:
    return (
        (file.size, file.mtime_ns, file.ctime_ns, file.inode) == (old.size, old.mtime_ns, old.ctime_ns, old.inode)
    ) and file.ctime_ns + _GRANULARITY_NS < old.seen_ns


def _hash_or_none(file: FileStat) -> bytes | None:
    try:
        return content_hash(path_of(file.path))
    except LoadError:
        return None


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]
