"""HWP 5 documents of Hangul: paragraphs, headings, tables, notes, text boxes, equations, from the records of sections.

"Hwp Document File Formats 5.0", revision 1.3, by Hancom.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from quarry.indexer.formats import is_picture_content
from quarry.indexer.loaders.base import MEBIBYTE, Source
from quarry.indexer.loaders.office import compound
from quarry.indexer.loaders.office.flow import Flow
from quarry.indexer.loaders.office.paragraphs import Box, Paragraph, Table, Typesetter
from quarry.indexer.loaders.pictures.figures import Figures, name_of
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed

_COMPRESSED, _PASSWORD, _DISTRIBUTION, _DRM = 1, 2, 4, 16  # of the file header's flags
_MOST = 512 * MEBIBYTE  # bytes of all sections, inflated
_PARA_SHAPE = 0x19
_PARAGRAPH, _TEXT, _CONTROL, _LIST, _EQUATION = 66, 67, 71, 72, 88
_OUTLINE = 1  # of the kinds of head that a paragraph's shape may have
_WIDE = frozenset({*range(1, 10), 11, 12, *range(14, 24)})  # controls that take eight characters, not one
_WIDTH = 8
_SPELLED = {9: "\t", 10: "\n", 24: "-", 30: " ", 31: " "}
_MARGINS, _COMMENTS = ("head", "foot"), ("tcmt",)
_SECTION = re.compile(r"BodyText/Section(\d+)", re.I)
_STORED = re.compile(r"BinData/", re.I)
_CONTROLS = re.compile("[\x00-\x1f]")


@dataclass(slots=True)
class _Record:
    """A record, and those below it."""

    tag: int
    data: bytes = b""
    below: list[_Record] = field(default_factory=list)


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document.

    Raises:
        FileMalformed: it is locked or damaged, or older than HWP 5.
    """
    source.stream.seek(0)
    head = source.stream.read(32)
    if head.startswith(b"HWP Document File V"):
        raise FileMalformed("it is HWP 3, older than what is read; save it as HWPX with Hangul")
    with compound.opened(source.stream) as file:
        header = file.read("FileHeader")
        if not header.startswith(b"HWP Document File") or len(header) < 40:
            raise FileMalformed("it is an old office document, not of Hangul; give it the suffix of its own type")
        flags = struct.unpack_from("<I", header, 36)[0]
        if flags & _PASSWORD:
            raise FileMalformed(compound.ENCRYPTED)
        if flags & (_DISTRIBUTION | _DRM):
            raise FileMalformed("it is locked against copying (a distribution document); save it without that lock")
        title, metadata = file.properties("\x05HwpSummaryInformation")
        sections = sorted((int(match[1]), name) for name in file.names if (match := _SECTION.fullmatch(name)))
        if not sections:
            raise FileMalformed(compound.DAMAGED)
        inflate = _Inflater(is_compressed=bool(flags & _COMPRESSED))
        shapes = _levels(inflate(file.read("DocInfo")))
        setter = Typesetter(Flow())
        for _, name in sections:
            setter.write(_paragraphs(_tree(inflate(file.read(name))).below, shapes))
        setter.end()
        figures = Figures(source)
        for name in filter(_STORED.match, file.names):  # in which order they stand, only their controls tell
            figures.add(name_of(name), partial(_picture, file, inflate, name))
        yield from figures.after(setter.flow.parsed(source.format.type, title, metadata))


def _picture(file: compound.Compound, inflate: _Inflater, name: str) -> bytes:
    """Return a picture, which may be compressed or not, whatever the rest is."""
    data = file.read(name)
    return data if is_picture_content(data[:64]) else inflate(data)


class _Inflater:
    """Inflates streams, within a budget for all of them."""

    def __init__(self, *, is_compressed: bool) -> None:
        self._is_compressed = is_compressed
        self._left = _MOST

    def __call__(self, data: bytes) -> bytes:
        if self._is_compressed:
            inflater = zlib.decompressobj(-zlib.MAX_WBITS)
            try:
                data = inflater.decompress(data, self._left)
            except zlib.error as error:
                raise FileMalformed(compound.DAMAGED) from error
            if inflater.unconsumed_tail:
                raise FileMalformed(f"it inflates to more than {_MOST // MEBIBYTE} MiB; split it")
        self._left -= len(data)
        return data


