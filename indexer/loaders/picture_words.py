"""What is written about a picture: in its EXIF, IPTC, XMP and PNG fields, and in a file beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from xml.parsers import expat

from indexer.loaders import sidecars
from indexer.loaders.decoding import clean, decode, one_line
from indexer.loaders.sidecars import Words, listed

MAX_WORDS = 10_000  # characters of one field
MAX_CAPTIONS, MAX_KEYWORDS = 100, 1_000
MAX_FIELD = 65_536  # bytes, as long as EXIF in a JPEG may be
MAX_XMP = 1 << 20  # bytes

_EXIF, _GPS = 0x8769, 0x8825  # folders of tags within EXIF
_MAKE, _MODEL, _DESCRIPTION, _COMMENT = 0x010F, 0x0110, 0x010E, 0x9286
_TAKEN, _TAKEN_ZONE, _DIGITIZED, _DIGITIZED_ZONE, _LENS = 0x9003, 0x9011, 0x9004, 0x9012, 0xA434
_XP_TITLE, _XP_COMMENT, _XP_KEYWORDS, _XP_SUBJECT = 0x9C9B, 0x9C9C, 0x9C9E, 0x9C9F  # of Windows, in UTF-16
_IPTC_NAME, _IPTC_KEYWORDS, _IPTC_HEADLINE, _IPTC_CAPTION = (2, 5), (2, 25), (2, 105), (2, 120)
_DUBLIN_CORE, _PHOTOSHOP = "http://purl.org/dc/elements/1.1/ ", "http://ns.adobe.com/photoshop/1.0/ "
_ALT_TEXT = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/ AltTextAccessibility"
_XMP_ITEM = "http://www.w3.org/1999/02/22-rdf-syntax-ns# li"
_XMP_TITLE, _XMP_KEYWORDS = f"{_DUBLIN_CORE}title", f"{_DUBLIN_CORE}subject"
_XMP_CAPTIONS = (f"{_PHOTOSHOP}Headline", f"{_DUBLIN_CORE}description", _ALT_TEXT)

_SAYS_NOTHING = re.compile(  # what cameras and programs write of themselves
    r"(?:olympus|minolta|sanyo|konica minolta|samsung|pentax|kodak|ge|hp)?\s*(?:still )?digital (?:still )?camera"
    r"|sony dsc|dcim.*|samsung camera pictures|exif_jpeg_picture|jpeg picture|default|untitled|none|null|image"
    r"|\W*kenox.*|created with (?:the )?gimp.*|lead technologies.*|charset=.*|ascii|<digimax.*|x-default"
    r"|(?:img|dsc|dscn|dscf|p|pict|sam|mvi|image|photo|pxl|gopr)[_-]?\d+(?:[_-]\d+)*(?:\.\w{3,4})?",
    re.I,
)
_ZONE = re.compile(r"[+-]\d\d:\d\d")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Said:
    """What is said about a picture.

    Args:
        text: captions, each a paragraph, then the keywords; each thing once.
        title: of XMP or IPTC, "" where they have none.
        metadata: `taken` and `date`, `camera`, `lens`, `latitude`, `longitude`, `keywords`, where they are known.
    """

    text: str = ""
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


def read(image: Any, path: Path) -> Said:
    """Read what is said about a decoded `PIL.Image`, and beside its file; what can't be read is left out."""
    words = Words()
    exif: Any = _tried(image.getexif, {})
    for source in (lambda: _xmp(image.info.get("xmp")), lambda: _iptc(image)):
        words.add(_tried(source, Words()))
    title = next(iter(_telling(words.titles, path)), "")
    words.captions = words.titles + words.captions
    for source in (lambda: _exif(exif), lambda: _png(image.info), lambda: sidecars.beside(path)):
        words.add(_tried(source, Words()))
    captions = _telling(words.captions, path)[:MAX_CAPTIONS]
    keywords = _telling(words.keywords, path)[:MAX_KEYWORDS]
    paragraphs = [caption for caption in captions if not _is_within(caption, captions)]
    if keywords:
        paragraphs.append(", ".join(keywords))
    metadata = {**_facts(exif), **({"keywords": keywords} if keywords else {})}
    return Said(clean("\n\n".join(paragraphs)), one_line(title), metadata)


def _tried(read: Callable[[], T], otherwise: T) -> T:
    """Read what strangers' programs wrote: whatever is wrong with it, the picture itself is not."""
    try:
        return read()
    except MemoryError:
        raise
    except Exception:
        return otherwise


def _telling(values: Iterable[str], path: Path) -> list[str]:
    """Keep each text once, without those that only name the camera or the file."""
    kept: dict[str, str] = {}
    for value in values:
        text = clean(value[:MAX_WORDS])
        if text and not _SAYS_NOTHING.fullmatch(text) and text != path.name:
            kept.setdefault(text.casefold(), text)
    return list(kept.values())


def _is_within(text: str, others: list[str]) -> bool:
    folded = text.casefold()
    return any(len(other) > len(text) and folded in other.casefold() for other in others)


def _facts(exif: Any) -> dict[str, Any]:
    """When, with what and where it was taken."""
    details, place = _folder(exif, _EXIF), _folder(exif, _GPS)
    facts: dict[str, Any] = {}
    taken = _moment(details, _TAKEN, _TAKEN_ZONE) or _moment(details, _DIGITIZED, _DIGITIZED_ZONE)
    if taken:
        facts |= {"taken": taken, "date": taken}
    make, model = (one_line(_text(exif, tag), 100) for tag in (_MAKE, _MODEL))
    named = model.casefold().startswith(make.split(" ")[0].casefold())  # Canon, Canon EOS 40D
    if camera := (model if named and model else f"{make} {model}".strip()):
        facts["camera"] = camera
    if lens := one_line(_text(details, _LENS), 100):
        facts["lens"] = lens
    latitude, longitude = (_tried(lambda tag=tag: _degrees(place, tag), math.nan) for tag in (1, 3))  # type: ignore[misc]
    if abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude or longitude):
        facts |= {"latitude": round(latitude, 6), "longitude": round(longitude, 6)}
    return facts


