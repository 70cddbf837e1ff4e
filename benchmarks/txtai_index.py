"""The reference: txtai with the same model, content and hybrid search, as its documentation sets them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from quarry.search.models.text.embedded import embedded_folder


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


def with_vectors(vectors: Mapping[str, Any], texts: Sequence[str]) -> Any:
    """Return a txtai index of texts whose vectors are at hand; what is searched for is embedded by the same model.

    A search costs what it does over an index that txtai embedded itself, which takes half an hour for 100,000 texts.
    """
    from sentence_transformers import SentenceTransformer
    from txtai import Embeddings

    model = SentenceTransformer(str(embedded_folder()), device="cpu")

    def transform(batch: Sequence[str]) -> Any:
        found = [vectors[text] if text in vectors else model.encode(text, normalize_embeddings=True) for text in batch]
        return np.asarray(found, np.float32)

    embeddings = Embeddings(method="external", transform=transform, content=True, hybrid=True)
    index(embeddings, texts)
    return embeddings
