"""Bytes to clean text: which encoding, and what never comes out of it.

UTF-8 and byte order marks are looked for first, then what the file declares of itself, then chardet guesses.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from quarry.indexer.loaders import guessing
from quarry.search.errors import FileMalformed
from quarry.search.values.places import Place

SAMPLE = 256 * 1024  # bytes; what a guess is made from
_BLOCK = 1024 * 1024
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16's does, so it is looked for first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What a page that names the left one means, by https://encoding.spec.whatwg.org/#names-and-labels
_WEB_NAMES = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
}
_BINARY = bytes(set(range(32)) - set(b"\t\n\r\f\b\x1b"))  # control bytes that text has no use for
_FOREIGN = re.compile(rb"[\x80-\xff\x1b]")
_HIGH = bytes(range(128, 256))
_SHORT = 64  # bytes that are no ASCII; with fewer, statistics mislead
_STRAY = "quarry-stray"  # how bytes that are no UTF-8 are read
_SURELY_UTF8 = re.compile(
    rb"\xc3[\x80-\xbf]|\xc2[\xa0-\xbf]|\xe2(?:\x80[\x90-\xbf]|\x82\xac|\x84\xa2)|\xf0\x9f[\x80-\xbf]{2}"
)
_ISO_2022 = re.compile(rb"\x1b[$(]")
_NEWLINES = re.compile("\r\n|[\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")
_UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_RARE_NEWLINES = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_OUTER = re.compile(rf"(?:\s|{_UNWANTED.pattern})*")
_ASCII = {code: _UNWANTED.sub("", _NEWLINES.sub("\n", chr(code))) for code in range(128)}
_SPACES = re.compile(r"\s+")


def clean(text: str) -> str:
    """Text with `\\n` for every newline, without outer white space, control characters (but tabs) and surrogates."""
    if text.isascii():  # ten times as fast as the expressions below
        return text.replace("\r\n", "\n").translate(_ASCII).strip()
    return _UNWANTED.sub("", _NEWLINES.sub("\n", text)).strip()


def lines(text: str, kept: str | None = None) -> Place | None:
    """Return the lines that `clean(text)` is, as editors count them, None where they may count otherwise.

    Args:
        kept: the end of `clean(text)` that is meant; all of it where none is given.
    """
    if _RARE_NEWLINES.search(text):
        return None
    begin = _OUTER.match(text)
    first = 1 + newlines(text[: begin.end() if begin else 0])
    cleaned = clean(text)
    last = first + cleaned.count("\n")
    if kept is None:
        return Place(lines=(first, last))
    return Place(lines=(last - kept.count("\n"), last)) if cleaned.endswith(kept) else None


def newlines(text: str) -> int:
    """Count the ends of lines of a text that is not cleaned."""
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def one_line(text: str, limit: int = 500) -> str:
    """Clean text on one line, such as a title, cut after `limit` characters."""
    return _SPACES.sub(" ", clean(text))[:limit].strip(" \u200b\u200c\u200d\u2060")


def decode(data: bytes, declared: str = "") -> str:
    """Decode a whole file; bytes that fit nowhere become U+FFFD.

    Args:
        declared: the encoding that the content names for itself; followed only where the bytes agree with it.

    Raises:
        FileMalformed: the bytes are no text in any encoding.
    """
    encoding = encoding_of(data, declared)
    return data.decode(encoding, _errors(encoding))


@contextmanager
def reading(stream: IO[bytes], newline: str | None = None, declared: str = "") -> Iterator[io.TextIOWrapper]:
    """Decode a seekable stream as it is read, however long it is, and leave it open.

    The whole of it is read once beforehand to tell whether it is UTF-8.

    Args:
        newline: as of `open`.
        declared: as of `decode`.

    Raises:
        FileMalformed: the bytes are no text in any encoding.
    """
    doubt = _first_doubt(stream)
    if doubt is None:
        encoding = "utf-8-sig"
    else:
        stream.seek(0)
        head = stream.read(4)
        stream.seek(max(0, doubt - SAMPLE // 2) // 4 * 4)
        sample = stream.read(SAMPLE)
        encoding = next((name for bom, name in _BOMS if head.startswith(bom)), "") or encoding_of(sample, declared)
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding, _errors(encoding), newline=newline)
    try:
        yield text
    finally:
        text.detach()


def is_text(data: bytes) -> bool:
    """Whether the beginning of a file is text in some encoding."""
    try:
        encoding_of(data)
    except FileMalformed:
        return False
    return True


def encoding_of(data: bytes, declared: str = "") -> str:
    """Name the codec that reads `data`, to be used with `errors="replace"`.

    Raises:
        FileMalformed: the bytes are no text in any encoding.
    """
    for bom, name in _BOMS:
        if data.startswith(bom):
            return name
    if data.isascii() and _ISO_2022.search(data) and (codec := _statistics(data[:SAMPLE])):
        return codec
    if _binary_share(data) > 0.02:
        return _encoding_with_nul(data[:SAMPLE])
    if data.isascii() or _decodes(data, "utf-8") or _mostly_utf8(data):
        return "utf-8"
    if (codec := _known(declared)) and not codec.startswith("utf") and _decodes(data, codec):
        return codec
    return _guess(data) or "cp1252"


def _encoding_with_nul(sample: bytes) -> str:
    nul = sample.count(0) / len(sample)
    if _binary_share(sample) - nul <= 0.02 and nul <= 0.3 and _mostly_utf8(sample):  # NULs between the parts of a text
        return "utf-8"
    if codec := guessing.utf16(sample):
        return codec
    guess = _statistics(sample)
    if guess.startswith(("utf-16", "utf-32")):
        return guess
    raise FileMalformed("it holds binary data, not text; give it the suffix of its own type, or leave it out")


def _guess(data: bytes) -> str:
    """Guess the codec, Western European where there is too little to go by; "" where nothing fits."""
    first = _FOREIGN.search(data)  # the guess is made where there is something to guess from
    start = max(0, first.start() - 1024) // 4 * 4 if first else 0
    sample = data[start : start + SAMPLE]
    foreign = len(sample) - len(sample.translate(None, _HIGH))
    is_short = foreign < _SHORT
    fitting = guessing.latin(sample, short=is_short)
    if len(fitting) == 1:
        return fitting[0]
    if fitting and (signs := len(set(sample) & set(_HIGH))) < 2:
        return fitting[0]
    if is_short and not fitting and guessing.hebrew(sample):
        return "cp1255"
    likely = _statistics(sample, is_short=is_short)
    if fitting:  # Baltic languages are rare beside those of the west
        is_rare = fitting[0] == "cp1252" and (likely == "cp1257" or (likely == "cp1250" and signs < 3))
        return likely if likely in fitting and not is_rare else fitting[0]
    if is_short and (codec := guessing.eastern(sample)):
        return codec
    if is_short and (old := guessing.latin(sample, short=False, old=True)):
        return old[0]
    return likely or ("cp1252" if foreign < 32 else "")


def _statistics(sample: bytes, *, is_short: bool = False) -> str:
    """Guess the codec by how often its signs follow each other; "" where nothing fits."""
    import chardet  # 65 ms, and most files are UTF-8

    found = chardet.detect(sample, compat_names=False)
    is_odd = is_short and not (found["encoding"] or "").startswith("iso")  # such as a code page of DOS for Arabic
    if found["encoding"] and found["confidence"] < (0.2 if is_odd else 0.1):
        found = chardet.detect(sample, compat_names=False, encoding_era=chardet.EncodingEra.MODERN_WEB)
        if found["confidence"] < 0.02:
            return ""
    return _known(found["encoding"] or "")


def _known(name: str) -> str:
    """Python's name for an encoding, "" where it has none or it is no text encoding."""
    try:
        info = codecs.lookup(name.strip())
    except (LookupError, ValueError):
        return ""
    if not info._is_text_encoding:
        return ""
    return _WEB_NAMES.get(info.name, info.name)


