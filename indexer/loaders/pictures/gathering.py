"""What is written about a picture: in its EXIF, IPTC, XMP and PNG fields, and in a file beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from quarry.indexer.loaders import moments
from quarry.indexer.loaders.decoding import clean, decode, one_line
from quarry.indexer.loaders.moments import moment
from quarry.indexer.loaders.pictures import sidecars, xmp
from quarry.indexer.loaders.pictures.words import PictureWords, listed
from quarry.indexer.loaders.titles import people

MAX_WORDS = 10_000  # characters of one field
MAX_CAPTIONS, MAX_KEYWORDS = 100, 1_000
MAX_FIELD = 65_536  # bytes, as long as EXIF in a JPEG may be

_EXIF, _GPS = 0x8769, 0x8825  # folders of tags within EXIF
_MAKE, _MODEL, _DESCRIPTION, _COMMENT = 0x010F, 0x0110, 0x010E, 0x9286
_TAKEN, _TAKEN_ZONE, _DIGITIZED, _DIGITIZED_ZONE, _LENS = 0x9003, 0x9011, 0x9004, 0x9012, 0xA434
_WRITTEN, _WRITTEN_ZONE, _ARTIST = 0x0132, 0x9010, 0x013B
_XP_TITLE, _XP_COMMENT, _XP_AUTHOR, _XP_KEYWORDS, _XP_SUBJECT = range(0x9C9B, 0x9CA0)  # of Windows, in UTF-16
_IPTC_NAME, _IPTC_KEYWORDS, _IPTC_HEADLINE, _IPTC_CAPTION = (2, 5), (2, 25), (2, 105), (2, 120)
_IPTC_CITY, _IPTC_COUNTRY, _IPTC_AUTHOR = (2, 90), (2, 101), (2, 80)
_IPTC_PLACES = ((2, 92), _IPTC_CITY, (2, 95), _IPTC_COUNTRY)  # part of a city, city, province, country
_IPTC_DATES = ((2, 55), (2, 60)), ((2, 62), (2, 63))  # days and times: of what is seen, of the file
_SAYS_NOTHING = re.compile(  # what cameras and programs write of themselves
    r"(?:olympus|minolta|sanyo|konica minolta|samsung|pentax|kodak|ge|hp)?\s*(?:still )?digital (?:still )?camera"
    r"|sony dsc|dcim.*|samsung camera pictures|exif_jpeg_picture|jpeg picture|default|untitled|none|null|image"
    r"|\W*kenox.*|created with (?:the )?gimp.*|lead technologies.*|charset=.*|ascii|<digimax.*|x-default"
    r"|(?:img|dsc|dscn|dscf|p|pict|sam|mvi|image|photo|pxl|gopr)[_-]?\d+(?:[_-]\d+)*(?:\.\w{3,4})?",
    re.I,
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SaidOfPicture:
    """What is said about a picture.

    Args:
        text: captions, each a paragraph, then the keywords; each thing once.
        title: of XMP or IPTC, "" where they have none.
        metadata: `author`, `taken` and `date`, `camera`, `lens`, `latitude`, `longitude`, `town`, `country`,
            `keywords`, and, with those above them, `keywords/`, where they are known.
    """

    text: str = ""
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


def read(image: Any, path: Path) -> SaidOfPicture:
    """Read what is said about a decoded `PIL.Image`, and beside its file; what can't be read is left out."""
    words = PictureWords()
    exif: Any = _tried(image.getexif, {})
    beside = _tried(lambda: sidecars.beside(path), PictureWords())
    for source in (lambda: xmp.read(image.info.get("xmp")), lambda: _iptc(image)):
        words.add(_tried(source, PictureWords()))
    title = next(iter(_telling([*words.titles, *beside.titles], path)), "")
    words.captions = words.titles + words.captions
    for source in (lambda: _exif(exif), lambda: _png(image.info)):
        words.add(_tried(source, PictureWords()))
    beside.captions = beside.titles + beside.captions
    words.add(beside)
    captions = _telling(words.captions, path)[:MAX_CAPTIONS]
    keywords = _telling(words.keywords, path)[:MAX_KEYWORDS]
    paragraphs = [caption for caption in captions if not _is_within(caption, captions)]
    if keywords:
        paragraphs.append(", ".join(keywords))
    said = {
        "author": people(*words.authors),
        "town": next(iter(_telling(words.towns, path)), ""),
        "country": next(iter(_telling(words.countries, path)), ""),
        "keywords": keywords,
        "keywords/": _telling(words.trees, path)[:MAX_KEYWORDS],
    }
    metadata = {**_facts(exif, words, path), **{name: value for name, value in said.items() if value}}
    return SaidOfPicture(clean("\n\n".join(paragraphs)), one_line(title), metadata)


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


