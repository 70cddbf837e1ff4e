"""Vectors and labels that nothing was trained for -> how likely each label is of each, or none of them (zero-shot).

A label is a few words, which the encoder of a space puts where it puts what is about them (Yin, Hay and Roth 2019,
"Benchmarking Zero-shot Text Classification"; of pictures Radford et al. 2021, CLIP). The nearest label is no answer
yet: there is always one. Two things are weighed: how much nearer it is than the next one that is not the same in other
words, and than it would be anyway. For texts that is the nearest of some fifty broad subjects (`data/subjects.txt`)
that is not the label in other words; for pictures, what scores are by chance (`search.relevance`). Both, in spreads of
the null, go through a logistic function. So each label has a chance of its own: two may be apt, or none.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import InvalidRequest
from quarry.search.language.scripts import knows, scripts_in
from quarry.search.models.contracts import Encoder
from quarry.search.models.shipped import shipped
from quarry.search.relevance import PRIORS, Null
from quarry.search.types import WORDS, Ids, Vectors

MOST = 10_000  # labels
LONGEST = 200  # characters of a name
LONGEST_DESCRIPTION = 2_000
APT = 0.5  # probability from which a label is given
_TOLD = 16  # labels of which it is reckoned, those that are nearest
_BLOCK = 2_048  # vectors at once
_SAME = 0.8  # cosine of two labels from which one is the other in other words, and does not speak against it
_SAME_SUBJECT = 0.7  # of a label and a subject
KNOWN = 0.5  # share of a label's letters that the model of a space must know

Shares = list[dict[str, float]]


@dataclass(frozen=True, slots=True)
class Label:
    """A label: its name, and words that describe it, "" where the name does."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class LabelScale:
    """A logistic function over how far a label is before the next one, and before what it would be anyway."""

    constant: float
    margin: float
    distance: float


# Fitted on texts and labels of their own (`benchmarks/labels.py`); of other models nothing is known, so that they are
# taken for the first.
SCALES: Mapping[str, LabelScale] = {
    "all-MiniLM-L6-v2": LabelScale(-0.95, 1.18, 0.48),
    "multilingual-e5-small": LabelScale(-1.9, 1.12, 0.43),
    "quarry-lite0": LabelScale(-3.51, 0.44, 0.94),
}
_UNKNOWN = {WORDS: SCALES["all-MiniLM-L6-v2"], "image": SCALES["quarry-lite0"]}


def read_label(written: str) -> Label:
    """Read `name`, or `name: words that describe it`.

    Raises:
        InvalidRequest: it has no name, or one that is too long, or that no filter can name.
    """
    name, _, description = _plain(written).partition(":")
    name, description = name.strip(), description.strip()
    if not name:
        raise InvalidRequest(f"{written!r} is no label: give a name, or `name: words that describe it`.")
    if '"' in name or "\\" in name or not name.isprintable():  # no filter could name how likely it is
        raise InvalidRequest(f"{name[:40]!r} is no label: give one without a quotation mark or backslash.")
    if len(name) > LONGEST or len(description) > LONGEST_DESCRIPTION:
        raise InvalidRequest(
            f"the label {name[:40]!r} is too long: a name has up to {LONGEST} characters, what describes it up to "
            f"{LONGEST_DESCRIPTION:,}."
        )
    return Label(name, description)


def read_labels(written: Iterable[str]) -> tuple[Label, ...]:
    """Read labels, each once, whatever the case; of two of one name that with a description counts.

    Raises:
        InvalidRequest: one is none, there are none, or too many.
    """
    found: dict[str, Label] = {}
    for text in written:
        label = read_label(text)
        key = label.name.casefold()
        if key not in found:
            found[key] = label
        elif label.description and not found[key].description:
            found[key] = replace(found[key], description=label.description)
    if not found:
        raise InvalidRequest("Name the labels that there are, such as `--labels sport,politics`.")
    if len(found) > MOST:
        raise InvalidRequest(f"there are {len(found):,} labels; there can be {MOST:,}.")
    return tuple(found.values())


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text.replace("\x00", " ")).split())


