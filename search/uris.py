"""How a path is written as text: SQLite and JSON hold Unicode, file names are bytes."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes


def uri_of(path: str | os.PathLike[str]) -> str:
    """Return the text form of a path: itself where its name is UTF-8, else a percent-encoded `file://` URI."""
    raw = os.fsencode(path)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "file://" + quote(raw)


def path_of(uri: str) -> Path:
    """Invert `uri_of`."""
    if uri.startswith("file://"):
        return Path(os.fsdecode(unquote_to_bytes(uri[len("file://") :])))
    return Path(os.fsdecode(uri.encode()))  # names are bytes of UTF-8, whatever the process's locale is
