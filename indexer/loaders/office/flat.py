"""OpenDocument files that are one piece of XML (ODF 1.3, part 3, 2.1): read as the packages that they stand for."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from zipfile import ZIP_DEFLATED, ZipFile

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.office import opendocument, sheets
from quarry.indexer.loaders.office.elements import tree
from quarry.indexer.loaders.web.images import from_base64
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed

_PICTURE = re.compile(rb"(<draw:image\b[^<>]*?)/?>\s*<office:binary-data>([^<]*)</office:binary-data>")
_ANY_DATA = re.compile(rb"<office:binary-data>[^<]*</office:binary-data>")
_SUFFIXES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"GIF8": "gif", b"BM": "bmp", b"RIFF": "webp"}
_ROOT = "document"


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document, or the sheets of a workbook.

    Raises:
        FileMalformed: it is damaged, or something else.
    """
    with tempfile.TemporaryFile() as file:
        kind = source.format.type.removesuffix("-flat-xml")
        with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=1) as package:
            package.writestr("mimetype", kind)
            _fill(package, source.read())
        packed = replace(source, stream=file, format=replace(source.format, type=kind))
        yield from (sheets if kind.endswith("spreadsheet") else opendocument).parse(packed)


def _fill(package: ZipFile, data: bytes) -> None:
    """Write the parts of a package, each of which is the whole, and the pictures."""
    numbers = count(1)

    def picture(match: re.Match[bytes]) -> bytes:
        found = from_base64(match[2])
        suffix = next((suffix for head, suffix in _SUFFIXES.items() if found.startswith(head)), "")
        if not suffix:
            return match[1] + b">"
        name = f"Pictures/{next(numbers)}.{suffix}"
        package.writestr(name, found)
        return b'%s xlink:href="%s">' % (match[1], name.encode())

    if b"\0" in data[:200]:
        raise FileMalformed("its XML is in UTF-16, in which no office program writes it; save it again")
    data = _ANY_DATA.sub(b"", _PICTURE.sub(picture, data))
    if tree(data).tag != _ROOT:
        raise FileMalformed("it is no OpenDocument file, whatever its name says; give it the suffix of its own type")
    for name in ("content.xml", "meta.xml", "styles.xml"):
        package.writestr(name, data)
    package.writestr("META-INF/manifest.xml", b"<manifest/>")