class Labeller:
    """What tells which of some labels things of one space bear.

    Args:
        encoder: of the space.
        medium: of what it holds.
        null: what scores are by chance, where the model has no prior.
    """

    def __init__(self, encoder: Encoder, medium: str, labels: Sequence[Label], null: Null) -> None:
        self.known = tuple(one for one in labels if knows(encoder.card, one.name) >= KNOWN)
        self._null = PRIORS.get(encoder.card.name, null)
        self._scale = SCALES.get(encoder.card.name, _UNKNOWN.get(medium, _UNKNOWN[WORDS]))
        self._labels = _encoded(encoder, [_asked(one, medium) for one in self.known])
        subjects = shipped("subjects.txt").read_text(encoding="utf-8").splitlines() if medium == WORDS else []
        self._subjects = _encoded(encoder, [_asked(Label(one), medium) for one in subjects])
        self._is_subject = self._labels @ self._subjects.T >= _SAME_SUBJECT

    def evidence(self, vectors: Vectors) -> list[dict[str, tuple[float, float]]]:
        """Return what is weighed of (n, d) unit vectors: by label, how far it is before the next, and before anyway."""
        near, margin, distance = self._weighed(vectors)
        return [
            {self.known[label].name: (float(one), float(other)) for label, one, other in zip(*row, strict=True)}
            for row in zip(near, margin, distance, strict=True)
        ]

    def shares(self, vectors: Vectors) -> Shares:
        """Return how likely labels are of (n, d) unit vectors, 0..1, those that are nearest, the likeliest first."""
        if not self.known:
            return [{} for _ in vectors]
        return [found for at in range(0, len(vectors), _BLOCK) for found in self._of(vectors[at : at + _BLOCK])]

    def _of(self, vectors: Vectors) -> Shares:
        near, margin, distance = self._weighed(vectors)
        logit = self._scale.constant + self._scale.margin * margin + self._scale.distance * distance
        chance = 1 / (1 + np.exp(-np.clip(logit, -30, 30)))
        order = np.lexsort((-distance, -chance), axis=1)
        return [
            {self.known[near[row, at]].name: float(chance[row, at]) for at in order[row]} for row in range(len(vectors))
        ]

    def _weighed(self, vectors: Vectors) -> tuple[Ids, NDArray[np.float64], NDArray[np.float64]]:
        """Return the places (n, k) of the nearest labels, and both of what is weighed of each."""
        far = self._null.distance(vectors @ self._labels.T)
        count = min(_TOLD, len(self.known))
        near = np.argpartition(-far, count - 1, axis=1)[:, :count]
        far = np.take_along_axis(far, near, axis=1)
        margin = far - np.maximum(self._next(far, near), 0)
        return near, margin, far - self._anyway(vectors, near)

    def _next(self, far: NDArray[np.float64], near: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how far the nearest of the others is that is not the same in other words."""
        labels = self._labels[near]
        same = np.einsum("nid,njd->nij", labels, labels) >= _SAME
        return np.asarray(np.where(same, -np.inf, far[:, None, :]).max(axis=2), np.float64)

    def _anyway(self, vectors: Vectors, near: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how far the nearest subject is that is not the label in other words; 0 where there are none."""
        if not len(self._subjects):
            return np.zeros(near.shape)
        subjects = self._null.distance(vectors @ self._subjects.T)
        return np.asarray(np.where(self._is_subject[near], -1e3, subjects[:, None, :]).max(axis=2), np.float64)


def _encoded(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    if not texts:
        return np.empty((0, encoder.dimension), np.float32)
    return np.concatenate([encoder.encode_queries(texts[at : at + 256]) for at in range(0, len(texts), 256)])


def _asked(label: Label, medium: str) -> str:
    """Return the words that stand for a label: as a sentence about it, where it is not described by some of its own."""
    if medium != WORDS:
        return f"{label.name}, {label.description}" if label.description else label.name
    if label.description:
        return f"{label.name}: {label.description}"
    scripts = scripts_in(label.name)
    if "Hangul" in scripts:
        return f"{label.name}에 관한 글"
    return f"This text is about {label.name}." if set(scripts) <= {"Latin"} else label.name
