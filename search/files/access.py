"""For whom the files are that Quarry keeps, and the one way in which they are made and opened.

They are for their owner, whatever the umask; a library that was made to be shared is for its group, too. What says so
is the mode of `catalog.db`: SQLite gives it to the files beside it, and here it is given to all others. So a library
that somebody opened to more, or that an older version made, stays as open as it is, and all of it equally.

A library may come from a stranger: its files are opened where they lie, never through a link, and never waited for.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from quarry.search.errors import InvalidRequest, LibraryDamaged, LibraryError
from quarry.search.files import openings

CATALOG = "catalog.db"
FOLDERS = (
    *("lexical", "segments", "segments/unfinished", "segments/retired", "segments/quarantine"),
    *("qdrant", "milvus.db"),  # of engines that have no place elsewhere
)


@dataclass(frozen=True, slots=True)
class Access:
    """The modes of folders and files, exactly: no umask takes anything from them or leaves anything on."""

    folder: int
    file: int

    @classmethod
    def of_file(cls, mode: int) -> Access:
        """Return what goes with a file of that mode; nothing that Quarry makes can be written to by everybody."""
        file = 0o600 | (mode & 0o664)
        shared = stat.S_ISGID if file & stat.S_IWGRP else 0  # so that what a member makes is the group's
        return cls(file | (file & 0o444) >> 2 | shared, file)


OWNER = Access.of_file(0o600)
GROUP = Access.of_file(0o660)


def access_of(library: Path, default: Access = OWNER) -> Access:
    """Return for whom a library's files are; the default where there is no catalog yet."""
    try:
        return Access.of_file((library / CATALOG).lstat().st_mode)
    except OSError:
        return default


def access_for(library: Path, shared: bool) -> Access:
    """Return for whom a library is, or is to be made.

    Raises:
        InvalidRequest: it is to be shared, and is there, and not.
    """
    access = access_of(library, GROUP if shared else OWNER)
    if shared and access.file & GROUP.file != GROUP.file:
        raise InvalidRequest(
            f"The library at {library} is there, and not for its group. To share it with a GROUP: "
            f"`chgrp -R GROUP {library}; chmod -R g+rwX {library}; find {library} -type d -exec chmod g+s {{}} +`."
        )
    return access


def make_folder(folder: Path, access: Access = OWNER) -> bool:
    """Make a folder where there is none, and those above it; return whether it was made."""
    missing = [one for one in (folder, *folder.parents) if not os.path.lexists(one)]
    for one in reversed(missing):
        try:
            one.mkdir(0o700)
        except FileExistsError:  # another process was quicker
            continue
        _set_mode_at(one, access.folder)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fspath(folder))
    return bool(missing)


def make_library(folder: Path, access: Access) -> None:
    """Make the folder of a library, or take an empty one of this user's for it; any other keeps its mode."""
    if make_folder(folder, access):
        return
    with os.scandir(folder) as entries:
        is_empty = next(entries, None) is None
    if is_empty and folder.stat().st_uid == os.geteuid():
        _set_mode_at(folder, access.folder)


def make_file(path: Path, access: Access = OWNER) -> IO[bytes]:
    """Make a file that was not there and open it for writing.

    Raises:
        FileExistsError: something is there, be it a link that leads nowhere.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        _set_mode(descriptor, access.file)
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "w+b")


def make_file_anew(path: Path, access: Access = OWNER) -> IO[bytes]:
    """Do as `make_file`, in place of what a run that was killed may have left there."""
    path.unlink(missing_ok=True)
    return make_file(path, access)


def open_kept(path: Path, library: Path, flags: int = os.O_RDONLY, access: Access = OWNER) -> int:
    """Open a file of a library without following links, making it where `flags` say so; return its descriptor.

    Raises:
        LibraryDamaged: it is no regular file, or does not lie where it seems to.
        OSError: as of `os.open`.
    """
    try:
        if flags & os.O_CREAT:
            try:
                descriptor = openings.open_file(path, flags | os.O_EXCL, top=library)
            except FileExistsError:
                descriptor = openings.open_file(path, flags, top=library)
            else:
                _set_mode(descriptor, access.file)
            return descriptor
        return openings.open_file(path, flags, top=library)
    except openings.Elsewhere as error:
        raise _refused(error) from error


def read_kept(path: Path, library: Path, limit: int) -> bytes:
    """Read a file of a library, at most `limit` bytes of it; raise as `open_kept`."""
    with os.fdopen(open_kept(path, library), "rb") as stream:
        return stream.read(limit)


def check_kept(path: Path, library: Path, kind: Literal["file", "folder"] = "file") -> None:
    """Check what another library will open by its path: that it is what it should be, or is not there.

    Raises:
        LibraryDamaged: it is a link or of another kind, or lies behind a link.
        OSError: it can't be looked at.
    """
    try:
        mode = openings.look(path, library).st_mode
    except FileNotFoundError:
        return
    except openings.Elsewhere as error:
        raise _refused(error) from error
    if not (stat.S_ISREG(mode) if kind == "file" else stat.S_ISDIR(mode)):
        what = "a symbolic link" if stat.S_ISLNK(mode) else f"not a {kind}"
        raise _refused(openings.Elsewhere(errno.ELOOP, f"it is {what}", os.fspath(path)))


def check_folders(library: Path) -> None:
    """Refuse a library that has a link to elsewhere in place of one of its folders: what is swept there is removed.

    Raises:
        LibraryDamaged: names it.
    """
    for names in FOLDERS:
        try:
            is_link = stat.S_ISLNK(openings.look(library / names, library).st_mode)
        except OSError:
            continue  # it is not there, or is something else, which is refused where it is used
        if is_link:
            raise _refused(openings.Elsewhere(errno.ELOOP, "it is a symbolic link", os.fspath(library / names)))


def settle(folder: Path, access: Access) -> None:
    """Give what others made in a folder the modes that it should have, as far as it is this user's."""
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
                wanted = access.folder if stat.S_ISDIR(status.st_mode) else access.file
                if status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) != wanted:
                    _set_mode_at(Path(entry.path), wanted)
            except OSError as error:  # a merge that ended meanwhile took it away; a link's own mode says nothing
                if error.errno not in (errno.ENOENT, errno.ELOOP):
                    raise


def _set_mode_at(path: Path, mode: int) -> None:
    # By descriptor: whoever may write to the folder could have put a link there meanwhile.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _set_mode(descriptor, mode)
    finally:
        os.close(descriptor)


def _set_mode(descriptor: int, mode: int) -> None:
    try:
        os.fchmod(descriptor, mode)
    except OSError as error:
        # A file system without modes (FAT, some network shares) keeps what it is mounted with.
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
            raise


def _refused(error: openings.Elsewhere) -> LibraryError:
    return LibraryDamaged(
        f"{error.filename} can't be used: {error.strerror}. A library's files are opened where they lie: "
        "put the file itself there, or take it away."
    )
