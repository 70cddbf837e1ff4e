"""What the scores of the lexical index are reckoned from: how rare terms are, how long rows, which ids are meant."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tantivy
from numpy.typing import NDArray

from quarry.search.language.analysis import Word
from quarry.search.types import Ids


def rarity(count: int, total: int) -> float:
    """Return how rare a term is that so many of all rows have."""
    count = min(count, total)
    return math.log(1 + (total - count + 0.5) / (count + 0.5))


def known(word: Word, counts: Mapping[str, int]) -> list[tuple[str, ...]]:
    """Return the spellings of a word of which every term is counted."""
    return [spelling.terms for spelling in word if all(counts[term] for term in spelling.terms)]


def average_length(searcher: Any, schema: Any) -> float:
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


def among(ids: Ids, sorted_ids: Ids) -> NDArray[np.bool_]:
    """Tell of (n,) ids whether they are among others, ascending."""
    if len(sorted_ids) == 0:
        return np.zeros(len(ids), np.bool_)
    at = np.minimum(np.searchsorted(sorted_ids, ids), len(sorted_ids) - 1)
    return np.asarray(sorted_ids[at] == ids, np.bool_)
