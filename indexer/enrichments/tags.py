"""What pictures show, as tags: the classes that the embedded image model is sure of, from the pass that embeds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from quarry.indexer.enrichments.base import Enrichment, Pixels, Rendition, Result
from quarry.search.errors import ModelError
from quarry.search.models.auto.task import Task
from quarry.search.models.contracts import ImageEncoder
from quarry.search.models.image.embedded import CARD
from quarry.search.models.image.tags import tags
from quarry.search.types import Pixels as Picture

TASK = Task(
    name="image-classification",
    command="quarry index PATH",
    default="the thousand classes within quarry-lite0, for every picture",
    seen="the field `tags`: filters, facets",
)


class Tags(Enrichment):
    """Finds `tags` of pictures: `dog`, `Border Collie`; nothing in a library of another image model.

    Args:
        encoder: returns the live image model of the library.
    """

    name = "tags"
    rendition: ClassVar[Rendition] = Pixels(CARD.preprocessing, as_embedded=True)
    identity = f"tags 1, {CARD.sha256[:12]}"  # raised with how tags are told

    def __init__(self, encoder: Callable[[], ImageEncoder]) -> None:
        self._encoder = encoder
        self._is_away = False

    def enrich(self, items: Sequence[Picture]) -> Sequence[Result | None]:
        """Tell what pictures show."""
        if self._is_away:
            return [None] * len(items)
        try:
            encoder: Any = self._encoder()
            if encoder.preprocessing != CARD.preprocessing:
                return [Result()] * len(items)
            shares = encoder.class_shares(items)
        except ModelError:  # it can't be used now; the pictures are kept, and reported as not embedded
            self._is_away = True
            return [None] * len(items)
        if shares is None:
            return [Result()] * len(items)
        return [_result(tags(row)) for row in shares]


def _result(found: dict[str, float]) -> Result:
    if not found:
        return Result()
    confidence = {name: round(share, 3) for name, share in found.items()}
    return Result({"tags": list(found)}, confidence={"tags": confidence})
