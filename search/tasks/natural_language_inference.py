"""Natural language inference: whether a text supports what somebody claims, contradicts it, or does neither.

A model was given pairs of a premise and a hypothesis (SNLI, Bowman et al. 2015; MultiNLI, Williams et al. 2018). A
premise that is longer than it takes is read in windows that overlap; the one counts that says most about the claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from quarry.search.errors import InvalidRequest, ModelError
from quarry.search.models.auto.serving import AutoModel, Floats, softmax
from quarry.search.models.auto.task import Task
from quarry.search.models.tokenizing import encodable
from quarry.search.types import Hit

TASK = Task(
    name="natural-language-inference",
    heads=("ForSequenceClassification",),
    loader="AutoModelForSequenceClassification",
    command='quarry check "CLAIM" --checker MODEL',
    option="`--checker`: any `...ForSequenceClassification` whose labels are entailment, contradiction and neutral",
    seen="`quarry check`, `POST /v1/check`: which passages support a claim, which contradict it, and how surely",
)

Verdict = Literal["supports", "contradicts", "neither"]
_MEANINGS: Mapping[str, Verdict] = {
    "entailment": "supports",
    "entails": "supports",
    "contradiction": "contradicts",
    "contradicts": "contradicts",
    "neutral": "neither",
    "not entailment": "neither",
}
_BATCH = 8  # pairs
_OVERLAP = 4  # of the premise's part of a window, that share of its tokens is in the one before it, too
_LONGEST = 1_024  # tokens of a window, whatever a model takes


@dataclass(frozen=True, slots=True)
class Judgement:
    """How likely a premise is to support a hypothesis, to contradict it, and to do neither: 0..1, 1 in all."""

    supports: float
    contradicts: float
    neither: float

    @property
    def verdict(self) -> Verdict:
        """What is likeliest."""
        likeliest: Verdict = max(("supports", "contradicts", "neither"), key=lambda name: getattr(self, name))
        return likeliest

    @property
    def says(self) -> float:
        """How likely it is to do either."""
        return self.supports + self.contradicts


@dataclass(frozen=True, slots=True)
class Judged:
    """A hit, and what its text says of a claim."""

    hit: Hit
    judgement: Judgement


class Inference:
    """A model that says what premises say of hypotheses. Many threads may share one.

    Args:
        model: of `TASK`.

    Raises:
        ModelError: nobody knows which of its labels means that a text supports what is claimed.
    """

    def __init__(self, model: AutoModel) -> None:
        self._model = model
        meanings = verdicts(model.labels)
        self._meanings = [meaning or "neither" for meaning in meanings]
        if "supports" not in meanings or None in meanings:
            raise ModelError(
                f"the labels of {model.card.name} are {', '.join(model.labels[:10]) or 'none'}; a model for "
                f"{TASK.name} has entailment and contradiction, or not_entailment, among its own, and no others."
            )
        if not getattr(model.processor, "is_fast", False):
            raise ModelError(f"{model.card.name} has no tokenizer.json, which long texts are cut by.")

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        """Return what each premise says of its hypothesis.

        Raises:
            InvalidRequest: a hypothesis leaves no room for a premise.
            ModelError: the model fails, or gives no usable numbers.
        """
        windows = [(place, inputs) for place, pair in enumerate(pairs) for inputs in self._windows(*pair)]
        found: list[Judgement | None] = [None] * len(pairs)
        for start in range(0, len(windows), _BATCH):
            batch = windows[start : start + _BATCH]
            for (place, _), row in zip(batch, self._outputs([inputs for _, inputs in batch]), strict=True):
                judgement, before = self._judgement(row), found[place]
                if before is None or judgement.says > before.says:
                    found[place] = judgement
        return [one if one is not None else Judgement(0.0, 0.0, 1.0) for one in found]

    def _windows(self, premise: str, hypothesis: str) -> list[dict[str, list[int]]]:
        tokenizer, most = self._model.processor, min(self._model.card.max_tokens, _LONGEST)
        premise, hypothesis = encodable(premise), encodable(hypothesis)
        if not premise.strip():
            return []
        claimed = len(self._model.tokens(hypothesis, add_special_tokens=False)["input_ids"])
        room = most - claimed - tokenizer.num_special_tokens_to_add(pair=True)
        if room < max(_OVERLAP, claimed // 4):
            raise InvalidRequest(
                f"The claim has {claimed:,} tokens; {self._model.card.name} takes {most:,} together with a text that "
                "says something of it. Give a shorter one: a sentence."
            )
        encoded = self._model.tokens(
            premise,
            hypothesis,
            truncation="only_first",
            max_length=most,
            stride=room // _OVERLAP,
            return_overflowing_tokens=True,
        )
        names = [name for name in tokenizer.model_input_names if name in encoded and name in self._model.arguments]
        return [{name: list(encoded[name][index]) for name in names} for index in range(len(encoded["input_ids"]))]

    def _outputs(self, inputs: Sequence[dict[str, list[int]]]) -> Floats:
        tokenizer = self._model.processor
        if tokenizer.pad_token_id is None and len(inputs) > 1:
            return np.concatenate([self._outputs([one]) for one in inputs])
        together = {name: [one[name] for one in inputs] for name in inputs[0]}
        tensors: Any = tokenizer.pad(together, return_tensors="pt") if len(inputs) > 1 else _tensors(together)
        shares = softmax(self._model.outputs(tensors).logits)
        if not np.isfinite(shares).all():
            raise ModelError(f"{self._model.card.name} gives no usable numbers.")
        return shares

    def _judgement(self, row: Floats) -> Judgement:
        sums = dict.fromkeys(("supports", "contradicts", "neither"), 0.0)
        for meaning, share in zip(self._meanings, row.tolist(), strict=True):
            sums[meaning] += share
        return Judgement(**sums)


def verdicts(labels: Sequence[str]) -> list[Verdict | None]:
    """Return what each label of a model says of a premise, None where nobody knows."""
    return [_MEANINGS.get(label.casefold().replace("_", " ").replace("-", " ")) for label in labels]


def check(claim: str, hits: Sequence[Hit], inference: Inference) -> list[Judged]:
    """Return what hits say of a claim, those that say something first, the surest before all."""
    read = [hit for hit in hits if hit.text.strip()]
    judged = inference.judge([(hit.text, claim) for hit in read])
    found = [Judged(hit, judgement) for hit, judgement in zip(read, judged, strict=True)]
    return sorted(found, key=lambda one: (one.judgement.verdict == "neither", -one.judgement.says))


def _tensors(values: Mapping[str, Any]) -> Any:
    import torch

    return {name: torch.tensor(value) for name, value in values.items()}
