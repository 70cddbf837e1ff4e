"""What the lexical index holds of a chunk, and a few such rows in memory, scored as the index scores them.

Words of a document's fields (an author, a key, tags) are kept apart from its text, so that they neither lengthen it
nor are lengthened by it. One that is asked for counts like one occurrence in a text of average length, however many
there are, and not again where the text has it, too. The document's first chunk has them in full, those that follow by
`INHERITED`: a search for an author lists documents, not all passages of the longest. A field that is as a whole what
was asked for comes before every text that mentions it, where no more than `FEW_VALUES` documents have it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.alike.boilerplate import Boilerplate
from quarry.search.language import analysis
from quarry.search.language.analysis import Spelling, Word
from quarry.search.language.field_words import worded
from quarry.search.stores.rows.documents import ChunkRow
from quarry.search.types import Ids, distinct

K1, B = 1.2, 0.75
OTHERS = 0.25  # of what a word's other spellings score
LIGHT = 0.25  # what particles and endings of Korean words count for
JOINED = 0.25  # what two words of a query count for that a text may have as one
INHERITED = 0.8
REPEATED = 0.1  # of a word that a passage has in boilerplate alone
MARK = "~"  # before such a word among those of the fields; no term begins with it
VALUE = 4.0
FEW_VALUES = 10
DECIMALS = 4
MAX_FIELD_TERMS = 1_000  # of one document


@dataclass(frozen=True, slots=True)
class LexicalRow:
    """What is indexed of one chunk: its text, its document's title (with headings), path and fields.

    `first` tells whether it is the document's first chunk; `repeated` is its text with boilerplate, "" without any.
    """

    id: int
    body: str
    title: str = ""
    path: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    first: bool = True
    repeated: str = ""

    @classmethod
    def of(cls, row: ChunkRow, boilerplate: Boilerplate) -> LexicalRow:
        """Return the row of a chunk, whose words may be its own alone."""
        whole = row.chunk.text
        own = boilerplate.own(row.id, whole)
        title = f"{row.title}\n{row.chunk.heading}"
        repeated = "" if own is whole else whole
        return cls(row.id, own, title, row.uri, row.metadata, row.chunk.ordinal == 0, repeated)

    def terms(self) -> list[str]:
        """List all terms of the text; title and path with it, as BM25 saturates a word that stands in both."""
        found = analysis.terms(self.title)
        if "/" in self.path:
            # Folders further up are shared by too many to tell one from another.
            found += analysis.terms(" ".join(PurePosixPath(self.path.partition("#")[0]).parts[-2:]))
        found += analysis.terms(self.body)
        return found

    def field_terms(self) -> list[str]:
        """List the terms of the fields, each once, of each value first the term that stands for it as a whole."""
        found: dict[str, None] = {}
        for _, value in worded(self.fields, self.path):
            if self.first and (whole := analysis.value_term(value)):
                found[whole] = None
            found.update(dict.fromkeys(analysis.terms(value)))
            if len(found) >= MAX_FIELD_TERMS:
                break
        marked = dict.fromkeys(f"{MARK}{term}" for term in analysis.terms(self.repeated)) if self.repeated else {}
        return [*list(found)[:MAX_FIELD_TERMS], *list(marked)[:MAX_FIELD_TERMS]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a query comes to over one index and its tail.

    A word scores what its best spelling does, and `OTHERS` of what the others do: a text that has several (`Wi-Fi` is
    wifi, and wi and fi) has the word once.

    Args:
        words: with how much each counts; the terms of a spelling add up.
        idf: of every term, in the texts; of one that no text has, in the fields.
        field_idf: of every term as a word of a field: by the texts and documents that have it, since what is common in
            either does not tell much.
        weight: about what a passage scores that has each word once.
        value: the term of a field that is all that is asked for, "" where no field is, or many are; it adds `bonus`.
        flat: a term counts its idf, however often it stands in a text of whatever length, and a word its best spelling.
        repeated: what a word counts for that a passage has in boilerplate alone.
    """

    words: Mapping[Word, float]
    idf: Mapping[str, float]
    field_idf: Mapping[str, float]
    weight: float
    value: str = ""
    flat: bool = False
    repeated: float = REPEATED

    @property
    def bonus(self) -> float:
        """What a field adds that is as a whole what was asked for: more than a text can score that mentions it."""
        return VALUE * self.weight

    @property
    def others(self) -> float:
        """Of what a word's other spellings score, what counts."""
        return 0.0 if self.flat else OTHERS


