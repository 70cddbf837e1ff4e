"""What a server asks of those who speak to it, and tells of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from quarry.api.server.keys import Keys

RATE = 6_000  # requests a minute of each key
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# What is sent as a POST for its size or its body, and changes nothing. Any other POST needs a key that may write.
_READING = re.compile(
    r"/v1(/libraries/[^/]+)?/(search(/batch|/image)?|answer(/stream)?|check|summarize|summary|embeddings|verify|mcp)/?"
    r"|/v1(/libraries/[^/]+)?/(images|documents)/.+/answer/?|/mcp/?"
)
_PUBLIC = frozenset({"/", "/healthz", "/readyz", "/favicon.ico"})


@dataclass(frozen=True, slots=True)
class Policy:
    """How a server is guarded; the default is that of one which this machine alone can reach.

    Args:
        keys: what opens it; None for nothing is asked.
        exposed: whether other machines reach it: a key is needed even where none was made.
        origins: whose pages, such as `https://search.example`, a browser lets use it from elsewhere.
        rate: requests a minute of each key, or of each address without one; None for any number.
        log: whether each request is told on standard error.
        log_queries: with what was searched for.
        writer: the socket of the process that writes, for one of several that does not.
        workers: how many processes serve together.
        counts: the file in which they count requests together; None for one process.
    """

    keys: Keys | None = None
    exposed: bool = False
    origins: tuple[str, ...] = ()
    rate: int | None = RATE
    log: bool = False
    log_queries: bool = False
    writer: Path | None = None
    workers: int = 1
    counts: Path | None = None


LOCAL = Policy()


def is_public(path: str) -> bool:
    """Whether a path is answered without a key: the page's own files, and whether the server is well."""
    return path in _PUBLIC or path.startswith("/page/")


def is_reading(method: str, path: str) -> bool:
    """Whether a request changes nothing, by its method and path alone."""
    return method in SAFE or (method == "POST" and _READING.fullmatch(path) is not None)
