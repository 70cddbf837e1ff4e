"""XMP: titles, captions, keywords, people, dates and the place, in a picture or in a file beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.parsers import expat

from quarry.indexer.loaders.moments import moment
from quarry.indexer.loaders.pictures.words import PictureWords

MAX_XMP = 1 << 20  # bytes

_ITEM = "http://www.w3.org/1999/02/22-rdf-syntax-ns# li"
_DUBLIN_CORE = "http://purl.org/dc/elements/1.1/ "
_PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/ "
_EXIF = "http://ns.adobe.com/exif/1.0/ "
_IPTC_CORE = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/ "
_TITLES = (f"{_DUBLIN_CORE}title",)
_CAPTIONS = (
    f"{_PHOTOSHOP}Headline",
    f"{_DUBLIN_CORE}description",
    f"{_IPTC_CORE}AltTextAccessibility",
    "http://ns.adobe.com/tiff/1.0/ ImageDescription",
    f"{_EXIF}UserComment",
)
_KEYWORDS = (
    f"{_DUBLIN_CORE}subject",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/ PersonInImage",
    "http://www.metadataworkinggroup.com/schemas/regions/ Name",
    "http://ns.microsoft.com/photo/1.2/t/Region# PersonDisplayName",
    f"{_IPTC_CORE}Location",
    f"{_PHOTOSHOP}State",
)
_TOWNS, _COUNTRIES = (f"{_PHOTOSHOP}City",), (f"{_PHOTOSHOP}Country",)
_AUTHORS = (f"{_DUBLIN_CORE}creator", "http://ns.adobe.com/tiff/1.0/ Artist")
_TREES = {  # keywords with those above them -> what stands between them
    "http://ns.adobe.com/lightroom/1.0/ hierarchicalSubject": "|",
    "http://www.digikam.org/ns/1.0/ TagsList": "/",
    "http://ns.microsoft.com/photo/1.0/ LastKeywordXMP": "/",
    "http://ns.microsoft.com/photo/1.0 LastKeywordXMP": "/",
    "http://ns.iview-multimedia.com/mediapro/1.0/ CatalogSets": "|",
}
_MOMENTS = (  # the most trusted first
    f"{_EXIF}DateTimeOriginal",
    f"{_PHOTOSHOP}DateCreated",
    "http://ns.adobe.com/xap/1.0/ CreateDate",
    f"{_EXIF}DateTimeDigitized",
)
_LATITUDE, _LONGITUDE = f"{_EXIF}GPSLatitude", f"{_EXIF}GPSLongitude"
_DEGREES = re.compile(r"(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?(?:,(\d+(?:\.\d+)?))?([NSEW])", re.I)
_WHERE = (*_TOWNS, *_COUNTRIES, _LATITUDE, _LONGITUDE)
_READ = frozenset((*_TITLES, *_AUTHORS, *_CAPTIONS, *_KEYWORDS, *_TREES, *_MOMENTS, *_WHERE))


def read(data: bytes | str | None) -> PictureWords:
    """Read what is said; a DOCTYPE, and with it every entity, is refused. What came before a fault stays."""
    if not data or len(data) > MAX_XMP:
        return PictureWords()
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(data.strip("\0 \n\ufeff") if isinstance(data, str) else data.strip(b"\0 \n"), True)
    except (expat.ExpatError, ValueError):
        pass
    return reader.words()


class _Reader:
    """Gathers the texts of a few properties, each an attribute, an element, or the items of a list."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}
        self._name = ""
        self._parts: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        for attribute, value in attributes.items():
            if attribute in _READ:
                self._found.setdefault(attribute, []).append(value)
        if name in _READ:
            self._name = name
        self._parts.clear()

    def characters(self, text: str) -> None:
        if self._name:
            self._parts.append(text)

    def end(self, name: str) -> None:
        if self._name and (name == _ITEM or name == self._name):
            self._found.setdefault(self._name, []).append("".join(self._parts))
            self._parts.clear()
        if name == self._name:
            self._name = ""

    def refuse(self, *_: Any) -> None:
        raise ValueError("XMP has no document type")

    def words(self) -> PictureWords:
        """Return what was found, sorted by what it is."""
        trees = [
            [part.strip() for part in tree.split(mark) if part.strip()]
            for name, mark in _TREES.items()
            for tree in self._of(name)
        ]
        degrees = [_degrees(next(iter(self._of(name)), "")) for name in (_LATITUDE, _LONGITUDE)]
        return PictureWords(
            self._of(*_TITLES),
            self._of(*_CAPTIONS),
            [*self._of(*_KEYWORDS, *_TOWNS, *_COUNTRIES), *(part for tree in trees for part in tree)],
            [found for text in self._of(*_MOMENTS) if (found := moment(text))],
            [(degrees[0], degrees[1])] if degrees[0] is not None and degrees[1] is not None else [],
            self._of(*_AUTHORS),
            self._of(*_TOWNS),
            self._of(*_COUNTRIES),
            ["|".join(tree) for tree in trees],
        )

    def _of(self, *names: str) -> list[str]:
        return [text for name in names for text in self._found.get(name, []) if text.strip()]


def _degrees(text: str) -> float | None:
    """Read `47,30.5N` or `47,30,30N`, as EXIF is put into XMP."""
    match = _DEGREES.fullmatch(text.strip())
    if match is None:
        return None
    whole, minutes, seconds = (float(part or 0) for part in match.groups()[:3])
    return (-1 if match[4].upper() in "SW" else 1) * (whole + minutes / 60 + seconds / 3600)
