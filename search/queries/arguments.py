"""What a caller hands over, checked: a wrong type is an error that says what to give, never a surprise further in."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from quarry.search.errors import InvalidRequest
from quarry.search.files.uris import absolute, uri_of

_SHOWN = 60  # characters of what was given


def text(value: object, name: str) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise _wrong(value, name, "a text")
    return value


def texts(value: object, name: str) -> tuple[str, ...]:
    """Return a list of texts; a single one is a list of it, never of its characters."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, bytes | Mapping) or not isinstance(value, Iterable):
        raise _wrong(value, name, "a list of texts")
    return tuple(text(one, f"{name}[{place}]") for place, one in enumerate(value))


def whole(value: object, name: str) -> int:
    """Return a whole number; NumPy's are, too."""
    if not isinstance(value, bool):
        try:
            return operator.index(value)  # type: ignore[arg-type]  # it says which can't be
        except TypeError:
            pass
    raise _wrong(value, name, "a whole number")


def number(value: object, name: str) -> float:
    """Return a number."""
    if isinstance(value, bool | str | bytes) or not hasattr(value, "__float__"):
        raise _wrong(value, name, "a number")
    return float(value)


def seconds(value: object, name: str) -> float:
    """Return a time in seconds, 0 or more."""
    given = number(value, name)
    if not given >= 0:  # NaN is not, either
        raise _wrong(value, name, "0 seconds or more")
    return given


def flag(value: object, name: str) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise _wrong(value, name, "True or False")
    return value


def mapping(value: object, name: str) -> Mapping[str, Any]:
    """Return names with their values."""
    if not isinstance(value, Mapping):
        raise _wrong(value, name, 'names with values, such as {"year": 2024}')
    return value


def path(value: object, name: str) -> str:
    """Return a path, of a text or a `Path`."""
    if not isinstance(value, str | os.PathLike) or not isinstance(plain := os.fspath(value), str):
        raise _wrong(value, name, "a path")
    if not plain:
        raise InvalidRequest(f"{name} is empty; give a path.")
    return plain


def reference(value: object, name: str = "id") -> str:
    """Return what names a document: its id or URI; the path of a file stands for its URI."""
    if isinstance(value, os.PathLike):
        return uri_of(absolute(path(value, name)))
    if not isinstance(value, str):
        raise _wrong(value, name, "the id or path of a document, as a text")
    if not value:
        raise InvalidRequest(f"{name} is empty; give the id or path of a document.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        with suppress(UnicodeEncodeError):  # a name of bytes that are no UTF-8, as Python spells it
            return uri_of(absolute(value))
        raise InvalidRequest(f"{name} has a lone surrogate at character {error.start}; give valid Unicode.") from error
    return value


def references(value: object, name: str = "ids") -> tuple[str, ...]:
    """Return what names documents; a single one is a list of it."""
    if isinstance(value, str | os.PathLike):
        return (reference(value, name),)
    if isinstance(value, bytes | Mapping) or not isinstance(value, Iterable):
        raise _wrong(value, name, "a list of ids or paths of documents")
    return tuple(reference(one, f"{name}[{place}]") for place, one in enumerate(value))


def _wrong(value: object, name: str, wanted: str) -> InvalidRequest:
    shown = repr(value)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    return InvalidRequest(f"{name} is {shown} ({type(value).__name__}); give {wanted}.")
