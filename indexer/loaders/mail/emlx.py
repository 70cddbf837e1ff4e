"""Messages as Apple Mail keeps them: the length of one, the message, then what the program knows of it."""

from __future__ import annotations

from collections.abc import Iterator

from quarry.indexer.loaders.archives.members import Members
from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.mail.message import ATTACHMENTS, documents
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed


def parse(source: Source) -> Iterator[Parsed]:
    """Read a message, then its attachments.

    Raises:
        FileMalformed: it is shorter than it says, and what there is was read; or some attachments could not be.
    """
    length, _, rest = source.read().partition(b"\n")
    members = Members(source, ATTACHMENTS)
    yield from documents(rest[: int(length)], members)
    members.check(alone=False)
    if len(rest) < int(length):
        raise FileMalformed("it is torn, and holds less of its message than it says; get it anew")
