"""The files that can be read, a row for each format: its names, how its files begin, and the loader that reads them.

A new one is a row here and a file in `indexer/loaders/`; those of a medium's own stand in `search/media/`. Another
package that is installed brings rows by an entry point of the group `quarry.formats`. Every loader runs in the confined
child: no row can ask to be read elsewhere.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from quarry.search.media.base import Format as Format
from quarry.search.media.base import medium
from quarry.search.types import KINDS

_MEBIBYTE = 1024 * 1024
_WHOLE = 48 * _MEBIBYTE  # bytes of a text that is read whole where its parts need each other; else it is plain text
ANY = ("",)  # of `Format.under`: whatever the name says


_HTML_HEAD = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:(?:<!--(?:(?!-->).)*-->|<\?[^>]*>)\s*)*<(?:!doctype\s+html|html[\s>])", re.I | re.S
)
_CODE = """
    python py pyi pyx; javascript js mjs cjs jsx; typescript ts tsx mts cts; java java; kotlin kt kts; scala scala sc;
    groovy groovy gradle; c c h; c++ cc cpp cxx hh hpp hxx c++ h++ ino cu cuh; csharp cs; fsharp fs fsx;
    objective-c m mm;
    go go; rust rs; zig zig; swift swift; dart dart; ruby rb rake; perl pl pm perl pod; php php; lua lua; r r; julia jl;
    haskell hs; ocaml ml mli; elixir ex exs; erlang erl hrl; clojure clj cljs; lisp el lisp scm rkt; fortran f f90 f95;
    pascal pas; ada adb ads; assembly s asm; nim nim; d d; v v; vhdl vhd vhdl; systemverilog sv svh; solidity sol;
    shell sh bash zsh fish ksh csh tcsh; powershell ps1 psm1; batch bat cmd; awk awk; sql sql; graphql graphql gql;
    protobuf proto;
    thrift thrift; css css; scss scss; sass sass; less less; vue vue; svelte svelte; xml xsd xsl xslt;
    yaml yaml yml; toml toml; ini ini cfg conf properties desktop service socket timer; cmake cmake; make mk;
    dockerfile dockerfile; terraform tf hcl; nix nix;
    bibtex bib; diff diff patch; vim vim; tcl tcl; glsl glsl vert frag; cython pxd; starlark bzl;
    jinja jinja j2
"""


def _code() -> Iterator[Format]:
    for entry in _CODE.split(";"):
        language, *suffixes = entry.split()
        yield Format("texts/text", f"text/x-{language}", tuple(suffixes), language, is_streamed=True)


LEFT_OUT: dict[str, str] = {}  # why packages' formats can't be used, by the names of their entry points


def _installed() -> Iterator[Format]:
    """Yield the rows that other packages bring; what can't be imported is left out, and a warning says so."""
    for point in entry_points(group="quarry.formats"):
        try:
            yield from _rows_of(point)
        except Exception as error:  # whatever a stranger's module may raise
            LEFT_OUT[point.name] = f"{point.value}: {type(error).__name__}: {error}"
            warnings.warn(f"The formats of {point.name} are left out: {LEFT_OUT[point.name]}.", stacklevel=2)


def _rows_of(point: EntryPoint) -> tuple[Format, ...]:
    rows = tuple(point.load())
    for row in rows:
        if not isinstance(row, Format):
            raise TypeError(f"{row!r} is no Format")
    return rows


_ZIP = re.compile(rb"PK\x03\x04")
_OLE = re.compile(rb"\xd0\xcf\x11\xe0")
_EITHER = re.compile(rb"PK\x03\x04|\xd0\xcf\x11\xe0")  # encrypted, they are kept in what old ones are


