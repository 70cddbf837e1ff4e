"""Parity of readers and cross-encoders: how near an export's logits are to the original's, on a fixed bank of pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from quarry.search.errors import ModelDamaged
from quarry.search.models.pair.original import Logits, PairOriginal
from quarry.search.models.pair.serving import PairModel
from quarry.search.models.pair.spans import best_spans
from quarry.search.models.pair.windows import LONGEST, PairTokenizer, Window
from quarry.search.models.text.tokens import LibraryTokens
from quarry.search.models.tokenizing import serving_tokenizer

EXACT = 1e-3  # largest difference of a float32 export, in standard deviations of the original's logits; 1e-5 is usual
# Of an int8 export. Half-trained, quarry-reader came to 0.995 and 1.0, with an F1 on 300 questions that did not fall.
CORRELATED = 0.98  # least correlation of its logits with the original's, within one pair
AGREEING = 0.9  # least share of its choices, spans or orders, that are the original's or as good

_PAIRS = (
    (
        "Who discovered penicillin?",
        "Penicillin was discovered in 1928 by Alexander Fleming, a Scottish physician who worked at St Mary's Hospital "
        "in London. He had left a dish of bacteria open on his bench, and came back from his holiday to find mould.",
    ),
    (
        "When does the museum open on Sundays?",
        "The museum is open from Tuesday to Saturday between 10 am and 6 pm. On Sundays it opens at 11:30 am and "
        "closes an hour earlier. It is closed on Mondays and on public holidays.",
    ),
    (
        "How much does the annual licence cost?",
        "Invoice 4711-B. Annual licence for up to 25 seats: EUR 12,450.00 net. Support, optional: EUR 1,900.00. "
        "Payable by 30 June; a discount of 2 % is given for payment within ten days.",
    ),
    (
        "What should I do if the pump makes a rattling noise?",
        "Switch the machine off at the mains before any work. If the pump rattles, air has got into the inlet hose: "
        "tighten both clamps and bleed the hose at the red valve. If it hums but does not turn, the fuse has blown.",
    ),
    (
        "Which exception is raised for a missing key?",
        "Looking a key up with square brackets raises KeyError where the mapping has none; `get` returns None, or the "
        "default that it was given. Assigning to an unhashable key raises TypeError.",
    ),
    (
        "Where was the treaty signed?",
        "After four months of talks the delegations met once more in Lisbon, where the treaty was signed on 12 May. It "
        "entered into force in the following year, after parliaments in Dublin and Vienna had agreed to it.",
    ),
    (
        "how tall is the tower",
        "The old lighthouse stands 34 metres high on the cliff. The tower of the cathedral, begun in 1343, was left at "
        "98 metres when the money ran out; the plans had asked for 151.",
    ),
    (
        "Why did she turn the offer down?",
        '"It\'s kind of them," said Mara, "but I\'d have to move." Her father was ill, and she did not want to live a '
        "day's journey away from him. So the post in Geneva went to somebody else, and she stayed at the school.",
    ),
    (
        "What is the boiling point of ethanol?",
        "Water boils at 100 °C at sea level, ethanol at 78.4 °C and acetone at 56 °C. At 3,000 m these are some ten "
        "degrees lower, since the pressure of the air is about 70 kPa there.",
    ),
    (
        "Is the battery of the camera any good?",
        "Great pictures, even in poor light, and it fits my pocket. But the battery lasts for an hour at most, so buy "
        "a second one. The strap broke after a week; they sent me another without asking.",
    ),
    ("대한민국의 수도는 어디입니까?", "서울은 대한민국의 수도이며, 한강을 끼고 있다. 인구는 약 950만 명이다."),
    ("Où se trouve le siège ?", "La société, fondée à Lyon en 1921, a son siège à Genève depuis 1998."),
    ("?", "a"),
)
_FILLER = (
    "The report covers the whole of the year and was read by both auditors before it went to the board. Its tables "
    "are given in thousands, and figures of earlier years were brought to the prices of today. "
)


def bank() -> list[tuple[str, str]]:
    """Return pairs of question and passage: with an answer, without one, and with it far from the passage's start."""
    own = list(_PAIRS)
    others = [(question, own[(place + 4) % len(own)][1]) for place, (question, _) in enumerate(own)]
    long = [(question, _FILLER * 4 + passage) for question, passage in own[:4]]
    return [*own, *others, *long]


