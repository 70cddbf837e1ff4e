"""What responses look like, shown with the description of the HTTP API."""

from __future__ import annotations

from typing import Any

_SEARCH_RESPONSE: dict[str, Any] = {
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
            "equal": 0,
            "near": 0,
            "more": [],
        }
    ],
    "answers": [],
    "summary": None,
    "facets": {},
    "took_ms": 3.1,
    "generation": 4,
    "degraded": [],
    "notes": [],
    "left_out": 0,
}
_DOCUMENT: dict[str, Any] = {
    "id": "f34c15be6e5836bc",
    "uri": "/home/me/notes/star-formation.md",
    "title": "How stars are born",
    "kind": "text",
    "type": "text/markdown",
    "metadata": {"subject": "astronomy"},
    "enriched": {"language": "en"},
    "modified": "2026-11-20T12:48:48+00:00",
    "indexed": "2026-11-21T08:00:00+00:00",
    "characters": 1834,
    "passages": 3,
    "hash": "0bd5a12fc4a98c0e1a9d2a6d8c3a7e55",
}
_JOB: dict[str, Any] = {
    "id": "528c7f86aea3821b",
    "kind": "sync",
    "about": ["/home/me/notes"],
    "state": "running",
    "created": "2026-11-26T22:53:32+00:00",
    "started": "2026-11-26T22:53:32+00:00",
    "ended": None,
    "progress": {
        "files": 1200,
        "size": 10000,
        "done_files": 512,
        "done_size": 4266,
        "passages": 1730,
        "doing": "/home/me/notes/2024/budget.pdf",
    },
    "report": None,
    "problem": None,
}
EXAMPLES: dict[str, dict[str, Any]] = {  # by the names of their schemas
    "SearchResponse": _SEARCH_RESPONSE,
    "DocumentBody": _DOCUMENT,
    "JobBody": _JOB,
}
