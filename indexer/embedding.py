"""Chunks -> vectors: what text is embedded, under which key it is stored, and that no bad vector ever is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from quarry.search.errors import ModelError
from quarry.search.media.base import Medium
from quarry.search.models.contracts import TextEncoder
from quarry.search.types import Chunk, Vectors

CONTEXT_TOKENS = 32
_LEAST = 1e-3  # length of a mean that still has a direction


def context(title: str, encoder: TextEncoder) -> str:
    """Return the title as it is put before each passage, on one line.

    It has at most `CONTEXT_TOKENS` tokens, and a quarter of what the encoder takes.
    """
    limit = min(CONTEXT_TOKENS, encoder.max_tokens // 4)
    title = " ".join(title.split())
    if len(title.encode("utf-8", "replace")) <= limit:  # no tokenizer makes more tokens than bytes
        return title
    offsets = encoder.token_offsets(title[: 20 * CONTEXT_TOKENS])
    if len(offsets) <= limit:
        return title
    return title[: int(offsets[limit - 1, 1])] if limit else ""


def passage_tokens(context: str, encoder: TextEncoder) -> int:
    """Return how many tokens a passage may have, so that with its context nothing is truncated."""
    if not context:
        return encoder.max_tokens
    before = len(encoder.token_offsets(f"{context}\nx"))  # the sign stands for the passage: its first token may differ
    return max(1, encoder.max_tokens - before)


def embedded_text(context: str, chunk: Chunk) -> str:
    """Return the text that stands for a chunk: its document's title and the passage, as in BEIR's evaluations."""
    if not context or chunk.text.startswith(context):
        return chunk.text
    return f"{context}\n{chunk.text}"


def vector_key(text: str) -> bytes:
    """Return the 16-byte digest under which the vector of `text` is stored; equal texts are embedded once."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def embed(medium: Medium, encoder: Any, things: Sequence[Any]) -> tuple[Vectors, dict[int, str]]:
    """Embed things of a medium; return (n, d) unit vectors, and by position why one has none (its row is zero).

    A model may give NaN, Inf or zero for one of them; the others of the batch are embedded all the same.
    """
    try:
        vectors = medium.encode(encoder, things)
        bad = ~_usable(vectors)
        if not bad.any():
            return vectors, {}
    except ModelError as error:
        if type(error) is not ModelError:  # the model itself is missing or damaged
            raise
        if len(things) == 1:
            bad = np.ones(1, bool)
            vectors = np.zeros((1, encoder.dimension), np.float32)
        else:
            middle = len(things) // 2
            halves = [embed(medium, encoder, part) for part in (things[:middle], things[middle:])]
            shifted = {middle + position: why for position, why in halves[1][1].items()}
            return np.concatenate([vectors for vectors, _ in halves]), halves[0][1] | shifted
    vectors = np.where(bad[:, None], np.float32(0), vectors)
    reason = f"{encoder.card.name} gave no usable vector (NaN, infinite or zero) for a {medium.one}."
    return vectors, {int(position): reason for position in np.flatnonzero(bad)}


def embed_whole(medium: Medium, encoder: Any, things: Sequence[Any]) -> tuple[Vectors, dict[int, str]]:
    """Embed things as `embed` does, also those that are longer than the model takes: nothing of them is truncated.

    Such a one, as a text cut for a model that takes more, is embedded in windows, and their mean is its vector.
    """
    cut = [medium.windows(encoder, thing) for thing in things]
    vectors, bad = embed(medium, encoder, [window for own in cut for window in own])
    if all(len(own) == 1 for own in cut):
        return vectors, bad
    whole = np.zeros((len(things), vectors.shape[1]), np.float32)
    reasons: dict[int, str] = {}
    start = 0
    for position, own in enumerate(cut):
        end = start + len(own)
        mean = vectors[start:end].mean(axis=0)
        length = float(np.linalg.norm(mean))
        if why := next((bad[at] for at in range(start, end) if at in bad), ""):
            reasons[position] = why
        elif length < _LEAST:
            reasons[position] = f"{encoder.card.name} gave parts of a {medium.one} vectors that cancel each other."
        else:
            whole[position] = mean / np.float32(length)
        start = end
    return whole, reasons


def stood_for(title: str, passage: str, key: bytes) -> str:
    """Return the text that was embedded for a passage, which its key tells: with as much of the title as there was."""
    title = " ".join(title.split())
    for length in range(len(title), -1, -1):
        text = f"{title[:length]}\n{passage}" if length and not passage.startswith(title[:length]) else passage
        if vector_key(text) == key:
            return text
    return f"{title}\n{passage}" if title else passage  # an older version put it together otherwise


def _usable(vectors: Vectors) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    lengths = np.linalg.norm(vectors, axis=1)
    usable: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.isfinite(lengths) & (np.abs(lengths - 1) < 0.01)
    return usable
