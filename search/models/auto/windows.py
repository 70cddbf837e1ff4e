"""Windows: a text that is longer than a model takes is looked at in pieces that overlap, each token in one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from quarry.search.errors import ModelError
from quarry.search.models.auto.serving import AutoModel
from quarry.search.models.tokenizing import encodable

MAX_CHARACTERS = 1_000_000  # of a text that are looked at: some 400 pages, and hours on a CPU
_LONGEST = 4_096  # tokens of a window, whatever a model takes: what it costs grows with the square
_OVERLAP = 8  # of a window, that share of its tokens is in the one before it, too
_BATCH = 8_192  # tokens


@dataclass(frozen=True, slots=True)
class TextWindow:
    """A piece of one text, as a model takes it.

    Args:
        text: the number of the text that it is of.
        inputs: by the names of the model's arguments, a number for each token.
        spans: (start, end) of each token in the text; (0, 0) of those that are the model's own.
        words: the number of the word that each token is of, None for the model's own.
        start, end: characters of the text that are looked at in this window and in no other: where two overlap, each
            has the half that lies further from its edge.
    """

    text: int
    inputs: dict[str, list[int]]
    spans: list[tuple[int, int]]
    words: list[int | None]
    start: int
    end: int

    @property
    def span(self) -> slice:
        """The characters of the text that it holds."""
        own = [span for span in self.spans if span[1] > span[0]]
        return slice(own[0][0], own[-1][1]) if own else slice(self.start, self.end)

    @property
    def weight(self) -> int:
        """How much of the text is looked at in it alone."""
        return max(1, self.end - self.start)

    def __len__(self) -> int:
        return len(self.spans)


def windows(model: AutoModel, texts: Sequence[str], beside: int = 0) -> list[TextWindow]:
    """Cut texts into windows of as many tokens as a model takes, in their order.

    Args:
        beside: tokens that it is given with each, which are to have room.

    Raises:
        ModelError: its tokenizer can't say where in a text its tokens stand, or there is no room.
    """
    return [window for number, text in enumerate(texts) for window in _windows(model, number, text, beside)]


def most(model: AutoModel) -> int:
    """Return how many tokens a model is given at once."""
    return min(model.card.max_tokens, _LONGEST)


def beside(model: AutoModel, second: str) -> int:
    """Return how many tokens a text takes that a model is given with each window, as the second of a pair."""
    special = model.processor.num_special_tokens_to_add
    own = model.tokens(encodable(second), add_special_tokens=False)["input_ids"]
    return len(own) + int(special(pair=True)) - int(special())


def room(model: AutoModel, beside: int = 0) -> int:
    """Return how many tokens of a text a model takes at once, where it is given so many beside them."""
    return most(model) - beside - int(model.processor.num_special_tokens_to_add())


def batches(model: AutoModel, found: Sequence[TextWindow]) -> Iterator[tuple[Sequence[TextWindow], Any]]:
    """Yield windows in batches, those of a length together, each with its tensors."""
    ordered = sorted(found, key=len, reverse=True)
    can_pad = model.processor.pad_token_id is not None
    while ordered:
        count = max(1, _BATCH // len(ordered[0])) if can_pad else 1
        batch, ordered = ordered[:count], ordered[count:]
        inputs = {name: [window.inputs[name] for window in batch] for name in batch[0].inputs}
        if can_pad:
            yield batch, model.processor.pad(inputs, return_tensors="pt")
        else:
            import torch

            yield batch, {name: torch.tensor(value) for name, value in inputs.items()}


def pair_batches(model: AutoModel, pairs: Sequence[tuple[str, str]]) -> Iterator[tuple[Sequence[int], Any]]:
    """Yield pairs of texts in batches, those of a length together: their numbers, and their tensors.

    The first text of a pair is cut off where both are more than the model takes.
    """
    tokenizer, longest = model.processor, most(model)
    left = sorted(range(len(pairs)), key=lambda number: -sum(map(len, pairs[number])))
    can_pad = tokenizer.pad_token_id is not None
    while left:
        count = max(1, _BATCH // longest) if can_pad else 1
        batch, left = left[:count], left[count:]
        first, second = ([encodable(pairs[number][side]) for number in batch] for side in (0, 1))
        inputs = model.tokens(
            first, second, truncation="only_first", max_length=longest, padding=can_pad, return_tensors="pt"
        )
        yield batch, {name: value for name, value in inputs.items() if name in model.arguments}


def _windows(model: AutoModel, number: int, text: str, beside: int) -> Iterator[TextWindow]:
    tokenizer = model.processor
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(f"{model.card.name} has no tokenizer.json, so that nobody knows where its tokens stand.")
    if room(model, beside) < 1:
        raise ModelError(f"{model.card.name} takes {most(model)} tokens at once, too few for a text.")
    cut = encodable(text[:MAX_CHARACTERS])
    encoded = model.tokens(
        cut,
        truncation=True,
        max_length=most(model) - beside,
        stride=room(model, beside) // _OVERLAP,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    names = [name for name in tokenizer.model_input_names if name in encoded and name in model.arguments]
    spans = [[tuple(span) for span in own] for own in encoded["offset_mapping"]]
    words = [encoded.word_ids(index) for index in range(len(spans))]
    edges = [_edge(before, after) for before, after in pairwise(spans)]
    for index, (start, end) in enumerate(zip([0, *edges], [*edges, len(cut)], strict=True)):
        inputs = {name: list(encoded[name][index]) for name in names}
        yield TextWindow(number, inputs, spans[index], words[index], start, end)


def _edge(before: Sequence[tuple[int, int]], after: Sequence[tuple[int, int]]) -> int:
    """Return the character at which a window ends and the next one begins: the middle of what both hold."""
    first = min((start for start, end in after if end > start), default=0)
    last = max((end for _, end in before), default=first)
    middle = (first + last) // 2
    return max((start for start, end in after if end > start and start <= middle), default=first)
