"""Why a file was not read or is passed by, and what the doctor found, in the language of whoever reads it.

Such sentences are made deep within, also in confined children and on earlier days: the catalog keeps them as they were
said. So they are told by what they say. `languages/ko/reasons.json` has each with {1}, {2} where it names something,
and what it names may be such a sentence in its turn.
"""

from __future__ import annotations

import json
import re
from functools import cache

from quarry.api.cli.language import LANGUAGES, is_korean

REASONS = LANGUAGES / "ko" / "reasons.json"
_PLACE = re.compile(r"\{(\d)\}")
_DEEPEST = 4  # sentences within each other
_LONGEST = 2_000  # characters; what is longer is no sentence of ours


def reason_text(reason: str) -> str:
    """Return what a sentence says; one that nobody knows stays as it is."""
    return _said(reason, 0) if is_korean() else reason


def _said(reason: str, depth: int) -> str:
    if len(reason) > _LONGEST or depth == _DEEPEST:
        return reason
    exact, patterns = _korean()
    if reason in exact:
        return exact[reason]
    for pattern, said in patterns:
        if match := pattern.fullmatch(reason):
            named = [_said(one, depth + 1) for one in match.groups()]
            return _PLACE.sub(lambda place: named[int(place[1]) - 1], said)  # noqa: B023
    return reason


@cache
def _korean() -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    """Return what is said without a place to fill, and patterns of all else, those that say most first."""
    known: dict[str, str] = json.loads(REASONS.read_text("utf-8"))
    exact = {reason: said for reason, said in known.items() if not _PLACE.search(reason)}
    others = sorted(known.keys() - exact.keys(), key=lambda reason: -len(_PLACE.sub("", reason)))
    return exact, [(_pattern(reason), known[reason]) for reason in others]


def _pattern(reason: str) -> re.Pattern[str]:
    parts = (re.escape(part) for part in _PLACE.split(reason)[::2])
    return re.compile("(.+?)".join(parts), re.DOTALL)