def _office() -> Iterator[Format]:
    """Yield the rows of what office programs write."""
    word, sheet, slides = (
        f"application/vnd.openxmlformats-officedocument.{kind}"
        for kind in ("wordprocessingml.document", "spreadsheetml.sheet", "presentationml.presentation")
    )
    open_document = "application/vnd.oasis.opendocument."
    yield Format("office/docx", word, ("docx", "docm", "dotx", "dotm"), header=_EITHER, density=0.1, version=3)
    yield Format(
        "office/sheets", sheet, ("xlsx", "xlsm", "xltx", "xltm", "xlsb"), header=_EITHER, density=0.5, version=3
    )
    yield Format("office/sheets", "application/vnd.ms-excel", ("xls", "xlt"), header=_EITHER, density=0.3, version=2)
    yield Format("office/sheets", f"{open_document}spreadsheet", ("ods", "ots"), header=_ZIP, density=0.5, version=3)
    yield Format(
        "office/hangul",
        "application/x-hwp",
        ("hwp", "hwt"),
        header=re.compile(rb"PK\x03\x04|\xd0\xcf\x11\xe0|HWP Doc"),
        version=3,
    )
    yield Format("office/hangul", "application/hwp+zip", ("hwpx",), header=_EITHER, density=0.1, version=3)
    yield Format("office/opendocument", f"{open_document}text", ("odt", "ott"), header=_ZIP, density=0.1, version=3)
    yield Format(
        "office/opendocument", f"{open_document}presentation", ("odp", "otp"), header=_ZIP, density=0.02, version=3
    )
    flat = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|office:document|!--)")
    for kind, suffix in (("text", "fodt"), ("spreadsheet", "fods"), ("presentation", "fodp")):
        yield Format("office/flat", f"{open_document}{kind}-flat-xml", (suffix,), header=flat, most=64 * _MEBIBYTE)
    yield Format("office/epub", "application/epub+zip", ("epub",), header=_ZIP, density=0.8, version=3)
    yield Format(
        "office/rtf",
        "application/rtf",
        ("rtf",),
        magic=re.compile(rb"\{\\rtf"),
        under=("application/msword", "text/plain"),
        most=96 * _MEBIBYTE,
        version=2,
    )
    yield Format("office/old_office", "application/msword", ("doc", "dot"), header=_EITHER)
    yield Format("office/old_office", "application/vnd.ms-powerpoint", ("ppt", "pps", "pot"), header=_EITHER)
    yield Format(
        "office/pptx",
        slides,
        ("pptx", "pptm", "ppsx", "ppsm", "potx", "potm"),
        header=_EITHER,
        density=0.02,
        version=3,
    )


def _files_of_files() -> Iterator[Format]:
    """Yield the rows of what holds messages and files."""
    mbox = re.compile(rb"From [^\n]{1,200}\d\d:\d\d[^\n]{0,80}\n[!-9;-~]+:")
    mail = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:>?From [^\n]*\n)?[!-9;-~]+[ \t]*:")
    tar = re.compile(rb"\x1f\x8b|BZh|\xfd7zXZ\0|.{257}ustar|\0{512}", re.S)
    yield Format(
        "mail/message", "message/rfc822", ("eml", "mht", "mhtml"), header=mail, most=64 * _MEBIBYTE, density=0.3,
        version=3,
    )  # fmt: skip
    counted = re.compile(rb"\d{1,12}[ \t]*\r?\n")
    yield Format("mail/emlx", "message/x-emlx", ("emlx",), header=counted, most=64 * _MEBIBYTE, density=0.3)
    yield Format(
        "mail/mbox", "application/mbox", ("mbox", "mbx"), magic=mbox, under=("text/plain",), header=mbox,
        is_streamed=True, density=0.3, version=3,
    )  # fmt: skip
    yield Format("mail/outlook", "application/vnd.ms-outlook", ("msg", "oft"), header=_OLE, density=0.1, version=3)
    archive = re.compile(rb"PK(?:\x03\x04|\x05\x06)")  # the latter of an empty one
    tars = ("tar", "tgz", "tbz", "tbz2", "txz")
    yield Format("archives/archive", "application/zip", ("zip",), header=archive, is_streamed=True, version=3)
    yield Format("archives/archive", "application/x-tar", tars, header=tar, is_streamed=True, version=3)
    yield Format("archives/archive", "application/gzip", ("gz", "bz2", "xz"), header=tar, is_streamed=True, version=3)
    seven = re.compile(rb"7z\xbc\xaf\x27\x1c")
    rar = re.compile(rb"Rar!\x1a\x07")
    for type, suffixes, begins, version in (
        ("application/x-7z-compressed", ("7z",), seven, 2),
        ("application/vnd.rar", ("rar", "cbr"), rar, 1),
    ):
        yield Format(
            "archives/system", type, suffixes, header=begins, is_streamed=True, version=version,
            needs="libarchive.ffi", extra="pip install 'quarry-search[7z]', and the system's libarchive",
        )  # fmt: skip


_PLAYED = re.compile(  # how any of them begins: names of containers are often taken for one another
    rb"ID3|\xff[\xe2-\xfd]|fLaC|OggS|RF64|RIFF.{4}(?:WAVE|AVI )|\x1aE\xdf\xa3"
    rb"|.{4}(?:ftyp|moov|mdat|free|skip|wide|pnot)",
    re.S,
)