class LexicalTail:
    """Rows newer than an index, and ids that are gone since: small, in memory, scored as the index would score them.

    `ids` are those of the rows, ascending; `hidden` are all that the index must not answer with; `tokens` is the
    number of terms that all texts have together.
    """

    def __init__(self, rows: Iterable[LexicalRow] = (), deleted: Iterable[int] = ()) -> None:
        ordered = sorted(rows, key=lambda row: row.id)
        self.ids: Ids = np.array([row.id for row in ordered], np.int64)
        self.hidden: Ids = distinct(np.concatenate([self.ids, np.fromiter(deleted, np.int64)]))
        self._lengths: list[int] = []
        self._postings: dict[str, list[tuple[int, int]]] = {}
        self._fields: dict[str, list[int]] = {}
        self._shares = [1.0 if row.first else INHERITED for row in ordered]
        for place, row in enumerate(ordered):
            counts = Counter(row.terms())
            self._lengths.append(counts.total())
            for term, times in counts.items():
                self._postings.setdefault(term, []).append((place, times))
            for term in row.field_terms():
                self._fields.setdefault(term, []).append(place)
        self.tokens = sum(self._lengths)

    def __len__(self) -> int:
        return len(self.ids)

    def frequency(self, term: str) -> int:
        """Count the texts that have the term."""
        return len(self._postings.get(term, ()))

    def field_frequency(self, term: str) -> int:
        """Count the documents that have the term in a field, by their first chunks."""
        return sum(self._shares[place] == 1.0 for place in self._fields.get(term, ()))

    def repeated_frequency(self, term: str) -> int:
        """Count the texts that have the term in boilerplate."""
        return len(self._fields.get(MARK + term, ()))

    def holding(self, words: Iterable[Word]) -> Ids:
        """Return the ids of the rows that hold every one of some words, in any of its spellings."""

        def places(term: str) -> set[int]:
            marked = self._fields.get(MARK + term, ())
            return {place for place, _ in self._postings.get(term, ())}.union(self._fields.get(term, ()), marked)

        found = set(range(len(self.ids)))
        for word in words:
            found &= set().union(*(set.intersection(*map(places, spelling.terms)) for spelling in word))
        return self.ids[sorted(found)]

    def scores(self, wanted: Wanted, average: float) -> NDArray[np.float32]:
        """Score each row; `average` is the mean number of terms of a text."""
        scores = np.zeros(len(self.ids))
        for word, times in wanted.words.items():
            each = np.array([self._scores_of(spelling, wanted, average) for spelling in word])
            best = each.max(axis=0)
            scores += times * (best + wanted.others * (each.sum(axis=0) - best))
        for place in self._fields.get(wanted.value, ()):
            scores[place] += wanted.bonus
        return np.round(scores, DECIMALS).astype(np.float32)

    def _scores_of(self, spelling: Spelling, wanted: Wanted, average: float) -> NDArray[np.float64]:
        each = np.array([self._scores_of_term(term, wanted, average) for term in spelling.terms])
        total: NDArray[np.float64] = each.sum(axis=0)
        return np.where(each.all(axis=0), total, 0.0) if spelling.together else total

    def _scores_of_term(self, term: str, wanted: Wanted, average: float) -> NDArray[np.float64]:
        scores, idf = np.zeros(len(self.ids)), wanted.idf[term]
        for place, times in self._postings.get(term, ()):
            norm = K1 * (1 - B + B * _coarse(self._lengths[place]) / average)
            scores[place] = idf if wanted.flat else idf * (K1 + 1) * times / (times + norm)
        for place in self._fields.get(term, ()):
            scores[place] = max(scores[place], wanted.field_idf[term] * self._shares[place])
        for place in self._fields.get(MARK + term, ()):
            scores[place] = max(scores[place], wanted.field_idf[term] * wanted.repeated)
        return scores


def _coarse(length: int) -> int:
    """Round a length down as the index does, which keeps it in one byte: 24, and a float of four bits above."""
    above = max(0, length - 24)
    shift = max(0, above.bit_length() - 4)
    return min(length, 24) + (above >> shift << shift)
