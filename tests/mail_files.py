"""Messages and archives made for tests, from nothing."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.office_files import compound

WORDS = "Tides of the harbour"
MESSAGE = f"""From: =?utf-8?b?7JWE7ISc?= "Ada" <ada@example.org>
To: Bo <bo@example.org>, "Lee, Cy" <cy@example.org>
Cc: =?x-unknown?q?D=C3=A9?= <de@example.org>
Subject: =?euc-kr?b?x9GxuQ==?= {WORDS}
Date: Fri, 31 May 2024 10:20:30 +0900
Message-ID: <one@example.org>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8

Am 30. Mai schrieb Bo:
> When is high water?
> Bo

High water is at nine.
--\x20
Ada Byron
--inner
Content-Type: text/html

<p>High water is at nine.</p>
--inner--
--outer
Content-Type: text/csv; name="levels.csv"
Content-Disposition: attachment
Content-Transfer-Encoding: base64

cG9ydCxsZXZlbApCdXNhbiwzCg==
--outer
Content-Type: message/rfc822

From: Bo <bo@example.org>
Subject: Forwarded

Inner words.
--outer--
""".encode()
HTML = b"""From: a@example.org
Subject: Only HTML
Content-Type: text/html; charset=ks_c_5601-1987
Content-Transfer-Encoding: quoted-printable

<html><head><style>p {}</style></head><body><h1>=C7=D7=B1=B8</h1><p>Low water.</p></body></html>
"""


def mbox(*messages: bytes) -> bytes:
    """Return a mailbox of messages."""
    mark = b"From ada@example.org Fri May 31 10:20:30 2024\n"
    return b"\n".join(mark + one.replace(b"\nFrom ", b"\n>From ") for one in messages)


def zipped(members: Mapping[str, bytes]) -> bytes:
    """Return a zip file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return stream.getvalue()


def tarred(members: Mapping[str, bytes], kind: str = "") -> bytes:
    """Return a tar file, compressed where `kind` says how, with links and a device beside its members."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=f"w:{kind}") as file:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
        for type in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("link.txt")
            info.type, info.linkname = type, "/etc/passwd"
            file.addfile(info)
    return stream.getvalue()


def seven(members: Mapping[str, bytes]) -> bytes:
    """Return a 7-Zip archive."""
    import libarchive

    with TemporaryDirectory() as folder:
        place = Path(folder, "a.7z")
        with libarchive.file_writer(str(place), "7zip") as file:
            for name, data in members.items():
                file.add_file_from_memory(name, len(data), data)
        return place.read_bytes()


def rar(members: Mapping[str, bytes]) -> bytes:
    """Return a RAR archive of version 5, whose members are stored as they are."""

    def number(value: int) -> bytes:
        return bytes([value & 127 | 128]) + number(value >> 7) if value > 127 else bytes([value])

    def block(kind: int, flags: int, body: bytes, data: bytes = b"") -> bytes:
        size = number(len(data)) if data else b""
        head = number(kind) + number(flags | (2 if data else 0)) + size + body
        head = number(len(head)) + head
        return struct.pack("<I", zlib.crc32(head)) + head + data

    files = b""
    for name, data in members.items():
        told = number(4) + number(len(data)) + number(0o100644) + struct.pack("<I", zlib.crc32(data))
        files += block(2, 0, told + number(0) + number(1) + number(len(name.encode())) + name.encode(), data)
    return b"Rar!\x1a\x07\x01\x00" + block(1, 0, number(0)) + files + block(5, 0, number(0))


def outlook(body: Mapping[str, bytes] | None = None) -> bytes:
    """Return a message as Outlook saves it, with an attachment and a message within."""
    properties = bytes(32) + struct.pack("<HHIQ", 0x0040, 0x0039, 0, 133615920300000000)  # 2024-05-31T01:20:30Z
    inner = "__attach_version1.0_#00000001/__substg1.0_3701000D/"
    return compound(
        {
            "__properties_version1.0": properties,
            "__substg1.0_0037001F": utf16(WORDS),
            "__substg1.0_0C1A001F": utf16("Ada Byron"),
            "__substg1.0_5D01001F": utf16("ada@example.org"),
            "__substg1.0_0E04001F": utf16("Bo; Cy"),
            **(body or {"__substg1.0_1000001F": utf16("High water is at nine.")}),
            "__attach_version1.0_#00000000/__substg1.0_3707001F": utf16("levels.csv"),
            "__attach_version1.0_#00000000/__substg1.0_37010102": b"port,level\nBusan,3\n".ljust(4096, b"\n"),
            "__attach_version1.0_#00000001/__substg1.0_3001001F": utf16("Forwarded"),
            f"{inner}__properties_version1.0": bytes(24),
            f"{inner}__substg1.0_0037001F": utf16("Forwarded"),
            f"{inner}__substg1.0_1000001E": b"Inner words.",
        }
    )


def utf16(text: str) -> bytes:
    """Return a property that is text."""
    return text.encode("utf-16-le")


def samples() -> dict[str, bytes]:
    """Return a small valid file of each format, by the names of files."""
    files = {"notes.txt": WORDS.encode(), "a/mail.eml": MESSAGE}
    return {
        "a.eml": MESSAGE,
        "a.mbox": mbox(MESSAGE, HTML),
        "a.msg": outlook(),
        "a.zip": zipped(files),
        "a.tar": tarred(files),
        "a.tgz": tarred(files, "gz"),
        "a.7z": seven(files),
        "a.rar": rar(files),
        "a.emlx": b"%d\n%s<plist/>" % (len(MESSAGE), MESSAGE),
        "a.svg": f"<svg xmlns='http://www.w3.org/2000/svg'><title>{WORDS}</title><text>High</text></svg>".encode(),
        "a.txt.gz": gzip.compress(WORDS.encode()),
        "a.ipynb": json.dumps({"cells": [{"cell_type": "markdown", "source": [f"# {WORDS}\n", "High."]}]}).encode(),
        "a.tex": (
            rb"\documentclass{a}\title{T}\begin{document}\section{One} $x^2$ \'e {\bf b} \emph{c}"
            rb"\begin{tabular}{l} a & b \\ \end{tabular}\end{document}"
        ),
        "a.org": f"#+TITLE: {WORDS}\n* TODO One :tag:\n[[a][b]]\n".encode(),
        "a.srt": f"1\n00:00:01,000 --> 00:00:02,000\n{WORDS}\n\n2\n00:00:03,000 --> 00:00:04,000\nTwo\n".encode(),
        "a.ass": f"[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,{WORDS}\n".encode(),
        "a.vcf": f"BEGIN:VCARD\nFN:{WORDS}\nN:A;B;;;\nNOTE;ENCODING=QUOTED-PRINTABLE:=41\nEND:VCARD\n".encode(),
        "a.ics": f"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:{WORDS}\nDTSTART:20240531\nEND:VEVENT\n".encode(),
        "a.py": f'class Tide(Base):\n    def high(self, a: int):\n        """{WORDS}"""\n'.encode(),
        "a.c": f"/* {WORDS} */\nstatic int *low(int a, char **b)\n{{\n  if (a) {{ }}\n}}\n".encode(),
        "a.ts": b"export class A<T, U> {\n  async high(x: number): Promise<void> {\n  }\n}\n",
    }
