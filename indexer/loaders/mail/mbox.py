"""Mailboxes in one file (RFC 4155): each message is a document, named by its id, which lasts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import IO

from quarry.indexer.loaders.archives.members import Members
from quarry.indexer.loaders.base import MEBIBYTE, Source, too_large
from quarry.indexer.loaders.decoding import one_line
from quarry.indexer.loaders.mail.message import documents
from quarry.search.types import Parsed

_BEGINS = re.compile(rb"From .{0,200}\d\d:\d\d")
_MANGLED = re.compile(rb"^>(>*From )", re.M)
_ID = re.compile(rb"^message-id:[ \t]*(?:\r?\n[ \t]+)?(<[^<>\r\n]{1,300}>)", re.M | re.I)
_HEADERS = 64 * 1024  # bytes in which a message's id is looked for
_LINE = 1024 * 1024
_LARGEST = 64 * MEBIBYTE  # of a message, for which its parser takes eight times as much


def parse(source: Source) -> Iterator[Parsed]:
    """Read a document per message, each followed by its attachments."""
    members = Members(source, "messages and attachments")
    seen: set[int] = set()
    limit = min(source.options.max_bytes, _LARGEST)
    for number, data in enumerate(_messages(source.stream, limit), 1):
        if data is None:
            members.note(f"message={number}", too_large(limit))
            continue
        head = data[:_HEADERS].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
        key = f"message={number}"
        if (found := _ID.search(head)) and hash(found[1]) not in seen:
            seen.add(hash(found[1]))
            key = f"id={one_line(found[1].decode('ascii', 'replace'))}"
        inside = members.holding(documents(data, members, key), key)
        yield from members.message(key, "message.eml", partial(bytes, data), inside)
    members.check(alone=False)


def _messages(stream: IO[bytes], limit: int) -> Iterator[bytes | None]:
    """Yield messages without the lines that part them; None for one of more than `limit` bytes."""
    stream.seek(0)
    parts: list[bytes] = []
    size, after_blank, begun = 0, True, False
    while line := stream.readline(_LINE):
        if after_blank and _BEGINS.match(line):
            if begun:
                yield _whole(parts, size, limit)
            parts, size, begun = [], 0, True
        else:
            size += len(line)
            if size <= limit:
                parts.append(line)
        after_blank = line in (b"\n", b"\r\n")
    if begun:
        yield _whole(parts, size, limit)


def _whole(parts: list[bytes], size: int, limit: int) -> bytes | None:
    return _MANGLED.sub(rb"\1", b"".join(parts)) if size <= limit else None
