"""PDF: the text of its pages through PDFium, with values of forms, notes, rows of tables; its outline as headings.

The pictures on its pages are documents of their own. PDFium is not thread-safe: one document at a time in a process.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from quarry.indexer.loaders.base import Listener, Source
from quarry.indexer.loaders.decoding import clean
from quarry.indexer.loaders.pdf import outline
from quarry.indexer.loaders.pdf.hyphens import joiner
from quarry.indexer.loaders.pdf.layout import laid_out
from quarry.indexer.loaders.pdf.notes import added
from quarry.indexer.loaders.pdf.pictures import PagePictures, last_page
from quarry.indexer.loaders.pictures import xmp
from quarry.indexer.loaders.pictures.figures import Figures
from quarry.indexer.loaders.pictures.words import PictureWords
from quarry.indexer.loaders.scans.pages import is_unread
from quarry.indexer.loaders.titles import keywords, people, person, title_of
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed
from quarry.search.values.unread import Scan

MAX_BROKEN = 100  # pages in a row that can't be read, after which the page count is not believed
_NO_WORDS = "it holds no text, and shows none"
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)(\d\d)?)?\s*(?:([+-])(\d\d)'?(\d\d)?|Z)?")
_PACKET = re.compile(rb"<x:xmpmeta\b.{0,100000}?</x:xmpmeta>", re.S)  # PDF 2.0 has nothing else; seldom compressed
_TRAILING_SPACE = re.compile(r"(?<![ \t])[ \t]+$", re.M)


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
    figures = Figures(source)
    pictures = PagePictures(document, figures)
    try:
        document.init_forms()
        read = list(_pages(document, pictures, source.watch, last_page(source.wanted) or len(document)))
        pages = [text for text, _ in read]
        unread = tuple(number for number, (_, is_so) in enumerate(read, start=1) if is_so)
        scan = Scan(unread, hashlib.blake2b(data, digest_size=16).hexdigest()) if unread else None
        title, metadata = _metadata(document, data)
        contents = outline.entries(document)
        yield from figures.after(
            _documents(source, pages, contents, title, metadata, scan, has_pictures=len(figures) > 0), _NO_WORDS
        )
    finally:
        pictures.close()
        document.close()


def _documents(
    source: Source,
    pages: list[str],
    contents: Sequence[outline.Entry],
    title: str,
    metadata: dict[str, Any],
    scan: Scan | None,
    *,
    has_pictures: bool,
) -> Iterator[Parsed]:
    """Yield the text of the pages; none where there is none, but pictures."""
    join = joiner("\n".join(pages))
    pages = [_TRAILING_SPACE.sub("", clean(join(page))) for page in pages]
    starts: list[int] = []
    parts: list[str] = []
    place = 0
    for page in pages:
        starts.append(place)
        if page:
            parts.append(page)
            place += len(page) + 2
    text = "\n\n".join(parts)
    if not text and has_pictures and not scan:
        return
    if not text and not scan:
        raise FileMalformed(_NO_WORDS)
    metadata["pages"] = len(pages)
    headings = outline.headings(contents, text, starts)
    yield Parsed(
        text,
        source.format.type,
        title,
        metadata=metadata,
        page_starts=tuple(starts),
        headings=headings,
        scan=scan,
    )


def _explained(error: pdfium.PdfiumError) -> FileMalformed:
    code = getattr(error, "err_code", None)
    if code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
        return FileMalformed("it is encrypted; remove its password first, such as with qpdf --decrypt")
    return FileMalformed("it is damaged, PDFium can't open it; save it anew or repair it, such as with qpdf")


def _pages(document: Any, pictures: PagePictures, watch: Listener, last: int) -> Iterator[tuple[str, bool]]:
    """Read the pages; one that can't be read is empty, so that the others keep their numbers.

    Of each it is said whether it shows text that it does not hold.
    """
    broken = 0
    for number in range(min(last, len(document))):
        watch.reached(number / len(document))
        try:
            page = document[number]
        except pdfium.PdfiumError:
            broken += 1
            if broken > MAX_BROKEN:
                return
            yield "", False
            continue
        broken = 0
        try:
            text = _text(page, number, document.formenv, pictures)
            yield text, is_unread(page, text)
        finally:
            page.close()


def _text(page: Any, number: int, forms: Any, pictures: PagePictures) -> str:
    """Read a page, with the hyphens at its line ends as PDFium marks them, and look for its pictures."""
    try:
        words = page.get_textpage()
    except pdfium.PdfiumError:
        return ""
    try:
        text = words.get_text_range().translate(_LIGATURES).replace("\r\n", "\n")
        pictures.look(page, words, number + 1, text)
        return added(laid_out(text, words), page, words, forms)
    finally:
        words.close()


def _metadata(document: Any, data: bytes) -> tuple[str, dict[str, Any]]:
    title = title_of(_entry(document, b"Title"))
    found: dict[str, Any] = {}
    found |= {
        "author": people(_entry(document, b"Author")),
        "subject": person(_entry(document, b"Subject")),
        "keywords": keywords(_entry(document, b"Keywords")),
    }
    for name, key in (("date", b"CreationDate"), ("edited", b"ModDate")):
        found[name] = _date(_entry(document, key))
    said = xmp.read(packets[-1]) if (packets := _PACKET.findall(data)) else PictureWords()
    title = title or next(filter(None, map(title_of, said.titles)), "")
    found["author"] = found["author"] or people(*said.authors)
    found["date"] = found["date"] or next(iter(said.moments), "")
    return title, {name: value for name, value in found.items() if value}


def _entry(document: Any, key: bytes) -> str:
    """Return an entry of the document's information, "" where there is none; what of it is damaged is left out."""
    size = raw.FPDF_GetMetaText(document, key, None, 0)
    if not 2 < size <= 2**20:
        return ""
    buffer = ctypes.create_string_buffer(size)
    raw.FPDF_GetMetaText(document, key, buffer, size)
    return buffer.raw[: size - 2].decode("utf-16-le", "ignore")


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
