"""Audio classification: what is heard in a recording of what a model was trained for, such as music or a dog."""

from __future__ import annotations

from quarry.indexer.enrichments.base import Result, Said
from quarry.indexer.enrichments.tasks.classes import classified, shares
from quarry.indexer.enrichments.tasks.objects import words
from quarry.indexer.enrichments.tasks.recordings import RecordingEnrichment, Windows, features
from quarry.search.errors import ModelError
from quarry.search.models.auto.serving import AutoModel, portions
from quarry.search.models.auto.task import Task
from quarry.search.places import Place

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


class AudioClassification(RecordingEnrichment):
    """Finds the likeliest label of every ten seconds, or each that is likely where labels don't exclude one another.

    What follows one another under the same label is one passage; silence has none.
    """

    task = TASK
    window_s = 10.0

    def heard(self, model: AutoModel, windows: Windows) -> Result:
        """Classify windows."""
        held: dict[str, Said] = {}  # of each label, what goes on
        said: list[Said] = []
        sure: dict[str, float] = {}
        for some in portions(windows, _AT_ONCE):
            rows = shares(model, model.outputs(features(model, list(some))).logits)
            for (start, end, _), row in zip(some, rows, strict=True):
                for label, share in _labels(self.name, model, row):
                    before = held.get(label)
                    goes_on = before is not None and before.place.seconds[1] >= start - 0.05  # type: ignore[union-attr,index]
                    begin = before.place.seconds[0] if before and goes_on else start  # type: ignore[union-attr,index]
                    most = max(share, (before.confidence or 0.0) if before and goes_on else 0.0)
                    if before and not goes_on:
                        said.append(before)
                    held[label] = Said(words(label), Place(seconds=(begin, end)), round(most, 3))
                    sure[label] = max(sure.get(label, 0.0), round(share, 3))
        said += held.values()
        if not sure:
            return Result()
        ordered = sorted(said, key=lambda one: one.place.seconds if one.place and one.place.seconds else (0.0, 0.0))
        return Result({self.name: sorted(sure, key=lambda label: -sure[label])}, tuple(ordered), {self.name: sure})


def _labels(name: str, model: AutoModel, row: object) -> list[tuple[str, float]]:
    found = classified(name, model, row)  # type: ignore[arg-type]
    if name not in found.confidence and name in found.fields:
        raise ModelError(f"{model.card.name} gives numbers, and no labels.")
    value = found.fields.get(name, [])
    labels = value if isinstance(value, list) else [value]
    return [(str(label), found.confidence[name].get(str(label), 0.0)) for label in labels]
