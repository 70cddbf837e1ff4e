"""The tasks that models do on hits, a row for each."""

from __future__ import annotations

from quarry.search.models.auto.task import Task
from quarry.search.tasks import (
    document_question_answering,
    natural_language_inference,
    table_question_answering,
    translation,
    visual_question_answering,
)

TASKS: tuple[Task, ...] = (
    natural_language_inference.TASK,
    translation.TASK,
    visual_question_answering.TASK,
    document_question_answering.TASK,
    table_question_answering.TASK,
)
