"""Scores -> relevance, 0..1: how likely a hit is to be what was meant, comparable between passages and pictures.

A retriever's score is first set against its *null*: the mean and the spread of the scores that a fixed bank of
background queries (`data/background.txt`) gets on items that have nothing to do with them. The distance, in spreads,
goes through a logistic function, for passages together with the share of the query's words that they hold. Constants
were fitted on judged pairs (`benchmarks/evidence.py` for passages, `benchmarks/relevance.py` for pictures). Each step
is monotone in the score, and none looks at what else was found: adding documents moves a hit by no more than it moves
the null. `docs/ranking.md` explains it with pictures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quarry.search.types import Vectors

FITTED_FROM = 1_000  # items, below which a null is the prior
MOST_TRUST = 0.5

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Null:
    """Scores of pairs that have nothing to do with each other: their mean and their standard deviation."""

    mean: float
    spread: float

    def distance(self, scores: Scores | np.float32) -> NDArray[np.float64]:
        """Return how many spreads (n,) scores lie above the mean."""
        return np.asarray((scores.astype(np.float64) - self.mean) / self.spread, np.float64)

    def wider(self, by: float) -> Null:
        """Return the null of scores that are spread more."""
        return Null(self.mean, self.spread * by)

    def plus(self, other: Null, length: float, weight: float, own: float = 1.0) -> Null:
        """Return the null of sums of two scores, this by `own` and the other's by `weight`, divided by `length`."""
        mean = (own * self.mean + weight * other.mean) / length
        return Null(mean, math.hypot(own * self.spread, weight * other.spread) / length)

    def blended(self, prior: Null, items: int) -> Null:
        """Return this null as far as `items` suffice to trust it, the prior for the rest: no jump at any size.

        It is trusted by half at most: what a library is about should be weighed, yet not move hits as it grows.
        """
        trust = MOST_TRUST * max(0.0, 1 - FITTED_FROM / max(items, 1))
        return Null(
            trust * self.mean + (1 - trust) * prior.mean, float(trust * self.spread + (1 - trust) * prior.spread)
        )


# What scores by chance are like, by the name of the model; of others it is measured on the library itself.
PRIORS: Mapping[str, Null] = {
    "all-MiniLM-L6-v2": Null(0.006, 0.066),
    "quarry-lite0": Null(-0.159, 0.053),
    "multilingual-e5-small": Null(0.03, 0.062),
}
# Cosines of the multilingual model by chance, of texts in one language that is neither English nor Korean: what tells
# these two apart is taken from its vectors, and what tells others apart is left in them. By ISO 639 code.
WITHIN: Mapping[str, float] = {
    "de": 0.23,
    "es": 0.21,
    "fr": 0.12,
    "it": 0.19,
    "ja": 0.20,
    "nl": 0.15,
    "pl": 0.23,
    "pt": 0.25,
    "ru": 0.21,
    "tr": 0.17,
    "zh": 0.35,
}
WITHIN_OTHERS = 0.2  # of any other language
# Of this, what is taken from a cosine: with all of it, more of what is right is left out than of what is not.
TAKEN = 0.5
MULTILINGUAL = frozenset({"multilingual-e5-small"})  # no null is fitted for: the background queries are English
OTHER_LANGUAGES = 1.2  # how much more cosines of pictures to words in another language are spread than to English ones
ALIKE: Mapping[str, Null] = {
    "quarry-lite0": Null(0.0, 0.115)
}  # of two pictures that have nothing to do with each other
ALIKE_UNKNOWN = Null(0.5, 0.1)  # of other image models: their pictures lie close together
UNKNOWN = Null(0.2, 0.1)  # of any other, in the moment before it is measured


