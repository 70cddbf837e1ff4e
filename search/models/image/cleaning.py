"""Cleaning: what open_clip does to a text before it is tokenized, without open_clip."""

from __future__ import annotations

import html
import string
from collections.abc import Callable

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def clean(kind: str, text: str) -> str:
    """Return `text` cleaned as open_clip's `get_clean_fn(kind)` does it.

    Args:
        kind: `lower`, `whitespace` or `canonicalize` (without case and punctuation).
        text: any text.
    """
    return CLEANERS[kind](_basic(text))


def _basic(text: str) -> str:
    """Mend what went wrong with encodings, and resolve HTML entities."""
    if text.isascii() and text.isprintable() and "&" not in text:
        return text.strip()  # nothing to mend, and ftfy need not be imported
    import ftfy

    return html.unescape(html.unescape(ftfy.fix_text(text))).strip()


def _whitespace(text: str) -> str:
    return " ".join(text.split())


def _lower(text: str) -> str:
    return _whitespace(text).lower()


def _canonicalize(text: str) -> str:
    return _whitespace(text.replace("_", " ").translate(_NO_PUNCTUATION).lower())


CLEANERS: dict[str, Callable[[str], str]] = {
    "lower": _lower,
    "whitespace": _whitespace,
    "canonicalize": _canonicalize,
}
