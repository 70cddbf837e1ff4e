"""Visual question answering: a question about one picture, answered by a model that looks at it.

Models are of two kinds: those that choose among the answers they have learnt (ViLT, Kim et al. 2021), each with its
probability, and those that write one (BLIP, Li et al. 2022), whose probability is that of all its words.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from quarry.search.models.auto.serving import AutoModel, sigmoid
from quarry.search.models.auto.task import Task
from quarry.search.models.auto.writing import write
from quarry.search.models.tokenizing import encodable
from quarry.search.tasks.answers import ModelAnswer, too_long
from quarry.search.types import Pixels, Preprocessing

TASK = Task(
    name="visual-question-answering",
    heads=("ViltForQuestionAnswering", "BlipForQuestionAnswering", "Blip2ForConditionalGeneration"),
    loader="AutoModelForVisualQuestionAnswering",
    processor="AutoProcessor",
    command='quarry ask "QUESTION" --picture ID --picture-reader MODEL',
    option="`--picture-reader`: any ViLT, BLIP or BLIP-2 for it",
    seen="`quarry ask --picture`, `POST /v1/images/{id}/answer`: answers, and how sure the model is of each",
)
PREPROCESSING = Preprocessing(768, 768, "within")  # at most, of a picture as it is given to a model

_ANSWERS = 5  # of those that a model chooses from
_TOKENS = 32  # of an answer that it writes


class PictureReader:
    """A model that answers questions about pictures. Many threads may share one.

    Args:
        model: of `TASK`.
    """

    def __init__(self, model: AutoModel) -> None:
        self._model = model

    @property
    def name(self) -> str:
        """What the model is called."""
        return self._model.card.name

    def answer(self, question: str, picture: Pixels) -> tuple[ModelAnswer, ...]:
        """Return answers to a question about a picture, the likeliest first; () where a model writes none.

        Raises:
            InvalidRequest: the question is longer than the model takes.
            ModelError: the model fails, or gives no usable numbers.
        """
        inputs = self._model.picture_inputs([picture], text=[encodable(question)])
        self._check_length(int(inputs["input_ids"].shape[1]))
        return tuple(self._chosen(inputs) if self._chooses else self._written(inputs))

    @property
    def _chooses(self) -> bool:
        return not self._model.model.can_generate()

    def _check_length(self, count: int) -> None:
        text = getattr(self._model.model.config, "text_config", self._model.model.config)
        most = getattr(text, "max_position_embeddings", None) or self._model.card.max_tokens
        if count > most:
            raise too_long(count, self.name, most)

    def _chosen(self, inputs: Any) -> list[ModelAnswer]:
        # Several answers may be right, so that the probability of each is its own.
        shares = sigmoid(self._model.outputs(inputs).logits)[0]
        first = np.argsort(-shares, kind="stable")[:_ANSWERS]
        return [ModelAnswer(self._model.labels[place], float(shares[place])) for place in first.tolist()]

    def _written(self, inputs: Any) -> list[ModelAnswer]:
        return [ModelAnswer(one.text, one.all) for one in write(self._model, inputs, _TOKENS) if one.text]
