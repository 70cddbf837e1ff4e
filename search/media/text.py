"""Texts: passages that are cut for the model that embeds them; what is said about things of other media, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from quarry.search.media.base import Medium
from quarry.search.models.names import DEFAULT_TEXT_MODEL
from quarry.search.types import Json

if TYPE_CHECKING:
    from typing import Unpack

    from quarry.search.models.contracts import TextEncoder
    from quarry.search.models.live import How, LiveModels
    from quarry.search.types import Vectors


class Texts(Medium):
    """The medium of passages."""

    name = "text"
    one = "passage"
    many = "Texts"
    ranked_by = "quarry.search.ranking.passages"
    model = DEFAULT_TEXT_MODEL

    def open(
        self, live: LiveModels, name: str, texts: Callable[[], TextEncoder | None], **how: Unpack[How]
    ) -> TextEncoder:
        """Return the encoder of a text model."""
        return live.text(name, **how)

    def encode(self, encoder: TextEncoder, things: Sequence[str]) -> Vectors:
        """Embed passages."""
        return encoder.encode_documents(things)

    def packed(self, thing: str) -> tuple[Json, bytes]:
        """Take a text apart, for the way to where it is embedded."""
        return None, thing.encode("utf-8", "surrogatepass")

    def unpacked(self, header: Any, data: bytes) -> str:
        """Put a text together again."""
        return data.decode("utf-8", "surrogatepass")

    def windows(self, encoder: Any, thing: str) -> Sequence[str]:
        """Cut a text into the fewest parts, of about the same length, that a model takes whole; most are one."""
        if len(thing.encode("utf-8", "replace")) <= encoder.max_tokens:  # no tokenizer makes more tokens than bytes
            return [thing]
        offsets = encoder.token_offsets(thing)
        count = -(-len(offsets) // encoder.max_tokens)
        if count <= 1 or len(thing) < count:
            return [thing]
        starts = [0, *(int(offsets[len(offsets) * number // count, 0]) for number in range(1, count)), len(thing)]
        parts = [thing[start:end] for start, end in pairwise(starts) if start < end]
        if len(parts) == 1:
            return parts
        # What begins within a word may have more tokens by itself.
        return [window for part in parts for window in self.windows(encoder, part)]


MEDIUM = Texts()