def _tree(data: bytes) -> _Record:
    """Read the records of a stream as a tree; what is cut off at its end is left out."""
    root = _Record(-1)
    path = [root]
    at = 0
    while at + 4 <= len(data):
        (head,) = struct.unpack_from("<I", data, at)
        tag, level, size = head & 0x3FF, head >> 10 & 0x3FF, head >> 20
        at += 4
        if size == 0xFFF:
            if at + 4 > len(data):
                break
            (size,) = struct.unpack_from("<I", data, at)
            at += 4
        record = _Record(tag, data[at : at + size])
        at += size
        del path[level + 1 :]
        path[-1].below.append(record)
        path.append(record)
    return root


def _levels(data: bytes) -> list[int]:
    """Return the levels of headings that the shapes of paragraphs stand for, 0 for none, in their order."""
    shapes = (record for record in _all(_tree(data)) if record.tag == _PARA_SHAPE)
    found = []
    for shape in shapes:
        (bits,) = struct.unpack_from("<I", shape.data.ljust(4, b"\0"))
        found.append((bits >> 25 & 7) + 1 if bits >> 23 & 3 == _OUTLINE else 0)
    return found


def _all(record: _Record) -> Iterator[_Record]:
    stack = [record]
    while stack:
        each = stack.pop()
        yield each
        stack.extend(reversed(each.below))


def _paragraphs(records: list[_Record], shapes: list[int]) -> list[Paragraph]:
    return [_paragraph(record, shapes) for record in records if record.tag == _PARAGRAPH]


def _paragraph(record: _Record, shapes: list[int]) -> Paragraph:
    shape = struct.unpack_from("<H", record.data, 8)[0] if len(record.data) >= 10 else 0
    paragraph = Paragraph(level=shapes[shape] if shape < len(shapes) else 0)
    for each in record.below:
        if each.tag == _TEXT:
            paragraph.text += _spelled(each.data)
        elif each.tag == _CONTROL:
            paragraph.attached += _attached(each, shapes)
    return paragraph


def _spelled(data: bytes) -> str:
    """Return the text of a paragraph, without its controls and what belongs to them."""
    text = data[: len(data) // 2 * 2].decode("utf-16-le", "surrogatepass")
    if len(text) * 2 != len(data):  # characters beyond the basic plane would shift what is skipped
        units = struct.unpack(f"<{len(data) // 2}H", data[: len(data) // 2 * 2])
        text = "".join(map(chr, units))
    parts: list[str] = []
    at = 0
    while found := _CONTROLS.search(text, at):
        code = ord(found[0])
        parts += [text[at : found.start()], _SPELLED.get(code, "")]
        at = found.start() + (_WIDTH if code in _WIDE else 1)
    parts.append(text[at:])
    return "".join(parts).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _attached(control: _Record, shapes: list[int]) -> Iterator[Table | Box]:
    """Yield what a control holds: a table, a box, a note, a header; captions, too."""
    kind = control.data[3::-1].decode("latin-1").strip()
    if kind == "tbl":
        yield from _table(control, shapes)
        return
    equation = next((each for each in control.below if each.tag == _EQUATION), None)
    if equation is not None and len(equation.data) > 6:
        length = struct.unpack_from("<H", equation.data, 4)[0]
        yield Box([Paragraph(equation.data[6 : 6 + 2 * length].decode("utf-16-le", "replace"))])
    paragraphs = [each for part in _all(control) if part is not control for each in _own(part, shapes)]
    paragraphs = [*_own(control, shapes), *paragraphs]
    if paragraphs:
        yield Box(paragraphs, "margin" if kind in _MARGINS else "comment" if kind in _COMMENTS else "text")


def _own(record: _Record, shapes: list[int]) -> list[Paragraph]:
    """Return the paragraphs that stand right below a record that is none itself, nor within one."""
    return [] if record.tag == _PARAGRAPH else _paragraphs(record.below, shapes)


def _table(control: _Record, shapes: list[int]) -> Iterator[Table | Box]:
    rows: dict[int, list[list[Paragraph]]] = {}
    caption: list[Paragraph] = []
    cell: list[Paragraph] = caption
    has_begun = False
    for each in control.below:
        if each.tag == 77:
            has_begun = True
        elif each.tag == _LIST:
            cell = caption
            if has_begun and len(each.data) >= 12:
                cell = []
                rows.setdefault(struct.unpack_from("<H", each.data, 10)[0], []).append(cell)
        elif each.tag == _PARAGRAPH:
            cell.append(_paragraph(each, shapes))
    if caption:
        yield Box(caption)
    yield Table([rows[number] for number in sorted(rows)])
