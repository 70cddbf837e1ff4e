"""Mail: what is new in a message, then what it quotes and how it is signed; its attachments are documents of their own.

Headers and bodies are decoded here rather than by `email`, which fails over charsets and headers that it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path
from typing import Any

from quarry.indexer.formats import ROWS, format_of
from quarry.indexer.loaders.archives.members import Members
from quarry.indexer.loaders.base import DEEPEST, Source
from quarry.indexer.loaders.decoding import clean, decode, one_line
from quarry.indexer.loaders.fields import scalars
from quarry.indexer.loaders.pictures.figures import is_shown
from quarry.indexer.loaders.web.html import plain
from quarry.search.errors import FileMalformed, LoadError
from quarry.search.types import Parsed

TYPE = "message/rfc822"
ATTACHMENTS = "attachments"
_MOST_ADDRESSES = 200
_FOLDED = re.compile(r"\r?\n(?=[ \t])")
_QUOTED = re.compile(r"^[ \t]*>")
_INTRODUCES = re.compile(r"\S.{0,200}[:：]\s*$")  # On Monday Ada wrote:
_MORE = 5  # times as long as the plain text is the HTML that it only points to


def parse(source: Source) -> Iterator[Parsed]:
    """Read a message, then its attachments."""
    members = Members(source, ATTACHMENTS)
    yield from documents(source.read(), members)
    members.check(alone=False)


def documents(data: bytes, members: Members, key: str = "") -> Iterator[Parsed]:
    """Yield a message, then its attachments, named by `key` where it is one of several."""
    yield from _documents(BytesParser(policy=compat32).parsebytes(data), members, key, 1)


@dataclass(slots=True)
class _Content:
    """The texts of a message, and what is attached to it."""

    texts: list[str] = field(default_factory=list)
    files: list[tuple[str, Message]] = field(default_factory=list)
    warning: str = ""


def _documents(message: Message, members: Members, key: str, depth: int) -> Iterator[Parsed]:
    content = _Content()
    _gather(message, content)
    text = in_order("\n\n".join(filter(None, map(clean, content.texts))))
    title, metadata = _told(message)
    if names := [name for name, _ in content.files]:
        metadata[ATTACHMENTS] = names
    if text or title:
        yield Parsed(text or title, TYPE, title, key, scalars(metadata), warning=content.warning)
    for name, part in content.files:
        if part.get_content_type() == TYPE:
            inner = part.get_payload()
            if depth >= DEEPEST:
                members.note(name, f"it lies more than {DEEPEST} messages deep in others; save it apart")
            elif isinstance(inner, list) and inner and isinstance(inner[0], Message):
                within = f"{key}#{name}" if key else name
                inside = _documents(inner[0], members, within, depth + 1)
                yield from members.message(within, name, inner[0].as_bytes, inside)
        elif not _is_ornament(part):
            yield from members.read(name, [_bytes(part)], key)


def _is_ornament(part: Message) -> bool:
    """Whether a picture stands within the text of a message and is too small to be more than decoration."""
    if part.get_content_maintype() != "image" or part.get_content_disposition() == "attachment":
        return False
    try:
        return ("content-id" in part or "content-location" in part) and not is_shown(_bytes(part))
    except LoadError:  # which is told where it is read
        return False


def _gather(part: Message, content: _Content) -> None:
    kind, name = part.get_content_type(), _name(part)
    if kind.startswith("multipart/") and not part.is_multipart():
        kind = "text/plain"  # without bounds between its parts
    if kind == "multipart/alternative":
        _choose(part, content)
    elif kind == TYPE:
        inner = part.get_payload()
        subject = _header(inner[0], "subject") if isinstance(inner, list) and isinstance(inner[0], Message) else ""
        content.files.append((name or f"{subject or 'message'}.eml", part))
    elif part.is_multipart():
        if kind == "multipart/encrypted":
            content.warning = "its text is encrypted"
        for inner in part.get_payload():
            if isinstance(inner, Message):
                _gather(inner, content)
    elif kind in ("text/plain", "text/html") and not name and part.get_content_disposition() != "attachment":
        content.texts.append(_text(part, kind))
    elif name or (name := _unnamed(kind, len(content.files) + 1)):
        content.files.append((name, part))


def _choose(part: Message, content: _Content) -> None:
    """Take the plain one of several forms of the same text, unless it has next to nothing of it."""
    forms = []
    for inner in part.get_payload() if part.is_multipart() else ():
        if isinstance(inner, Message):
            form = _Content()
            _gather(inner, form)
            content.files.extend(form.files)
            content.warning = content.warning or form.warning
            forms.append("\n\n".join(filter(None, map(clean, form.texts))))
    forms = [text for text in forms if text]
    if forms:
        longest = max(forms, key=len)
        content.texts.append(longest if len(longest) > _MORE * len(forms[0]) else forms[0])


def _text(part: Message, kind: str) -> str:
    data = _bytes(part)
    try:
        text = decode(data, part.get_content_charset("") if isinstance(part.get_content_charset(""), str) else "")
    except (FileMalformed, LookupError, ValueError):
        return ""  # a body that is no text
    if kind == "text/html":
        return plain(text)
    if str(part.get_param("format", "")).lower() == "flowed":
        text = re.sub(r"(?<!^-- )(?<= )\r?\n(?![>\s])", "", text, flags=re.M)  # RFC 3676
    return text


def _bytes(part: Message) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _name(part: Message) -> str:
    try:
        name = part.get_filename("")
    except (ValueError, LookupError, TypeError, AttributeError):  # over parameters that are none
        return ""
    name = words(str(name)).replace("\\", "/").rpartition("/")[2]
    if name and format_of(Path(name)) is None and (suffix := _suffix(part.get_content_type())):
        name = f"{name}.{suffix}"
    return name


def _unnamed(kind: str, number: int) -> str:
    suffix = _suffix(kind)
    return f"part {number}.{suffix}" if suffix else ""


def _suffix(kind: str) -> str:
    return next((row.suffixes[0] for row in ROWS if row.type == kind and row.suffixes), "")


def _told(message: Message) -> tuple[str, dict[str, Any]]:
    """Return the subject, and what else the headers tell."""
    subject = _header(message, "subject")
    found: dict[str, Any] = {"subject": subject, "date": date_of(_raw(message, "date"))}
    if senders := _people(message, "from") or _people(message, "sender"):
        found["author"], found["from"] = senders[0][0] or senders[0][1], shown(*senders[0])
    for name in ("to", "cc", "bcc"):
        found[name] = [shown(*one) for one in _people(message, name)]
    return subject, {name: value for name, value in found.items() if value}


def shown(name: str, address: str) -> str:
    """Return a person as mail programs write them."""
    return f"{name} <{address}>" if name and address and name != address else name or address


def date_of(text: str) -> str:
    """Return the moment of a `Date` header in ISO 8601, "" where it is none."""
    try:
        moment: datetime = parsedate_to_datetime(text.strip())
        return moment.replace(microsecond=0).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return ""


def _people(message: Message, name: str) -> list[tuple[str, str]]:
    try:
        pairs = getaddresses([_unfolded(_raw(message, name))])
    except (ValueError, IndexError, TypeError, RecursionError):
        return []
    people = ((words(one), words(address)) for one, address in pairs[:_MOST_ADDRESSES])
    return [(one, address) for one, address in people if one or address]


def _header(message: Message, name: str) -> str:
    return words(_raw(message, name))


def _raw(message: Message, name: str) -> str:
    return next((str(value) for key, value in message.raw_items() if str(key).lower() == name), "")


def _unfolded(raw: str) -> str:
    raw = _FOLDED.sub("", raw)
    if raw.isascii():
        return raw
    return decoded(raw.encode("utf-8", "surrogateescape"), "")


def words(raw: str) -> str:
    """Decode a header (RFC 2047), in whatever charset."""
    raw = _unfolded(raw)
    try:
        parts = decode_header(raw)
    except (HeaderParseError, ValueError):
        return one_line(raw)
    return one_line("".join(one if isinstance(one, str) else decoded(one, charset or "") for one, charset in parts))


def decoded(data: bytes, charset: str) -> str:
    """Decode what somebody wrote, whatever it is."""
    try:
        return decode(data, charset)
    except (FileMalformed, LookupError, ValueError):
        return data.decode("latin-1")


def in_order(text: str) -> str:
    """Return a message with what is quoted, and after that the signature, behind what is new."""
    lines = text.split("\n")
    signed = next((at for at in range(len(lines) - 1, -1, -1) if lines[at] in ("-- ", "--")), len(lines))
    if any(_QUOTED.match(line) for line in lines[signed:]):
        signed = len(lines)  # a signature above what is quoted is not the end
    is_quoted = [bool(_QUOTED.match(line)) for line in lines[:signed]]
    for at in range(1, signed):
        above = next((place for place in (at - 1, at - 2) if place >= 0 and lines[place].strip()), -1)
        if is_quoted[at] and not is_quoted[at - 1] and above >= 0 and _INTRODUCES.match(lines[above]):
            is_quoted[above:at] = [True] * (at - above)
    new = [line for line, old in zip(lines, is_quoted, strict=False) if not old]
    old = [line for line, old in zip(lines, is_quoted, strict=False) if old]
    parts = ("\n".join(part).strip() for part in (new, old, lines[signed:]))
    return re.sub(r"\n{3,}", "\n\n", "\n\n".join(filter(None, parts)))
