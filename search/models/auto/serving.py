"""A live model that does a task: one batch at a time, without gradients, and what fails is named by the model."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import ModelError
from quarry.search.models.auto import original
from quarry.search.models.auto.card import AutoCard, label_text
from quarry.search.models.auto.task import Task
from quarry.search.requests import deadline
from quarry.search.types import Pixels

_KEPT = 4  # models that stay loaded: those of a library
Floats = NDArray[np.float32]
T = TypeVar("T")


class AutoModel:
    """A model of transformers that does one task, for use by many threads.

    Attributes:
        card: what is known of it.
        labels: what it tells apart, in the order of its outputs; `LABEL_0` and so on where nobody named them.
        arguments: the names of what the model takes.
        model, processor: of transformers, for what the methods here don't do; to be used within `running`.
        words: the tokenizer of transformers, which makes words of what it writes.
        hears: what makes tensors of sounds, where it hears.
        running: held while the model computes, as they share cores and memory, by `deadline.holding`.
    """

    running = threading.RLock()

    def __init__(self, loaded: original.AutoOriginal) -> None:
        self.card = loaded.card
        self.model = loaded.model
        self.processor = loaded.processor
        self.words = loaded.tokenizer or getattr(loaded.processor, "tokenizer", loaded.processor)
        self.hears = getattr(loaded.processor, "feature_extractor", loaded.processor)
        self.arguments = frozenset(inspect.signature(loaded.model.forward).parameters)
        named = getattr(loaded.model.config, "id2label", None) or {}
        self.labels = tuple(label_text(named[number]) for number in sorted(named))

    def outputs(self, inputs: Any, **options: Any) -> Any:
        """Return what the model gives for one batch, as transformers has it.

        Args:
            inputs: tensors by the names of the model's arguments.

        Raises:
            ModelError: it fails over them.
        """
        return self._run(self.model, **inputs, **options)

    def generated(self, inputs: Any, **options: Any) -> Any:
        """Return the tokens (batch, length) that the model writes for one batch, or what `options` ask for beside them;
        raise as `outputs` does.
        """
        return self._run(self.model.generate, **inputs, **options)

    def picture_inputs(self, pictures: Sequence[Pixels], **options: Any) -> Any:
        """Return the tensors of pictures, (height, width, 3) uint8 of any size each, as the model's own processor makes
        them; texts go beside them as the processor's options.
        """
        from PIL import Image

        return self.tokens(images=[Image.fromarray(one) for one in pictures], return_tensors="pt", **options)

    def tokens(self, *texts: Any, **options: Any) -> Any:
        """Return what the model's processor makes of texts: it keeps how the last ones were cut, for all threads."""
        with deadline.holding(self.running):
            return self.processor(*texts, **options)

    def _run(self, call: Any, **arguments: Any) -> Any:
        import torch

        try:
            with deadline.holding(self.running), torch.inference_mode():
                return call(**arguments)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise ModelError(f"{self.card.name} failed: {reason}.") from error


@lru_cache(maxsize=_KEPT)
def serve(card: AutoCard, task: Task) -> AutoModel:
    """Return the live model of a card, which is its original: see `search.models.auto`.

    Raises:
        ModelMissing: torch or transformers is not installed.
        ModelDamaged: it can't be loaded.
    """
    return AutoModel(original.load(card, task))


def softmax(logits: Any) -> Floats:
    """Return probabilities (..., n) of logits (..., n), a tensor; raise `ModelError` where they are no numbers."""
    return _numbers(logits.float().softmax(-1))


def sigmoid(logits: Any) -> Floats:
    """Return the probability of each of logits (..., n), a tensor, whatever the others are; raise as `softmax` does."""
    return _numbers(logits.float().sigmoid())


def _numbers(shares: Any) -> Floats:
    found = np.asarray(shares, np.float32)
    if not np.isfinite(found).all():
        raise ModelError("what the model gives are no numbers.")
    return found


def portions(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Return items in batches of at most `size`."""
    return [items[start : start + size] for start in range(0, len(items), size)]
