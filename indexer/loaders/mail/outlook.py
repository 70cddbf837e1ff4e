"""Messages as Outlook saves them (MS-OXMSG): compound files of MAPI properties, a storage for each attachment."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.parser import Parser
from email.policy import compat32
from typing import Any

from quarry.indexer.loaders.archives.members import Members
from quarry.indexer.loaders.base import DEEPEST, Source
from quarry.indexer.loaders.decoding import clean, one_line
from quarry.indexer.loaders.fields import scalars
from quarry.indexer.loaders.mail.message import ATTACHMENTS, date_of, decoded, in_order, shown
from quarry.indexer.loaders.office.compound import Compound, opened
from quarry.indexer.loaders.office.rtf_compressed import inflated
from quarry.indexer.loaders.web.html import plain
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed

# Properties (MS-OXPROPS) by the four digits that their streams' names have.
_SUBJECT, _BODY, _HTML, _RTF, _HEADERS = "0037", "1000", "1013", "1009", "007D"
_SENDER, _SENDER_ADDRESS, _SENDER_SMTP, _ON_BEHALF = "0C1A", "0C1F", "5D01", "0042"
_TO, _CC = "0E04", "0E03"
_FILE, _LONG_FILE, _SHORT_FILE, _SHOWN_AS = "3701", "3707", "3704", "3001"
_UNICODE, _ANSI, _BINARY, _STORAGE = "001F", "001E", "0102", "000D"
_TIMES = (0x0039, 0x0E06, 0x3007)  # sent, delivered, made
_PROPERTIES = "__properties_version1.0"
_RECORD = struct.Struct("<HHI8s")
_TIME_TYPE = 0x0040
_HEADER_SIZES = (32, 24, 8)  # of a message, of one within another, of an attachment (MS-OXMSG 2.4.1)
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def parse(source: Source) -> Iterator[Parsed]:
    """Read a message, then its attachments."""
    with opened(source.stream) as compound:
        if _PROPERTIES not in compound:
            raise FileMalformed("it is no message, whatever its name says; give it the suffix of its own type")
        members = Members(source, ATTACHMENTS)
        yield from _Mapi(compound, "").documents(source.format.type, members, "", 1)
    members.check(alone=False)


class _Mapi:
    """A part of a compound file that holds properties: the message itself, an attachment, a message within.

    Args:
        prefix: what the names of its streams begin with.
    """

    def __init__(self, compound: Compound, prefix: str) -> None:
        self._compound = compound
        self._prefix = prefix

    def documents(self, type: str, members: Members, key: str, depth: int) -> Iterator[Parsed]:
        """Yield a message, then its attachments."""
        subject = one_line(self.text(_SUBJECT))
        metadata = self._told(subject)
        files = list(self._files())
        if names := [file.file_name() for file in files]:
            metadata[ATTACHMENTS] = names
        text = in_order(clean(self._body(members)))
        if text or subject:
            yield Parsed(text or subject, type, subject, key, scalars(metadata))
        for file, name in zip(files, names, strict=True):
            inner = _Mapi(self._compound, f"{file._prefix}__substg1.0_{_FILE}{_STORAGE}/")
            if inner.has_properties():
                if depth >= DEEPEST:
                    members.note(name, f"it lies more than {DEEPEST} messages deep in others; save it apart")
                    continue
                within = f"{key}#{name}" if key else name
                yield from members.holding(inner.documents(type, members, within, depth + 1), within)
            elif data := file.data(_FILE):
                yield from members.read(name, [data], key)

    def has_properties(self) -> bool:
        """Whether it is there."""
        return f"{self._prefix}{_PROPERTIES}" in self._compound

    def text(self, id: str) -> str:
        """Return a property that is text, "" where it has none."""
        if data := self._stream(id, _UNICODE):
            return data.decode("utf-16-le", "replace").rstrip("\0")
        data = self._stream(id, _ANSI).rstrip(b"\0")
        return decoded(data, "")

    def data(self, id: str) -> bytes:
        """Return a property of bytes, b"" where it has none."""
        return self._stream(id, _BINARY)

    def file_name(self) -> str:
        """Return the name of an attachment; that of a message has none of its own."""
        name = one_line(self.text(_LONG_FILE) or self.text(_SHORT_FILE) or self.text(_SHOWN_AS)) or "attachment"
        name = name.replace("\\", "/").rpartition("/")[2] or "attachment"
        is_message = _Mapi(self._compound, f"{self._prefix}__substg1.0_{_FILE}{_STORAGE}/").has_properties()
        return f"{name}.msg" if is_message and not name.lower().endswith(".msg") else name

    def _stream(self, id: str, type: str) -> bytes:
        return self._compound.read(f"{self._prefix}__substg1.0_{id}{type}")

    def _files(self) -> Iterator[_Mapi]:
        start = f"{self._prefix}__attach_version1.0_"
        names = {name[len(start) :].split("/")[0]: None for name in self._compound.names if name.startswith(start)}
        yield from (_Mapi(self._compound, f"{start}{name}/") for name in names)

    def _body(self, members: Members) -> str:
        """Return the text, or what the HTML or the rich text that stands for it shows."""
        if (text := self.text(_BODY)).strip():
            return text
        if html := self.data(_HTML) or self.text(_HTML).encode():
            return plain(decoded(html, ""))
        if packed := self.data(_RTF):
            return members.text("body.rtf", inflated(packed))
        return ""

    def _told(self, subject: str) -> dict[str, Any]:
        headers: Message = Parser(policy=compat32).parsestr(self.text(_HEADERS), headersonly=True)
        name = one_line(self.text(_SENDER) or self.text(_ON_BEHALF))
        address = self.text(_SENDER_SMTP) or self.text(_SENDER_ADDRESS)
        address = one_line(address) if "@" in address else ""  # else it is a name within Exchange
        found: dict[str, Any] = {
            "subject": subject,
            "author": name or address,
            "from": shown(name, address),
            "date": self._date() or date_of(str(headers.get("date", ""))),
        }
        for field, id in (("to", _TO), ("cc", _CC)):
            found[field] = [part for each in self.text(id).split(";") if (part := one_line(each))]
        return {field: value for field, value in found.items() if value}

    def _date(self) -> str:
        data = self._compound.read(f"{self._prefix}{_PROPERTIES}")
        times: dict[int, int] = {}
        for size in _HEADER_SIZES:
            if len(data) >= size and (len(data) - size) % _RECORD.size == 0:
                body = data[size:]
                for type, id, _, value in _RECORD.iter_unpack(body):
                    if type == _TIME_TYPE:
                        times.setdefault(id, int.from_bytes(value, "little"))
        for id in _TIMES:
            if ticks := times.get(id):
                try:
                    return (_EPOCH + timedelta(microseconds=ticks // 10)).replace(microsecond=0).isoformat()
                except OverflowError:
                    continue
        return ""
