"""Query -> Candidates -> Hits -> Response, top to bottom."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from search import analysis, fusion
from search.errors import InvalidRequest
from search.models.cards import knows
from search.retrieval import DEEP, View
from search.stores import documents
from search.types import MAX_LIMIT, MAX_QUERY_CHARACTERS, MAX_REACH, Candidates, Hit, Query, Response


def search(query: Query, view: View) -> Response:
    """Answer a checked query from one generation."""
    started = time.perf_counter()
    notes = list(view.notes)
    ranking = rank(query, view, notes)
    page = slice(query.offset, query.offset + query.limit)
    hits = assemble(query, view, ranking, page)
    return Response(query, hits, view.snapshot.generation, (time.perf_counter() - started) * 1e3, tuple(notes))
