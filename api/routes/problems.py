"""The problems that routes say they can answer with."""

from __future__ import annotations

from typing import Any

from quarry.api.schemas import Problem

Responses = dict[int | str, dict[str, Any]]


def _problem(status: int, description: str) -> Responses:
    return {status: {"model": Problem, "description": description}}


UNAVAILABLE = _problem(503, "The library or a model is unavailable, or it took longer than it may.")
INVALID = _problem(422, "The request can't be answered as it stands.") | UNAVAILABLE
NOT_FOUND = _problem(404, "There is no such document.") | INVALID
CONFLICT = _problem(409, "The name belongs to a file that is kept in sync, or to another document.")
NO_LOADER = _problem(415, "No loader reads this type.")
TOO_LARGE = _problem(413, "The body is too large.")
