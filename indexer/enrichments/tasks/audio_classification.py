"""Audio classification: what is heard in a recording of what a model was trained for, such as music or a dog."""

from __future__ import annotations

from dataclasses import dataclass

from quarry.indexer.enrichments.base import Result, Said
from quarry.indexer.enrichments.tasks.classes import classified, shares
from quarry.indexer.enrichments.tasks.objects import words
from quarry.indexer.enrichments.tasks.recordings import RecordingEnrichment, Windows, features
from quarry.search.errors import ModelError
from quarry.search.models.auto.serving import AutoModel, Floats, portions
from quarry.search.models.auto.task import Task
from quarry.search.values.places import Place

TASK = Task(
    name="audio-classification",
    heads=(
        *("ASTForAudioClassification", "WhisperForAudioClassification"),
        *("AudioForSequenceClassification", "HubertForSequenceClassification", "SEWForSequenceClassification"),
        *("SEWDForSequenceClassification", "UniSpeechForSequenceClassification", "WavLMForSequenceClassification"),
        *("UniSpeechSatForSequenceClassification", "Wav2Vec2ForSequenceClassification"),
        *("Wav2Vec2BertForSequenceClassification", "Wav2Vec2ConformerForSequenceClassification"),
    ),
    loader="AutoModelForAudioClassification",
    processor="AutoFeatureExtractor",
    command="quarry enrich audio-classification=MODEL",
    option="any `...ForAudioClassification`, or `Wav2Vec2...`, `Hubert...`, `WavLM...` and so on for it",
    seen="the field `audio-classification`, or another: filters, facets; passages that open at their second",
)
_AT_ONCE = 6  # windows
_GAP_S = 0.05  # between windows that follow one another


@dataclass(slots=True)
class _Run:
    """What goes on under one label, from one second to another, and how surely it was heard at best."""

    label: str
    start: float
    end: float
    sure: float = 0.0


class AudioClassification(RecordingEnrichment):
    """Finds the likeliest label of every ten seconds, or each that is likely where labels don't exclude one another.

    What follows one another under the same label is one passage; silence has none.
    """

    task = TASK
    window_s = 10.0

    def heard(self, model: AutoModel, windows: Windows) -> Result:
        """Classify windows."""
        runs: list[_Run] = []
        last: dict[str, _Run] = {}  # of each label
        for some in portions(windows, _AT_ONCE):
            rows = shares(model, model.outputs(features(model, list(some))).logits)
            for (start, end, _), row in zip(some, rows, strict=True):
                for label, share in _labels(self.name, model, row):
                    run = last.get(label)
                    if run is None or start - run.end > _GAP_S:
                        run = last[label] = _Run(label, start, end)
                        runs.append(run)
                    run.end, run.sure = end, max(run.sure, round(share, 3))
        if not runs:
            return Result()
        sure = {label: max(run.sure for run in runs if run.label == label) for label in last}
        said = (Said(words(run.label), Place(seconds=(run.start, run.end)), run.sure) for run in runs)
        return Result({self.name: sorted(sure, key=lambda label: -sure[label])}, tuple(said), {self.name: sure})


def _labels(name: str, model: AutoModel, row: Floats) -> list[tuple[str, float]]:
    found = classified(name, model, row)
    if name not in found.confidence and name in found.fields:
        raise ModelError(f"{model.card.name} gives numbers, and no labels.")
    value = found.fields.get(name, [])
    labels = value if isinstance(value, list) else [value]
    return [(str(label), found.confidence[name].get(str(label), 0.0)) for label in labels]