def _facts(exif: Any, words: PictureWords, path: Path) -> dict[str, Any]:
    """When, with what and where it was taken."""
    details, place = _folder(exif, _EXIF), _folder(exif, _GPS)
    facts: dict[str, Any] = {}
    zone = next((zone for tag in (_TAKEN_ZONE, _DIGITIZED_ZONE, _WRITTEN_ZONE) if (zone := _text(details, tag))), "")
    said = (
        moment(_text(details, _TAKEN), _text(details, _TAKEN_ZONE) or zone),
        moment(_text(details, _DIGITIZED), _text(details, _DIGITIZED_ZONE) or zone),
        *words.moments,
        moment(_text(exif, _WRITTEN), _text(details, _WRITTEN_ZONE) or zone),
        moments.named(path.stem),
    )
    if taken := next(filter(None, said), ""):
        facts |= {"taken": taken, "date": taken}
    make, model = (one_line(_text(exif, tag), 100) for tag in (_MAKE, _MODEL))
    named = model.casefold().startswith(make.split(" ")[0].casefold())  # Canon, Canon EOS 40D
    if camera := (model if named and model else f"{make} {model}".strip()):
        facts["camera"] = camera
    if lens := one_line(_text(details, _LENS), 100):
        facts["lens"] = lens
    nowhere = math.nan, math.nan
    for latitude, longitude in (_tried(lambda: (_degrees(place, 1), _degrees(place, 3)), nowhere), *words.places):
        if abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude or longitude):
            return facts | {"latitude": round(latitude, 6), "longitude": round(longitude, 6)}
    return facts


def _folder(exif: Any, tag: int) -> Mapping[int, Any]:
    nothing: dict[int, Any] = {}
    return _tried(lambda: exif.get_ifd(tag), nothing)


def _degrees(place: Mapping[int, Any], tag: int) -> float:
    """Read degrees, minutes and seconds, and from the tag before it the hemisphere."""
    degrees, minutes, seconds = (float(part) for part in place[tag + 1])
    sign = -1 if str(place[tag]).strip("\0 ").upper() in ("S", "W") else 1
    return sign * (degrees + minutes / 60 + seconds / 3600)


def _exif(exif: Any) -> PictureWords:
    comment = _tried(lambda: _comment(_folder(exif, _EXIF).get(_COMMENT, b""), exif.endian or "<"), "")
    titles = [_text(exif, _XP_TITLE), _text(exif, _XP_SUBJECT)]
    captions = [*titles, _text(exif, _DESCRIPTION), comment, _text(exif, _XP_COMMENT)]
    authors = [name for tag in (_ARTIST, _XP_AUTHOR) if (name := _text(exif, tag))]
    return PictureWords(captions=captions, keywords=listed(_text(exif, _XP_KEYWORDS)), authors=authors)


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


def _iptc(image: Any) -> PictureWords:
    from PIL import IptcImagePlugin

    found = IptcImagePlugin.getiptcinfo(image) or {}

    def texts(tag: tuple[int, int]) -> list[str]:
        values = found.get(tag, [])
        return [_decoded(value) for value in ([values] if isinstance(values, bytes) else values)]

    captions = [*texts(_IPTC_HEADLINE), *texts(_IPTC_CAPTION)]
    keywords = [*texts(_IPTC_KEYWORDS), *(text for tag in _IPTC_PLACES for text in texts(tag))]
    dates = [moment(" ".join([*texts(day)[:1], *texts(time)[:1]])) for day, time in _IPTC_DATES]
    places = texts(_IPTC_CITY), texts(_IPTC_COUNTRY)
    return PictureWords(
        texts(_IPTC_NAME), captions, keywords, [date for date in dates if date], [], texts(_IPTC_AUTHOR), *places
    )


def _png(info: Mapping[Any, Any]) -> PictureWords:
    texts = {str(key).lower(): value for key, value in info.items() if isinstance(value, str)}
    return PictureWords(captions=[texts.get("title", ""), texts.get("description", "")])