@dataclass(frozen=True, slots=True)
class PairParity:
    """How an export compares with the original.

    Args:
        difference: the largest of two logits, in standard deviations of the original's.
        correlation: of the logits, the least of all pairs; of a cross-encoder, over all pairs.
        agreement: share of a reader's pairs whose best span is the original's, or one that the original itself gives a
            logit that is at most 1 lower; share of couples of pairs that a cross-encoder puts in the original's order.
    """

    difference: float
    correlation: float
    agreement: float

    @property
    def exact(self) -> bool:
        """Whether nothing but rounding differs."""
        return self.difference <= EXACT  # false of NaN

    @property
    def close(self) -> bool:
        """Whether it may stand in for the original."""
        return self.correlation >= CORRELATED and self.agreement >= AGREEING

    @property
    def figures(self) -> dict[str, float]:
        """What is written down of it."""
        return {"correlation": round(self.correlation, 6), "agreement": round(self.agreement, 4)}

    @classmethod
    def of_spans(
        cls, logits: Sequence[Logits], reference: Sequence[Logits], passages: Sequence[tuple[int, int]]
    ) -> PairParity:
        """Compare a reader's, each (n, 2); `passages` are the positions of each pair's passage, end-exclusive."""
        correlations = [_correlation(a, b) for a, b in zip(logits, reference, strict=True)]
        agreed = [_agree(a, b, passage) for a, b, passage in zip(logits, reference, passages, strict=True)]
        difference = _difference(np.concatenate(logits), np.concatenate(reference))
        return cls(difference, min(correlations), float(np.mean(agreed)))

    @classmethod
    def of_scores(cls, scores: Logits, reference: Logits) -> PairParity:
        """Compare a cross-encoder's, (pairs,)."""
        couples = np.array(list(combinations(range(len(scores)), 2))).T
        orders = [np.sign(values[couples[0]] - values[couples[1]]) for values in (scores, reference)]
        agreement = float((orders[0] == orders[1]).mean())
        return cls(_difference(scores, reference), _correlation(scores, reference), agreement)


def _difference(values: Logits, reference: Logits) -> float:
    return float(np.abs(values - reference).max() / max(float(reference.std()), 1e-6))


def _correlation(values: Logits, reference: Logits) -> float:
    a, b = (part.ravel() - part.mean() for part in (values, reference))
    return float(np.nan_to_num(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12), nan=-1.0))


def _agree(values: Logits, reference: Logits, passage: tuple[int, int]) -> bool:
    ours, best = (best_spans(logits[:, 0], logits[:, 1], passage) for logits in (values, reference))
    if not ours or not best:
        return ours == best
    null = float(reference[0].sum())
    granted = float(reference[ours[0].first, 0] + reference[ours[0].last, 1]) - null
    return granted >= best[0].score - 1


@dataclass(frozen=True, slots=True)
class Sample:
    """The window of a pair, and the original's logits of it."""

    window: Window
    reference: Logits


def samples_of(original: PairOriginal, tokenizer: bytes) -> list[Sample]:
    """Return the bank as it is served with a tokenizer, the first window of each pair, and the original's logits.

    Raises:
        ModelDamaged: the original's own tokenizer puts pairs together in another way.
    """
    from tokenizers import Tokenizer

    pairs = PairTokenizer(LibraryTokens(Tokenizer.from_buffer(tokenizer), literally=True), original.card.max_tokens)
    windows = [pairs.windows(question, passage)[0] for question, passage in bank()]
    for (question, passage), window in zip(bank(), windows, strict=True):
        own = _encoded(original, question, passage)
        kinds = own.get("token_type_ids")
        border = window.passage[0]
        plain = [int(place >= border) for place in range(window.ids.size)]
        if own["input_ids"] != window.ids.tolist() or (original.separator >= 0 and kinds != plain):
            raise ModelDamaged(
                f"{original.card.name} puts question and passage together in a way that Quarry does not know: "
                "name a model of another architecture."
            )
    if original.card.task == "reader" and not pairs.before:
        raise ModelDamaged(f"{original.card.name} begins with no token that could stand for the lack of an answer.")
    references = [_reference(original, *pair) for pair in bank()]
    return [Sample(window, reference) for window, reference in zip(windows, references, strict=True)]


def compare(served: PairModel, samples: Sequence[Sample]) -> PairParity:
    """Compare the logits that a model gives windows with the original's."""
    logits = served.logits_of([sample.window for sample in samples])
    references = [sample.reference for sample in samples]
    if served.card.task == "cross-encoder":
        return PairParity.of_scores(np.concatenate(logits), np.concatenate(references))
    return PairParity.of_spans(logits, references, [sample.window.passage for sample in samples])


def check(served: PairModel, original: PairOriginal) -> Mapping[str, float]:
    """Return how far the logits that a model gives the bank go with the original's, and how many choices agree."""
    return compare(served, samples_of(original, serving_tokenizer(original))).figures


def _reference(original: PairOriginal, question: str, passage: str) -> Logits:
    """Return what the original makes of a pair of raw strings."""
    import torch

    encoded = {key: torch.tensor([ids]) for key, ids in _encoded(original, question, passage).items()}
    with torch.inference_mode():
        output = original.model(**encoded)
    if original.card.task == "reader":
        logits: Logits = torch.stack([output.start_logits[0], output.end_logits[0]], dim=-1).numpy()
    else:
        logits = output.logits[0].numpy()
    return logits


def _encoded(original: PairOriginal, question: str, passage: str) -> dict[str, list[int]]:
    longest = min(original.card.max_tokens, LONGEST)
    encoded = original.tokenizer(question, passage, truncation="only_second", max_length=longest)
    unused = () if original.separator >= 0 else ("token_type_ids",)
    return {key: encoded[key] for key in encoded if key not in unused}
