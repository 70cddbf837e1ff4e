"""Contacts (vCard, RFC 6350) and calendars (iCalendar, RFC 5545): a document for each card, event, task and note."""

from __future__ import annotations

import binascii
import quopri
import re
from collections.abc import Iterator
from typing import Any

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.decoding import clean, decode, one_line
from quarry.indexer.loaders.fields import scalars
from quarry.indexer.loaders.mail.message import decoded
from quarry.indexer.loaders.moments import moment
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed

_ENTRIES = frozenset({"VCARD", "VEVENT", "VTODO", "VJOURNAL"})
_PROPERTY = re.compile(r"(?:[\w-]+\.)?([A-Za-z][\w-]*)((?:;[^:\"\n]*(?:\"[^\"\n]*\"[^:\"\n]*)*)?):(.*)", re.S)
_ESCAPED = re.compile(r"\\(.)", re.S)
_TITLES = ("FN", "SUMMARY")
_TEXTS = ("FN", "SUMMARY", "N", "NICKNAME", "ORG", "TITLE", "ROLE", "EMAIL", "TEL", "ADR", "URL", "LOCATION",
          "ORGANIZER", "ATTENDEE", "NOTE", "DESCRIPTION", "COMMENT")  # fmt: skip
_FIELDS = {"DTSTART": "date", "BDAY": "birthday", "LOCATION": "location", "ORG": "organization", "EMAIL": "email",
           "CATEGORIES": "keywords", "ORGANIZER": "author", "DUE": "due", "DTEND": "end",
           "LAST-MODIFIED": "edited", "REV": "edited"}  # fmt: skip
_DATES = frozenset({"DTSTART", "BDAY", "DUE", "DTEND", "LAST-MODIFIED", "REV"})
_POSITION = re.compile(r"(?:geo:)?\s*(-?\d{1,2}(?:\.\d+)?)\s*[;,]\s*(-?\d{1,3}(?:\.\d+)?).*", re.I)


def parse(source: Source) -> Iterator[Parsed]:
    """Read a document per entry, named by its UID where it has one of its own."""
    text = re.sub(r"\r\n?", "\n", decode(source.read()))
    text = re.sub(r"=\n(?=[^\n]*=)|\n[ \t]", "", text)  # folded lines, those of vCard 2.1, too
    seen = set[str]()
    entry: dict[str, list[str]] = {}
    number = 0
    depth: list[str] = []
    for line in text.split("\n"):
        match = _PROPERTY.match(line)
        if match is None:
            continue
        name, options, value = match[1].upper(), match[2].upper(), match[3]
        if name == "BEGIN":
            depth.append(value.strip().upper())
            if depth[-1] in _ENTRIES:
                entry = {}
        elif name == "END":
            if depth and depth.pop() in _ENTRIES:
                number += 1
                uid = one_line(" ".join(entry.get("UID", ())), 200)
                key = f"id={uid}" if uid and uid not in seen else f"row={number}"
                seen.add(uid)
                yield from _document(entry, source.format.type, key)
        elif depth and depth[-1] in _ENTRIES and (said := _value(options, value)):
            entry.setdefault(name, []).append(said)
    if not number and text.strip():
        raise FileMalformed("it holds no entry that is whole; save it anew")


def _value(options: str, value: str) -> str:
    if "BASE64" in options or "ENCODING=B" in options or value.startswith("data:"):
        return ""  # a picture
    if "QUOTED-PRINTABLE" in options:
        charset = re.search(r"CHARSET=([\w-]+)", options)
        try:
            value = decoded(quopri.decodestring(value.encode()), charset[1] if charset else "")
        except (ValueError, binascii.Error):
            return ""
    value = _ESCAPED.sub(lambda one: "\n" if one[1] in "nN" else one[1], value)
    return clean(re.sub(r"^(?:mailto|tel):", "", value, flags=re.I))


def _document(entry: dict[str, list[str]], type: str, key: str) -> Iterator[Parsed]:
    title = next((one_line(entry[name][0]) for name in _TITLES if name in entry), "")
    said = {name: [_parts(name, one) for one in entry.get(name, ())] for name in _TEXTS}
    lines = dict.fromkeys(one for name in _TEXTS for one in said[name] if one)
    metadata: dict[str, Any] = {}
    for name, field in _FIELDS.items():
        values = (
            [moment(one) or one for one in entry.get(name, ())] if name in _DATES else said.get(name) or entry.get(name)
        )
        if values:
            metadata[field] = values[0] if len(values) == 1 else list(values)
    if position := _POSITION.fullmatch(next(iter(entry.get("GEO", ())), "")):
        metadata |= {"latitude": float(position[1]), "longitude": float(position[2])}
    if text := "\n".join(lines):
        yield Parsed(text, type, title, key, scalars(metadata))


def _parts(name: str, value: str) -> str:
    """Return a value of several parts, such as an address, as it is read aloud; a family name comes last."""
    parts = [part for part in value.split(";") if part.strip()] if name in ("N", "ORG", "ADR") else [value]
    return ", ".join(parts) if name != "N" else " ".join([*parts[1:2], *parts[:1]])
