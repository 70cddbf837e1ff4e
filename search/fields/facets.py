"""Facets: how many of the hits have which value of a field.

They count what the list counts (passages and pictures, or documents where hits are grouped), all of it and not only the
page that is shown, and only what passes the relevance cut: a search by meaning ranks everything, so that counts of the
whole ranking would tell about the library and not about the query. Without a cut of its own a query's facets count what
is likely to be meant.

A value can be used in a filter as it is, and lets through just what it counts: dates are counted by year, or by month
where all lie in one year, and paths by the folders below the one that all have in common, so that a filter on a folder
leads to the facets of the folders in it. Folders, and other values that are paths (`search.fields.trees`), open
downwards: each says what lies below it, the upper levels first where there is more than can be shown.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from quarry.search.errors import InvalidRequest
from quarry.search.fields import trees
from quarry.search.fields.named import DATES, FilterField
from quarry.search.fields.values import Value, Values, read
from quarry.search.files.globs import path_of
from quarry.search.files.uris import uri_of
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lookups import field_rows
from quarry.search.types import Facet

SHOWN = 20  # values of a facet
MOST = 20  # facets of a query
OPENED = 200  # values of a facet that lie below others
DEEPEST = 16  # levels

_Divided = tuple[Values, Mapping[Value, Values]]


def fields(names: Sequence[str]) -> dict[str, FilterField]:
    """Return the fields that are to be counted.

    Raises:
        InvalidRequest: there are too many.
        InvalidFilter: no field can have such a name.
    """
    if len(names) > MOST:
        raise InvalidRequest(f"facets has {len(names)} fields; at most {MOST} can be counted at once.")
    return {name: FilterField.named(name, "facets") for name in names}


def count(connection: Connection, names: Sequence[str], chunk_ids: Sequence[int]) -> dict[str, Facet]:
    """Count the values of fields over hits, which are named by their chunks."""
    return _count(connection, names, Counter(field_rows.owners(connection, chunk_ids).values())) if names else {}


def count_documents(connection: Connection, names: Sequence[str], documents: Sequence[int]) -> dict[str, Facet]:
    """Count the values of fields over documents, which are named by their row ids, each once."""
    return _count(connection, names, Counter(documents))


def _count(connection: Connection, names: Sequence[str], hits: Mapping[int, int]) -> dict[str, Facet]:
    counted = fields(names)
    values = read(connection, list(counted.values()), hits)
    return {name: _counted(own, field, hits) for (name, field), own in zip(counted.items(), values, strict=True)}


def added(facets: Sequence[Facet], name: str) -> Facet:
    """Return what the facets of several libraries count together.

    Each tells its most frequent values one by one: what is among these of one and beyond them of another counts as far
    as it is told, and is among `other` for the rest. Where one counts years and another months, all are years.
    """
    counts: Counter[tuple[bool, Value]] = Counter()
    for facet in facets:
        for value, times in facet.values:
            counts[isinstance(value, bool), value] += times
    years = {str(value)[:4] for _, value in counts}
    if name in DATES and (len(years) > 1 or years & {value for _, value in counts}):
        moments, counts = counts, Counter()
        for (_, value), times in moments.items():
            counts[False, str(value)[:4]] += times
    ranked = sorted(counts.items(), key=lambda one: (-one[1], str(one[0][1])))
    other = sum(facet.other for facet in facets) + sum(times for _, times in ranked[SHOWN:])
    shown = tuple((value, times) for (_, value), times in ranked[:SHOWN])
    below = {value: [one.below[value] for one in facets if value in one.below] for value, _ in shown}
    opened = {value: added(inner, name) for value, inner in below.items() if inner}
    return Facet(shown, other, sum(facet.missing for facet in facets), below=opened)


def _counted(values: Values, field: FilterField, hits: Mapping[int, int]) -> Facet:
    if field.kind == "date":
        return _ranked(_by_time(values), hits)
    if field.kind == "path":
        return _opened(values, hits, _folders)
    if field.is_tree:
        return _opened(values, hits, _branches)
    return _ranked(values, hits)


def _ranked(values: Values, hits: Mapping[int, int]) -> Facet:
    counts: Counter[tuple[bool, Value]] = Counter()
    for document, held in values.items():
        for value in held:
            counts[isinstance(value, bool), value] += hits[document]  # True is not 1
    # Of equals the smaller, as texts: a library has more than one kind of value in a field.
    ranked = sorted(counts.items(), key=lambda one: (-one[1], str(one[0][1])))
    shown = tuple((value, times) for (_, value), times in ranked[:SHOWN])
    missing = sum(times for document, times in hits.items() if not values.get(document))
    return Facet(shown, sum(times for _, times in ranked[SHOWN:]), missing)


@dataclass(slots=True)
class _Level:
    """Values of one level, and, by value, what lies below."""

    facet: Facet
    inner: Mapping[Value, Values]
    below: dict[Value, _Level] = field(default_factory=dict)

    def whole(self) -> Facet:
        return replace(self.facet, below={value: level.whole() for value, level in self.below.items()})


def _opened(values: Values, hits: Mapping[int, int], divided: Callable[[Values, Value], _Divided]) -> Facet:
    """Count a level, and what lies below each of its values, level by level as far as there is room."""
    first = _level(values, "", hits, divided)
    room, levels, deep = OPENED, [first], 1
    while levels and room > 0 and deep < DEEPEST:
        deeper: list[_Level] = []
        for level in levels:
            for value, _ in level.facet.values:
                if room <= 0 or not (inner := level.inner.get(value)):
                    continue
                under = _level(inner, value, {one: hits[one] for one in inner}, divided)
                if under.facet.values:
                    level.below[value] = under
                    deeper.append(under)
                    room -= len(under.facet.values)
        levels, deep = deeper, deep + 1
    return first.whole()


def _level(
    values: Values, above: Value, hits: Mapping[int, int], divided: Callable[[Values, Value], _Divided]
) -> _Level:
    own, inner = divided(values, above)
    return _Level(_ranked(own, hits), inner)


def _branches(values: Values, above: Value) -> _Divided:
    """Return the values of the level below one of a tree, "" for the first, and by each what reaches further down."""
    own: dict[int, tuple[Value, ...]] = {}
    inner: dict[Value, dict[int, tuple[Value, ...]]] = {}
    for document, held in values.items():
        here: dict[Value, None] = {}
        for value in held:
            path = _next(value, above)
            if path is None:
                continue
            here[path] = None
            of_path = inner.setdefault(path, {})
            of_path[document] = (*of_path.get(document, ()), *([] if path == value else [value]))
        own[document] = tuple(here)
    return own, inner


def _next(value: Value, above: Value) -> Value | None:
    """Return what leads to a value right below another one; what is no text is a level of its own."""
    if not isinstance(value, str):
        return value
    return next((path for path in trees.levels(value) if len(path) > len(str(above))), None)


def _by_time(values: Values) -> Values:
    """Return years in the place of moments, months where there is only one year."""
    years = {str(moment)[:4] for held in values.values() for moment in held}
    length = len("2021-03") if len(years) == 1 else len("2021")
    return {document: tuple(str(moment)[:length] for moment in held) for document, held in values.items()}


def _folders(values: Values, above: Value) -> _Divided:
    """Return folders in the place of paths, and by each the paths below it, where it holds folders.

    They are those below the one that all have in common, as far down as one holds all. What lies in the common folder
    itself is counted as a pattern for that, such as `/notes/*`.
    """
    folders = {
        document: os.path.dirname(path)  # noqa: PTH120  # a string, thousands of times
        for document, held in values.items()
        for uri in held
        if (path := path_of(str(uri))).startswith("/")
    }
    common = _common(folders.values())
    below: dict[str, list[str]] = {}
    for folder in set(folders.values()) - {common}:
        below.setdefault(_first(folder, common), []).append(folder)
    names = {first: uri_of(_common(each)) for first, each in below.items()}
    here = f"{uri_of(common).rstrip('/')}/*"
    own = {
        document: (here if folder == common else names[_first(folder, common)],) for document, folder in folders.items()
    }
    divided = {names[first] for first, each in below.items() if len(each) > 1}
    inner: dict[Value, dict[int, tuple[Value, ...]]] = {}
    for document, (name,) in own.items():
        if name in divided:
            inner.setdefault(name, {})[document] = values[document]
    return own, inner


def _common(folders: Collection[str]) -> str:
    return os.path.commonpath(folders) if folders else ""


def _first(folder: str, common: str) -> str:
    """Return the name of the folder right below the common one that another lies in."""
    return folder[len(common.rstrip("/")) + 1 :].split("/", 1)[0]
