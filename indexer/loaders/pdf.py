"""PDF: the text of its pages, through PDFium. PDFium is not thread-safe: one document at a time in a process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from indexer.loaders.base import Source
from indexer.loaders.decoding import clean, one_line
from search.errors import FileMalformed
from search.types import Parsed

MAX_BROKEN = 100  # pages in a row that can't be read, after which the page count is not believed
_HYPHEN = re.compile("(?:\x02|\ufffe|\u00ad)(?:\r?\n)?")  # how PDFium marks a hyphen at the end of a line
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)(\d\d)?)?\s*(?:([+-])(\d\d)'?(\d\d)?|Z)?")
_TRAILING_SPACE = re.compile(r"(?<![ \t])[ \t]+$", re.M)
_NO_TITLE = re.compile(
    r"untitled|unbenannt|제목 없음|document\d*|title|.*\.(?:docx?|dvi|indd|odt|pdf|ps|qxd|rtf|tex|txt|xlsx?)", re.I
)


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document with its page starts.

    Raises:
        FileMalformed: it is encrypted or damaged, or holds no text.
    """
    data = source.read()
    if not data:
        return
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        raise _explained(error) from error
    try:
        pages = list(_pages(document))
        title, metadata = _metadata(document)
    finally:
        document.close()
    starts: list[int] = []
    parts: list[str] = []
    place = 0
    for page in pages:
        starts.append(place)
        if page:
            parts.append(page)
            place += len(page) + 2
    text = "\n\n".join(parts)
    if not text:
        raise FileMalformed("it holds no text, only pictures of it; run OCR over it first, such as ocrmypdf")
    metadata["pages"] = len(pages)
    yield Parsed(text, source.format.type, title, metadata=metadata, page_starts=tuple(starts))


def _explained(error: pdfium.PdfiumError) -> FileMalformed:
    code = getattr(error, "err_code", None)
    if code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
        return FileMalformed("it is encrypted; remove its password first, such as with qpdf --decrypt")
    return FileMalformed("it is damaged, PDFium can't open it; save it anew or repair it, such as with qpdf")


def _pages(document: Any) -> Iterator[str]:
    """Read the pages; one that can't be read is empty, so that the others keep their numbers."""
    broken = 0
    for number in range(len(document)):
        try:
            page = document[number]
        except pdfium.PdfiumError:
            broken += 1
            if broken > MAX_BROKEN:
                return
            yield ""
            continue
        broken = 0
        try:
            yield _text(page)
        finally:
            page.close()


def _text(page: Any) -> str:
    try:
        words = page.get_textpage()
    except pdfium.PdfiumError:
        return ""
    try:
        text = words.get_text_range()
    finally:
        words.close()
    text = _HYPHEN.sub("", text).translate(_LIGATURES)
    return _TRAILING_SPACE.sub("", clean(text))


def _metadata(document: Any) -> tuple[str, dict[str, Any]]:
    fields: dict[str, str] = document.get_metadata_dict(skip_empty=True)
    title = one_line(fields.get("Title", "")).removeprefix("Microsoft Word - ").strip()
    if _NO_TITLE.fullmatch(title):
        title = ""
    found: dict[str, Any] = {}
    if author := one_line(fields.get("Author", "")):
        found["author"] = author
    if subject := one_line(fields.get("Subject", "")):
        found["subject"] = subject
    if created := _date(fields.get("CreationDate", "")):
        found["date"] = created
    return title, found


def _date(text: str) -> str:
    """Turn a PDF date, `D:20240131235959+09'00'` (ISO 32000-1, 7.9.4), into ISO 8601, "" where it is none."""
    match = _DATE.match(text.strip())
    if match is None:
        return ""
    year, month, day, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
    if not 1 <= int(month or 1) <= 12 or not 1 <= int(day or 1) <= 31:
        return ""
    found = f"{year}-{month or '01'}-{day or '01'}"
    if hour:
        found += f"T{hour}:{minute}:{second or '00'}"
        found += f"{sign}{zone_hours}:{zone_minutes or '00'}" if sign else "Z"
    return found
