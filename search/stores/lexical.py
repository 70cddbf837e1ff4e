"""The lexical index: BM25 over the analysed words of chunks, in tantivy. Derived from the catalog, never the truth.

Scores are BM25 (Robertson et al. 1994; k1 = 1.2, b = 0.75, the non-negative idf that Lucene uses), rounded to four
decimals so that equal passages tie whichever segment they are in; ties go to the smaller id.
"""

from __future__ import annotations

import json
import math
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import tantivy
from numpy.typing import NDArray

from search import analysis
from search.errors import IndexDamaged
from search.stores.lexical_files import MEND, State, configure, openable, state_stamp, translated
from search.types import Candidates, Ids, distinct

K1, B = 1.2, 0.75
MAX_QUERY_TERMS = 64
# Up to this many allowed ids are looked up one by one. With more it is quicker to look further down the ranking, as
# long as that is not too far; then a set of ids is intersected, at a higher fixed cost.
FEW_ALLOWED = 500
FAR_DOWN = 8_000

_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class LexicalRow:
    """What is indexed of one chunk: its text, its document's title (with headings), and the end of its path."""

    id: int
    body: str
    title: str = ""
    path: str = ""

    def terms(self) -> list[str]:
        """List all terms of the row; one field, as BM25 saturates a word that stands in title and text alike."""
        found = analysis.terms(self.title)
        if "/" in self.path:
            # Folders further up are shared by too many to tell one from another.
            found += analysis.terms(" ".join(PurePosixPath(self.path.partition("#")[0]).parts[-2:]))
        found += analysis.terms(self.body)
        return found


