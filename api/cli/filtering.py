"""`--filter` as people write it -> the filter language's JSON form (`search.fields.filters`).

    filter  = clause, clause, ...           all must hold
    clause  = field sign value, value ...   one of the values; with != none of them
    sign    = = != < <= > >=                spaces around it don't matter

- A value may be in quotes: then it is a text as it stands, with its commas. `\\,` is a comma, too. `author=Doe, John`
  finds Doe, John, and "Doe, John".
- `year=2021` finds the number and the text, `date=2020` and `taken>=2020-05` any day of that year or month.
- `author=*` are documents that have the field, `author=null` those that don't.
- `type=post` also finds what a file says of itself in a field of that name; `metadata.type=post` only that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import click

from quarry.search.fields.named import BUILT_IN, METADATA
from quarry.search.files.uris import absolute, expanded, uri_of
from quarry.search.language import dates

_HINT = "--filter"
_FORMS = "Write field=value (also != < <= > >=), or a JSON object; `quarry fields` lists the fields."
_CLAUSE = re.compile(r"\s*([^=<>!≠≤≥\"'\s][^=<>!≠≤≥]*?)\s*(!=|<>|<=|>=|==|=|<|>|≠|≤|≥)\s*(.*)", re.S)
_SIGNS = {"==": "=", "<>": "!=", "≠": "!=", "≤": "<=", "≥": ">="}
_ORDERS = {"<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}
_PIECE = re.compile(r"""(?:\\.|(?<![^=<>,\s])(?:"(?:\\.|[^"\\])*"|'[^']*')|[^,\\]|\\)*""", re.S)
_COARSE = re.compile(r"\d{4}(-\d{1,2})?", re.ASCII)
_OWN = frozenset({"id", "uri", "path", "type", "kind", "title"})  # names that files use, too, for something else


@dataclass(slots=True)
class _Clause:
    """A field, a sign, and the values as they were written, each and with the commas between them."""

    field: str
    sign: str
    values: list[str]
    whole: str


def read_filter(texts: Sequence[str]) -> dict[str, Any] | None:
    """Read what was given with `--filter`, each a JSON object or clauses; all must hold. None where nothing was."""
    found = [part for text in texts for part in (_json(text) if text.lstrip().startswith("{") else _plain(text))]
    if not texts:
        return None
    return found[0] if len(found) == 1 else {"$and": found}


def _json(text: str) -> list[dict[str, Any]]:
    try:
        return [dict(json.loads(text))]
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, json.JSONDecodeError) else "it is nested too deep"
        raise click.BadParameter(f"not JSON ({reason}).", param_hint=_HINT) from error


def _plain(text: str) -> list[dict[str, Any]]:
    clauses: list[_Clause] = []
    for piece in _pieces(text):
        if (match := _CLAUSE.fullmatch(piece)) is not None:
            clauses.append(_Clause(match[1], _SIGNS.get(match[2], match[2]), [match[3].strip()], match[3]))
        elif clauses and piece.strip():
            clauses[-1].values.append(piece.strip())
            clauses[-1].whole += f",{piece}"
        else:
            raise click.BadParameter(f"{piece.strip()!r} is not field=value. {_FORMS}", param_hint=_HINT)
    return [_test(clause) for clause in clauses]


def _pieces(text: str) -> list[str]:
    """Cut at the commas that stand neither in quotes nor after a backslash."""
    pieces, at = [], 0
    while (match := _PIECE.match(text, at)) is not None:
        pieces.append(match[0])
        if match.end() == len(text):
            break
        at = match.end() + 1
    return pieces


