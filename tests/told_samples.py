"""What files say of themselves: a small file of each format that says all that it can, and what is read of it.

The table in `docs/formats.md` is made of these, and `tests/loaders/test_told.py` holds them to it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from PIL import Image

from tests import mail_files, office_files
from tests.office_files import OD, paragraph, row, shape, slide

# Who, when, when last, about what: as every format has them that has any.
TITLE, ADA, BOTH, WORDS = "Harbour report", "Ada Byron", ["Ada Byron", "홍길동"], ["tides", "moon"]
MADE, EDITED, DAY = "2024-05-31T10:20:30+00:00", "2024-06-01T08:00:00+00:00", "2024-05-31"
FIELDS = ("title", "author", "date", "edited", "keywords", "lang", "latitude")  # of the table
_SEOUL = {"latitude": 37.55, "longitude": 126.99}
_CORE = (
    '<cp:coreProperties xmlns:cp="urn:core" xmlns:dc="urn:dc" xmlns:dcterms="urn:dcterms"><dc:title>Harbour report'
    "</dc:title><dc:creator>Ada Byron; 홍길동</dc:creator><dcterms:created>2024-05-31T10:20:30Z</dcterms:created>"
    "<dcterms:modified>2024-06-01T08:00:00Z</dcterms:modified><cp:keywords>tides, moon</cp:keywords>"
    "<dc:language>ko-KR</dc:language></cp:coreProperties>"
)
_OFFICE = {"title": TITLE, "author": BOTH, "date": MADE, "edited": EDITED, "keywords": WORDS, "lang": "ko-KR"}
_OLD = {"title": TITLE, "author": BOTH, "date": MADE, "edited": EDITED, "keywords": WORDS}
_PAGE = {"title": TITLE, "date": DAY, "edited": "2024-06-01", "keywords": WORDS, "lang": "ko", **_SEOUL}
_PLAIN = {"title": TITLE, "author": ADA, "date": DAY, "keywords": WORDS, "lang": "ko"}
_ENTRY = {"title": TITLE, "edited": EDITED, "keywords": "tides", **_SEOUL}
_DATED = datetime(2024, 6, 1, 8, tzinfo=UTC)
_META = (
    f'<m xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:meta="{OD}:meta:1.0"><dc:title>Harbour report</dc:title>'
    "<meta:initial-creator>Ada Byron; 홍길동</meta:initial-creator><meta:keyword>tides</meta:keyword>"
    "<meta:keyword>moon</meta:keyword><meta:creation-date>2024-05-31T10:20:30.5</meta:creation-date>"
    "<dc:date>2024-06-01T08:00:00</dc:date><dc:language>ko-KR</dc:language></m>"
)
_OPEN = {**_OFFICE, "date": MADE[:19], "edited": EDITED[:19]}
_OPF = (
    '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>'
    "Harbour report</dc:title><dc:creator>Ada Byron</dc:creator><dc:creator>홍길동</dc:creator><dc:date>2024-05-31"
    '</dc:date><meta property="dcterms:modified">2024-06-01T08:00:00Z</meta><dc:language>ko</dc:language></metadata>'
    '<manifest><item id="c0" href="text/c%200.xhtml" media-type="application/xhtml+xml"/></manifest><spine>'
    '<itemref idref="c0"/></spine></package>'
)
_HPF = (
    '<opf:package xmlns:opf="http://www.idpf.org/2007/opf/"><opf:metadata><opf:title>Harbour report</opf:title>'
    '<opf:language>ko</opf:language><opf:meta name="creator">Ada Byron; 홍길동</opf:meta>'
    '<opf:meta name="CreatedDate">2024-05-31T10:20:30Z</opf:meta><opf:meta name="keyword">tides,moon</opf:meta>'
    '<opf:meta name="ModifiedDate">2024-06-01T08:00:00Z</opf:meta></opf:metadata></opf:package>'
)
_RTF = (
    rb"{\rtf1\ansi\ansicpg65001{\info{\title Harbour report}{\author Ada Byron; \u-10675?\u-20936?\u-19495?}{\keywords "
    rb"tides, moon}{\creatim\yr2024\mo5\dy31\hr10\min20}{\revtim\yr2024\mo6\dy1\hr8\min0}}Body.\par}"
)
_HTML = """<html lang="ko"><head><title>Harbour report</title><meta name="author" content="Ada Byron">
<meta property="article:published_time" content="2024-05-31"><meta name="keywords" content="tides, moon">
<meta http-equiv="last-modified" content="2024-06-01"><meta name="geo.position" content="37.55;126.99"></head>
<body><p>Body.</p></body></html>"""
_LINKED = """<html><head><title>Harbour report</title><script type="application/ld+json">{"@graph": [
{"@type": "WebSite", "author": "Nobody"},
{"@type": ["NewsArticle"], "author": [{"name": "Ada Byron"}, {"name": "홍길동"}],
"datePublished": "2024-05-31", "dateModified": "2024-06-01", "keywords": ["tides", "moon"], "inLanguage": "ko",
"contentLocation": {"geo": {"latitude": 37.55, "longitude": 126.99}}}]}</script></head><body>Body.</body></html>"""
_RST = """Harbour report
==============

