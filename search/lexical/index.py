"""The lexical index: BM25 over the analysed words of chunks, in tantivy. Derived from the catalog, never the truth.

Scores are BM25 (Robertson et al. 1994; k1 = 1.2, b = 0.75, the non-negative idf that Lucene uses), rounded to four
decimals so that equal passages tie whichever segment they are in; ties go to the smaller id. How spellings of a word
and words of fields add up is told in `search.lexical.rows`.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import tantivy
from numpy.typing import NDArray

from quarry.search.errors import IndexDamaged
from quarry.search.language import analysis
from quarry.search.language.analysis import AnalyzedQuery, Spelling, Word
from quarry.search.lexical.files import MEND, State, configure, openable, state_stamp, translated
from quarry.search.lexical.reckoning import among, average_length, known, rarity
from quarry.search.lexical.rows import (
    DECIMALS,
    FEW_VALUES,
    INHERITED,
    JOINED,
    LIGHT,
    MARK,
    REPEATED,
    LexicalTail,
    Wanted,
)
from quarry.search.lexical.sums import Stamp, check_files, file_stamp
from quarry.search.requests import deadline
from quarry.search.stores.lineage import Commit
from quarry.search.types import Candidates, Ids, distinct

MAX_QUERY_WORDS = 64
# Up to this many allowed ids are looked up one by one. With more it is quicker to look further down the ranking, as
# long as that is not too far; then a set of ids is intersected, at a higher fixed cost.
FEW_ALLOWED = 500
FAR_DOWN = 8_000
WHOLE_FIELD = 3.0  # more than twice what a chunk can hold of the words
REMEMBERED = 32  # queries of a view: a hybrid search asks for one three times

# Where words stand that are not the text's own, with what those of fields count for.
_BESIDE = {"fields": 1.0, "inherited": INHERITED}

_TRIES, _RETRY_S = 5, 0.01  # of opening what a writer is changing
_LOOK_S = 0.05  # between two looks at the files that are open, which cost a tenth of a millisecond


@dataclass(frozen=True, slots=True, eq=False)
class LexicalView:
    """The index as of one commit: an immutable value that any thread may search."""

    covers: Commit
    _searcher: Any
    _schema: Any
    _folder: Path
    _has_fields: bool
    _averages: list[float] = field(default_factory=list)  # found once, and only where there is a tail
    _asked: dict[tuple[str, LexicalTail | None], Wanted] = field(default_factory=dict)

    @property
    def generation(self) -> int:
        """The generation of that commit."""
        return self.covers.generation

    @property
    def count(self) -> int:
        """How many chunks it holds."""
        return int(self._searcher.num_docs)

    def uris(self) -> dict[int, str]:
        """Return the ids of all chunks, with the document's URI for the first of each, "" for those that follow."""
        with translated(self._folder):
            hits = self._searcher.search(
                tantivy.Query.all_query(), max(1, self.count), count=False, order_by_field="id"
            ).hits
            stored = ((int(id), self._searcher.doc(address).get_first("uri")) for id, address in hits)
            return {id: bytes(uri or b"").decode("utf-8", "surrogatepass") for id, uri in stored}

    def search(self, query: str, k: int, allowed: Ids | None = None, tail: LexicalTail | None = None) -> Candidates:
        """Find the `k` best chunks that share a term with `query`.

        Args:
            allowed: sorted ids to choose from, None for all. Never starves: if `k` of them match, `k` come back.
            tail: what the catalog has beyond this view; it hides the index's own rows of the same ids.
        """
        return self._search(self._wanted(query, tail), k, allowed, tail)

    def _search(self, wanted: Wanted, k: int, allowed: Ids | None, tail: LexicalTail | None) -> Candidates:
        if not wanted.words or k < 1 or (allowed is not None and len(allowed) == 0):
            return Candidates.empty()
        with translated(self._folder):
            hidden = tail.hidden if tail is not None else np.empty(0, np.int64)
            ids, scores = self._indexed(wanted, k, allowed, hidden)
            if tail is not None and len(tail):
                newer = tail.scores(wanted, self._average(tail))
                fits = newer > 0
                if allowed is not None:
                    fits &= among(tail.ids, allowed)
                ids, scores = np.concatenate([ids, tail.ids[fits]]), np.concatenate([scores, newer[fits]])
        order = np.lexsort((ids, -scores))[:k]
        return Candidates(ids[order], scores[order])

    def scores_for(self, query: str, ids: Ids, tail: LexicalTail | None = None) -> NDArray[np.float32]:
        """Score the given chunks, 0 where one shares no term with `query`. About 3 microseconds an id."""
        return self._scores_for(self._wanted(query, tail), ids, tail)

    def held_by(
        self, query: str, ids: Ids, tail: LexicalTail | None = None, repeated: float = REPEATED
    ) -> NDArray[np.float32]:
        """Return what share of the query's words each of the given chunks holds, weighed by their idf, 0..1.

        How often a word stands in a chunk, and how long the chunk is, count for nothing here. A chunk of which a field
        is all that is asked for (a key, an author) has `WHOLE_FIELD`: texts that mention it hold the words, too.

        Args:
            repeated: what a word counts for that a chunk has in boilerplate alone.
        """
        asked = replace(self._wanted(query, tail), repeated=repeated)
        words = self._scores_for(replace(asked, value="", flat=True), ids, tail)
        shares = np.minimum(words / max(asked.weight, 1e-6), 1)
        if asked.value:
            shares[self._scores_for(replace(asked, flat=True), ids, tail) > words] = WHOLE_FIELD
        return np.asarray(shares, np.float32)

    def _scores_for(self, wanted: Wanted, ids: Ids, tail: LexicalTail | None) -> NDArray[np.float32]:
        scores = np.zeros(len(ids), np.float32)
        found = self._search(wanted, len(ids), distinct(ids), tail)
        by_id = np.argsort(found.ids)
        if len(by_id):
            at = np.minimum(np.searchsorted(found.ids[by_id], ids), len(by_id) - 1)
            known = found.ids[by_id][at] == ids
            scores[known] = found.scores[by_id][at][known]
        return scores

    def shares(self, query: str, ids: Ids, tail: LexicalTail | None = None) -> list[tuple[Word, NDArray[np.float32]]]:
        """Return what each word adds to (n,) scores of chunks; by (), what a field does that is all that is asked."""
        wanted = self._wanted(query, tail)
        alone = [replace(wanted, words={word: times}, value="") for word, times in wanted.words.items()]
        each = [(word, self._scores_for(one, ids, tail)) for word, one in zip(wanted.words, alone, strict=True)]
        if wanted.value:
            rest = self._scores_for(wanted, ids, tail) - self._scores_for(replace(wanted, value=""), ids, tail)
            each.append(((), rest))
        return each

    def holding(self, words: Sequence[Word], tail: LexicalTail | None = None) -> Ids:
        """Return the ids of all chunks that hold every one of some words, in any of its spellings, ascending."""
        with translated(self._folder):
            every = tantivy.Query.boolean_query([(tantivy.Occur.Must, self._held(word)) for word in words])
            ids, _ = self._best(every, max(1, self.count))
        if tail is not None:
            ids = np.concatenate([ids[~among(ids, tail.hidden)], tail.holding(words)])
        return distinct(ids)

    def _held(self, word: Word) -> Any:
        names = ("terms", "fields", "inherited") if self._has_fields else ("terms",)
        spellings = []
        for spelling in word:
            marked = names[1:]  # what is boilerplate is held, too
            each = [
                [self._constant(name, term, 1.0) for name in names]
                + [self._constant(name, MARK + term, 1.0) for name in marked]
                for term in spelling.terms
            ]
            terms = [tantivy.Query.boolean_query([(tantivy.Occur.Should, one) for one in some]) for some in each]
            spellings.append(tantivy.Query.boolean_query([(tantivy.Occur.Must, one) for one in terms]))
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, one) for one in spellings])

    def weight(self, query: str, tail: LexicalTail | None = None) -> float:
        """Sum the idf of the query's words: about what a passage scores that has each of them once."""
        return self._wanted(query, tail).weight

    def _wanted(self, query: str, tail: LexicalTail | None) -> Wanted:
        wanted = self._asked.get((query, tail))
        if wanted is None:
            if len(self._asked) >= REMEMBERED:
                self._asked.clear()
            wanted = self._asked[query, tail] = self._reckoned(analysis.asked(query), tail)
        return wanted

    def _reckoned(self, asked: AnalyzedQuery, tail: LexicalTail | None) -> Wanted:
        words: dict[Word, float] = {
            word: times * (LIGHT if word in asked.light else 1) for word, times in self._selective(asked.words).items()
        }
        every = {term for word in words for spelling in word for term in spelling.terms}
        total = self.count + (len(tail) if tail is not None else 0)
        idf: dict[str, float] = {}
        field_idf: dict[str, float] = {}
        counts: dict[str, int] = {}
        has_fields = self._has_fields or tail is not None
        for term in every.union(asked.joined):
            in_texts = self._frequency(term, tail)
            in_fields = self._field_frequency(term, tail) if has_fields else 0
            repeated = self._repeated_frequency(term, tail) if has_fields else 0
            counts[term] = in_texts + in_fields + repeated
            idf[term] = rarity(in_texts or in_fields or repeated, total)
            field_idf[term] = rarity(counts[term], total) if in_fields + repeated and in_texts else idf[term]
        joined = [term for term in asked.joined if counts[term]]
        if len(words) == 2 and len(joined) == 1 and all(len(word) == 1 for word in words):  # "data base" alone
            words = {(Spelling((joined[0],)), Spelling(tuple(every))): 1.0}
        weight = sum(
            # That of the heaviest spelling that is known; where none is, that of an unknown word.
            times * max((sum(map(idf.__getitem__, terms)) for terms in known(word, counts)), default=rarity(0, total))
            for word, times in words.items()
        )
        for term in joined:
            words.setdefault((Spelling((term,)),), JOINED)
        few = has_fields and 0 < self._field_frequency(asked.value, tail) <= FEW_VALUES
        return Wanted(words, idf, field_idf, weight, asked.value if few else "")

    def _selective(self, words: Sequence[Word]) -> dict[Word, int]:
        """Count the words; of a long query keep those that tell most."""
        counts = Counter(words)
        if len(counts) <= MAX_QUERY_WORDS:
            return counts
        frequency = {word: self._rarest(word) for word in counts}
        known = [word for word in counts if frequency[word]] or list(counts)
        kept = sorted(known, key=lambda word: (frequency[word] / counts[word], word))[:MAX_QUERY_WORDS]
        return {word: counts[word] for word in kept}

    def _rarest(self, word: Word) -> int:
        every = [self._searcher.doc_freq("terms", term) for spelling in word for term in spelling.terms]
        return min(filter(None, every), default=0)

    def _frequency(self, term: str, tail: LexicalTail | None) -> int:
        """Count the texts that have a term."""
        return int(self._searcher.doc_freq("terms", term)) + (tail.frequency(term) if tail is not None else 0)

    def _field_frequency(self, term: str, tail: LexicalTail | None) -> int:
        """Count the documents that have a term in a field."""
        found = int(self._searcher.doc_freq("fields", term)) if self._has_fields and term else 0
        return found + (tail.field_frequency(term) if tail is not None else 0)

    def _repeated_frequency(self, term: str, tail: LexicalTail | None) -> int:
        """Count the texts that have a term in boilerplate."""
        names = ("fields", "inherited") if self._has_fields else ()
        found = sum(int(self._searcher.doc_freq(name, MARK + term)) for name in names)
        return found + (tail.repeated_frequency(term) if tail is not None else 0)

    def _indexed(self, wanted: Wanted, k: int, allowed: Ids | None, hidden: Ids) -> tuple[Ids, NDArray[np.float32]]:
        query = self._any_of(wanted)
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
            keep = ~among(ids, hidden)
            if allowed is not None:
                keep &= among(ids, allowed)
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
        scores, addresses = zip(*hits, strict=True)
        ids = np.array(self._searcher.fast_field_values("id", addresses), np.int64)
        return ids, np.round(np.array(scores, np.float64), DECIMALS).astype(np.float32)

    def _restricted(self, query: Any, allowed: Ids) -> Any:
        ids = allowed.tolist()
        if len(ids) <= FEW_ALLOWED:
            term, schema, should = tantivy.Query.term_query, self._schema, tantivy.Occur.Should
            chosen = tantivy.Query.boolean_query([(should, term(schema, "id", id_)) for id_ in ids])
        else:
            chosen = tantivy.Query.term_set_query(self._schema, "id", ids)
        free = tantivy.Query.const_score_query(chosen, 0.0)
        return tantivy.Query.boolean_query([(tantivy.Occur.Must, query), (tantivy.Occur.Must, free)])

    def _any_of(self, wanted: Wanted) -> Any:
        clauses = []
        for word, times in wanted.words.items():
            each = [self._spelling(spelling, wanted) for spelling in word]
            clause = each[0] if len(each) == 1 else tantivy.Query.disjunction_max_query(each, wanted.others)
            clauses.append(clause if times == 1 else tantivy.Query.boost_query(clause, float(times)))
        if wanted.value and self._searcher.doc_freq("fields", wanted.value):
            clauses.append(self._constant("fields", wanted.value, wanted.bonus))
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, clause) for clause in clauses])

    def _spelling(self, spelling: Spelling, wanted: Wanted) -> Any:
        clauses = [self._term(term, wanted) for term in spelling.terms]
        occur = tantivy.Occur.Must if spelling.together else tantivy.Occur.Should
        return clauses[0] if len(clauses) == 1 else tantivy.Query.boolean_query([(occur, one) for one in clauses])

    def _term(self, term: str, wanted: Wanted) -> Any:
        """A term of the text, or where it stands in a field, the better of the two."""
        if wanted.flat:
            text = self._constant("terms", term, wanted.idf[term])
        else:
            text = tantivy.Query.term_query(self._schema, "terms", term, "freq")
        if not self._has_fields:
            return text
        fields = [
            self._constant(name, mark + term, counts * wanted.field_idf[term])
            for name, share in _BESIDE.items()
            for mark, counts in (("", share), (MARK, wanted.repeated))
            if self._searcher.doc_freq(name, mark + term)
        ]
        return tantivy.Query.disjunction_max_query([text, *fields], 0.0) if fields else text

    def _constant(self, name: str, term: str, score: float) -> Any:
        return tantivy.Query.const_score_query(tantivy.Query.term_query(self._schema, name, term, "basic"), score)

    def _average(self, tail: LexicalTail) -> float:
        if not self._averages:
            self._averages.append(average_length(self._searcher, self._schema))
        tokens = self.count * self._averages[0] + tail.tokens
        return max(1.0, tokens / max(1, self.count + len(tail)))