class LexicalTail:
    """Rows newer than an index, and ids that are gone since: small, in memory, scored as the index would score them.

    `ids` are those of the rows, ascending; `hidden` are all that the index must not answer with; `tokens` is the
    number of terms that all rows have together.
    """

    def __init__(self, rows: Iterable[LexicalRow] = (), deleted: Iterable[int] = ()) -> None:
        counted = sorted(((row.id, Counter(row.terms())) for row in rows), key=lambda pair: pair[0])
        self.ids: Ids = np.array([id_ for id_, _ in counted], np.int64)
        self.hidden: Ids = distinct(np.concatenate([self.ids, np.fromiter(deleted, np.int64)]))
        self._lengths = [counts.total() for _, counts in counted]
        self.tokens = sum(self._lengths)
        self._postings: dict[str, list[tuple[int, int]]] = {}
        for place, (_, counts) in enumerate(counted):
            for term, times in counts.items():
                self._postings.setdefault(term, []).append((place, times))

    def __len__(self) -> int:
        return len(self.ids)

    def frequency(self, term: str) -> int:
        """Count the rows that have the term."""
        return len(self._postings.get(term, ()))

    def scores(self, weights: dict[str, float], average: float) -> NDArray[np.float32]:
        """Score each row: `weights` are idf times boost by term, `average` is the mean length of a row."""
        scores = np.zeros(len(self.ids))
        for term, weight in weights.items():
            for place, times in self._postings.get(term, ()):
                norm = K1 * (1 - B + B * _coarse(self._lengths[place]) / average)
                scores[place] += weight * (K1 + 1) * times / (times + norm)
        return np.round(scores, _DECIMALS).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class LexicalView:
    """The index as of one generation: an immutable value that any thread may search."""

    generation: int
    _searcher: Any
    _schema: Any
    _folder: Path
    _averages: list[float] = field(default_factory=list)  # found once, and only where there is a tail

    @property
    def count(self) -> int:
        """How many chunks it holds."""
        return int(self._searcher.num_docs)

    def search(self, query: str, k: int, allowed: Ids | None = None, tail: LexicalTail | None = None) -> Candidates:
        """Find the `k` best chunks that share a term with `query`.

        Args:
            allowed: sorted ids to choose from, None for all. Never starves: if `k` of them match, `k` come back.
            tail: what the catalog has beyond this view; it hides the index's own rows of the same ids.
        """
        terms = self._selective(analysis.query_terms(query))
        if not terms or k < 1 or (allowed is not None and len(allowed) == 0):
            return Candidates.empty()
        with translated(self._folder):
            hidden = tail.hidden if tail is not None else np.empty(0, np.int64)
            ids, scores = self._indexed(terms, k, allowed, hidden)
            if tail is not None and len(tail):
                newer = tail.scores(self._weights(terms, tail), self._average(tail))
                fits = newer > 0
                if allowed is not None:
                    fits &= _among(tail.ids, allowed)
                ids, scores = np.concatenate([ids, tail.ids[fits]]), np.concatenate([scores, newer[fits]])
        order = np.lexsort((ids, -scores))[:k]
        return Candidates(ids[order], scores[order])

    def scores_for(self, query: str, ids: Ids, tail: LexicalTail | None = None) -> NDArray[np.float32]:
        """Score the given chunks, 0 where one shares no term with `query`. About 3 microseconds an id."""
        scores = np.zeros(len(ids), np.float32)
        found = self.search(query, len(ids), distinct(ids), tail)
        by_id = np.argsort(found.ids)
        if len(by_id):
            at = np.minimum(np.searchsorted(found.ids[by_id], ids), len(by_id) - 1)
            known = found.ids[by_id][at] == ids
            scores[known] = found.scores[by_id][at][known]
        return scores

    def weight(self, query: str, tail: LexicalTail | None = None) -> float:
        """Sum the idf of the query's terms: about what a passage scores that has each of them once."""
        terms = self._selective(analysis.query_terms(query))
        return sum(self._weights(terms, tail or LexicalTail()).values())

    def _selective(self, terms: Sequence[str]) -> dict[str, int]:
        """Count the terms; of a long query keep those that tell most."""
        counts = Counter(terms)
        if len(counts) <= MAX_QUERY_TERMS:
            return counts
        frequency = {term: self._searcher.doc_freq("terms", term) for term in counts}
        known = [term for term in counts if frequency[term]] or list(counts)
        kept = sorted(known, key=lambda term: (frequency[term] / counts[term], term))[:MAX_QUERY_TERMS]
        return {term: counts[term] for term in kept}

    def _indexed(
        self, terms: dict[str, int], k: int, allowed: Ids | None, hidden: Ids
    ) -> tuple[Ids, NDArray[np.float32]]:
        query = self._any_of(terms)
        total = max(1, self.count)
        limit = k + len(hidden) + 32
        if allowed is not None:
            limit = int(1.2 * limit * total / len(allowed))
            if len(allowed) <= FEW_ALLOWED or limit > FAR_DOWN:
                query, limit = self._restricted(query, allowed), min(total, len(allowed) + 1)
        while True:
            limit = min(limit, total)
            ids, scores = self._best(query, limit)
            complete = len(ids) < limit or limit == total
            last = scores[-1] if len(scores) else 0.0
            keep = ~_among(ids, hidden)
            if allowed is not None:
                keep &= _among(ids, allowed)
            ids, scores = ids[keep], scores[keep]
            # What comes after the last must not even tie with the k-th.
            if complete or (len(ids) >= k and scores[k - 1] > last):
                return ids, scores
            limit *= 4
            if allowed is not None and limit > FAR_DOWN:
                query, limit = self._restricted(query, allowed), total

    def _best(self, query: Any, limit: int) -> tuple[Ids, NDArray[np.float32]]:
        hits = self._searcher.search(query, limit, count=False).hits
        if not hits:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        raw, addresses = zip(*hits, strict=True)
        ids = np.array(self._searcher.fast_field_values("id", list(addresses)), np.int64)
        return ids, np.round(np.array(raw), _DECIMALS).astype(np.float32)

    def _restricted(self, query: Any, allowed: Ids) -> Any:
        ids = allowed.tolist()
        if len(ids) <= FEW_ALLOWED:
            each = [tantivy.Query.term_query(self._schema, "id", id_) for id_ in ids]
            chosen = tantivy.Query.boolean_query([(tantivy.Occur.Should, one) for one in each])
        else:
            chosen = tantivy.Query.term_set_query(self._schema, "id", ids)
        free = tantivy.Query.const_score_query(chosen, 0.0)
        return tantivy.Query.boolean_query([(tantivy.Occur.Must, query), (tantivy.Occur.Must, free)])

    def _any_of(self, terms: dict[str, int]) -> Any:
        clauses = []
        for term, times in terms.items():
            clause = tantivy.Query.term_query(self._schema, "terms", term, "freq")
            if times > 1:
                clause = tantivy.Query.boost_query(clause, float(times))
            clauses.append((tantivy.Occur.Should, clause))
        return tantivy.Query.boolean_query(clauses)

    def _weights(self, terms: dict[str, int], tail: LexicalTail) -> dict[str, float]:
        total = self.count + len(tail)
        weights = {}
        for term, times in terms.items():
            n = min(total, self._searcher.doc_freq("terms", term) + tail.frequency(term))
            weights[term] = times * math.log(1 + (total - n + 0.5) / (n + 0.5))
        return weights

    def _average(self, tail: LexicalTail) -> float:
        if not self._averages:
            self._averages.append(_average_length(self._searcher, self._schema))
        tokens = self.count * self._averages[0] + tail.tokens
        return max(1.0, tokens / max(1, self.count + len(tail)))


