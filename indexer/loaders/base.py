"""What can be read, and the way from a file to what is in it.

A file goes to the parser that its suffix names, after a look at its first bytes: a PDF or HTML page under another name
is read as what it is, a picture under another picture's name, too; a binary under a text's name is refused. A name
without a suffix (README, Makefile) is read as text where it holds text.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from quarry.indexer.loaders.decoding import is_text
from quarry.search import openings
from quarry.search.errors import FileMalformed, FileUnreadable, UnsupportedType
from quarry.search.types import Parsed, Preprocessing

MEBIBYTE = 1024 * 1024
GIBIBYTE = 1024 * MEBIBYTE
TOO_GREEDY = "it needs more memory than a parser may have; split it"
_HEAD = 4096


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How files are read.

    Args:
        max_bytes: the largest file that is read whole.
        max_streamed: the largest file of rows (CSV, TSV, JSON Lines), which are read one after the other.
        text_fields: fields of a row that make up its text, where the row has any of them; else they are guessed.
        title_field: field of a row that is its title; else guessed.
        id_field: field of a row that names it; else `id` or `_id`, else its number does.
        preprocessing: the size and cut of a picture's pixels; None where no model asks for any: 224 x 224, squashed.
        thumbnails: whether pictures get one.
    """

    max_bytes: int = 256 * MEBIBYTE
    max_streamed: int = 16 * GIBIBYTE
    text_fields: tuple[str, ...] = ()
    title_field: str = ""
    id_field: str = ""
    preprocessing: Preprocessing | None = None
    thumbnails: bool = True


@dataclass(frozen=True, slots=True)
class Format:
    """What a suffix stands for: the parser, the media type, and the language of source code."""

    parser: Literal["text", "markdown", "html", "xml", "pdf", "table", "records", "picture"]
    type: str
    language: str = ""

    @property
    def is_streamed(self) -> bool:
        """Whether it is read row by row, and so may be larger than what is read whole."""
        return self.parser == "table" or self.type == "application/jsonl"


@dataclass(frozen=True, slots=True)
class Source:
    """An open regular file. Parsers either `read` it whole or take the seekable `stream` a piece at a time."""

    stream: IO[bytes]
    format: Format
    options: LoadOptions
    path: Path

    def read(self) -> bytes:
        """Read it whole.

        Raises:
            FileMalformed: it is larger than `options.max_bytes`.
        """
        limit = self.options.max_bytes
        self.stream.seek(0)
        check_size(self.stream, limit)
        if len(data := self.stream.read(limit + 1)) <= limit:
            return data
        raise FileMalformed(too_large(limit))


_PLAIN = Format("text", "text/plain")
_HTML = Format("html", "text/html")
_PDF = Format("pdf", "application/pdf")
_CODE = """
    python py pyi pyx; javascript js mjs cjs jsx; typescript ts tsx mts cts; java java; kotlin kt kts; scala scala sc;
    groovy groovy gradle; c c h; c++ cc cpp cxx hh hpp hxx ino cu cuh; csharp cs; fsharp fs fsx; objective-c m mm;
    go go; rust rs; zig zig; swift swift; dart dart; ruby rb rake; perl pl pm; php php; lua lua; r r; julia jl;
    haskell hs; ocaml ml mli; elixir ex exs; erlang erl hrl; clojure clj cljs; lisp el lisp scm rkt; fortran f f90 f95;
    pascal pas; ada adb ads; assembly s asm; nim nim; d d; v v; vhdl vhd vhdl; systemverilog sv svh; solidity sol;
    shell sh bash zsh fish; powershell ps1 psm1; batch bat cmd; awk awk; sql sql; graphql graphql gql; protobuf proto;
    thrift thrift; css css; scss scss; sass sass; less less; vue vue; svelte svelte; xml xsd xsl xslt;
    yaml yaml yml; toml toml; ini ini cfg conf properties; cmake cmake; make mk;
    dockerfile dockerfile; terraform tf hcl; nix nix;
    tex tex sty cls; bibtex bib; diff diff patch; vim vim; tcl tcl; glsl glsl vert frag; cython pxd; starlark bzl;
    jinja jinja j2
"""


