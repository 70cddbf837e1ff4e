"""Natural language inference: whether a text supports what somebody claims, contradicts it, or does neither.

A model was given pairs of a premise and a hypothesis (SNLI, Bowman et al. 2015; MultiNLI, Williams et al. 2018). A
premise that is longer than it takes is read in windows that overlap; the one counts that says most about the claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from quarry.search.errors import InvalidRequest, ModelError
from quarry.search.models.auto.serving import AutoModel, Floats, softmax
from quarry.search.models.auto.task import Task
from quarry.search.models.auto.windows import beside, most, pair_batches, room, windows
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
_LEAST = 4  # tokens of a premise that there must be room for


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

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        """Return what each premise says of its hypothesis.

        Raises:
            InvalidRequest: a hypothesis leaves no room for a premise.
            ModelError: the model fails, or gives no usable numbers.
        """
        found: list[Judgement | None] = [None] * len(pairs)
        cut = [(place, piece) for place, pair in enumerate(pairs) for piece in self._windows(*pair)]
        for numbers, inputs in pair_batches(self._model, [piece for _, piece in cut]):
            for number, row in zip(numbers, softmax(self._model.outputs(inputs).logits), strict=True):
                place, judgement = cut[number][0], self._judgement(row)
                before = found[place]
                if before is None or judgement.says > before.says:
                    found[place] = judgement
        return [one if one is not None else Judgement(0.0, 0.0, 1.0) for one in found]

    def _windows(self, premise: str, hypothesis: str) -> list[tuple[str, str]]:
        if not premise.strip():
            return []
        claimed = beside(self._model, hypothesis)
        if room(self._model, claimed) < max(_LEAST, claimed // 4):
            raise InvalidRequest(
                f"The claim takes {claimed:,} tokens; {self._model.card.name} takes {most(self._model):,} together "
                "with a text that says something of it. Give a shorter one: a sentence."
            )
        return [(premise[one.span], hypothesis) for one in windows(self._model, [premise], claimed)]

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
