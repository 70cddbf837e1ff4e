"""Functions that our SQL uses beside SQLite's own; those of one text give NULL for NULL."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any

from quarry.search.files.globs import lies_at
from quarry.search.language.dates import start_of
from quarry.search.language.scripts import admits
from quarry.search.language.texts import folded, nfc
from quarry.search.stores.database.checksums import checksum_of_written


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


def _admits(takes: str, text: str, language: str | None) -> bool:
    return admits(_rules(takes), text, language)


@lru_cache(16)
def _rules(takes: str) -> dict[str, Any]:
    rules: dict[str, Any] = json.loads(takes)
    return rules


@lru_cache(16)
def _names(groups: str) -> list[list[str]]:
    names: list[list[str]] = json.loads(groups)
    return names


class _Raised(threading.local):
    error: Exception | None = None


_raised = _Raised()


def remembered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Remember what a function raises: Python's module drops it, and says of all alike that something was raised."""

    @wraps(function)
    def called(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception as error:
            _raised.error = error
            raise

    return called


def error_raised() -> Exception | None:
    """Return, once, what one of these functions raised in this thread.

    None after SQLite was told that one did: then a signal such as Ctrl-C came while it was called, which Python hears
    before the function's first instruction, too.
    """
    error, _raised.error = _raised.error, None
    return error


FUNCTIONS: tuple[tuple[str, int, Callable[..., Any]], ...] = (
    ("folded", 1, remembered(_folded)),
    ("nfc", 1, remembered(_nfc)),
    ("moment", 2, remembered(_moment)),
    ("lies_at", 3, remembered(_lies_at)),
    ("row_checksum", -1, remembered(checksum_of_written)),
    ("picked", 2, remembered(_picked)),
    ("admits", 3, remembered(_admits)),
)