def _formats() -> Iterator[tuple[str, Format]]:
    for entry in _CODE.split(";"):
        language, *suffixes = entry.split()
        for suffix in suffixes:
            yield suffix, Format("text", f"text/x-{language}", language)
    for suffix in ("txt", "text", "log", "srt", "vtt", "org"):
        yield suffix, _PLAIN
    yield from ((suffix, Format("text", "text/x-rst")) for suffix in ("rst", "rest"))
    yield from ((suffix, Format("markdown", "text/markdown")) for suffix in ("md", "markdown", "mdown", "mkd", "mdx"))
    yield from ((suffix, _HTML) for suffix in ("html", "htm", "xhtml", "xht"))
    yield from ((suffix, Format("xml", "text/x-xml", "xml")) for suffix in ("xml", "rss", "atom", "rdf", "opml"))
    yield "pdf", _PDF
    yield "csv", Format("table", "text/csv")
    yield from ((suffix, Format("table", "text/tab-separated-values")) for suffix in ("tsv", "tab"))
    yield "json", Format("records", "application/json")
    yield from ((suffix, Format("records", "application/jsonl")) for suffix in ("jsonl", "ndjson"))
    yield from ((suffix, Format("picture", "image/jpeg")) for suffix in ("jpg", "jpeg", "jpe", "jfif"))
    yield from ((suffix, Format("picture", f"image/{suffix}")) for suffix in ("png", "webp", "gif", "bmp", "avif"))
    yield from ((suffix, Format("picture", "image/tiff")) for suffix in ("tif", "tiff"))
    yield from ((suffix, Format("picture", "image/heic")) for suffix in ("heic", "heif", "heics", "heifs", "hif"))


FORMATS: Mapping[str, Format] = {f".{suffix}": form for suffix, form in _formats()}

_DEFAULTS = LoadOptions()
_PICTURE_MAGIC = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|BM|RIFF.{4}WEBP|II[*+]\0|MM\0[*+]"
    rb"|.{4}ftyp(?:avi[fs]|hei[cxms]|hev[cxms]|mif[12]|msf1)",
    re.S,
)
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old office document"),
    (b"\x1f\x8b\x08", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\x7fELF", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"SQLite format 3\x00", "an SQLite database"),
)
_HTML_HEAD = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:(?:<!--(?:(?!-->).)*-->|<\?[^>]*>)\s*)*<(?:!doctype\s+html|html[\s>])", re.I | re.S
)


def supported(path: Path) -> bool:
    """Whether a file of this name would be read, by the name alone; one without a suffix may still be refused."""
    return not path.suffix or path.suffix.lower() in FORMATS


def is_picture(path: Path) -> bool:
    """Whether a file of this name would be read as a picture."""
    form = FORMATS.get(path.suffix.lower())
    return form is not None and form.parser == "picture"


def largest(path: Path, options: LoadOptions = _DEFAULTS) -> int:
    """Return how many bytes a file of this name may have; a larger one is refused by its size, and never read."""
    form = FORMATS.get(path.suffix.lower())
    return options.max_streamed if form is not None and form.is_streamed else options.max_bytes


def check_size(stream: IO[bytes], limit: int) -> None:
    """Raise FileMalformed where an open file is larger than `limit` bytes."""
    if os.fstat(stream.fileno()).st_size > limit:
        raise FileMalformed(too_large(limit))


def too_large(limit: int) -> str:
    """Say that a file is larger than `limit` bytes."""
    gibibytes, mebibytes = limit / GIBIBYTE, limit / MEBIBYTE
    return f"it is larger than {f'{gibibytes:.4g} GiB' if gibibytes >= 1 else f'{mebibytes:.4g} MiB'}; split it"


def is_picture_content(head: bytes) -> bool:
    """Whether a file that begins so would be read as a picture; one that is empty is told from none."""
    return not head or _PICTURE_MAGIC.match(head) is not None


