"""What models find in recordings: a minute at a time, in windows of some seconds, each with the second it begins at."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np

from quarry.indexer.enrichments.base import Recorded, Result, Unheard
from quarry.indexer.enrichments.played import RATE, Samples, minutes
from quarry.indexer.enrichments.tasks.base import ModelEnrichment
from quarry.search.errors import FileUnreadable, LoadError, ModelError
from quarry.search.models.auto.serving import AutoModel
from quarry.search.requests import deadline

_LEAST_S = 1.0  # of a window: what is shorter is filled up with silence
_SILENT = 1e-3  # root mean square of samples, below which nobody hears anything
Windows = list[tuple[float, float, Samples]]  # from and to which second, and the samples


class RecordingEnrichment(ModelEnrichment[Recorded]):
    """An enrichment that hears. One is a class with `task`, `window_s` and `heard`.

    Attributes:
        window_s: seconds that a model is given at once.
    """

    rendition = Unheard()
    window_s: float

    def look(self, model: AutoModel, items: Sequence[Recorded]) -> list[Result | None]:
        """Hear recordings; None is for one that can't be read now."""
        if getattr(model.hears, "sampling_rate", RATE) != RATE:
            raise ModelError(f"{model.card.name} takes {model.hears.sampling_rate:,} samples a second, not {RATE:,}.")
        return [self._result(model, item) for item in items]

    @abstractmethod
    def heard(self, model: AutoModel, windows: Windows) -> Result:
        """Return what a model hears in windows, of which none is silent."""

    def _result(self, model: AutoModel, item: Recorded) -> Result | None:
        if not item.path.is_file():
            return None
        windows: Windows = []
        failure, was_heard = None, False
        try:
            for start, samples in minutes(item):
                was_heard = True
                windows += self._windows(start, samples)
        except FileUnreadable:
            return None
        except LoadError as error:
            failure = Result.failure(error, gives_up=not was_heard)
        found = self.heard(model, windows) if windows else Result()
        return failure.after(found) if failure else found

    def _windows(self, start: float, samples: Samples) -> Iterator[tuple[float, float, Samples]]:
        size = int(self.window_s * RATE)
        for at in range(0, len(samples), size):
            own = samples[at : at + size]
            if float(np.sqrt(np.mean(np.square(own)))) >= _SILENT:
                begin = start + at / RATE
                short = max(0, int(_LEAST_S * RATE) - len(own))
                yield round(begin, 2), round(begin + len(own) / RATE, 2), np.pad(own, (0, short))


def features(model: AutoModel, windows: Windows) -> dict[str, object]:
    """Return the tensors of windows, as the model's own extractor makes them."""
    filled = {} if model.card.family.startswith("whisper") else {"padding": True}  # that fills up to half a minute
    sounds = [samples for _, _, samples in windows]
    with deadline.holding(model.running):
        made = model.hears(sounds, sampling_rate=RATE, return_tensors="pt", **filled)
    return {name: value for name, value in made.items() if name in model.arguments}
