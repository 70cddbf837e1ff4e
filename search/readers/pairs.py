"""What readers and cross-encoders share: pairs of texts -> logits, on ONNX Runtime, without torch or transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from quarry.search.encoders.text import open_tokenizer
from quarry.search.errors import ModelError, ModelMissing
from quarry.search.models import prepared as models
from quarry.search.models.pair_cards import PairCard, PairTask
from quarry.search.models.runtime import available_cores, each, open_session
from quarry.search.readers.windows import Ids, PairTokenizer, Window

Logits = NDArray[np.float32]


def load_pair(
    name: str, task: PairTask, prepare: bool, progress: Callable[[str], None] | None
) -> models.Prepared[PairCard]:
    """Return the prepared form of a model, as `load_reader` and `load_cross_encoder` need it; raise as they do."""
    if prepare:
        from quarry.search.models.preparation import prepare_pair

        return prepare_pair(name, task, progress)
    from quarry.search.models.pair_sources import is_embedded, resolve

    ready = models.prepared(resolve(name, task))
    if ready is None:
        option = "" if is_embedded(name, task) else f" --{task} {name}"
        raise ModelMissing(f"the {task} {name!r} is not prepared yet: run `quarry models --prepare{option}`.")
    return ready


class PairModel:
    """A prepared model of question and passage; threads may share it.

    Windows are run one at a time, unpadded, on as many threads as asked for, as texts are by `OnnxTextEncoder`.

    Raises:
        ModelDamaged: a file is not what was written when the model was prepared.
    """

    def __init__(self, ready: models.Prepared[PairCard], *, threads: int | None = None) -> None:
        self.card = ready.card
        self.precision = ready.precision
        self.notice = ready.notice
        self._threads = max(1, threads or available_cores())
        self.tokenizer = PairTokenizer(open_tokenizer(ready), ready.card.max_tokens)
        self._run: Callable[[Ids], Logits]
        if ready.precision == "torch":
            from quarry.search.readers.torch_pair import TorchPair

            self._run = TorchPair(ready.card)
        else:
            session = open_session(ready.checked(models.GRAPH))
            self._run = lambda ids: np.asarray(session.run(None, {"input_ids": ids})[0])

    def logits(self, question: str, passages: Sequence[str]) -> list[list[tuple[Window, Logits]]]:
        """Return for each passage its windows, in their order, and what the model says of each.

        Raises:
            InvalidRequest: the question is longer than the model's input leaves room for.
            ModelError: a logit is not a number.
        """
        windows = [self.tokenizer.windows(question, passage) for passage in passages]
        values = iter(self.logits_of([window for part in windows for window in part]))
        return [[(window, next(values)) for window in part] for part in windows]

    def logits_of(self, windows: Sequence[Window]) -> list[Logits]:
        """Return what the model says of each window: (n, 2) of a reader, (1,) of a cross-encoder; raise ModelError."""
        values: list[Logits] = [np.empty(0, np.float32)] * len(windows)
        # The longest first: whichever is the last to end should be short.
        order = sorted(range(len(windows)), key=lambda place: -windows[place].ids.size)

        def run(turn: int) -> None:
            value = self._run(windows[order[turn]].ids[None])
            value = value[0] if value.ndim == 3 else value
            if not np.isfinite(value).all():
                raise ModelError(f"the model {self.card.name} gives no usable numbers for a passage.")
            values[order[turn]] = value

        each(len(order), self._threads, run)
        return values