def _test(clause: _Clause) -> dict[str, Any]:
    field, sign = clause.field, clause.sign
    for value in clause.values:
        if not value:
            raise click.BadParameter(
                f"{field}{sign} needs a value; {field}=null finds documents without the field.", param_hint=_HINT
            )
        if value[0] in "=<>":
            raise click.BadParameter(
                f"{sign}{value[0]} is no comparison; they are = != < <= > >=. A value that begins so needs quotes.",
                param_hint=_HINT,
            )
    if sign in _ORDERS:
        if len(clause.values) > 1:
            raise click.BadParameter(f"{field}{sign} takes one value, not {len(clause.values)}.", param_hint=_HINT)
        return _ordered(field, sign, clause.values[0])
    values = list(clause.values)
    if len(values) > 1 and (field not in BUILT_IN or field == "title"):
        values.append(json.dumps(clause.whole.strip(), ensure_ascii=False))  # "Doe, John" is one value
    found = _any([_equal(field, value) for value in values])
    return {"$not": found} if sign == "!=" else found


def _equal(field: str, raw: str) -> dict[str, Any]:
    """Return the filter for one value of a field, in every sense that it may have there."""
    text, quoted = _unquoted(raw)
    if not quoted and text == "*":
        return {field: {"$exists": True}}
    if field in BUILT_IN:
        if not quoted and text == "null":
            return {field: None}
        if field == "path":
            text = _path(text)
        own = [_equal(METADATA + field, raw)] if field in _OWN and uri_of(raw) == raw else []  # no bytes of a name
        return _any([{field: text}, *own])
    if quoted:
        return {field: text}
    values: list[Any] = list(dict.fromkeys([_scalar(text), text]))
    found = [{field: values[0] if len(values) == 1 else {"$in": values}}]
    if _COARSE.fullmatch(text) and (when := dates.read(text)) is not None:
        last = (when.end - timedelta(days=1)).date().isoformat()
        found.append({field: {"$gte": when.start.date().isoformat(), "$lte": last}})
    return _any(found)


def _ordered(field: str, sign: str, raw: str) -> dict[str, Any]:
    text, quoted = _unquoted(raw)
    name = _ORDERS[sign]
    value = text if quoted or field in BUILT_IN else _scalar(text)
    if value is None or isinstance(value, bool):
        raise click.BadParameter(f"{field}{sign}{raw}: there is no order to {raw}.", param_hint=_HINT)
    if field in BUILT_IN or quoted:
        return {field: {name: value}}
    if len(days := dates.meanings(text)) == 2:
        raise click.BadParameter(f"{text} can be two days; write {days[0]} or {days[1]}.", param_hint=_HINT)
    if _COARSE.fullmatch(text) and (when := dates.read(text)) is not None:
        # On the first or the last day of the month or year; a number where it is one.
        day = when.start if sign in (">=", "<") else when.end - timedelta(days=1)
        day_test = {field: {name: day.date().isoformat()}}
        return day_test if isinstance(value, str) else _any([{field: {name: value}}, day_test])
    return {field: {name: value}}


def _any(filters: list[dict[str, Any]]) -> dict[str, Any]:
    return filters[0] if len(filters) == 1 else {"$or": filters}


def _unquoted(raw: str) -> tuple[str, bool]:
    """Return a value without its quotes, and whether it had any."""
    if len(raw) > 1 and raw[0] == raw[-1] and raw[0] in "\"'":
        inner = raw[1:-1]
        if raw[0] == "'":
            return inner, True
        try:
            return str(json.loads(raw)), True
        except ValueError:
            return inner.replace('\\"', '"'), True
    return raw.replace("\\,", ","), False


def _scalar(text: str) -> Any:
    """Return what JSON makes of a value where that is a number, true, false or null; else the text itself."""
    if text.casefold() in ("true", "false"):
        return text.casefold() == "true"
    try:
        value = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, dict | list | str) else value


def _no_number(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are words here


def _path(text: str) -> str:
    """Return a path that means this folder or home as an absolute one; any other is looked for as it is."""
    folder = "/" if text.endswith("/") else ""
    if text.startswith("~"):
        return uri_of(expanded(text)) + folder
    if text in (".", "..") or text.startswith(("./", "../")):
        return uri_of(absolute(text)) + folder
    return uri_of(text)
