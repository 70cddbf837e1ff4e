"""Summaries out of the documents' own sentences: what is central, near the query, and not said yet.

What speaks for a sentence is standardized over all candidates and added up: how near it is to the centroid of all, by
its vector and by its words (Radev et al. 2004), how near it is to the query, likewise, how good its hit is or how early
it stands, and how long it is. Sentences are then taken one after the other, each for its score less its likeness to
those taken before (maximal marginal relevance, Carbonell and Goldstein 1998). `benchmarks/summaries.py` measures it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.language import korean
from quarry.search.language.analysis import query_terms
from quarry.search.language.layout import Line, lines
from quarry.search.language.scripts import is_foreign
from quarry.search.language.sentences import sentences
from quarry.search.models.contracts import TextEncoder
from quarry.search.types import Cited, Hit, Summary

SENTENCES = 3
EMBEDDED_OF_HITS = 32  # sentences, chosen by their words where there are more: embedding is what takes the time
EMBEDDED_OF_TEXT = 300

# Weights beside the centrality's, which is 1.
_QUERY, _RANK, _EARLY, _LENGTH, _REDUNDANCY = 1.0, 0.5, 0.15, 0.2, 1.5
_SAME = 0.9  # likeness from which a sentence says what another has said
_LONG = 50  # terms, from which a longer sentence is worth no more
_LEAST_TERMS = 3  # different ones, stop words apart, under which a sentence is boilerplate
_LEAST_LETTERS = 0.5  # share of the characters, likewise
_TITLE, _TITLE_WORDS = 60, 8  # characters and words of a line that may be a title
_FITTING = 0.35  # share of the best hit's relevance below which a hit has nothing to add

_Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A candidate: characters `start` to `end` of a passage, and how often it has each term, stop words apart."""

    passage: int
    start: int
    end: int
    text: str
    terms: Counter[str]

    @property
    def says_something(self) -> bool:
        """Whether it is no boilerplate."""
        letters = sum(map(str.isalpha, self.text))
        return letters >= _LEAST_LETTERS * len(self.text) and len(self.terms) >= _LEAST_TERMS


def summarize_hits(query: str, hits: Sequence[Hit], encoder: TextEncoder | None, count: int = SENTENCES) -> Summary:
    """Say in the hits' own words what they hold on the query; hits come best first.

    Sentences in scripts that the encoder does not know are weighed by their words, and all are without an encoder.

    Returns:
        At most `count` sentences in the order of the hits, each with its one source; none twice, and none of hits that
        are far less relevant than the best.
    """
    least = _FITTING * max((hit.relevance for hit in hits), default=0.0)
    hits = [hit for hit in hits if hit.relevance >= least]
    candidates = _candidates([hit.text for hit in hits])
    prior = _RANK * _standard(np.array([1 / (1 + one.passage) for one in candidates]))
    chosen = _choose(candidates, prior, encoder, query, EMBEDDED_OF_HITS, count)
    found = []
    for one in (candidates[place] for place in sorted(chosen)):
        hit = hits[one.passage]
        found.append(Cited(one.text, ((hit, hit.start + one.start, hit.start + one.end),)))
    return Summary(tuple(found))


def summarize_text(text: str, encoder: TextEncoder | None, count: int = SENTENCES) -> list[tuple[int, int]]:
    """Choose the sentences that say best what a text says: at most `count` (start, end) spans, in its order."""
    return sorted(ranked_sentences(text, encoder, count))


def ranked_sentences(text: str, encoder: TextEncoder | None, count: int) -> list[tuple[int, int]]:
    """Choose sentences as `summarize_text` does, in the order in which they are chosen: each adds to those before."""
    candidates = _candidates([text])
    prior = _EARLY * _standard(1 / (1 + np.arange(len(candidates))))
    chosen = _choose(candidates, prior, encoder, "", EMBEDDED_OF_TEXT, count)
    return [(candidates[place].start, candidates[place].end) for place in chosen]


def _candidates(passages: Sequence[str]) -> list[_Sentence]:
    """List the sentences of passages that are no boilerplate, in order, each text once; all with letters if none is."""
    first: dict[str, _Sentence] = {}
    headings: list[_Sentence] = []  # taken where there is nothing else
    for number, passage in enumerate(passages):
        parsed = lines(passage)
        for start, end in sentences(passage):
            touched = [line for line in parsed if line.start < end and start < line.end]
            while len(touched) > 1 and touched[0].kind == "heading":  # glued to what it stands above
                start = touched[1].start
                del touched[0]
            text = passage[start:end]
            if touched and (
                all(line.kind in ("heading", "contents", "rule") for line in touched) or _is_title(text, touched)
            ):
                text, headings = "", [*headings, _Sentence(number, start, end, text, Counter(query_terms(text)))]
            said = " ".join(text.casefold().split())
            if said not in first and any(map(str.isalpha, text)):
                first[said] = _Sentence(number, start, end, text, Counter(query_terms(text)))
    return [one for one in first.values() if one.says_something] or list(first.values()) or headings