def _played() -> Iterator[Format]:
    """Yield the rows of sound and film."""
    for type, suffixes in (
        ("audio/mpeg", "mp3"),
        ("audio/wav", "wav"),
        ("audio/mp4", "m4a m4b"),
        ("audio/flac", "flac"),
        ("audio/ogg", "ogg oga opus"),
        ("video/mp4", "mp4 m4v"),
        ("video/quicktime", "mov"),
        ("video/x-matroska", "mkv"),
        ("video/webm", "webm"),
        ("video/x-msvideo", "avi"),
    ):
        yield Format(
            "sound/recording", type, tuple(suffixes.split()), header=_PLAYED, is_streamed=True, density=0.0,
            needs="av", extra="pip install 'quarry-search[sound]'",
        )  # fmt: skip


_HOLDING = frozenset(  # loaders of what may hold pictures
    [
        *(row.loader for row in _files_of_files()),
        *("office/docx", "office/pptx", "office/sheets", "office/hangul", "office/opendocument", "office/epub"),
        "office/flat",
        *("pdf/pdf", "web/html", "texts/notebook", "sound/recording"),
    ]
)
_CARD, _CALENDAR = (re.compile(rb"(?:\xef\xbb\xbf)?\s*BEGIN:V" + rest, re.I) for rest in (b"CARD", b""))
PLAIN = Format("texts/text", "text/plain", ("txt", "text", "log"), is_streamed=True)
ROWS: tuple[Format, ...] = (
    PLAIN,
    *_code(),
    Format("texts/text", "text/x-rst", ("rst", "rest"), is_streamed=True, version=2),
    Format("texts/text", "text/x-info", ("info",), is_streamed=True),
    Format(
        "texts/manual",
        "text/troff",
        ("man", "mdoc"),
        magic=re.compile(rb"\s*(?:['.]\\\"|[.](?:TH|Dd|de|so) +)"),
        under=("text/plain",),
        most=_WHOLE,
        beyond="texts/text",
        version=2,
    ),
    Format("texts/org", "text/x-org", ("org",), most=_WHOLE, beyond="texts/text", version=2),
    Format(
        "texts/latex", "text/x-tex", ("tex", "ltx", "sty", "cls"), "tex", most=_WHOLE, beyond="texts/text", version=2
    ),
    Format("texts/notebook", "application/x-ipynb+json", ("ipynb",), most=96 * _MEBIBYTE, density=0.3, version=3),
    Format("texts/subtitles", "application/x-subrip", ("srt",), most=_WHOLE, beyond="texts/text", density=0.6),
    Format("texts/subtitles", "text/vtt", ("vtt",), most=_WHOLE, beyond="texts/text", density=0.6),
    Format("texts/subtitles", "text/x-ssa", ("ass", "ssa"), most=_WHOLE, beyond="texts/text", density=0.4),
    Format(
        "mail/cards", "text/vcard", ("vcf",), header=re.compile(rb"(?:\xef\xbb\xbf)?\s*BEGIN:VCARD", re.I), version=2
    ),
    Format(
        "mail/cards", "text/calendar", ("ics",), header=re.compile(rb"(?:\xef\xbb\xbf)?\s*BEGIN:V", re.I), version=2
    ),
    Format("texts/markdown", "text/markdown", ("md", "markdown", "mdown", "mkd", "mdx"), is_streamed=True),
    Format(
        "web/html",
        "text/html",
        ("html", "htm", "xhtml", "xht"),
        magic=_HTML_HEAD,
        under=("text/plain", "text/x-xml", "application/pdf", "application/msword", "application/vnd.ms-excel"),
        is_streamed=True,
        density=0.3,
        version=3,
    ),
    Format("web/svg", "image/svg+xml", ("svg",), most=_WHOLE, density=0.1),
    Format("web/xml", "text/x-xml", ("xml", "rss", "atom", "rdf", "opml"), "xml", is_streamed=True, version=2),
    Format(
        "pdf/pdf",
        "application/pdf",
        ("pdf",),
        magic=re.compile(rb"%PDF-"),
        under=ANY,
        header=re.compile(rb".*?%PDF-", re.S),
        density=0.03,
        version=3,
    ),
    *_office(),
    *_files_of_files(),
    *_played(),
    Format("tables/table", "text/csv", ("csv",), is_streamed=True),
    Format("tables/table", "text/tab-separated-values", ("tsv", "tab"), is_streamed=True),
    Format("tables/records", "application/json", ("json",)),
    Format("tables/records", "application/jsonl", ("jsonl", "ndjson"), is_streamed=True),
    *(row for kind in KINDS for row in medium(kind).formats),
    *_installed(),
)
# By suffix; those of others take none that is taken.
FORMATS: Mapping[str, Format] = {f".{suffix}": row for row in reversed(ROWS) for suffix in row.suffixes}

