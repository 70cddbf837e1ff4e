"""Pictures that stand in a document: each is a document of its own, `report.docx#image3.png`, and knows its place.

What is only decoration is left out: what is small, of one colour, a line, or a drawing without pixels. A picture that
comes again counts once, where it came first. One that can't be read costs nothing but itself.
"""

from __future__ import annotations

import hashlib
import io
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from quarry.indexer.formats import is_picture
from quarry.indexer.loaders.base import MEBIBYTE, Source
from quarry.indexer.loaders.decoding import clean, one_line
from quarry.search.errors import FileMalformed, LoadError
from quarry.search.types import Parsed
from quarry.search.values.places import Place

NO_WORDS = "it holds no text, only pictures; save it as PDF and run OCR over that, such as ocrmypdf"
MOST = 1_000  # pictures of a document
MOST_BYTES = 512 * MEBIBYTE  # of all of them, as they are kept
LARGEST = 64 * MEBIBYTE  # bytes of one
SHORTEST_SIDE = 64  # pixels
LEAST_PIXELS = 10_000
LONGEST_SHAPE = 12  # times as long as wide: rules, borders, bands
_LEAST_BYTES = 400
_LEAST_CONTRAST = 3.0  # standard deviation of its values, of 255
_NAMED = 5  # of those that can't be read
_LONGEST_CAPTION = 500  # characters
_CAPTION = re.compile(
    r"(?:fig(?:ure|ura|\.)?|abb(?:ildung|\.)?|photo(?:graph)?|image|picture|chart|diagram|exhibit|illustration|map|plate"
    r"|scheme|tafel|рис(?:унок|\.)?|그림|사진|도표|도|圖表?|图表?|図表?|写真)\s*\.?\s*(?:\d|[ivx]+\b|[a-z]\b[.:)])",
    re.I,
)
_AUTOMATIC = re.compile(  # what Office adds to what it sees in a picture
    r"(?:(?:Description )?automatically generated|자동 생성된 설명|AI-generated content may|AI 생성|AI 生成).*",
    re.I | re.S,
)
_SAYS_NOTHING = re.compile(
    r"(?:picture|image|photo|figure|graphic|grafik|bild|placeholder|object|그림|사진|이미지|개체|图片|図)\s*\d*"
    r"|\S+\.\w{2,4}|https?://\S+|(?:그림입니다\.|원본 그림의 ).*",
    re.I | re.S,
)


@dataclass(slots=True)
class Figure:
    """A picture in a document.

    Args:
        read: returns its bytes when its turn comes, so that one at a time is held.
        words: what is said about it: its alternative text, its caption.
        section: the heading that it stands under.
    """

    name: str
    read: Callable[[], bytes]
    place: Place | None = None
    words: list[str] = field(default_factory=list)
    section: str = ""