class LexicalReader:
    """Opens the index for searching and follows its commits, also where it can't write."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._seen: Stamp | None = None
        self._view: LexicalView | None = None
        self._files: dict[Path, Stamp] = {}
        self._looked = 0.0

    def view(self) -> LexicalView:
        """Return the newest view, the same one until there is a commit.

        Raises:
            IndexDamaged: there is no index, or it can't be read; rebuild it from the catalog.
        """
        with deadline.holding(self._lock), deadline.shielded():
            seen = state_stamp(self.directory)
            if self._view is None or seen is None or seen != self._seen or self._is_changed():
                self._view = None
                self._view = self._open()
                self._seen = seen
            return self._view

    def _is_changed(self) -> bool:
        """Whether a file that is mapped into memory was changed or truncated, which must not be touched any more."""
        now = time.monotonic()
        if now - self._looked < _LOOK_S:
            return False
        self._looked = now
        try:
            return any(file_stamp(path) != stamp for path, stamp in self._files.items())
        except OSError:
            return True

    def _open(self) -> LexicalView:
        # A commit or a rebuild may change files, or take them away, between reading what they are and opening them.
        left = _TRIES
        while True:
            seen = state_stamp(self.directory)
            # The state is read first: what is opened after holds at least that generation.
            state = State.read(self.directory)
            if state is None:
                raise IndexDamaged(f"there is no lexical index in {self.directory}; {MEND}")
            try:
                return self._opened(state)
            except IndexDamaged:
                left -= 1
                is_settled = state.files is not None and state_stamp(self.directory) == seen
                if is_settled or not left:
                    raise
            time.sleep(_RETRY_S)

    def _opened(self, state: State) -> LexicalView:
        folder = self.directory / state.folder
        stamps = check_files(folder, state)
        with translated(folder), openable(folder) as path:
            index = tantivy.Index.open(str(path))
            configure(index)
            searcher = index.searcher()
            has_fields = any(searcher.terms_with_prefix(name, "", limit=1) for name in ("fields", "inherited"))
        self._files = {folder / name: stamp for name, stamp in stamps.items()}
        return LexicalView(state.covers, searcher, index.schema, folder, has_fields)