def _folder(exif: Any, tag: int) -> Mapping[int, Any]:
    nothing: dict[int, Any] = {}
    return _tried(lambda: exif.get_ifd(tag), nothing)


def _moment(details: Mapping[int, Any], tag: int, zone_tag: int) -> str:
    """Turn `2024:05:31 10:00:00` into ISO 8601; "" where it is none."""
    try:
        moment = datetime.strptime(_text(details, tag).strip(), "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return ""
    zone = _text(details, zone_tag).strip()
    return moment.isoformat() + (zone if _ZONE.fullmatch(zone) else "")


def _degrees(place: Mapping[int, Any], tag: int) -> float:
    """Read degrees, minutes and seconds, and from the tag before it the hemisphere."""
    degrees, minutes, seconds = (float(part) for part in place[tag + 1])
    sign = -1 if str(place[tag]).strip("\0 ").upper() in ("S", "W") else 1
    return sign * (degrees + minutes / 60 + seconds / 3600)


def _exif(exif: Any) -> Words:
    comment = _tried(lambda: _comment(_folder(exif, _EXIF).get(_COMMENT, b""), exif.endian or "<"), "")
    titles = [_text(exif, _XP_TITLE), _text(exif, _XP_SUBJECT)]
    captions = [*titles, _text(exif, _DESCRIPTION), comment, _text(exif, _XP_COMMENT)]
    return Words(captions=captions, keywords=listed(_text(exif, _XP_KEYWORDS)))


def _text(tags: Any, tag: int) -> str:
    """Read a tag that should be text, in whatever encoding it really is."""
    value = _tried(lambda: tags.get(tag), None)
    if isinstance(value, tuple) and _XP_TITLE <= tag <= _XP_SUBJECT:
        value = _tried(lambda: bytes(value), None)
    if isinstance(value, bytes):
        return value.decode("utf-16-le", "replace") if _XP_TITLE <= tag <= _XP_SUBJECT else _decoded(value)
    if not isinstance(value, str):
        return ""
    return _decoded(_tried(lambda: value.encode("latin-1"), value.encode("utf-8", "replace")))  # Pillow takes Latin-1


def _decoded(data: bytes) -> str:
    return _tried(lambda: decode(data[:MAX_FIELD].strip(b"\0 ")), "")


def _comment(data: bytes, order: str) -> str:
    """Read a UserComment: eight bytes name its encoding (EXIF 3.0, 4.6.6)."""
    if not data.startswith(b"UNICODE\0"):
        return _decoded(data[8:] if data[:8] in (b"ASCII\0\0\0", b"JIS\0\0\0\0\0", bytes(8)) else data)
    text = data[8 : 8 + 2 * MAX_WORDS]
    zeros = text[0::2].count(0) - text[1::2].count(0)  # programs are not true to the byte order of the file
    big = zeros > 0 if zeros else order == ">"
    return text.decode("utf-16-be" if big else "utf-16-le", "replace").lstrip("\ufeff")


def _iptc(image: Any) -> Words:
    from PIL import IptcImagePlugin

    found = IptcImagePlugin.getiptcinfo(image) or {}

    def texts(tag: tuple[int, int]) -> list[str]:
        values = found.get(tag, [])
        return [_decoded(value) for value in ([values] if isinstance(values, bytes) else values)]

    captions = [*texts(_IPTC_HEADLINE), *texts(_IPTC_CAPTION)]
    return Words(texts(_IPTC_NAME), captions, texts(_IPTC_KEYWORDS))


def _png(info: Mapping[Any, Any]) -> Words:
    texts = {str(key).lower(): value for key, value in info.items() if isinstance(value, str)}
    return Words(captions=[texts.get("title", ""), texts.get("description", "")])


def _xmp(data: bytes | str | None) -> Words:
    """Read titles, captions and keywords; a DOCTYPE, and with it every entity, is refused."""
    if not data or len(data) > MAX_XMP:
        return Words()
    reader = _XmpReader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(data.strip("\0 \n") if isinstance(data, str) else data.strip(b"\0 \n"), True)
    except (expat.ExpatError, ValueError):
        pass  # what came before stays
    return reader.words


class _XmpReader:
    """Gathers the texts of a few properties, each on its own or as the items of a list."""

    def __init__(self) -> None:
        self.words = Words()
        self._places = {
            _XMP_TITLE: self.words.titles,
            **dict.fromkeys(_XMP_CAPTIONS, self.words.captions),
            _XMP_KEYWORDS: self.words.keywords,
        }
        self._place: list[str] | None = None
        self._parts: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        for attribute, value in attributes.items():
            if (place := self._places.get(attribute)) is not None:
                place.append(value)
        if name in self._places:
            self._place = self._places[name]
        self._parts.clear()

    def characters(self, text: str) -> None:
        if self._place is not None:
            self._parts.append(text)

    def end(self, name: str) -> None:
        if self._place is not None and (name == _XMP_ITEM or name in self._places):
            self._place.append("".join(self._parts))
            self._parts.clear()
        if name in self._places:
            self._place = None

    def refuse(self, *_: Any) -> None:
        raise ValueError("XMP has no document type")
