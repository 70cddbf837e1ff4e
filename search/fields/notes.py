"""What a filter may have been meant as: which fields no document has, and why nothing was let through."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from quarry.search.fields.conditions import Sql, computed_once
from quarry.search.fields.filters import compile_filter
from quarry.search.fields.held import Field
from quarry.search.fields.named import BUILT_IN, METADATA, ORDERINGS, FilterField
from quarry.search.language.texts import folded, nfc
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lookups import filtered
from quarry.search.values.notes import Note

_SHOWN = 5  # names or values in one note
_PATHS = 50_000  # that are looked at for a name that is meant
_UNLISTED = ("id", "uri", "path", "root", "title")  # their values would tell nothing
_NEGATIVE = ("$ne", "$nin", "$not")


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A test of one field; `sure` where a document that the filter lets through must have that field."""

    field: str
    test: Any
    sure: bool


def notes(
    connection: Connection, filter: Mapping[str, Any], known: Callable[[], Sequence[Field]], *, nothing: bool
) -> tuple[Note, ...]:
    """Say which fields of a filter no document has, and where it lets nothing through, why.

    Args:
        filter: one that compiles.
        known: gives the fields of the library, where they are needed.
        nothing: whether the filter lets nothing through.
    """
    leaves = list(_leaves(filter, sure=True))
    missing = unknown(connection, filter, nothing=nothing)
    if not (missing or nothing) or not _any(connection, Sql("1")):  # in an empty library nothing is unusual
        return ()
    held = known()
    said = [_no_such_field(name, held) for name in missing]
    if nothing and not missing:
        parts = list(_conjuncts(filter))
        empty = list(islice((part for part in parts if not _any(connection, _condition(part))), _SHOWN))
        said += [_nothing(connection, part, held) for part in empty]
        if not empty and len(parts) > 1:
            each = "Each condition of the filter is met by some documents, all of them together by none."
            said.append(Note("filter_unmet_together", each))
    if any(leaf.field == "date" for leaf in leaves):
        own = next((one for one in held if one.name == METADATA + "date" and one.unclear), None)
        if own is not None:
            why = f"Dates such as {own.unclear[0]} could be two days; where a document has such a `date`, "
            said.append(Note("dates_unclear", why + "the time of its file counts.", {"example": own.unclear[0]}))
    return tuple(said)


def unknown_fields(
    connection: Connection, names: Sequence[str], known: Callable[[], Sequence[Field]]
) -> tuple[Note, ...]:
    """Say which of some fields no document has; nothing in an empty library."""
    missing = [name for name in names if not _is_known(connection, name, set())]
    if not missing or not _any(connection, Sql("1")):
        return ()
    held = known()
    return tuple(_no_such_field(name, held) for name in missing[:_SHOWN])


def unknown(connection: Connection, filter: Mapping[str, Any], *, nothing: bool) -> list[str]:
    """Return the fields of a filter that no document has; none in an empty library. See `notes`."""
    leaves = list(_leaves(filter, sure=True))
    names = {leaf.field for leaf in leaves}
    doubtful = dict.fromkeys(leaf.field for leaf in leaves if nothing or not leaf.sure)
    missing = list(islice((name for name in doubtful if not _is_known(connection, name, names)), _SHOWN))
    return missing if missing and _any(connection, Sql("1")) else []


def _leaves(filter: Mapping[str, Any], *, sure: bool) -> Iterator[_Leaf]:
    for key, value in filter.items():
        if key == "$and":
            for part in value:
                yield from _leaves(part, sure=sure)
        elif key == "$or":
            for part in value:
                yield from _leaves(part, sure=sure and len(value) == 1)
        elif key == "$not":
            yield from _leaves(value, sure=False)
        else:
            tests = value if isinstance(value, Mapping) else {"$eq": value}
            plain = any(name not in _NEGATIVE and operand is not None for name, operand in tests.items())
            yield _Leaf(key, value, sure and plain and tests.get("$exists") is not False)


