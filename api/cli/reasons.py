"""Why a file was not read or is passed by, and what the doctor found, in the language of whoever reads it.

Such sentences are made deep within, also in confined children and on earlier days: the catalog keeps them as they were
said. So they are told by what they say. `languages/ko/reasons.json` has each with {1}, {2} where it names something,
and what it names may be such a sentence in its turn, or several, each after the name of what it is about.
"""

from __future__ import annotations

import json
import re
from functools import cache

from quarry.api.cli.language import LANGUAGES, is_korean

REASONS = LANGUAGES / "ko" / "reasons.json"
_PLACE = re.compile(r"\{(\d)\}")
_ABOUT_ONE = re.compile(r"; (?=[^;\n]+: )")  # where what is said of another member begins
_DEEPEST = 4  # sentences within each other
_LONGEST = 20_000  # characters; what is longer is no sentence of ours


def reason_text(reason: str) -> str:
    """Return what a sentence says; one that nobody knows stays as it is."""
    return _said(reason, 0) if is_korean() else reason


def _said(reason: str, depth: int) -> str:
    if len(reason) > _LONGEST or depth == _DEEPEST:
        return reason
    exact, patterns = _korean()
    if reason in exact:
        return exact[reason]
    for parts, said in patterns:
        if (found := _named(parts, reason)) is not None:
            named = [_said(one, depth + 1) for one in found]
            return _PLACE.sub(lambda place: named[int(place[1]) - 1], said)  # noqa: B023
    return "; ".join(_of_one(one, depth + 1) for one in _ABOUT_ONE.split(reason)) if depth else reason


def _of_one(reason: str, depth: int) -> str:
    name, sign, why = reason.partition(": ")
    return name + sign + _said(why, depth).removesuffix(".")


@cache
def _korean() -> tuple[dict[str, str], list[tuple[list[str], str]]]:
    """Return what is said without a place to fill, and the parts around places of all else, the longest first."""
    known: dict[str, str] = json.loads(REASONS.read_text("utf-8"))
    exact = {reason: said for reason, said in known.items() if not _PLACE.search(reason)}
    others = sorted(known.keys() - exact.keys(), key=lambda reason: -len(_PLACE.sub("", reason)))
    return exact, [(_PLACE.split(reason)[::2], known[reason]) for reason in others]


def _named(parts: list[str], reason: str) -> list[str] | None:
    """Return what stands between the parts of a sentence in linear time, None where it is another one."""
    first, *inner, last = parts
    end = len(reason) - len(last)
    if not (reason.startswith(first) and reason.endswith(last)):
        return None
    found, start = [], len(first)
    for part in inner:
        at = reason.find(part, start + 1, end)
        if at < 0:
            return None
        found.append(reason[start:at])
        start = at + len(part)
    return [*found, reason[start:end]] if start < end else None
