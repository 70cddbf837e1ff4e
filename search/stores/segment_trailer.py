"""What a segment file says of itself at its end: read where the catalog that described it is lost."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from quarry.search.errors import LibraryDamaged
from quarry.search.files.access import open_kept
from quarry.search.stores.lineage import Commit

_TRAILER = struct.Struct("<Q8s")
_MAGIC = b"QRYSEG01"
_LONGEST = 1 << 16  # of a description


@dataclass(frozen=True, slots=True)
class Description:
    """What a file says of itself: how many vectors it has, and the commit that it was built at."""

    count: int
    built: Commit


def trailer(description: dict[str, Any], built: Commit | None) -> bytes:
    """Return what ends a file: its description as JSON, how long that is, and a mark."""
    encoded = json.dumps(description | {"built": asdict(built) if built is not None else None}).encode()
    return encoded + _TRAILER.pack(len(encoded), _MAGIC)


def read_trailer(data: memoryview) -> tuple[int, dict[str, Any]]:
    """Return where the trailer of a whole file begins, and its description.

    Raises:
        ValueError, struct.error: there is none.
    """
    length, magic = _TRAILER.unpack_from(data, len(data) - _TRAILER.size)
    start = len(data) - _TRAILER.size - length
    if magic != _MAGIC or not 0 <= start < len(data):
        raise ValueError("its parts do not fit")
    return start, json.loads(bytes(data[start : start + length]))


def described(path: Path) -> Description:
    """Return what a file says of itself, unchecked; where it says nothing, what its name does."""
    try:
        with os.fdopen(open_kept(path, path.parent), "rb") as stream:
            stream.seek(-_TRAILER.size, os.SEEK_END)
            length, magic = _TRAILER.unpack(stream.read())
            if magic != _MAGIC or length > _LONGEST:
                raise ValueError
            stream.seek(-_TRAILER.size - length, os.SEEK_END)
            raw = json.loads(stream.read(length))
        count, built = int(raw["count"]), raw.get("built")
        if built is not None:
            return Description(count, Commit(str(built["library"]), int(built["generation"]), str(built["id"])))
    except (OSError, ValueError, KeyError, TypeError, LibraryDamaged):
        count = 0
    parts = path.name.split("-")
    return Description(count, Commit(generation=int(parts[2]) if len(parts) == 4 and parts[2].isdecimal() else 0))