class LexicalReader:
    """Opens the index for searching and follows its commits, also where it can't write."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._view: LexicalView | None = None

    def view(self) -> LexicalView:
        """Return the newest view, the same one until there is a commit.

        Raises:
            IndexDamaged: there is no index, or it can't be read; rebuild it from the catalog.
        """
        with self._lock:
            seen = state_stamp(self.directory)
            if self._view is None or seen is None or seen != self._seen:
                self._view = self._open()
                self._seen = seen
            return self._view

    def _open(self) -> LexicalView:
        # A rebuild may take the folder away between reading its name and opening it: then the new one is named.
        for attempt in range(3):
            # The state is read first: what is opened after holds at least that generation.
            state = State.read(self.directory)
            if state is None:
                break
            folder = self.directory / state.folder
            try:
                with translated(folder), openable(folder) as path:
                    index = tantivy.Index.open(str(path))
                    configure(index)
                    return LexicalView(state.generation, index.searcher(), index.schema, folder)
            except IndexDamaged:
                if attempt == 2:
                    raise
        raise IndexDamaged(f"there is no lexical index in {self.directory}; {MEND}")


def _average_length(searcher: Any, schema: Any) -> float:
    """Read from an explanation how long tantivy takes an average row to be; it is told nowhere else."""
    some = searcher.terms_with_prefix("terms", "", limit=1)
    if not some:
        return 0.0
    query = tantivy.Query.term_query(schema, "terms", some[0][0], "freq")
    address = searcher.search(query, 1, count=False).hits[0][1]
    return _find(json.loads(query.explain(searcher, address).to_json()), "avgdl")


def _find(explanation: dict[str, Any], name: str) -> float:
    if str(explanation["description"]).startswith(name):
        return float(explanation["value"])
    return max((_find(part, name) for part in explanation.get("details", ())), default=0.0)


def _coarse(length: int) -> int:
    """Round a length down as the index does, which keeps it in one byte: 24, and a float of four bits above."""
    above = max(0, length - 24)
    shift = max(0, above.bit_length() - 4)
    return min(length, 24) + (above >> shift << shift)


def _among(ids: Ids, sorted_ids: Ids) -> NDArray[np.bool_]:
    if len(sorted_ids) == 0:
        return np.zeros(len(ids), np.bool_)
    at = np.minimum(np.searchsorted(sorted_ids, ids), len(sorted_ids) - 1)
    return np.asarray(sorted_ids[at] == ids, np.bool_)
