"""How many documents, or hits of a query, have which value of a field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from quarry.api.members.searching import search
from quarry.api.opened import OpenLibrary
from quarry.search.errors import InvalidRequest
from quarry.search.fields import facets as counts
from quarry.search.fields.filters import compile_filter
from quarry.search.stores.lookups import filtered
from quarry.search.types import Facet


def facets(
    library: OpenLibrary, fields: Sequence[str], *, query: str = "", filter: Mapping[str, Any] | None = None
) -> dict[str, Facet]:
    """Count the values of fields: over documents, or, of a query, over the hits that are likely to be meant.

    Args:
        fields: any that a filter can name, 1 to 20.
        filter: which documents are counted, as in a search.

    Raises:
        InvalidRequest, InvalidFilter: the message names what is wrong.
        NoLibrary, LibraryDamaged, LibraryFormat: the library can't be read.
    """
    if isinstance(fields, str) or not fields:
        raise InvalidRequest("facets counts no field; give a list of some, such as type, language or date.")
    counts.fields(fields)
    if query:
        return dict(search(library, query, facets=list(fields), filter=filter, limit=1).facets)
    where, params = compile_filter(filter) if filter is not None else (filtered.ALL, [])
    with library.catalog().snapshot() as snapshot:
        documents = filtered.ids(snapshot.connection, where, params)
        return counts.count_documents(snapshot.connection, fields, documents)
