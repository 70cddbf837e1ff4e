"""Texts made alike for comparing: the same words have several spellings in Unicode.

What comes from macOS is decomposed (NFD: `e` and an accent), what is typed composed (NFC: `é`).
"""

from __future__ import annotations

import unicodedata


def nfc(text: str) -> str:
    """Return a text in its composed form."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """Return a text as it is compared whatever its case and form."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", nfc(text).casefold())


def forms(text: str) -> list[str]:
    """Return the forms in which a text may be stored: as it is, composed and decomposed, each once."""
    if text.isascii():
        return [text]
    return list(dict.fromkeys([text, nfc(text), unicodedata.normalize("NFD", text)]))
