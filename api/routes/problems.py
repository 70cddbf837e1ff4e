"""The problems that routes say they can answer with."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Responses = dict[int | str, dict[str, Any]]


class Problem(BaseModel):
    """What was wrong and what to do (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:quarry:invalid-request",
                    "title": "Invalid request",
                    "status": 422,
                    "detail": "limit is 0; it can be 1 to 1,000.",
                }
            ]
        }
    )

    type: str = Field("about:blank", description="What kind of problem it is, where the status alone does not say so.")
    title: str
    status: int
    detail: str


def _problem(status: int, description: str) -> Responses:
    return {status: {"model": Problem, "description": description}}


UNAVAILABLE = _problem(503, "The library or a model is unavailable, or it took longer than it may.")
INVALID = _problem(422, "The request can't be answered as it stands.") | UNAVAILABLE
NOT_FOUND = _problem(404, "There is no such document.") | INVALID
NO_JOB = _problem(404, "There is no such job.") | INVALID
NOT_HELD = _problem(404, "No file of that hash belongs to a commit that is held.") | INVALID
MAY_NOT_COPY = _problem(403, "The key may not copy the library.")
NO_MODEL = _problem(404, "The library has no such model.")
FORBIDDEN = _problem(403, "The server was not started to read there.")
CONFLICT = _problem(409, "The name belongs to a file that is kept in sync, or to another document.")
NO_LOADER = _problem(415, "No loader reads this type.")
TOO_LARGE = _problem(413, "The body is too large.")
