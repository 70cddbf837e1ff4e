"""Document question answering: a question about pages as they look, answered from what stands on them.

Models are of two kinds: those that find the answer among the words of a page, of which each has its box (LayoutLM, Xu
et al. 2020), and those that look at the page alone, and write it (Donut, Kim et al. 2022).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from quarry.search.errors import ModelError
from quarry.search.models.auto.serving import AutoModel, softmax
from quarry.search.models.auto.task import Task
from quarry.search.models.auto.writing import write
from quarry.search.models.pair.spans import best_spans
from quarry.search.models.tokenizing import encodable
from quarry.search.requests import deadline
from quarry.search.tasks.answers import Answered, ModelAnswer, too_long
from quarry.search.types import Pixels
from quarry.search.values.places import Box, Place

TASK = Task(
    name="document-question-answering",
    heads=("LayoutLMForQuestionAnswering", "LayoutLMv3ForQuestionAnswering", "VisionEncoderDecoderModel"),
    loader=("AutoModelForDocumentQuestionAnswering", "AutoModelForImageTextToText"),
    processor="AutoProcessor",
    may_lack_pictures=True,
    command='quarry ask "QUESTION" --document "ID|PATH#page=N" --page-reader MODEL',
    option="`--page-reader`: any LayoutLM or LayoutLMv3 for questions, whose words OCR reads; any Donut for them",
    seen="`quarry ask --document`, `POST /v1/documents/{id}/answer`: answers with their page and box, and how sure the "
    "model is",
)
MOST_PAGES = 20  # of a document, that are looked at for one question
_ANSWERS, _LIKELY = 5, 0.01  # at most, and how sure a model is of those beside the first
_OVERLAP = 4  # of a window, that share of its words is in the one before it, too
_LEAST = 16  # tokens of a page that there must be room for
_TOKENS = 64  # of an answer that is written
_ASKED = "<s_docvqa><s_question>{}</s_question><s_answer>"
_ANSWERED = "<s_answer>"
_MARK = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True)
class Word:
    """A word on a page, and its box, as shares of the page's width and height."""

    text: str
    box: Box


@dataclass(frozen=True, slots=True)
class ShownPage:
    """A page as it looks, from 1; `number` is None of what is one picture. Its words are empty where none were read."""

    number: int | None
    pixels: Pixels
    words: tuple[Word, ...] = ()