def _is_title(text: str, touched: Sequence[Line]) -> bool:
    """Whether a sentence is one short line of prose that nothing ends, and that is no item of a list."""
    (first, *others) = touched
    short = len(text) <= _TITLE and len(text.split()) <= _TITLE_WORDS
    bare = text[-1].isalnum() and text[0].isalnum() and not korean.says(text)
    return short and bare and not others and first.kind == "prose"


def _choose(
    candidates: Sequence[_Sentence],
    prior: _Scores,
    encoder: TextEncoder | None,
    query: str,
    most: int,
    count: int,
) -> list[int]:
    """Return places of candidates in the order in which they are chosen; `most` of them are embedded."""
    if len(candidates) < 2:
        return list(range(min(count, len(candidates))))
    words = _Words([one.terms for one in candidates])
    central = _standard(words.like(words.centroid()))
    asked = _standard(words.like(words.vector(query)))
    base = prior + _LENGTH * _standard(np.log1p(np.minimum(words.lengths, _LONG)))
    scores = base + central + _QUERY * asked
    considered = np.sort(np.argsort(-scores, kind="stable")[:most])
    vectors = np.zeros((len(candidates), encoder.dimension if encoder else 0), np.float32)
    known = [i for i in considered if encoder and not is_foreign(encoder.card, candidates[i].text)]
    if encoder and known:
        vectors[known] = encoder.encode_documents([candidates[i].text for i in known])
        # Where vectors mean nothing, words have to speak for them: those of other scripts keep the whole weight.
        central[known] = (central[known] + _standard(vectors[known] @ vectors[known].sum(axis=0))) / 2
        if query and not is_foreign(encoder.card, query):
            asked[known] = (asked[known] + _standard(vectors[known] @ encoder.encode_queries([query])[0])) / 2
        scores = base + central + _QUERY * asked
    return _diverse(scores, considered, words, vectors, count)


def _diverse(
    scores: _Scores, considered: NDArray[np.intp], words: _Words, vectors: NDArray[np.float32], count: int
) -> list[int]:
    known = np.asarray(vectors.any(axis=1))
    left = np.full(len(scores), -np.inf)
    left[considered] = scores[considered]
    likeness = np.zeros(len(scores))
    chosen: list[int] = []
    while len(chosen) < count and left.max() > -np.inf:
        best = int(np.argmax(left - _REDUNDANCY * likeness))
        chosen.append(best)
        left[best] = -np.inf
        alike = words.like(words.row(best))
        if known[best]:
            alike = np.where(known, (alike + np.maximum(vectors @ vectors[best], 0)) / 2, alike)
        likeness = np.maximum(likeness, alike)
        left[alike > _SAME] = -np.inf
    return chosen


class _Words:
    """Texts as unit vectors of tf-idf over the texts themselves, sparse: cell i is `weights[i]` at (row, column)."""

    def __init__(self, texts: Sequence[Counter[str]]) -> None:
        self._columns_of: dict[str, int] = {}
        cells = [
            (row, self._columns_of.setdefault(term, len(self._columns_of)), count)
            for row, terms in enumerate(texts)
            for term, count in terms.items()
        ]
        self._rows, self._columns, counts = np.array(cells, np.int64).reshape(-1, 3).T
        self._size = len(texts)
        self.lengths = _sums(self._rows, counts, self._size)
        self._rarity = np.log1p(self._size / np.bincount(self._columns, minlength=len(self._columns_of)))
        weights = counts * self._rarity[self._columns]
        lengths = np.sqrt(_sums(self._rows, weights**2, self._size))
        self._weights = weights / lengths[self._rows]

    def centroid(self) -> _Scores:
        """Return the (v,) unit vector of all texts together."""
        return _unit(_sums(self._columns, self._weights, len(self._columns_of)))

    def row(self, position: int) -> _Scores:
        """Return the (v,) unit vector of one of the texts."""
        own = self._rows == position
        return _sums(self._columns[own], self._weights[own], len(self._columns_of))

    def vector(self, text: str) -> _Scores:
        """Return the (v,) unit vector of another text, 0 where it shares no word with any."""
        vector = np.zeros(len(self._columns_of))
        for term, count in Counter(query_terms(text)).items():
            if (column := self._columns_of.get(term)) is not None:
                vector[column] = count * self._rarity[column]
        return _unit(vector)

    def like(self, vector: _Scores) -> _Scores:
        """Return the (n,) cosines of the texts with a (v,) unit vector."""
        return _sums(self._rows, self._weights * vector[self._columns], self._size)


def _sums(places: NDArray[np.int64], values: NDArray[Any], size: int) -> _Scores:
    """Return (size,) the sum of the values at each place."""
    return np.asarray(np.bincount(places, values, size), np.float64)


def _unit(vector: _Scores) -> _Scores:
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector


def _standard(values: NDArray[np.floating]) -> _Scores:
    """Return how many standard deviations values lie above their mean; 0 where all are alike."""
    spread = float(values.std()) if len(values) else 0.0
    return np.asarray((values - values.mean()) / spread if spread > 1e-6 else np.zeros(len(values)), np.float64)
