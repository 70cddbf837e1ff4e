"""Measure extractive summaries by ROUGE (Lin 2004) against what people wrote, beside a document's first sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quarry.search.errors import FileMalformed
from quarry.search.evaluations.rankings import interval, rows_of
from quarry.search.evaluations.rouge import ROUGE_METRICS, rouge
from quarry.search.language.sentences import sentences
from quarry.search.models.contracts import TextEncoder
from quarry.search.summary import SENTENCES, summarize_text


@dataclass(frozen=True, slots=True)
class Summarized:
    """A document and its reference summaries, of which the nearest counts."""

    document: str
    summaries: tuple[str, ...]


def is_summaries(row: Mapping[str, Any]) -> bool:
    """Tell whether a row of JSON Lines is a document with its summaries."""
    return "document" in row and ("summaries" in row or "summary" in row)


def load_summaries(path: Path) -> list[Summarized]:
    """Read JSON Lines, gzipped or not, of `document` and `summaries`, a list, or `summary`, one.

    Raises:
        NotFound: there is no such file.
        FileMalformed: a row is something else; names the line.
    """
    found = []
    for number, row in rows_of(path):
        own = row.get("summaries", [row.get("summary")])
        document = row.get("document")
        if not isinstance(document, str) or not isinstance(own, list) or not own or not all(map(_is_text, own)):
            raise FileMalformed(f"{path}, line {number}: expected `document`, a text, and `summaries`, a list of texts")
        found.append(Summarized(document, tuple(own)))
    if not found:
        raise FileMalformed(f"{path} has no documents with summaries")
    return found


def evaluate_summaries(
    path: Path, encoder: TextEncoder | None, advance: Callable[[int], None] | None = None
) -> dict[str, Any]:
    """Summarize every document in three of its sentences, and take its first three for comparison.

    Args:
        advance: is told of every document that was summarized.

    Returns:
        `{"collection", "queries", "modes": {"summary": {"rouge1", "rouge1_interval", ...}, "lead3": {...}}}`, where
        queries are the documents; F1 of each metric without stemming, 0..1.
    """
    documents = load_summaries(path)
    chosen = []
    for one in documents:
        chosen.append(summarize_text(one.document, encoder))
        if advance is not None:
            advance(1)
    first = [sentences(one.document)[:SENTENCES] for one in documents]
    return {
        "collection": path.name,
        "queries": len(documents),
        "modes": {"summary": rouge_figures(documents, chosen), "lead3": rouge_figures(documents, first)},
    }


def rouge_figures(documents: Sequence[Summarized], chosen: Sequence[Sequence[tuple[int, int]]]) -> dict[str, Any]:
    """Return the mean of each metric, and its interval, where `chosen` spans of each document are its summary."""
    scores = [
        rouge(" ".join(one.document[start:end] for start, end in spans), one.summaries)
        for one, spans in zip(documents, chosen, strict=True)
    ]
    figures: dict[str, Any] = {}
    for name in ROUGE_METRICS:
        values = np.array([score[name] for score in scores])
        figures[name], figures[f"{name}_interval"] = float(values.mean()), list(interval(values))
    return figures


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