class PageReader:
    """A model that answers questions about pages. Many threads may share one.

    Args:
        model: of `TASK`.

    Raises:
        ModelError: it writes, and was not trained to write answers.
    """

    def __init__(self, model: AutoModel) -> None:
        self._model = model
        if not self.reads_words and model.words.convert_tokens_to_ids(_ANSWERED) in (None, model.words.unk_token_id):
            raise ModelError(f"{model.card.name} has no token {_ANSWERED}: it was not trained to answer questions.")

    @property
    def reads_words(self) -> bool:
        """Whether it needs the words of a page."""
        return self._model.card.family.startswith("layoutlm")

    def answer(self, question: str, pages: Iterable[ShownPage]) -> Answered:
        """Return answers to a question, each once; none where a model finds or writes none.

        Raises:
            InvalidRequest: the question is longer than the model takes.
            ModelError: the model fails, or gives no usable numbers.
        """
        question, find = encodable(question), self._found if self.reads_words else self._written
        answers: list[ModelAnswer] = []
        count = 0
        for page in pages:  # of which each may have been read for seconds
            deadline.check()
            answers += find(question, page)
            count += 1
        kept: dict[str, ModelAnswer] = {}
        for one in sorted(answers, key=lambda one: -one.confidence):
            kept.setdefault(one.text.casefold(), one)
        best = list(kept.values())[:_ANSWERS]
        likely = [one for one in best if one is best[0] or one.confidence >= _LIKELY]
        return Answered(tuple(likely), count, count)

    def _written(self, question: str, page: ShownPage) -> list[ModelAnswer]:
        words, prompt = self._model.words, _ASKED.format(_MARK.sub(" ", question))
        inputs = dict(self._model.picture_inputs([page.pixels]))
        begin = words(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
        most = int(self._model.model.decoder.config.max_position_embeddings)
        if begin.shape[1] + _TOKENS > most:
            raise too_long(begin.shape[1], self._model.card.name, most - _TOKENS)
        (one,) = write(self._model, {**inputs, "decoder_input_ids": begin}, _TOKENS)
        text = " ".join(_MARK.sub(" ", one.text).split())
        return [ModelAnswer(text, one.all, Place(page=page.number))] if text else []

    def _found(self, question: str, page: ShownPage) -> Iterator[ModelAnswer]:
        """Yield the spans of a page's words that answer best, of each window."""
        if not page.words:
            return
        for inputs, owners in self._windows(question, page):
            outputs = self._model.outputs(inputs)
            starts, ends = (np.asarray(one[0].float()) for one in (outputs.start_logits, outputs.end_logits))
            own = [place for place, owner in enumerate(owners) if owner is not None]
            first, last = softmax(outputs.start_logits)[0], softmax(outputs.end_logits)[0]
            for span in best_spans(starts, ends, (own[0], own[-1] + 1), _ANSWERS):
                yield _answer(page, [one for one in owners[span.first : span.last + 1] if one is not None],
                              float(first[span.first] * last[span.last]))  # fmt: skip

    def _windows(self, question: str, page: ShownPage) -> Iterator[tuple[Any, list[int | None]]]:
        """Yield the inputs of windows of a page, and the number of the word that each token is of."""
        asked, most = question.split(), self._model.card.max_tokens
        words, boxes = [encodable(one.text) for one in page.words], [_thousandths(one.box) for one in page.words]
        with deadline.holding(self._model.running):
            tokenizer = self._model.words
            taken = len(tokenizer(question, **_empty(tokenizer))["input_ids"])
            if taken + _LEAST > most:
                raise too_long(taken, self._model.card.name, most - _LEAST)
            given = (question, words, boxes) if _takes_boxes(tokenizer) else (asked, words)
            encoded = tokenizer(
                *given,
                **({} if _takes_boxes(tokenizer) else {"is_split_into_words": True}),
                truncation="only_second",
                max_length=most,
                stride=(most - taken) // _OVERLAP,
                return_overflowing_tokens=True,
            )
        import torch

        seen = self._seen(page)
        for index in range(len(encoded["input_ids"])):
            sides, numbers = encoded.sequence_ids(index), encoded.word_ids(index)
            owners = [number if side == 1 else None for side, number in zip(sides, numbers, strict=True)]
            if all(owner is None for owner in owners):
                continue
            inputs = {
                name: torch.tensor([encoded[name][index]])
                for name in tokenizer.model_input_names
                if name in encoded and name in self._model.arguments
            }
            around = [[0] * 4 if owner is None else boxes[owner] for owner in owners]
            yield {**inputs, "bbox": torch.tensor([around]), **seen}, owners

    def _seen(self, page: ShownPage) -> dict[str, Any]:
        """Return what a model that looks at the page, too, sees of it."""
        if "pixel_values" not in self._model.arguments:
            return {}
        from PIL import Image

        look = self._model.processor.image_processor
        return {"pixel_values": look([Image.fromarray(page.pixels)], apply_ocr=False, return_tensors="pt").pixel_values}


def words_of(text: str, lines: Sequence[tuple[int, Box]]) -> Iterator[Word]:
    """Yield the words of a page's text, of which it is known where its lines begin and which box each has: a word's box
    is as much of its line's as it has of the characters.
    """
    for (start, box), end in zip(lines, [*(start for start, _ in lines), len(text)][1:], strict=True):
        line = text[start:end].rstrip()
        left, top, right, bottom = box
        for match in re.finditer(r"\S+", line):
            edges = (left + (right - left) * at / len(line) for at in match.span())
            yield Word(match[0], (next(edges), top, next(edges), bottom))


def _answer(page: ShownPage, numbers: Sequence[int], confidence: float) -> ModelAnswer:
    words = [page.words[number] for number in dict.fromkeys(numbers)]
    lefts, tops, rights, bottoms = zip(*(one.box for one in words), strict=True)
    box = (round(min(lefts), 4), round(min(tops), 4), round(max(rights), 4), round(max(bottoms), 4))
    return ModelAnswer(" ".join(one.text for one in words), confidence, Place(page=page.number, box=box))


def _thousandths(box: Box) -> list[int]:
    return [min(1_000, max(0, round(1_000 * share))) for share in box]


def _takes_boxes(tokenizer: Any) -> bool:
    return "bbox" in tokenizer.model_input_names


def _empty(tokenizer: Any) -> dict[str, Any]:
    return {"text_pair": ["a"], "boxes": [[0, 0, 0, 0]]} if _takes_boxes(tokenizer) else {}
