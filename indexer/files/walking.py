"""Which files lie under a root: regular ones, of supported types, that no ignore file excludes.

What only says something about a picture beside it is a part of that picture: it counts for the picture's size and
ctime, so that the picture is read anew when it changes, and is no file of its own.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from quarry.indexer.files.ignoring import MAX_PATTERNS, Pattern, TooCostly, patterns, verdict
from quarry.indexer.files.mounts import made_up
from quarry.indexer.formats import LACKING, lacks
from quarry.indexer.loaders.base import open_regular
from quarry.indexer.loaders.pictures.sidecars import is_sidecar, related, sidecar_of, sidecars
from quarry.search.errors import FileUnreadable
from quarry.search.files import openings
from quarry.search.files.uris import uri_of
from quarry.search.stores.rows.files import FileStat

VANISHED, UNSUPPORTED = "vanished meanwhile", "unsupported type"  # why a file is passed by
HOLDS_NOTHING = "nothing to read in it"
OF_THE_KERNEL = "made up by the kernel"
TOO_COSTLY = "Its ignore files are too large, or too hard to match, to tell what they exclude. Make them simpler."
OF_A_PICTURE = "words about a picture, read with it"
OF_ANOTHER_PROGRAM = "kept by another program for itself"
_OWNER = "~$"  # how a file begins in which an office program keeps who has a document open
IGNORE_FILES = (".gitignore", ".quarryignore")  # of one folder; the later one wins
_MAX_IGNORE_FILE = 1 << 20  # bytes
_INT64 = 2**63 - 1
_FOREIGN = re.compile(  # folders of thumbnails, bins and the like, which are no files of the user's
    r"@eaDir|@tmp|#recycle|@Recycle|@Recently-Snapshot|@SynoResource|@Syno[^/]*|__MACOSX|\$RECYCLE\.BIN|RECYCLER"
    r"|System Volume Information|lost\+found|FOUND\.\d{3}|iPod Photo Cache|.+\.lrdata|.+\.lrcat-data|CaptureOne"
    r"|.+\.photoslibrary/(?:resources|database|private|scopes|external)|NKSC_PARAM|_?thumbnails?_cache",
    re.I,
)

_Specs = tuple[tuple[str, tuple[Pattern, ...]], ...]  # (folder, what its ignore files say), outermost first


@dataclass(slots=True)
class Walk:
    """What a walk found, what it passed by, and what it could not look at; of the latter two, why, by path.

    `lacking` are those that were passed by since what reads them is not installed.
    """

    files: list[FileStat] = field(default_factory=list)
    skipped_files: dict[str, str] = field(default_factory=dict)
    lacking: set[str] = field(default_factory=set)
    unreadable: dict[str, str] = field(default_factory=dict)

    def skip(self, path: str, reason: str) -> None:
        """Pass a file or folder by."""
        self.skipped_files[uri_of(path)] = reason

    def take(self, file: FileStat) -> None:
        """Have a file read, where what reads it is installed."""
        if extra := lacks(file.path):
            self.lacking.add(file.path)
            self.skipped_files[file.path] = f"{LACKING} {extra}"
        else:
            self.files.append(file)

    @property
    def skipped(self) -> Counter[str]:
        """How many files and folders were passed by, by reason."""
        return Counter(self.skipped_files.values())


def walk(root: Path, scope: Path, supported: Callable[[Path], bool], without: Path | None = None) -> Walk:
    """List the files of `root` that lie within `scope`, always in the same order.

    Hidden files and folders, symbolic links, pipes and devices, and what `.gitignore` and `.quarryignore` exclude are
    passed by, and so are folders that hold a library; folders that are excluded are not entered. What lies within a
    scope is what a walk of the whole root finds there.

    Args:
        root: an absolute path without links; its ignore files and those below it count.
        scope: `root` itself, or a file or folder below it.
        supported: says by its name whether a file can be read.
        without: a folder that is left out, whatever it holds.
    """
    result = Walk()
    specs: _Specs = ()
    at = root
    for name in scope.relative_to(root).parts:
        above, at = at, at / name
        try:
            specs = _with_ignore_files(os.fspath(above), specs, result)
            is_ignored = _ignored(os.fspath(at), at.is_dir(), specs)
        except TooCostly:
            result.unreadable[uri_of(at)] = TOO_COSTLY
            return result
        reason = "hidden" if name.startswith(".") else "ignored" if is_ignored else ""
        if not reason and at.is_dir() and _is_foreign(os.fspath(at)):
            reason = OF_ANOTHER_PROGRAM
        if reason:
            result.skip(os.fspath(at), reason)
            return result
    try:
        info = openings.look(scope)
    except OSError as error:
        result.unreadable[uri_of(scope)] = f"It can't be looked at: {error.strerror}."
        return result
    if stat.S_ISDIR(info.st_mode):
        _walk_folders(os.fspath(scope), specs, supported, None if without is None else os.fspath(without), result)
    elif not stat.S_ISREG(info.st_mode):
        result.skip(os.fspath(scope), "not a regular file")
    elif (picture := sidecar_of(scope)) and supported(picture) and not _ignored(os.fspath(picture), False, specs):
        result.skip(os.fspath(scope), OF_A_PICTURE)
    elif not supported(scope):
        result.skip(os.fspath(scope), UNSUPPORTED)
    else:
        result.take(_found(os.fspath(scope), info, sidecars(scope)))
    return result


def _walk_folders(
    top: str, specs: _Specs, supported: Callable[[Path], bool], without: str | None, result: Walk
) -> None:
    can_read = _remembered(supported)
    pending = [(top, specs)]
    while pending:
        folder, above = pending.pop()
        try:
            # Not by its path, on which a link may have been put since it was listed.
            descriptor = openings.open_folder(Path(folder))
        except FileNotFoundError:
            result.skip(folder, VANISHED)
            continue
        except OSError as error:
            result.unreadable[uri_of(folder)] = f"The folder can't be read: {error.strerror}."
            continue
        try:
            with os.scandir(descriptor) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
            if folder in made_up():
                result.skip(folder, OF_THE_KERNEL)
            elif folder == without or {"catalog.db", "writer.lock"} <= {entry.name for entry in listed}:
                result.skip(folder, "library")
            else:
                pending.extend(reversed(_walk_one(folder, listed, above, can_read, result)))
        except TooCostly:
            result.unreadable[uri_of(folder)] = TOO_COSTLY
        except OSError as error:
            result.unreadable[uri_of(folder)] = f"The folder can't be read: {error.strerror}."
        finally:
            os.close(descriptor)


def _walk_one(
    folder: str,
    listed: Sequence[os.DirEntry[str]],
    above: _Specs,
    can_read: Callable[[str], bool],
    result: Walk,
) -> list[tuple[str, _Specs]]:
    """Take the files of one folder, the descriptor of which is open for its entries; return the folders in it."""
    within = folder.rstrip("/") + "/"
    names = {entry.name for entry in listed}
    specs = _with_ignore_files(folder, above, result) if names.intersection(IGNORE_FILES) else above
    below = []
    files: dict[str, os.DirEntry[str]] = {}
    only_words: list[str] = []  # that are read with a picture or not at all
    for entry in listed:
        path = within + entry.name
        try:
            is_folder = entry.is_dir(follow_symlinks=False)
            if reason := _passed_by(entry, path, is_folder, specs, can_read):
                if reason == UNSUPPORTED and is_sidecar(entry.name):
                    only_words.append(entry.name)
                else:
                    result.skip(path, reason)
            elif is_folder:
                below.append((path, specs))
            else:
                files[entry.name] = entry
        except TooCostly:
            result.unreadable[uri_of(path)] = TOO_COSTLY
        except OSError as error:
            _missed(path, error, result)
    with_words = related(names)
    for name, entry in files.items():
        path = within + name
        place = Path(path) if name in with_words else None
        try:
            if place is not None and sidecar_of(place, files):
                result.skip(path, OF_A_PICTURE)
                continue
            beside = () if place is None else sidecars(place)
            result.take(_found(path, entry.stat(follow_symlinks=False), beside))
        except OSError as error:
            _missed(path, error, result)
    for name in only_words:
        is_said = name in with_words and sidecar_of(Path(within + name), files)
        result.skip(within + name, OF_A_PICTURE if is_said else UNSUPPORTED)
    return below


def _missed(path: str, error: OSError, result: Walk) -> None:
    if isinstance(error, FileNotFoundError):
        result.skip(path, VANISHED)
    else:
        result.unreadable[uri_of(path)] = f"It can't be looked at: {error.strerror}."


def _passed_by(
    entry: os.DirEntry[str], path: str, is_folder: bool, specs: _Specs, can_read: Callable[[str], bool]
) -> str:
    """Say why an entry is passed by, "" where it is not."""
    if entry.name.startswith("."):
        return "hidden"
    if entry.is_symlink():
        return "link"
    if not is_folder and not entry.is_file(follow_symlinks=False):
        return "not a regular file"
    if specs and _ignored(path, is_folder, specs):
        return "ignored"
    if _is_foreign(path) if is_folder else entry.name.startswith(_OWNER):
        return OF_ANOTHER_PROGRAM
    return "" if is_folder or can_read(entry.name) else UNSUPPORTED


def _is_foreign(path: str) -> bool:
    """Whether a folder is one that another program keeps for itself."""
    above, _, name = path.rpartition(os.sep)
    return any(_FOREIGN.fullmatch(form) for form in (name, f"{above.rpartition(os.sep)[2]}/{name}"))


def _remembered(supported: Callable[[Path], bool]) -> Callable[[str], bool]:
    """Ask once per suffix that is known: making a `Path` takes longer than looking at the file."""
    answers: dict[str, bool] = {}

    def can_read(name: str) -> bool:
        stem, _, suffix = name.rpartition(".")
        if not stem:
            return supported(Path(name))
        if suffix not in answers:
            answers[suffix] = supported(Path(f"a.{suffix}"))
        return answers[suffix] or supported(Path(name))

    return can_read


def look(path: Path) -> FileStat:
    """Look at one file again; no link is followed on the way to it.

    Raises:
        OSError: it is not there, or can't be looked at.
    """
    return _found(os.fspath(path), openings.look(path), sidecars(path))


def _found(path: str, info: os.stat_result, beside: Iterable[Path]) -> FileStat:
    size, ctime_ns = info.st_size, info.st_ctime_ns
    for sidecar in beside:
        with contextlib.suppress(OSError):  # gone again
            more = sidecar.lstat()
            size, ctime_ns = size + more.st_size, max(ctime_ns, more.st_ctime_ns)
    # Some file systems number inodes beyond what SQLite holds, or have room for dates after the year 2262.
    mtime_ns, ctime_ns = (max(-_INT64, min(_INT64, time)) for time in (info.st_mtime_ns, ctime_ns))
    return FileStat(uri_of(path), size, mtime_ns, ctime_ns, info.st_ino & _INT64)


def _with_ignore_files(folder: str, specs: _Specs, result: Walk) -> _Specs:
    found = tuple(pattern for name in IGNORE_FILES for pattern in _patterns(Path(folder, name), result))
    if len(found) + sum(len(above) for _, above in specs) > MAX_PATTERNS:
        raise TooCostly
    return (*specs, (folder, found)) if found else specs


def _patterns(path: Path, result: Walk) -> Iterator[Pattern]:
    try:
        with open_regular(path) as stream:
            data = stream.read(_MAX_IGNORE_FILE + 1)
    except (FileNotFoundError, FileUnreadable):
        return  # there is none, or a link or folder of that name, which git passes by, too
    except OSError as error:
        result.unreadable[uri_of(path)] = f"The ignore file can't be read: {error.strerror}."
        return
    if len(data) > _MAX_IGNORE_FILE:
        raise TooCostly
    yield from patterns(data.decode("utf-8", "surrogateescape"))


def _ignored(path: str, is_folder: bool, specs: _Specs) -> bool:
    """Say whether the nearest ignore file that has an opinion excludes `path`.

    Raises:
        TooCostly: it can't be told.
    """
    for folder, found in reversed(specs):
        said = verdict(found, path[len(folder) :].lstrip("/").split("/"), is_folder)
        if said is not None:
            return said
    return False
