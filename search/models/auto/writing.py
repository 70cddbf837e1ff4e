"""What models write: texts, and how likely each of their tokens was."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from quarry.search.errors import ModelError
from quarry.search.models.auto.serving import AutoModel
from quarry.search.requests import deadline


@dataclass(frozen=True, slots=True)
class Written:
    """A text that a model wrote.

    Args:
        text: "" where it wrote none.
        shares: the probabilities of the tokens of its words, 0..1.
        is_whole: whether it came to an end by itself.
    """

    text: str
    shares: tuple[float, ...]
    is_whole: bool = True

    @property
    def mean(self) -> float:
        """How sure the model is of a word: the geometric mean of their probabilities."""
        return math.exp(sum(map(math.log, self.shares)) / max(1, len(self.shares)))

    @property
    def all(self) -> float:
        """How sure it is of all words together."""
        return math.prod(self.shares)


def write(model: AutoModel, inputs: Any, most: int, **options: Any) -> list[Written]:
    """Have a model write a text for each row of a batch, the likeliest token each time.

    Args:
        most: tokens of a text.
        options: of transformers' `generate`.

    Raises:
        ModelError: it fails, or gives no usable numbers.
    """
    steps: list[Any] = []

    def seen(_: Any, scores: Any) -> Any:
        """Keep of each step what is taken alone: the scores of all words, which are many, take gibibytes."""
        deadline.check()
        steps.append(scores.float().log_softmax(-1).max(-1).values)
        return scores

    greedy = {"do_sample": False, "num_beams": 1, "max_new_tokens": most, "logits_processor": [seen]}
    rows = model.generated(inputs, **greedy, **options)[:, -len(steps) :].tolist()
    special, words = set(model.words.all_special_ids), model.words
    sure = [[math.exp(float(step[number])) for step in steps] for number in range(len(rows))]
    if any(math.isnan(share) for row in sure for share in row):
        raise ModelError(f"{model.card.name} gives no usable numbers.")
    texts = words.batch_decode(rows, skip_special_tokens=True)
    found = []
    for text, row, own in zip(texts, rows, sure, strict=True):
        shares = tuple(share for token, share in zip(row, own, strict=True) if token not in special)
        found.append(Written(text.strip(), shares, is_whole=row[-1] in special))
    return found
