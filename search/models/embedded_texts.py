"""Which text stands for a passage: what of it is embedded, and under which key its vector is stored."""

from __future__ import annotations

import hashlib

from quarry.search.models.contracts import TextEncoder
from quarry.search.types import Chunk

CONTEXT_TOKENS = 32


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


def stood_for(title: str, passage: str, key: bytes) -> str:
    """Return the text that was embedded for a passage, which its key tells: with as much of the title as there was."""
    title = " ".join(title.split())
    for length in range(len(title), -1, -1):
        text = f"{title[:length]}\n{passage}" if length and not passage.startswith(title[:length]) else passage
        if vector_key(text) == key:
            return text
    return f"{title}\n{passage}" if title else passage  # an older version put it together otherwise
