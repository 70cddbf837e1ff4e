"""The tasks that models do on hits, a row for each."""

from __future__ import annotations

from quarry.search.models.auto.task import Task
from quarry.search.tasks import natural_language_inference, visual_question_answering

TASKS: tuple[Task, ...] = (natural_language_inference.TASK, visual_question_answering.TASK)