def load(path: Path, options: LoadOptions | None = None, name: str = "") -> Iterator[Parsed]:
    """Read a file, a document at a time; an empty file has none.

    What a file that fails midway gave before is good, except where it "changed while it was read".

    Args:
        path: a regular file; links are not followed.
        name: what to go by instead of the path's own name, for content that was stored under another.

    Raises:
        UnsupportedType: no parser reads files of this name.
        FileUnreadable: it can't be opened, is no regular file, or changed while it was read.
        FileMalformed: it is damaged, encrypted or binary, or too large, which its size alone tells.
    """
    name, options = name or path.name, options or _DEFAULTS
    suffix = Path(name).suffix.lower()
    form = FORMATS.get(suffix) if suffix else _PLAIN
    if form is None:
        raise UnsupportedType(f"no parser reads {suffix} files")
    try:
        with open_regular(path) as stream:
            before = os.fstat(stream.fileno())
            if suffix:  # without one it may be anything, which is passed by whatever its size
                check_size(stream, largest(Path(name), options))
            form = _look(stream.read(_HEAD), form, suffix)
            check_size(stream, options.max_streamed if form.is_streamed else options.max_bytes)
            yield from _parser(form)(Source(stream, form, options, path))
            after = os.fstat(stream.fileno())
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise FileUnreadable("it changed while it was read; index it again")
    except OSError as error:
        raise FileUnreadable(f"it can't be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise FileMalformed(TOO_GREEDY) from error
    except RecursionError as error:
        raise FileMalformed("it is nested too deeply to parse") from error


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file for reading, and nothing else: no pipe is waited for, no device read, no link followed.

    No folder on the way to it may be a link either: it could have been put there since the folder was looked at.

    Raises:
        FileUnreadable: it is something else, or lies behind a link.
        OSError: it can't be opened.
    """
    try:
        return os.fdopen(openings.open_file(path), "rb")
    except openings.Elsewhere as error:
        if error.errno == errno.EINVAL:
            raise FileUnreadable("it is a folder, pipe, socket or device, not a file") from error
        if error.filename == os.fspath(path):
            raise FileUnreadable("it is a symbolic link; name the file that it leads to") from error
        raise FileUnreadable(f"it lies behind {error.filename}, where there is a link now, or no folder") from error


def _look(head: bytes, form: Format, suffix: str) -> Format:
    """Correct what the suffix says by what the first bytes say."""
    if head.startswith(b"%PDF-"):
        return _PDF
    if form.parser == "picture":
        if not is_picture_content(head):
            raise FileMalformed(f"it is no picture, whatever {suffix} says; give it the suffix of its own type")
        return form
    for magic, what in _MAGIC:
        if head.startswith(magic):
            if not suffix:
                raise UnsupportedType(f"it is {what}")
            raise FileMalformed(f"it is {what}, not what {suffix} says; give it the suffix of its own type")
    if form in (_PLAIN, _PDF, FORMATS[".xml"]) and _HTML_HEAD.match(head):
        return _HTML
    if form == _PDF and head and b"%PDF-" not in head:
        raise FileMalformed("it is no PDF, its header is missing; give it the suffix of its own type")
    if not suffix and not is_text(head):
        raise UnsupportedType("it holds binary data and its name has no suffix")
    return form


def _parser(form: Format) -> Callable[[Source], Iterator[Parsed]]:
    """Import a parser with the libraries it needs when it is first used."""
    match form.parser:
        case "text":
            from quarry.indexer.loaders import text

            return text.parse
        case "markdown":
            from quarry.indexer.loaders import markdown

            return markdown.parse
        case "html":
            from quarry.indexer.loaders import html

            return html.parse
        case "xml":
            from quarry.indexer.loaders import xml

            return xml.parse
        case "pdf":
            from quarry.indexer.loaders import pdf

            return pdf.parse
        case "table":
            from quarry.indexer.loaders import table

            return table.parse
        case "records":
            from quarry.indexer.loaders import records

            return records.parse
        case "picture":
            from quarry.indexer.loaders import picture

            return picture.parse
