"""The reference: txtai with the same model, content and hybrid search, as its documentation sets them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from search.models.sources import embedded_folder


def open_txtai() -> Any:
    """Return an empty txtai index over the embedded model."""
    try:
        from txtai import Embeddings
    except ImportError:
        raise SystemExit("The reference is not installed: pip install txtai") from None
    return Embeddings(path=str(embedded_folder()), content=True, hybrid=True)


def index(embeddings: Any, texts: Sequence[str]) -> None:
    """Index texts under their positions."""
    embeddings.index((str(position), text, None) for position, text in enumerate(texts))
