"""Search a folder by meaning and by words: `from quarry import Library, Text, Query`.

The rooms `api`, `indexer`, `search` and `data` lie at the top of a checkout; here are links to them, so that what is
installed is one package, in a checkout as in a wheel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quarry.api.federation.federation import Federation
    from quarry.api.federation.places import federated
    from quarry.api.members.keeping import restore
    from quarry.api.library import Library
    from quarry.indexer.texts import Text
    from quarry.search.errors import QuarryError
    from quarry.search.queries.query import Query
    from quarry.search.queries.query import Response
    from quarry.search.types import Answer, Document, Hit, Summary

_HOMES = {
    "Federation": "api.federation.federation",
    "Library": "api.library",
    "Text": "indexer.texts",
    "federated": "api.federation.places",
    "restore": "api.members.keeping",
    "QuarryError": "search.errors",
    "Query": "search.queries.query",
    "Response": "search.queries.query",
    **dict.fromkeys(("Answer", "Document", "Hit", "Summary"), "search.types"),
}
__all__ = [
    "Answer",
    "Document",
    "Federation",
    "Hit",
    "Library",
    "QuarryError",
    "Query",
    "Response",
    "Summary",
    "Text",
    "federated",
    "restore",
]


def __getattr__(name: str) -> Any:
    # `import quarry.api.cli` must not load NumPy and SQLite for `quarry --help`.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"quarry.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'quarry' has no attribute {name!r}")
