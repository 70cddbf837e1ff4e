"""The tasks that models do at indexing, a row for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quarry.indexer.enrichments import entities, labels, speech, tags
from quarry.indexer.enrichments.tasks.audio_classification import AudioClassification
from quarry.indexer.enrichments.tasks.automatic_speech_recognition import AutomaticSpeechRecognition
from quarry.indexer.enrichments.tasks.base import ModelEnrichment
from quarry.indexer.enrichments.tasks.image_classification import ImageClassification
from quarry.indexer.enrichments.tasks.image_segmentation import ImageSegmentation
from quarry.indexer.enrichments.tasks.image_to_text import ImageToText
from quarry.indexer.enrichments.tasks.object_detection import ObjectDetection
from quarry.indexer.enrichments.tasks.text_classification import TextClassification
from quarry.indexer.enrichments.tasks.token_classification import TokenClassification
from quarry.indexer.enrichments.tasks.translation import Translation
from quarry.indexer.enrichments.tasks.video_classification import VideoClassification
from quarry.indexer.enrichments.tasks.zero_shot_classification import ZeroShotClassification
from quarry.indexer.enrichments.tasks.zero_shot_image_classification import ZeroShotImageClassification
from quarry.indexer.enrichments.tasks.zero_shot_object_detection import ZeroShotObjectDetection
from quarry.search.errors import LibraryFormat
from quarry.search.stores.rows.tasks import ChosenModel

TASKS: Mapping[str, type[ModelEnrichment[Any]]] = {
    one.task.name: one
    for one in (
        TextClassification,
        TokenClassification,
        ZeroShotClassification,
        Translation,
        ImageClassification,
        ZeroShotImageClassification,
        ImageToText,
        ObjectDetection,
        ZeroShotObjectDetection,
        ImageSegmentation,
        AudioClassification,
        AutomaticSpeechRecognition,
        VideoClassification,
    )
}

# What is found out about every document without a model that one would have to name.
EMBEDDED = (labels.TASK, tags.TASK, entities.TASK, speech.TASK)


def enrichment(chosen: ChosenModel) -> ModelEnrichment[Any]:
    """Return what has a model do its task.

    Raises:
        LibraryFormat: a newer version knows the task.
    """
    if chosen.task not in TASKS:
        raise LibraryFormat(
            f"This library has a model do {chosen.task}, which this version of Quarry does not know: use the one that "
            f"made it, or take that away: `quarry enrich --remove {chosen.name}`."
        )
    return TASKS[chosen.task](chosen)
