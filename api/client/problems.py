"""Answers that are problems, as errors: those of Quarry's own tree where the problem says of which kind it is."""

from __future__ import annotations

import json

import httpx

from quarry.api.server.errors import BLANK, TYPES
from quarry.search.errors import QuarryError

MOST_S = 60.0  # that a server may have a client wait


class HTTPProblem(QuarryError):
    """A problem that is no error of the library: a key that is missing, a body that is too large, a path of nothing.

    Args:
        status: as of the answer.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def error_of(response: httpx.Response) -> QuarryError:
    """Return the error that an answer is, whose body was read."""
    try:
        problem = json.loads(response.content)
        kind, detail = TYPES.get(problem.get("type", BLANK)), str(problem["detail"])
    except (ValueError, KeyError, AttributeError):
        return HTTPProblem(response.status_code, f"The server answered {response.status_code}.")
    return HTTPProblem(response.status_code, detail) if kind is None else kind(detail)


def wait_of(response: httpx.Response) -> float | None:
    """Return after how many seconds a request may be sent again, None where the server does not say so.

    What says so has changed nothing: a write may be sent again, too.
    """
    told = response.headers.get("retry-after", "")
    if response.status_code not in (429, 503) or not (told.isascii() and told.isdigit()):
        return None
    return min(float(told), MOST_S)
