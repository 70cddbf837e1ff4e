"""How a path is written as text: SQLite and JSON hold Unicode, file names are bytes."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from quarry.search.errors import NotFound
from quarry.search.language.texts import forms

_SCHEME = "file://"


def uri_of(path: str | os.PathLike[str]) -> str:
    """Return the text form of a path: itself where its name is UTF-8, else a percent-encoded `file://` URI."""
    raw = os.fsencode(path)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return _SCHEME + quote(raw)


@lru_cache(256)  # while a file is read, its path is asked for a dozen times
def path_of(uri: str) -> Path:
    """Invert `uri_of`."""
    if uri.startswith(_SCHEME):
        return Path(os.fsdecode(unquote_to_bytes(uri[len(_SCHEME) :])))
    return Path(os.fsdecode(uri.encode()))  # names are bytes of UTF-8, whatever the process's locale is


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with `~` as the home that it means; as it is where there is none, which `Path` fails for."""
    return Path(os.path.expanduser(path))  # noqa: PTH111


def absolute(path: str | os.PathLike[str]) -> str:
    """Return a path from the root of the file system, `expanded` and without links.

    Raises:
        NotFound: it is relative, and the current folder is gone.
    """
    try:
        return os.path.realpath(expanded(path))
    except FileNotFoundError as error:
        raise NotFound(f"{os.fspath(path)} is relative, and the current folder is gone; name it from /.") from error


def spellings(name: str) -> list[str]:
    """Return what a document may go by that is asked for as `name`, the likeliest first.

    These are the name itself, its other Unicode forms (what comes from macOS is decomposed), and the same of the path
    that a `file://` URI, however it is encoded, means.
    """
    found = forms(name)
    if name.startswith(_SCHEME):
        path, mark, item = name.partition("#")
        found += forms(uri_of(path_of(path)) + mark + item)
    return list(dict.fromkeys(found))
