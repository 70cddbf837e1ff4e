"""What changed on disk since the catalog last looked: new, changed, moved, gone.

A file is unchanged when its size, mtime, ctime and inode are as recorded and its ctime is older than the moment it was
read (the racy case of git's index: a change within the clock's granularity leaves no trace). Otherwise the hash of
its content decides. Clocks that lie about mtime do no harm: the kernel sets ctime.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

from search.errors import FileUnreadable
from search.uris import path_of, uri_of

IGNORE_FILES = (".gitignore", ".quarryignore")
_GRANULARITY_NS = 2_000_000_000  # the coarsest clock of a file system in use (FAT)


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file as the walk saw it. `path` is its URI form (`uri_of`)."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Known:
    """A file as the catalog knows it. `hash` is None where reading it was not finished or failed."""

    id: int
    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    seen_ns: int
    hash: bytes | None
    options_hash: bytes
    error: str | None
    documents: int = 0


@dataclass(slots=True)
class Walk:
    """What a walk found, and how much it passed by, by reason."""

    files: list[Found] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Plan:
    """What to do for one root. `read` pairs a file with what was known of it; `touch` only needs its stat updated."""

    read: list[tuple[Found, Known | None]] = field(default_factory=list)
    touch: list[tuple[Found, Known]] = field(default_factory=list)
    moved: list[tuple[Found, Known]] = field(default_factory=list)
    gone: list[Known] = field(default_factory=list)
    failing: list[Known] = field(default_factory=list)
    unchanged: int = 0


def content_hash(path: Path) -> bytes:
    """Return the 16-byte BLAKE2b digest of a file's content.

    Raises:
        FileUnreadable: it can't be opened, or is not a regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FileUnreadable(f"{path} is not a regular file.")
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
    except OSError as error:
        raise FileUnreadable(f"{path} can't be read: {error.strerror}.") from error


def walk(root: Path, supported: Callable[[Path], bool]) -> Walk:
    """List the files under `root`, or `root` itself, in path order.

    Hidden files and folders, symbolic links, FIFOs and devices, and what `.gitignore` and `.quarryignore` exclude are
    passed by; folders that are excluded are not entered.
    """
    result = Walk()
    info = root.lstat()
    if stat.S_ISREG(info.st_mode):
        result.files.append(_found(os.fspath(root), info))
        return result
    pending: list[tuple[str, tuple[tuple[str, GitIgnoreSpec], ...]]] = [(os.fspath(root), ())]
    while pending:
        folder, specs = pending.pop()
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            result.unreadable[uri_of(folder)] = f"The folder can't be read: {error.strerror}."
            continue
        names = {entry.name for entry in listed}
        if specs_here := _read_ignore_files(folder, names, result):
            specs = (*specs, (folder, specs_here))
        below = []
        for entry in listed:
            if entry.name.startswith("."):
                result.skipped["hidden"] += 1
            elif entry.is_symlink():
                result.skipped["link"] += 1
            elif entry.is_dir(follow_symlinks=False):
                if specs and _ignored(entry.path + "/", specs):
                    result.skipped["ignored"] += 1
                else:
                    below.append((entry.path, specs))
            elif not entry.is_file(follow_symlinks=False):
                result.skipped["not a regular file"] += 1
            elif specs and _ignored(entry.path, specs):
                result.skipped["ignored"] += 1
            elif not supported(Path(entry.name)):
                result.skipped["unsupported type"] += 1
            else:
                try:
                    result.files.append(_found(entry.path, entry.stat(follow_symlinks=False)))
                except OSError as error:
                    result.unreadable[uri_of(entry.path)] = f"The file can't be read: {error.strerror}."
        pending.extend(reversed(below))
    return result


def plan(found: Sequence[Found], known: Iterable[Known], options_hash: bytes, *, verify: bool = False) -> Plan:
    """Compare what was found with what is known under the same root.

    Args:
        options_hash: digest of everything but the file that decides how it is read; another one means read again.
        verify: hash every file, whatever its stat says, and try again those that failed.
    """
    before = {file.path: file for file in known}
    result = Plan()
    fresh: list[Found] = []
    for file in found:
        old = before.pop(file.path, None)
        if old is None:
            fresh.append(file)
        elif old.options_hash != options_hash:
            result.read.append((file, old))
        elif not verify and _same_stat(file, old):
            if old.error is not None:
                result.failing.append(old)
            elif old.hash is None:
                result.read.append((file, old))
            else:
                result.unchanged += 1
        elif old.hash is not None and file.size == old.size and _hash_or_none(file) == old.hash:
            result.touch.append((file, old))
        else:
            result.read.append((file, old))
    gone_by_hash: dict[tuple[int, bytes], list[Known]] = {}
    for old in before.values():
        if old.hash is not None and old.options_hash == options_hash:
            gone_by_hash.setdefault((old.size, old.hash), []).append(old)
    sizes = {size for size, _ in gone_by_hash}
    for file in fresh:
        candidates = gone_by_hash.get((file.size, _hash_or_none(file) or b"")) if file.size in sizes else None
        if candidates:
            old = candidates.pop()
            del before[old.path]
            result.moved.append((file, old))
        else:
            result.read.append((file, None))
    result.gone = list(before.values())
    return result


def _same_stat(file: Found, old: Known) -> bool:
    return (
        (file.size, file.mtime_ns, file.ctime_ns, file.inode) == (old.size, old.mtime_ns, old.ctime_ns, old.inode)
    ) and file.ctime_ns + _GRANULARITY_NS < old.seen_ns


def _hash_or_none(file: Found) -> bytes | None:
    try:
        return content_hash(path_of(file.path))
    except FileUnreadable:
        return None


def _found(path: str, info: os.stat_result) -> Found:
    return Found(uri_of(path), info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)


def _read_ignore_files(folder: str, names: set[str], result: Walk) -> GitIgnoreSpec | None:
    lines: list[str] = []
    for name in IGNORE_FILES:
        if name in names:
            path = Path(folder, name)
            try:
                lines += path.read_text("utf-8", errors="replace").splitlines()
            except OSError as error:
                result.unreadable[uri_of(path)] = f"The ignore file can't be read: {error.strerror}."
    return GitIgnoreSpec.from_lines(lines) if lines else None


def _ignored(path: str, specs: tuple[tuple[str, GitIgnoreSpec], ...]) -> bool:
    """Say whether the nearest ignore file that has an opinion excludes `path`; folders end in a slash."""
    for folder, spec in reversed(specs):
        verdict = spec.check_file(path[len(folder) :].lstrip("/")).include
        if verdict is not None:
            return verdict
    return False