:Author: Ada Byron
:Date: 2024-05-31
:Keywords: tides, moon
:Language: ko

Body.
"""
_ORG = """#+TITLE: Harbour report
#+AUTHOR: Ada Byron
#+DATE: <2024-05-31 Fri>
#+FILETAGS: :tides:moon:
#+LANGUAGE: ko

Body.
"""
_MD = """---
title: Harbour report
author: [Ada Byron, 홍길동]
date: 2024-05-31
keywords: [tides, moon]
lang: ko
latitude: 37.55
longitude: 126.99
---
Body.
"""
_FEED = """<rss version="2.0" xmlns:dc="urn:dc" xmlns:geo="urn:geo" xmlns:georss="urn:georss"><channel>
<title>News</title><item><title>Harbour report</title><dc:creator>Ada Byron</dc:creator>
<pubDate>Fri, 31 May 2024 10:20:30 +0000</pubDate>
<georss:point>37.55 126.99</georss:point><description>Body.</description></item></channel></rss>"""
_EVENT = """BEGIN:VCALENDAR
BEGIN:VEVENT
UID:1
SUMMARY:Harbour report
ORGANIZER:mailto:ada@example.org
DTSTART:20240531T102030Z
LAST-MODIFIED:20240601T080000Z
CATEGORIES:tides
GEO:37.55;126.99
END:VEVENT
END:VCALENDAR
"""
_CARD = """BEGIN:VCARD
VERSION:4.0
UID:1
FN:Ada Byron
CATEGORIES:tides
REV:20240601T080000Z
GEO:geo:37.55,126.99
END:VCARD
"""
_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmp:CreateDate="2024-05-31T10:20:30Z" photoshop:City="서울" '
    'photoshop:Country="대한민국"><dc:title><rdf:Alt><rdf:li>Harbour report</rdf:li></rdf:Alt></dc:title><dc:creator>'
    "<rdf:Seq><rdf:li>Ada Byron</rdf:li><rdf:li>홍길동</rdf:li></rdf:Seq></dc:creator></rdf:Description></rdf:RDF>"
    "</x:xmpmeta>"
)


def samples() -> dict[str, tuple[bytes, Mapping[str, Any]]]:
    """Return by the name of a file what is in it, and the fields of its first document, its title among them."""
    summary = office_files.summary({2: TITLE, 4: "Ada Byron; 홍길동", 5: "tides, moon"}, saved=_DATED)
    rows = row(1, "Port", "Level") + row(2, "Busan", 5) + row(3, "Seoul", 6)
    own = {"docProps/core.xml": _CORE}
    table = "<table:table-row>" + "".join(
        f'<table:table-cell office:value-type="string"><text:p>{word}</text:p></table:table-cell>' for word in "ab"
    )
    sheet = f'<table:table table:name="One">{table}</table:table-row></table:table>'
    cells = {"Port": "Busan", "Level": 5}
    whose = {name: _OFFICE[name] for name in ("author", "date", "edited")}
    notebook = {
        "metadata": {"title": TITLE, "authors": [{"name": ADA}]},
        "cells": [{"cell_type": "raw", "source": "B"}],
    }
    mail = {"title": "한국 Tides of the harbour", "author": "아서 Ada", "date": "2024-05-31T10:20:30+09:00"}
    sent = {"title": "Tides of the harbour", "author": ADA, "date": "2024-05-31T01:20:30+00:00"}
    return {
        "a.docx": (office_files.docx(paragraph("Body."), core=_CORE), _OFFICE),
        "a.pptx": (office_files.pptx([slide(shape("Body."))], own), _OFFICE),
        "a.xlsx": (office_files.xlsx({"One": rows}, own), {"title": "", **whose, **cells}),
        "a.odt": (office_files.open_document("text", "<text:p>Body.</text:p>", {"meta.xml": _META}), _OPEN),
        "a.odp": (_presentation(), _OPEN),
        "a.ods": (office_files.open_document("spreadsheet", sheet, {"meta.xml": _META}), _OPEN),
        "a.msg": (mail_files.outlook(), sent),
        "a.hwp": (office_files.hwp(office_files.said("Body."), 0, {"\x05HwpSummaryInformation": summary}), _OLD),
        "a.hwpx": (
            office_files.hwpx(office_files.hp("Body."), {"Contents/content.hpf": _HPF}),
            {**_OFFICE, "lang": "ko"},
        ),
        "a.epub": (
            office_files.epub(["<p>Body.</p>"], {"OEBPS/content.opf": _OPF}),
            {"title": TITLE, "author": BOTH, "date": DAY, "edited": EDITED, "lang": "ko"},
        ),
        "a.rtf": (_RTF, {**_OLD, "date": "2024-05-31T10:20:00", "edited": "2024-06-01T08:00:00"}),
        "info.pdf": (
            _pdf("<</Title(Harbour report)/Author(Ada Byron)/Keywords(tides, moon)/CreationDate(D:20240531102030Z)"
                 "/ModDate(D:20240601080000Z)>>"),
            {"title": TITLE, "author": ADA, "date": "2024-05-31T10:20:30Z", "edited": "2024-06-01T08:00:00Z",
             "keywords": WORDS},
        ),
        "xmp.pdf": (_pdf("<<>>", _XMP), {"title": TITLE, "author": BOTH, "date": MADE}),
        "a.eml": (mail_files.MESSAGE, mail),
        "a.mbox": (mail_files.mbox(mail_files.MESSAGE), mail),
        "a.ics": (_EVENT.encode(), {**_ENTRY, "author": "ada@example.org", "date": MADE}),
        "a.vcf": (_CARD.encode(), {**_ENTRY, "title": ADA}),
        "meta.html": (_HTML.encode(), {**_PAGE, "author": ADA}),
        "linked.html": (_LINKED.encode(), {**_PAGE, "author": BOTH}),
        "a.rss": (
            _FEED.encode(),
            {"title": TITLE, "author": ADA, "date": MADE, "latitude": "37.55", "longitude": "126.99"},
        ),
        "a.md": (_MD.encode(), {**_PLAIN, "author": BOTH, **_SEOUL}),
        "a.rst": (_RST.encode(), _PLAIN),
        "a.org": (_ORG.encode(), _PLAIN),
        "a.tex": (
            rb"\title{Harbour report}\author{Ada Byron \and Bo}\date{31 May 2024}\begin{document}Body.\end{document}",
            {"title": TITLE, "author": [ADA, "Bo"], "date": "31 May 2024"},
        ),
        "a.ipynb": (json.dumps(notebook).encode(), {"title": TITLE, "author": ADA}),
        "a.csv": (
            f"title,author,date,latitude,longitude,text\n{TITLE},{ADA},{DAY},37.55,126.99,Body.\nB,C,,1.5,2.5,D\n".encode(),
            {"title": TITLE, "author": ADA, "date": DAY, **_SEOUL},
        ),
        "exif.jpg": (
            _picture(),
            {"title": "", "author": ADA, "date": MADE[:19], "taken": MADE[:19], **_SEOUL},
        ),
        "xmp.jpg": (
            _picture(_XMP),
            {"title": TITLE, "author": BOTH, "date": MADE, "taken": MADE, "town": "서울", "country": "대한민국",
             "keywords": ["서울", "대한민국"]},
        ),
    }  # fmt: skip


def _presentation() -> bytes:
    page = "<draw:page><text:p>Body.</text:p></draw:page>"
    return office_files.open_document("presentation", page, {"meta.xml": _META})


def _pdf(info: str, xmp: str = "") -> bytes:
    stream = "BT /F 12 Tf 9 9 Td (Body.) Tj ET"
    objects = [
        "<</Type/Catalog/Pages 2 0 R/Metadata 6 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 5 0 R/Resources<</Font<</F 4 0 R>>>>>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        f"<</Length {len(stream)}>>stream\n{stream}\nendstream",
        f"<</Type/Metadata/Subtype/XML/Length {len(xmp.encode())}>>stream\n{xmp}\nendstream",
        info,
    ]
    data, places = b"%PDF-1.7\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj{one}endobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer<</Size {len(objects) + 1}/Root 1 0 R"
    return data + f"{end}/Info 7 0 R>>\nstartxref\n{len(data)}\n%%EOF".encode()


def _picture(xmp: str = "") -> bytes:
    exif = Image.Exif()
    if not xmp:
        exif[0x013B], exif[0x9003] = ADA, "2024:05:31 10:20:30"
        exif[0x8769] = {0x9003: "2024:05:31 10:20:30"}
        exif[0x8825] = {1: "N", 2: (37, 33, 0), 3: "E", 4: (126, 59, 24)}
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), "navy").save(stream, "JPEG", exif=exif, xmp=xmp.encode())
    return stream.getvalue()
