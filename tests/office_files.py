"""Small office documents, written by hand: each format's own containers, as far as its readers look."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
P = "http://schemas.openxmlformats.org/presentationml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
X = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
MC = "http://schemas.openxmlformats.org/markup-compatibility/2006"
HP = "http://www.hancom.co.kr/hwpml/2011/paragraph"
OD = "urn:oasis:names:tc:opendocument:xmlns"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_CORE = (
    '<cp:coreProperties xmlns:cp="urn:core" xmlns:dc="urn:dc" xmlns:dcterms="urn:dcterms">'
    "<dc:title>Harbour report</dc:title><dc:creator>Ada Byron</dc:creator>"
    "<dcterms:created>2024-05-31T10:20:30Z</dcterms:created><cp:keywords>tides</cp:keywords></cp:coreProperties>"
)

Parts = Mapping[str, str | bytes]


def zipped(parts: Parts, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip file of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return buffer.getvalue()


def relations(targets: Mapping[str, str]) -> str:
    """Return what a part refers to: `kind` -> target, or `kind#id` where the id matters."""
    rows = []
    for number, (kind, target) in enumerate(targets.items()):
        name, _, id = kind.partition("#")
        rows.append(f'<Relationship Id="{id or f"r{number}"}" Type="{R}/{name}" Target="{target}"/>')
    return f'<Relationships xmlns="{_RELATIONS}">{"".join(rows)}</Relationships>'


def package(main: str, parts: Parts, targets: Mapping[str, str], core: str = _CORE) -> bytes:
    """Return a package of Office Open XML around a main part."""
    folder, _, file = main.rpartition("/")
    every = {
        "[Content_Types].xml": _types({main, *parts}),
        "_rels/.rels": relations(
            {"officeDocument": main, "core-properties": "docProps/core.xml", "extended-properties": "docProps/app.xml"}
        ),
        "docProps/core.xml": core,
        "docProps/app.xml": '<Properties xmlns="urn:app"/>',
        f"{folder}/_rels/{file}.rels": relations(targets),
        **parts,
    }
    return zipped(every)


def _types(names: Iterable[str]) -> str:
    """Return what says of each part of a package what it is."""
    office = "application/vnd.openxmlformats-officedocument"
    kinds = {
        "word/document.xml": "wordprocessingml.document.main",
        "word/styles.xml": "wordprocessingml.styles",
        "ppt/presentation.xml": "presentationml.presentation.main",
        "xl/workbook.xml": "spreadsheetml.sheet.main",
    }
    told = {name: kinds.get(name) for name in names} | {
        name: "presentationml.slide" for name in names if re.fullmatch(r"ppt/slides/slide\d+\.xml", name)
    }
    rows = (f'<Override PartName="/{name}" ContentType="{office}.{kind}+xml"/>' for name, kind in told.items() if kind)
    defaults = (
        f'<Default Extension="{one}" ContentType="application/{one}"/>' for one in ("xml", "rels", "bin", "png")
    )
    schema = "http://schemas.openxmlformats.org/package/2006/content-types"
    return f'<Types xmlns="{schema}">{"".join(defaults)}{"".join(rows)}</Types>'


def docx(body: str, parts: Parts | None = None, targets: Mapping[str, str] | None = None, core: str = _CORE) -> bytes:
    """Return a Word document."""
    styles = (
        f'<w:styles xmlns:w="{W}"><w:style w:styleId="1"><w:name w:val="heading 1"/></w:style>'
        '<w:style w:styleId="2"><w:name w:val="Kapitel"/><w:basedOn w:val="1"/></w:style>'
        '<w:style w:styleId="T"><w:name w:val="Title"/></w:style>'
        '<w:style w:styleId="C1"><w:name w:val="toc 1"/></w:style></w:styles>'
    )
    document = f'<w:document xmlns:w="{W}" xmlns:mc="{MC}" xmlns:r="{R}"><w:body>{body}</w:body></w:document>'
    return package(
        "word/document.xml",
        {"word/document.xml": document, "word/styles.xml": styles, **(parts or {})},
        {"styles": "styles.xml", **(targets or {})},
        core,
    )


def paragraph(text: str, style: str = "") -> str:
    """Return a paragraph of Word."""
    named = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{named}<w:r><w:t>{escape(text)}</w:t></w:r></w:p>"


def shape(text: str, kind: str = "") -> str:
    """Return a shape of a slide."""
    held = f'<p:nvPr><p:ph type="{kind}"/></p:nvPr>' if kind else "<p:nvPr/>"
    lines = "".join(f"<a:p><a:r><a:t>{escape(line)}</a:t></a:r></a:p>" for line in text.split("\n"))
    return f'<p:sp><p:nvSpPr><p:cNvPr id="1" name="x"/>{held}</p:nvSpPr><p:txBody>{lines}</p:txBody></p:sp>'


def slide(shapes: str, root: str = "sld") -> str:
    """Return a slide, or its notes."""
    names = f'xmlns:p="{P}" xmlns:a="{A}" xmlns:r="{R}"'
    return f"<p:{root} {names}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:{root}>"


def pptx(slides: Sequence[str], parts: Parts | None = None, targets: Mapping[str, str] | None = None) -> bytes:
    """Return a presentation of these slides."""
    ids = "".join(f'<p:sldId id="{256 + n}" r:id="s{n}"/>' for n in range(len(slides)))
    main = f'<p:presentation xmlns:p="{P}" xmlns:r="{R}"><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>'
    every = {"ppt/presentation.xml": main}
    every |= {f"ppt/slides/slide{n}.xml": one for n, one in enumerate(slides)}
    own = {f"slide#s{n}": f"slides/slide{n}.xml" for n in range(len(slides))}
    return package("ppt/presentation.xml", {**every, **(parts or {})}, {**own, **(targets or {})})


def xlsx(sheets: Mapping[str, str], parts: Parts | None = None) -> bytes:
    """Return a workbook; a sheet is the XML of its rows."""
    named = "".join(f'<sheet name="{name}" sheetId="{n + 1}" r:id="s{n}"/>' for n, name in enumerate(sheets))
    every = {"xl/workbook.xml": f'<workbook xmlns="{X}" xmlns:r="{R}"><sheets>{named}</sheets></workbook>'}
    for number, rows in enumerate(sheets.values()):
        every[f"xl/worksheets/sheet{number}.xml"] = f'<worksheet xmlns="{X}"><sheetData>{rows}</sheetData></worksheet>'
    targets = {f"worksheet#s{n}": f"worksheets/sheet{n}.xml" for n in range(len(sheets))}
    return package("xl/workbook.xml", {**every, **(parts or {})}, targets)


def row(number: int, *cells: str | float, first: str = "A") -> str:
    """Return a row of a sheet."""
    written = []
    for place, cell in enumerate(cells):
        at = f"{chr(ord(first) + place)}{number}"
        if isinstance(cell, str):
            written.append(f'<c r="{at}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>' if cell else "")
        else:
            written.append(f'<c r="{at}"><v>{cell}</v></c>')
    return f'<row r="{number}">{"".join(written)}</row>'


def open_document(kind: str, body: str, parts: Parts | None = None) -> bytes:
    """Return an OpenDocument file of a kind (`text`, `presentation`)."""
    names = " ".join(
        f'xmlns:{name}="{OD}:{name}:1.0"' for name in ("office", "text", "table", "draw", "presentation", "meta")
    )
    names += ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
    content = (
        f"<office:document-content {names}><office:body><office:{kind}>{body}</office:{kind}></office:body>"
        "</office:document-content>"
    )
    meta = (
        f"<office:document-meta {names}><office:meta><dc:title>Harbour report</dc:title>"
        "<meta:initial-creator>Ada Byron</meta:initial-creator><meta:keyword>tides</meta:keyword>"
        "<meta:creation-date>2024-05-31T10:20:30.123</meta:creation-date></office:meta></office:document-meta>"
    )
    type = f"application/vnd.oasis.opendocument.{kind}"
    manifest = '<manifest xmlns="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    own = {"mimetype": type, "META-INF/manifest.xml": manifest, "content.xml": content, "meta.xml": meta}
    return zipped({**own, **(parts or {})})


def flat(kind: str, body: str, meta: str = "") -> bytes:
    """Return an OpenDocument file that is one piece of XML."""
    names = " ".join(
        f'xmlns:{name}="{OD}:{name}:1.0"' for name in ("office", "text", "table", "draw", "presentation", "meta")
    )
    names += ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return (
        f"<?xml version='1.0' encoding='UTF-8'?><office:document {names}><office:meta>"
        f"<dc:title>Harbour report</dc:title>{meta}</office:meta><office:body><office:{kind}>{body}</office:{kind}>"
        "</office:body></office:document>"
    ).encode()


def epub(chapters: Sequence[str], parts: Parts | None = None) -> bytes:
    """Return a book; a chapter is the XHTML of its body."""
    items = "".join(
        f'<item id="c{n}" href="text/c%20{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    opf = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        "<dc:title>Harbour report</dc:title><dc:creator>Ada Byron</dc:creator><dc:date>2024-05-31</dc:date>"
        f"<dc:language>en</dc:language></metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/content.opf"/></rootfiles></container>'
    )
    pages = {
        f"OEBPS/text/c {n}.xhtml": f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{chapter}</body></html>'
        for n, chapter in enumerate(chapters)
    }
    named = {"META-INF/container.xml": container, "OEBPS/content.opf": opf}
    return zipped({"mimetype": "application/epub+zip", **named, **pages, **(parts or {})})


def hwpx(paragraphs: str, parts: Parts | None = None) -> bytes:
    """Return a document of Hangul; paragraphs of the shape 3 are headings of level 2."""
    section = f'<hs:sec xmlns:hs="urn:section" xmlns:hp="{HP}">{paragraphs}</hs:sec>'
    header = (
        '<hh:head xmlns:hh="urn:head"><hh:paraPr id="3"><hh:heading type="OUTLINE" idRef="0" level="1"/></hh:paraPr>'
        '<hh:paraPr id="4"><hh:heading type="NUMBER" idRef="0" level="0"/></hh:paraPr></hh:head>'
    )
    content = (
        '<opf:package xmlns:opf="http://www.idpf.org/2007/opf/"><opf:metadata><opf:title>항만 보고서</opf:title>'
        '<opf:language>ko</opf:language><opf:meta name="creator" content="text">홍길동</opf:meta>'
        '<opf:meta name="CreatedDate" content="text">2024-05-31T10:20:30Z</opf:meta></opf:metadata></opf:package>'
    )
    return zipped(
        {
            "mimetype": "application/hwp+zip",
            "Contents/content.hpf": content,
            "Contents/header.xml": header,
            "Contents/section0.xml": section,
            **(parts or {}),
        }
    )


def hp(text: str, shape: str = "0") -> str:
    """Return a paragraph of HWPX; `text` is what its run holds, words or XML."""
    held = text if text.startswith("<") else f"<hp:t>{text}</hp:t>"
    return f'<hp:p paraPrIDRef="{shape}"><hp:run>{held}</hp:run></hp:p>'


# --- compound files and what is kept in them -----------------------------------------------------------------------

_SECTOR = 512
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def compound(streams: Mapping[str, bytes]) -> bytes:
    """Return an OLE compound file; a name may lie in a storage: `BodyText/Section0` ([MS-CFB])."""
    storages = sorted({name[:at] for name in streams for at, sign in enumerate(name) if sign == "/"})
    names = ["Root Entry", *storages, *streams]
    sectors: list[bytes] = []
    fat: list[int] = []

    def kept(data: bytes) -> int:
        first = len(sectors)
        blocks = [data[at : at + _SECTOR].ljust(_SECTOR, b"\0") for at in range(0, len(data), _SECTOR)]
        sectors.extend(blocks)
        fat.extend([*range(first + 1, first + len(blocks)), _END])
        return first

    # Streams of less than 4,096 bytes would stand in sectors of their own kind: all are as long as that.
    starts = {name: kept(data.ljust(4096, b"\0")) for name, data in streams.items()}
    siblings: dict[str, list[str]] = {}
    for name in names[1:]:
        siblings.setdefault(name.rpartition("/")[0] or "Root Entry", []).append(name)
    entries = []
    for name in names:
        short = name.rpartition("/")[2]
        beside = next((group for group in siblings.values() if name in group), [])
        at = beside.index(name) + 1 if beside else 0
        right = names.index(beside[at]) if at and at < len(beside) else _FREE
        below = names.index(siblings[name][0]) if siblings.get(name) else _FREE
        type = 5 if name == "Root Entry" else 1 if name in storages else 2
        size = max(4096, len(streams[name])) if name in streams else 0
        entries.append(
            short.encode("utf-16-le").ljust(64, b"\0")
            + struct.pack("<HBBIII", 2 * len(short) + 2, type, 1, _FREE, right, below)
            + bytes(36)
            + struct.pack("<IQ", starts.get(name, _END if type == 5 else 0), size)
        )
    directory = kept(b"".join(entries))
    count = -(-(len(fat) + 1) // (_SECTOR // 4))
    first = len(sectors)
    fat.extend([_FAT] * count)
    table = struct.pack(f"<{len(fat)}I", *fat)
    table = table.ljust(count * _SECTOR, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, count, directory, 0, 4096, _END, 0, _END, 0)
    header += struct.pack("<109I", *[first + n if n < count else _FREE for n in range(109)])
    return header + b"".join(sectors) + table


def record(tag: int, level: int, data: bytes = b"") -> bytes:
    """Return a record of HWP 5."""
    head = tag | level << 10
    if len(data) >= 0xFFF:
        return struct.pack("<II", head | 0xFFF << 20, len(data)) + data
    return struct.pack("<I", head | len(data) << 20) + data


def said(text: str, level: int = 0, shape: int = 0, controls: str = "") -> bytes:
    """Return the records of a paragraph; `controls` are codes of what hangs on it, put before its text."""
    held = b"".join(struct.pack("<H", ord(one)) + bytes(12) + struct.pack("<H", ord(one)) for one in controls)
    head = struct.pack("<IIHBB", len(text) + 1, 0, shape, 0, 0)
    return record(66, level, head) + record(67, level + 1, held + f"{text}\r".encode("utf-16-le"))


def control(kind: str, level: int) -> bytes:
    """Return the record of a control of a kind, such as `tbl `."""
    return record(71, level, kind.encode()[::-1] + bytes(8))


def cell(text: str, level: int, column: int, row: int) -> bytes:
    """Return a cell of a table of HWP 5."""
    return record(72, level, struct.pack("<HHIHHHH", 1, 0, 0, column, row, 1, 1)) + said(text, level)


def hwp(section: bytes, flags: int = 1, streams: Mapping[str, bytes] | None = None) -> bytes:
    """Return a document of HWP 5; paragraphs of the shape 1 are headings of level 1."""

    def packed(data: bytes) -> bytes:
        deflate = zlib.compressobj(wbits=-15)
        return deflate.compress(data) + deflate.flush() if flags & 1 else data

    info = record(25, 0, struct.pack("<I", 0)) + record(25, 0, struct.pack("<I", 1 << 23))
    return compound(
        {
            "FileHeader": b"HWP Document File".ljust(32, b"\0") + struct.pack("<II", 0x05000300, flags),
            "DocInfo": packed(info),
            "\x05HwpSummaryInformation": summary({2: "항만 보고서", 4: "홍길동"}),
            "BodyText/Section0": packed(section),
            **(streams or {}),
        }
    )


def summary(strings: Mapping[int, str], saved: datetime | None = None) -> bytes:
    """Return a set of properties ([MS-OLEPS]) with these strings, a moment of creation and, maybe, of saving."""
    values = {
        id: struct.pack("<II", 31, len(text) + 1) + f"{text}\0".encode("utf-16-le") for id, text in strings.items()
    }
    for id, moment in {12: datetime(2024, 5, 31, 10, 20, 30, tzinfo=UTC), 13: saved}.items():
        if moment is not None:
            ticks = (moment - datetime(1601, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10
            values[id] = struct.pack("<IQ", 64, ticks)
    place = 8 + 8 * len(values)
    rows, data = b"", b""
    for id, value in values.items():
        rows += struct.pack("<II", id, place + len(data))
        data += value.ljust(-(-len(value) // 4) * 4, b"\0")
    section = struct.pack("<II", place + len(data), len(values)) + rows + data
    return (
        struct.pack("<HHI", 0xFFFE, 0, 2)
        + bytes(16)
        + struct.pack("<I", 1)
        + bytes(16)
        + struct.pack("<I", 48)
        + section
    )