class Figures:
    """Gathers a document's pictures while it is read, and gives them when it has been."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._found: list[Figure] = []
        self._waiting: list[Figure] = []  # for a caption that follows
        self._within: list[Figure] = []  # those in the paragraph that is read
        self._caption = ""  # that no picture has yet

    def __len__(self) -> int:
        return len(self._found)

    def add(
        self,
        name: str,
        read: Callable[[], bytes],
        alt: str = "",
        *,
        caption: str = "",
        place: Place | None = None,
        section: str = "",
    ) -> None:
        """Add a picture by its name, which tells what it is; one that has no pixels is none.

        Args:
            read: returns its bytes, b"" where it proves to be none.
            caption: where it is known; else `say` finds it.
        """
        if len(self._found) > 10 * MOST or not is_picture(Path(name)):
            return
        figure = Figure(name, read, place, list(filter(None, [telling(alt), caption])), section)
        self._found.append(figure)
        if caption:
            return
        if self._caption:
            figure.words.append(self._caption)
        else:
            self._waiting.append(figure)
            self._within.append(figure)

    def say(self, text: str, *, is_caption: bool = False) -> None:
        """Take a paragraph that is a caption for that of the pictures before it, or else of those that follow.

        Args:
            is_caption: whether the document says that it is one, whatever its words.
        """
        within, self._within = self._within, []
        if not (text := one_line(text, _LONGEST_CAPTION)):
            return
        self._caption = ""
        if not is_caption and not captions(text):
            self._waiting = within
            return
        for figure in self._waiting:
            figure.words.append(text)
        self._caption = "" if self._waiting else text
        self._waiting = []

    def after(self, documents: Iterable[Parsed], nothing: str = NO_WORDS) -> Iterator[Parsed]:
        """Yield what else there is of a document, its text first, then its pictures.

        Args:
            nothing: what is said where there is no text, and no picture that can be read.

        Raises:
            FileMalformed: there is no text, and no picture that can be read.
        """
        first: Parsed | None = None
        for parsed in documents:
            first = first or parsed
            yield parsed
        pictures = self.documents(first.title, first.metadata) if first is not None else self.documents("", {})
        for parsed in pictures:
            first = first or parsed
            yield parsed
        if first is None and self._found:
            raise FileMalformed(nothing)

    def documents(self, title: str, about: Mapping[str, Any]) -> Iterator[Parsed]:
        """Yield the pictures; the last one's warning says which were left out, and why.

        Args:
            title, about: of the document that they stand in.
        """
        shared = {name: about[name] for name in ("author", "date") if name in about}
        shared["document"] = self._source.path.name
        page = "slide" if "presentation" in self._source.format.type else "page"
        seen: set[bytes] = set()
        failed: list[str] = []
        count = size = 0
        last: Parsed | None = None
        for figure in self._found:
            if count >= MOST or size > MOST_BYTES or len(failed) > MOST:
                failed.append(f"it holds more than {MOST:,} pictures, or {MOST_BYTES // MEBIBYTE} MiB of them")
                break
            if self._source.wanted not in ("", figure.name):
                continue
            self._source.watch.reached(0.0)  # of many that are left out there is nothing to be given
            try:
                if not (data := figure.read()):
                    continue
                size += len(data)
                digest = hashlib.blake2b(data, digest_size=16).digest()
                if digest in seen or not is_shown(data):
                    continue
                seen.add(digest)
                (parsed,) = self._source.within(figure.name, [data])
            except MemoryError:
                raise
            except LoadError as error:
                failed.append(f"{figure.name}: {error}")
                continue
            except Exception as error:  # what a library raises over a hostile picture is that picture's fault alone
                failed.append(f"{figure.name}: it can't be decoded ({type(error).__name__})")
                continue
            count += 1
            if _is_blank(parsed):
                continue
            if last is not None:
                yield last
            numbered: dict[str, Any] = {page: figure.place.page} if figure.place and figure.place.page else {}
            if figure.place and figure.place.seconds:
                numbered = {"second": figure.place.seconds[0]}
            last = _described(parsed, figure, title, shared | numbered)
        if last is not None:
            yield replace(last, warning=_told(failed))


def captions(text: str) -> bool:
    """Whether a paragraph begins as captions do: Figure 3, Abb. 2, 그림 1."""
    return _CAPTION.match(text) is not None


def telling(alt: str) -> str:
    """Return an alternative text as far as a person wrote it, or a program that looked at the picture."""
    text = _AUTOMATIC.sub("", clean(alt)).rstrip()
    return "" if _SAYS_NOTHING.fullmatch(text) else text


def name_of(path: str) -> str:
    """Return the last part of a path within a package."""
    return one_line(posixpath.basename(path), 100)


def is_shown(data: bytes) -> bool:
    """Whether a picture is large enough to be more than an ornament, by its header alone."""
    from quarry.search.formats import pixels

    if len(data) < _LEAST_BYTES:
        return False
    if len(data) > LARGEST:
        raise FileMalformed(f"it is larger than {LARGEST // MEBIBYTE} MiB")
    with pixels.opened(io.BytesIO(data)) as image:
        short, long = sorted(image.size)
    return short >= SHORTEST_SIDE and short * long >= LEAST_PIXELS and long <= LONGEST_SHAPE * short


def _is_blank(parsed: Parsed) -> bool:
    picture = parsed.picture
    return picture is None or float(picture.pixels.std()) < _LEAST_CONTRAST


def _described(parsed: Parsed, figure: Figure, title: str, shared: Mapping[str, Any]) -> Parsed:
    """Say of a picture where it stands, and what is said about it there."""
    words = list(dict.fromkeys(filter(None, [*figure.words, parsed.text])))
    metadata = {**shared, **parsed.metadata, **({"section": figure.section} if figure.section else {})}
    return replace(
        parsed,
        key=figure.name,
        text="\n\n".join(words),
        title=title or parsed.title or Path(str(shared["document"])).stem,
        metadata=metadata,
        place=figure.place,
        parts=tuple(replace(part, place=figure.place) for part in parsed.parts),
    )


def _told(failed: list[str]) -> str:
    if not failed:
        return ""
    more = f"; and {len(failed) - _NAMED:,} more" if len(failed) > _NAMED else ""
    return f"some of its pictures were left out ({'; '.join(failed[:_NAMED])}{more})"