def _decodes(data: bytes, codec: str) -> bool:
    is_part = len(data) == SAMPLE  # which may end within a character
    try:
        codecs.getincrementaldecoder(codec)().decode(data, final=not is_part)
    except (UnicodeError, ValueError):
        return False
    return True


def _mostly_utf8(data: bytes) -> bool:
    """Whether what UTF-8 allows outnumbers what it doesn't by ten to one, or is what no text in Latin letters holds."""
    first = _FOREIGN.search(data)
    part = data[first.start() :][:_BLOCK] if first else b""
    text = part.decode("utf-8", "replace")
    if text.isascii():
        return True
    wrong = text.count("\ufffd")
    right = len(text) - len(text.encode("ascii", "ignore")) - wrong
    return right >= 10 * wrong or (right >= wrong and len(_SURELY_UTF8.findall(part)) >= wrong)


def _errors(encoding: str) -> str:
    return _STRAY if encoding.startswith("utf-8") else "replace"


def _stray(error: UnicodeError) -> tuple[str, int]:
    """Read a byte that stands alone in UTF-8 as Windows-1252, where it most likely comes from; others are U+FFFD."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    around = error.object[max(0, error.start - 1) : error.start] + error.object[error.start + 1 : error.start + 2]
    if around.isascii():
        return error.object[error.start : error.start + 1].decode("cp1252", "replace"), error.start + 1
    return "\ufffd", error.end


codecs.register_error(_STRAY, _stray)


def _binary_share(data: bytes) -> float:
    sample = data[:SAMPLE]
    return (len(sample) - len(sample.translate(None, _BINARY))) / max(1, len(sample))


def _first_doubt(stream: IO[bytes]) -> int | None:
    """Offset of the block that is not plain UTF-8 text, None where all of it is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = 0
    stream.seek(0)
    while block := stream.read(_BLOCK):
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            return offset + error.start
        for odd in (b"\0", b"\x1b"):
            if odd in block:
                return offset + block.index(odd)
        offset += len(block)
    return None if not decoder.getstate()[0] else max(0, offset - 4)