def _conjuncts(filter: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the filters all of which a document must match."""
    for key, value in filter.items():
        if key == "$and":
            for part in value:
                yield from _conjuncts(part)
        else:
            yield {key: value}


def _is_known(connection: Connection, name: str, others: set[str]) -> bool:
    """Whether a document has a field; a file's own that is asked for beside ours of that name needs no note."""
    if name in BUILT_IN or (name.startswith(METADATA) and name.removeprefix(METADATA) in others):
        return True
    return _any(connection, computed_once(FilterField.named(name, name).exists))


def _any(connection: Connection, sql: Sql) -> bool:
    return filtered.exists(connection, sql.text, sql.params)


def _condition(filter: Mapping[str, Any]) -> Sql:
    text, params = compile_filter(filter)
    return Sql(text, tuple(params))


def _no_such_field(name: str, known: Sequence[Field]) -> Note:
    said = f"No document has the field `{_shown(name)}`"
    near = _nearest(name.removeprefix(METADATA), [one.name for one in known])
    if near:
        said += f"; did you mean {_listed(near)}?"
    else:
        held = [one.name for one in known if one.name not in BUILT_IN][:_SHOWN]
        others = f"; the documents' own fields are {_listed(held, 'and')}" if held else ""
        said += f"{others}; `quarry fields` lists all."
    return Note("field_unknown", said, {"field": name, "near": near})


def _nothing(connection: Connection, part: Mapping[str, Any], known: Sequence[Field]) -> Note:
    """Say why a part of a filter is met by no document."""
    leaf = next(_leaves(part, sure=True), None)
    sign, values = _compared(leaf.test) if leaf else ("", [])
    if leaf is None or not values:
        return Note("filter_unmet", "A condition of the filter is met by no document.")
    said, near = _why_nothing(connection, leaf, sign, values, known)
    compared = {"field": leaf.field, "sign": sign, "values": list(dict.fromkeys(map(str, values))), "near": near}
    return Note("filter_unmet", said, compared)


def _why_nothing(
    connection: Connection, leaf: _Leaf, sign: str, values: Sequence[Any], known: Sequence[Field]
) -> tuple[str, list[str]]:
    """Say why no document has any of some values, and which values may be meant."""
    name, value = leaf.field, values[0]
    if sign == "=" and name == "path":
        said = f"No document lies at the path {_shown(value)!r}"
    else:
        said = f"No document has `{_shown(name)}` {sign} {' or '.join(map(_shown, dict.fromkeys(map(str, values))))}"
    if name in BUILT_IN and _any(connection, _condition({METADATA + name: leaf.test})):
        return f"{said}; the files' own field of that name is `{METADATA}{name}`.", []
    if sign == "=" and name == "path" and (near := _nearest(str(value), _names(connection))):
        return f"{said}; did you mean {_listed(near)}?", near
    field = next((one for one in known if one.name == nfc(name)), None)
    if field is None or not field.values or name in _UNLISTED:
        return f"{said}.", []
    other, there = _in_other_type(value), [str(one) for one, _ in field.values]
    if sign == "=" and other is not None and name not in BUILT_IN and _any(connection, _condition({name: other})):
        kind = "texts: write it in" if isinstance(other, str) else "numbers: write it without"
        return f"{said} of that type; there are {kind} quotation marks.", []
    if sign == "=" and other is None and "text" in field.types and (near := _nearest(str(value), there)):
        return f"{said}; did you mean {_listed(near)}?", near
    more = field.distinct > len(there)
    return f"{said}; its values are {_listed(there, '' if more else 'and')}{' and others' if more else ''}.", []


def _in_other_type(value: Any) -> Any:
    """Return the text that a number is written as, or the number that a text is; None where there is none."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        number = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return number if isinstance(number, int | float) and math.isfinite(number) and abs(number) < 2**63 else None


def _names(connection: Connection) -> list[str]:
    """Return the names of files and folders."""
    return list({name for uri in filtered.uris(connection, _PATHS) for name in uri.split("/") if name})


def _compared(test: Any) -> tuple[str, list[Any]]:
    """Return the first comparison of a test: its sign, and the values it compares with."""
    sign = "="
    while isinstance(test, Mapping):
        name, test = next(iter(test.items()))
        sign = ORDERINGS.get(name, {"$contains": "with"}.get(name, sign))
    values = list(test) if isinstance(test, list | tuple) else [test]
    return sign, [value for value in values if value is not None][:_SHOWN]


def _nearest(name: str, names: Sequence[str]) -> list[str]:
    """Return what a name may be meant for, nearest first: the same but for its case or prefix, or a slip away."""
    import difflib  # rarely needed

    by_fold: dict[str, str] = {}
    for other in names:
        by_fold.setdefault(folded(other), other)
        by_fold.setdefault(folded(other.removeprefix(METADATA)), other)
        by_fold.setdefault(folded(other.rpartition(".")[2]), other)
    wanted = folded(name)
    found = [by_fold[wanted]] if wanted in by_fold else []
    found += [by_fold[near] for near in difflib.get_close_matches(wanted, by_fold, 3, 0.7)]
    return list(dict.fromkeys(found))[:3]


def _listed(names: Sequence[str], word: str = "or") -> str:
    shown = [f"`{_shown(name)}`" for name in names]
    if len(shown) < 2 or not word:
        return ", ".join(shown)
    return f"{', '.join(shown[:-1])} {word} {shown[-1]}"


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
