"""How the parser of a file may end without having read it."""

from __future__ import annotations

from quarry.search.errors import FileMalformed

LIMIT_S = 30.0  # seconds that a parser may be silent, where nobody says otherwise


class Ended(FileMalformed):
    """The file ended its parser, which crashed or took more time or memory than it may."""


class TookLong(Ended):
    """The parser took more time than it may.

    Args:
        limit_s: seconds that it might be silent.
    """

    def __init__(self, message: str, limit_s: float) -> None:
        super().__init__(message)
        self.limit_s = limit_s


class Greedy(Ended):
    """The parser failed, and may not have with more memory."""
