"""Speech recognition: what is said in a recording, by a model that hears letters (CTC, Graves et al. 2006).

Whisper is heard by another way (`indexer.enrichments.speech`), which tells the second of every word.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from quarry.indexer.enrichments.base import Result, Said
from quarry.indexer.enrichments.tasks.recordings import RecordingEnrichment, Windows, features
from quarry.search.models.auto.serving import AutoModel, portions, softmax
from quarry.search.models.auto.task import Task
from quarry.search.values.places import Place

TASK = Task(
    name="automatic-speech-recognition",
    heads=("ForCTC",),
    loader="AutoModelForCTC",
    processor="AutoProcessor",
    command="quarry enrich heard=automatic-speech-recognition:MODEL",
    option="any `...ForCTC`, such as Wav2Vec2 or HuBERT",
    seen="passages with their seconds, marked as the model's",
)
_AT_ONCE = 4  # windows
_HEARD = 0.3  # how sure a model is of a letter, on average, below which nothing is said


class AutomaticSpeechRecognition(RecordingEnrichment):
    """Says what is said in every fifteen seconds, as its model writes it; how sure it is, is that of its letters."""

    task = TASK
    window_s = 15.0

    def heard(self, model: AutoModel, windows: Windows) -> Result:
        """Hear windows."""
        said = []
        for some in portions(windows, _AT_ONCE):
            shares = softmax(model.outputs(features(model, list(some))).logits)
            for (start, end, _), row in zip(some, shares, strict=True):
                text, sure = _written(model.words, row)
                if text and sure >= _HEARD:
                    said.append(Said(text, Place(seconds=(start, end)), round(sure, 3)))
        return Result(said=tuple(said))


def _written(words: Any, row: Any) -> tuple[str, float]:
    """Return the likeliest text of a window, and the mean probability of its letters, of (steps, letters) shares."""
    best, none = row.argmax(-1).tolist(), words.pad_token_id
    begins = [place for place, (before, now) in enumerate(pairwise([none, *best])) if now not in (none, before)]
    text = " ".join(str(words.decode(best)).split())
    return text, float(np.mean([row[place, best[place]] for place in begins])) if begins else 0.0
