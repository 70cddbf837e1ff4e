"""What a response looks like, shown with the description of the HTTP API."""

from __future__ import annotations

from typing import Any

SEARCH_RESPONSE: dict[str, Any] = {
    "query": "how do stars form",
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
            "citation": {
                "document": "f34c15be6e5836bc",
                "uri": "/home/me/notes/star-formation.md",
                "hash": "0bd5a12fc4a98c0e1a9d2a6d8c3a7e55",
                "start": 22,
                "end": 68,
                "page": None,
                "quote_hash": "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
            },
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