def fit(bank: Vectors, items: Vectors) -> Null:
    """Return the null of (b, d) background queries over (n, d) items, unit vectors.

    A few of the items may well be about one of the queries: the median and the width of the middle half are not
    moved by them.
    """
    scores = (items @ bank.T).ravel()
    low, middle, high = np.quantile(scores, (0.25, 0.5, 0.75))
    return Null(float(middle), max(float(high - low) / 1.349, 1e-3))  # a normal distribution's ratio


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic function over evidence: `1 / (1 + exp(-(constant + distance * d + coverage * c)))`."""

    constant: float
    distance: float = 0.0
    coverage: float = 0.0

    def of(self, distance: NDArray[np.float64] | float = 0.0, coverage: Scores | float = 0.0) -> Scores:
        """Return relevance, 0..1, of a distance from the null and of the share of the query's words that match."""
        logit = self.constant + self.distance * np.asarray(distance) + self.coverage * np.asarray(coverage)
        return np.asarray(1 / (1 + np.exp(-np.clip(logit, -30, 30))), np.float32)


# By what evidence there is: chances all of them, so that a picture's 0.7 is a passage's 0.7.
CALIBRATIONS: Mapping[str, Calibration] = {
    "hybrid": Calibration(-6.40, 0.54, 1.85),
    "semantic": Calibration(-6.61, 0.69),
    "lexical": Calibration(-3.89, coverage=4.09),
    "across": Calibration(-9.37, 1.38),  # of passages in another language than the query
    "image": Calibration(-11.08, 1.83),
    "general": Calibration(-7.06, 1.18),  # of pictures, by a word or two: which many may show
    "alike": Calibration(-7.0, 1.3),
}

# Relevance below which a hit is not likely to be meant, and no part of a list unless it is asked for, by its evidence.
# What holds words of the query is kept where it was searched by words.
LEAST: Mapping[str, float] = {
    "hybrid": 0.015,
    "semantic": 0.012,
    "lexical": 0.0,
    "across": 0.015,
    "image": 0.02,
    "general": 0.1,
    "alike": 0.1,
}
# For models without a prior it was not measured: of what they find nothing is left out.
GENERAL = 2  # words, up to which a query for pictures is one
WORDS_ENOUGH = 0.5  # share of the query's words, from which a passage is kept whatever else speaks against it


def least(evidence: str, model: str) -> float:
    """Return the relevance below which nothing is likely to be meant, of hits that a model of that name found."""
    return LEAST[evidence] if model in PRIORS else 0.0


def coverage(lexical: Scores, weight: float) -> Scores:
    """Return what share of the query's words, weighed by how rare they are, (n,) BM25 scores speak for, 0..1."""
    return np.asarray(np.clip(lexical / max(weight, 1e-6), 0, 1), np.float32)


def shared(language: str) -> float:
    """Return what is taken from a cosine of the multilingual model's for the language alone of a query and a text.

    It is one language, neither English nor Korean. Of texts in two such languages the cosines by chance are hardly
    higher, and what is right lies near to them.
    """
    return TAKEN * (WITHIN.get(language, WITHIN_OTHERS) - PRIORS["multilingual-e5-small"].mean)


def apart(distance: NDArray[np.float64], shared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n,) distances from chance as they would be without the part of each cosine that is its language alone.

    Vectors without the direction that they share are shorter, and so their cosines are divided by what is left.
    """
    return (distance - shared / PRIORS["multilingual-e5-small"].spread) / (1 - shared)


# Of passages that hold almost all of a query's words and that fusion singles out: right in five cases of six, of 300
# questions whose library had an answer. Fewer words leave more room for chance.
SINGLED_OUT = 0.8
WHOLE = 0.9  # share of the words from which a passage holds the query; what alone does so is right as often


def at_least(relevance: Scores, singled_out: NDArray[np.bool_], held: Scores) -> Scores:
    """Raise (n,) relevance of what words single out, whatever it means to the model: an error number means nothing."""
    whole = held >= WHOLE
    chosen = singled_out | (whole & (whole.sum() == 1))
    return np.asarray(np.where(chosen, np.maximum(relevance, SINGLED_OUT * held**2), relevance), np.float32)


def enveloped(relevance: Scores) -> Scores:
    """Return relevance that never rises down a ranking: what stands above counts for no less than what follows.

    Fusion may rank a passage above one with stronger evidence of its own, for the company that it keeps.
    """
    return np.asarray(np.maximum.accumulate(relevance[::-1])[::-1], np.float32)