# What is no text, whatever its name says; of the formats above, those whose magic is no accident.
FOREIGN = (
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old office document"),
    (b"\x1f\x8b\x08", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\x7fELF", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"SQLite format 3\x00", "an SQLite database"),
)


# Names whose end says nothing of a type: those of documentation (README.Debian, NEWS.2023, Makefile.am), numbers of
# sections of manuals, turns and versions (ls.1, perlop.1p, syslog.1), and what is an example, or configures something
# (settings.py.sample, configure.in, sources.list, dot.bashrc).
_VAGUE = re.compile(
    r"(?:read_?me|news|change(?:s|_?logs?)|copy(?:ing|right)|licen[cs]e|notice|authors|contributors|credits|thanks|todo"
    r"|install|bugs|faq|hacking|history|release_?notes|makefile|dockerfile|jenkinsfile)\b.*"
    r"|.+\.(?:example|sample|template|tmpl|dist|in|am|m4|list|rules|config|local|cron|fstab|readme|\w*(?:rc|profile))"
    r"|.+\.[1-9](?:\d|p|pm|perl|posix|ssl|x|x11|t|tcl|const|type|head|edit|java|ncurses)?",
    re.I | re.S,
)


# A message of a Maildir (https://cr.yp.to/proto/maildir.html): the second it came, what delivered it, the host, flags.
_OF_MAILDIR = re.compile(r"\d{9,10}\.[\w=+-]+\.[\w.,=+-]+(?:[:;!-]2,[A-Za-z]*)?")


def is_vague(path: Path) -> bool:
    """Whether a name says nothing of what is in its file, which is read where that is text, and passed by if not."""
    return not path.suffix or (path.suffix.lower() not in FORMATS and _VAGUE.fullmatch(path.name) is not None)


def format_of(path: Path) -> Format | None:
    """Return what a name stands for; one that is vague (README, Makefile) may be plain text's."""
    if is_vague(path):
        return PLAIN
    return FORMATS.get(path.suffix.lower()) or (FORMATS[".eml"] if _OF_MAILDIR.fullmatch(path.name) else None)


def supported(path: Path) -> bool:
    """Whether a file of this name would be read, by the name alone; one whose name is vague may still be refused."""
    return format_of(path) is not None


LACKING = "read only after"  # and what is to be done


def lacks(path: str) -> str:
    """Say what is to be installed before a file of this name can be read, "" for nothing."""
    form = FORMATS.get(os.path.splitext(path)[1].lower())  # noqa: PTH122  # of each file that there is
    return form.extra if form is not None and form.needs and not _is_there(form.needs) else ""


def installed() -> set[str]:
    """Return what was installed so that all formats can be read, as `lacks` says it of what was not."""
    return {form.extra for form in FORMATS.values() if form.needs and _is_there(form.needs)}


@cache
def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except Exception:  # what a package raises that misses a library of the system's
        return False


def is_picture(path: Path) -> bool:
    """Whether a file of this name would be read as a picture."""
    form = format_of(path)
    return form is not None and form.kind == "image"


def may_hold_pictures(path: Path) -> bool:
    """Whether a file of this name is a picture, or may hold pictures."""
    return is_picture(path) or holds_files(path)


def holds_files(path: Path) -> bool:
    """Whether a file of this name may hold others, which have loaders of their own."""
    form = format_of(path)
    return form is not None and form.loader in _HOLDING


def version_of(path: str) -> int:
    """Return the version of the loader that reads a file of this name; what another one read is read anew."""
    form = FORMATS.get(os.path.splitext(path)[1].lower())  # noqa: PTH122  # of each file that there is
    if form is None and _OF_MAILDIR.fullmatch(path.rpartition("/")[2]):
        form = FORMATS[".eml"]
    return form.version if form is not None else 1


def is_picture_content(head: bytes) -> bool:
    """Whether a file that begins so would be read as a picture; one that is empty is told from none."""
    return not head or any(row.kind == "image" and row.magic and row.magic.match(head) for row in ROWS)


def recognized(head: bytes, form: Format) -> Format | None:
    """Return the format that a file has by its first bytes, where that may stand under the name of `form`."""
    for row in ROWS:
        if row.magic is not None and form.type.startswith(row.under) and row.magic.match(head):
            return row
    return None
