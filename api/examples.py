"""What a response looks like, shown with the description of the HTTP API."""

from __future__ import annotations

from typing import Any

SEARCH_RESPONSE: dict[str, Any] = {
    "query": "how do stars form",
    "without": [],
    "mode": "hybrid",
    "hits": [
        {
            "id": "44",
            "kind": "text",
            "score": 0.806,
            "relevance": 0.93,
            "document": {
                "id": "f34c15be6e5836bc",
                "uri": "/home/me/notes/star-formation.md",
                "title": "How stars are born",
                "type": "text/markdown",
                "modified": "2026-11-20T12:48:48+00:00",
                "metadata": {"subject": "astronomy"},
                "enriched": {"language": "en"},
            },
            "text": "Stars form inside cold clouds of gas and dust.",
            "start": 22,
            "end": 68,
            "page": None,
            "pages": None,
            "place": {"lines": [3, 9]},
            "said_by": None,
            "confidence": None,
            "heading": "How stars are born",
            "highlights": [[0, 5], [6, 10]],
            "fields": [],
            "also": [],
            "more": [],
        }
    ],
    "answers": [],
    "summary": None,
    "facets": {},
    "took_ms": 3.1,
    "generation": 4,
    "degraded": [],
    "left_out": 0,
}
