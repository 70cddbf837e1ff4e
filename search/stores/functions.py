"""Functions that our SQL uses beside SQLite's own; those of one text give NULL for NULL."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from quarry.search.dates import start_of
from quarry.search.globs import lies_at
from quarry.search.stores.checksums import checksum_of_written
from quarry.search.texts import folded, nfc


def _moment(text: str | None, coarse: int) -> str | None:
    return None if text is None else start_of(text, bool(coarse))


def _lies_at(uri: str, pattern: str, root: str | None) -> bool:
    return lies_at(uri, pattern, root)


def _folded(text: str | None) -> str | None:  # SQLite's lower() knows ASCII only
    return None if text is None else folded(text)


def _nfc(text: str | None) -> str | None:
    return None if text is None else nfc(text)


def _picked(text: str, groups: str) -> str:
    """Return the fields of a JSON object that groups of names hold, as a list of an object for each group."""
    value, wanted = json.loads(text), _names(groups)
    return json.dumps([{name: value[name] for name in some if name in value} for some in wanted], ensure_ascii=False)


@lru_cache(16)
def _names(groups: str) -> list[list[str]]:
    names: list[list[str]] = json.loads(groups)
    return names


FUNCTIONS: tuple[tuple[str, int, Callable[..., Any]], ...] = (
    ("folded", 1, _folded),
    ("nfc", 1, _nfc),
    ("moment", 2, _moment),
    ("lies_at", 3, _lies_at),
    ("row_checksum", -1, checksum_of_written),
    ("picked", 2, _picked),
)
