"""Opening files by descriptor, component by component: what lies where it was looked for, and nothing behind a link.

A path is only a wish: between a look at it and its use, any folder on the way may be exchanged for a link. Here each
folder is opened in the one before it, and none of them, nor what is opened at the end, may be a link.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# On Linux a folder need only be passable, not readable, to be gone through.
_THROUGH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # no pipe is waited for, no device made to do anything


class Elsewhere(OSError):
    """There is a link, or on the way something that is no folder (`errno` is ELOOP), or not a file at its end (EINVAL).

    `filename` is the part of the path that is meant.
    """


@contextmanager
def folder(path: Path, top: Path | None = None) -> Iterator[int]:
    """Go to a folder without following links; give its descriptor, for the `dir_fd` of other calls only.

    Args:
        top: a folder above it, or itself, that may be reached through links; None for the file system's root.

    Raises:
        Elsewhere: a part of the path below `top` is a link, or no folder.
        OSError: it is not there, or can't be entered.
    """
    at = Path(path.anchor or ".") if top is None else top
    descriptor = os.open(at, _THROUGH & ~os.O_NOFOLLOW)
    try:
        for name in path.relative_to(at).parts:
            at /= name
            if name == ".." and top is not None:
                raise Elsewhere(errno.ELOOP, "a path may not lead upwards", os.fspath(at))
            try:
                below = os.open(name, _THROUGH, dir_fd=descriptor)
            except OSError as error:
                if error.errno in (errno.ENOTDIR, errno.ELOOP):
                    raise Elsewhere(
                        errno.ELOOP, "there is a link or a file where a folder was", os.fspath(at)
                    ) from error
                raise
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def open_folder(path: Path, top: Path | None = None) -> int:
    """Open a folder to list it, without following links; return its descriptor. Raises as `folder`."""
    with folder(path, top) as descriptor:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=descriptor)


def open_file(path: Path, flags: int = os.O_RDONLY, mode: int = 0o600, *, top: Path | None = None) -> int:
    """Open a regular file without following links; return its descriptor.

    Args:
        flags, mode: as of `os.open`; a file that is made is made by the umask.
        top: as of `folder`.

    Raises:
        Elsewhere: it, or a part of the path below `top`, is a link; or it is a folder, a pipe, a socket or a device.
        OSError: it is not there, or can't be opened.
    """
    with folder(path.parent, top) as parent:
        try:
            descriptor = os.open(path.name, flags | _FILE, mode, dir_fd=parent)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise Elsewhere(errno.ELOOP, "it is a symbolic link", os.fspath(path)) from error
            if error.errno in (errno.EISDIR, errno.ENXIO):  # a folder, or a pipe or socket that nobody reads
                raise Elsewhere(errno.EINVAL, "it is a folder, pipe, socket or device", os.fspath(path)) from error
            raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Elsewhere(errno.EINVAL, "it is a folder, pipe, socket or device", os.fspath(path))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def look(path: Path, top: Path | None = None) -> os.stat_result:
    """Return what `os.lstat` says, reached without following links; raise as `folder`."""
    with folder(path.parent, top) as parent:
        return os.stat(path.name, dir_fd=parent, follow_symlinks=False)
