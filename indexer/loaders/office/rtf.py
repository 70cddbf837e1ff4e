"""Rich Text Format: text with headings, rows of tables, footnotes, what is known of it ([MSFT-RTF] 1.9.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.office.flow import Flow
from quarry.indexer.loaders.office.paragraphs import Box, Paragraph, Table, Typesetter
from quarry.indexer.loaders.titles import keywords, people, title_of
from quarry.indexer.loaders.web.markup import words
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed

_TOKEN = re.compile(
    rb"\\(?:([a-zA-Z]{1,32})(-?\d{1,10})? ?|'([0-9a-fA-F]{2})|([^a-zA-Z]))|([{}])|([^\\{}\r\n]+)|[\r\n]+"
)
_DEEPEST = 1_000  # groups
_SPELLED = {
    "tab": "\t", "line": "\n", "emdash": "—", "endash": "–", "bullet": "•", "lquote": "‘", "rquote": "’",
    "ldblquote": "“", "rdblquote": "”", "emspace": " ", "enspace": " ", "qmspace": " ",
}  # fmt: skip
_SYMBOLS = {b"~": "\u00a0", b"_": "-", b"\\": "\\", b"{": "{", b"}": "}", b"\n": "\n", b"\r": "\n"}
_CHARSETS = {0: 1252, 77: 10000, 78: 932, 128: 932, 129: 949, 130: 1361, 134: 936, 136: 950, 161: 1253, 162: 1254,
             163: 1258, 177: 1255, 178: 1256, 186: 1257, 204: 1251, 222: 874, 238: 1250, 254: 437}  # fmt: skip
_SKIPPED = words(
    "fonttbl colortbl stylesheet pict objdata filetbl listoverridetable rsidtbl generator xmlnstbl themedata "
    "colorschememapping latentstyles datastore fldinst datafield bkmkstart bkmkend pntext pntxta pntxtb listtext "
    "mmathPr nonshppict sp atnid atnauthor atrfstart atrfend atndate atnref comment operator company private ftnsep "
    "ftnsepc aftnsep aftnsepc do passwordhash userprops wgrffmtfilter protusertbl docvar category manager "
    "listtable revtbl"
)
_MARGINS = words("header headerl headerr headerf footer footerl footerr footerf")
_TIMES = frozenset({"creatim", "revtim"})
_INFO = _TIMES | {"title", "author", "subject", "keywords"}


@dataclass(slots=True)
class _State:
    """What a group has, and those within it inherit."""

    skipped: bool = False
    codec: str = "cp1252"
    skip: int = 1  # bytes that stand for a character after its number, for old readers
    in_info: bool = False
    info: str = ""
    level: int = 0
    in_table: bool = False
    deleted: bool = False
    hidden: bool = False
    box: Box | None = None  # that begins here


@dataclass(slots=True)
class _Reader:
    """What was read so far."""

    codec: str = "cp1252"
    fonts: dict[int, str] = field(default_factory=dict)
    levels: dict[int, int] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)
    times: dict[str, dict[str, int]] = field(default_factory=dict)
    paragraphs: list[Paragraph] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    raw: bytearray = field(default_factory=bytearray)
    attached: list[Table | Box] = field(default_factory=list)
    cells: list[list[Paragraph]] = field(default_factory=list)
    rows: list[list[list[Paragraph]]] = field(default_factory=list)


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document."""
    data = source.read()
    if not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{\\rtf"):
        if not data.strip():
            return
        raise FileMalformed("it is no RTF, its header is missing; give it the suffix of its own type")
    walk = _Walk(_tables(data))
    walk.run(data)
    reader = walk.reader
    setter = Typesetter(Flow())
    setter.write(reader.paragraphs)
    setter.end()
    metadata: dict[str, Any] = {
        "author": people(reader.info.get("author", "")),
        "subject": reader.info.get("subject", "").strip(),
        "keywords": keywords(reader.info.get("keywords", "")),
        "date": _date(reader.times.get("creatim", {})),
        "edited": _date(reader.times.get("revtim", {})),
    }
    title = title_of(reader.info.get("title", ""))
    yield from setter.flow.parsed(source.format.type, title, {name: value for name, value in metadata.items() if value})


def _tables(data: bytes) -> _Reader:
    """Read the tables of fonts and styles: which codecs they stand for, and which levels of headings."""
    reader = _Reader()
    head = data[: 1 << 20]
    if page := re.search(rb"\\ansicpg(\d{1,5})", head):
        reader.codec = _codec(int(page[1]))
    for font, charset in re.findall(rb"\\f(\d{1,5})[^{};]{0,80}?\\fcharset(\d{1,3})", head):
        reader.fonts[int(font)] = _codec(_CHARSETS.get(int(charset), 0)) if int(charset) > 1 else reader.codec
    if start := head.find(rb"{\stylesheet") + 1:
        for style in re.finditer(rb"\{\\s(\d{1,5})\b([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}", head[start : start + (1 << 18)]):
            named = re.search(rb"heading ([1-9])\s*;|\\outlinelevel([0-8])\b", style[2], re.I)
            if named:
                reader.levels[int(style[1])] = int(named[1]) if named[1] else int(named[2]) + 1
    return reader


class _Walk:
    """Goes over the tokens once, without recursion."""

    def __init__(self, reader: _Reader) -> None:
        self.reader = reader
        self._state = _State(codec=reader.codec)
        self._stack: list[_State] = []
        self._kept: list[tuple[list[str], list[Paragraph], list[Table | Box], list[list[Paragraph]], list[Any]]] = []
        self._pending = 0  # characters left to skip after one that was given by its number

    def run(self, data: bytes) -> None:
        at = 0
        length = len(data)
        while at < length:
            match = _TOKEN.match(data, at)
            if match is None:  # a backslash at the very end
                break
            at = match.end()
            word, number, byte, symbol, brace, text = match.groups()
            if text is not None or byte is not None:
                self._bytes(text if text is not None else bytes([int(byte, 16)]))
                continue
            self._flush()
            if brace == b"{":
                if len(self._stack) >= _DEEPEST:
                    raise FileMalformed("its groups are nested too deeply; it is damaged or hostile, leave it out")
                self._stack.append(self._state)
                self._state = replace(self._state, box=None)
                if data.startswith(b"\\*", at) and not data.startswith(
                    (b"\\*\\annotation", b"\\*\\shptxt", b"\\*\\shpinst"), at
                ):
                    self._state.skipped = True
            elif brace == b"}":
                self._close()
            elif symbol is not None:
                self._say(_SYMBOLS.get(symbol, ""))
            elif word is not None:
                name, value = word.decode("ascii"), int(number) if number is not None else None
                if name == "bin":
                    at += max(0, min(value or 0, length - at))
                else:
                    self._word(name, value)
        self._flush()
        while self._kept:
            self._close()
            if not self._stack:
                break
        self._paragraph()
        self._end_table()

    def _bytes(self, text: bytes) -> None:
        if self._pending:
            dropped = min(self._pending, len(text))
            self._pending -= dropped
            text = text[dropped:]
        if not self._state.skipped and not self._state.deleted and not self._state.hidden:
            self.reader.raw += text

    def _flush(self) -> None:
        """Decode the bytes that were read last: what two of them stand for may come as two tokens."""
        if self.reader.raw:
            text = self.reader.raw.decode(self._state.codec, "replace")
            self.reader.raw.clear()
            self._say(text)

    def _say(self, text: str) -> None:
        state = self._state
        if state.info:
            self.reader.info[state.info] = self.reader.info.get(state.info, "") + text
        elif not state.skipped and not state.deleted and not state.hidden:
            self.reader.text.append(text)

    def _word(self, name: str, value: int | None) -> None:
        state, reader = self._state, self.reader
        if name == "u" and value is not None:
            self._say(chr(value % 65536))
            self._pending = state.skip
            return
        self._pending = 0
        if name in _INFO and state.in_info:
            state.info, state.skipped = name, name in _TIMES
        elif name in ("yr", "mo", "dy", "hr", "min") and state.info in _TIMES:
            reader.times.setdefault(state.info, {})[name] = value or 0
        elif name in _SKIPPED:
            state.skipped = True
        elif name == "info":
            state.skipped = state.in_info = True
        elif name in ("footnote", "annotation", "shptxt") or name in _MARGINS:
            self._open("margin" if name in _MARGINS else "comment" if name == "annotation" else "text")
        elif name in ("par", "sect", "page"):
            self._paragraph()
        elif name == "cell":
            self._cell()
        elif name == "row":
            self._row()
        elif name in ("pard", "trowd"):
            state.level, state.in_table = (0, False) if name == "pard" else (state.level, state.in_table)
        elif name == "intbl":
            state.in_table = True
        elif name == "outlinelevel":
            state.level = value + 1 if value is not None and 0 <= value < 9 else 0
        elif name == "s" and value is not None:
            state.level = reader.levels.get(value, 0)
        elif name == "f" and value is not None:
            state.codec = reader.fonts.get(value, reader.codec)
        elif name == "uc":
            state.skip = min(max(value if value is not None else 1, 0), 8)
        elif name in ("deleted", "v"):
            on = value != 0
            state.deleted, state.hidden = (on, state.hidden) if name == "deleted" else (state.deleted, on)
        elif name == "plain":
            state.deleted = state.hidden = False
        elif name in _SPELLED:
            self._say(_SPELLED[name])

    def _open(self, kind: Any) -> None:
        """Begin a note, comment or box: what is read from here to the end of the group is its own."""
        reader = self.reader
        if self._state.box is not None:
            return
        self._state.skipped = self._state.skipped and kind != "comment"
        self._kept.append((reader.text, reader.paragraphs, reader.attached, reader.cells, reader.rows))
        reader.text, reader.paragraphs, reader.attached, reader.cells, reader.rows = [], [], [], [], []
        self._state.box = Box([], kind)
        self._state.in_table = False

    def _close(self) -> None:
        reader, box = self.reader, self._state.box
        if box is not None and self._kept:
            self._paragraph()
            self._end_table()
            box.paragraphs = reader.paragraphs
            reader.text, reader.paragraphs, reader.attached, reader.cells, reader.rows = self._kept.pop()
            reader.attached.append(box)
        self._pending = 0
        if self._stack:
            self._state = self._stack.pop()

    def _paragraph(self) -> None:
        reader = self.reader
        text = "".join(reader.text).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        reader.text.clear()
        attached, reader.attached = reader.attached, []
        if not self._state.in_table:
            self._end_table()
        if text.strip() or attached:
            into = self._cell_paragraphs() if self._state.in_table else reader.paragraphs
            into.append(Paragraph(text, self._state.level, attached=attached))

    def _cell_paragraphs(self) -> list[Paragraph]:
        if not self.reader.cells:
            self.reader.cells.append([])
        return self.reader.cells[-1]

    def _cell(self) -> None:
        self._state.in_table = True
        self._paragraph()
        self._cell_paragraphs()
        self.reader.cells.append([])

    def _row(self) -> None:
        reader = self.reader
        if reader.cells:
            reader.rows.append(reader.cells[:-1] if len(reader.cells) > 1 else reader.cells)
            reader.cells = []

    def _end_table(self) -> None:
        reader = self.reader
        self._row()
        if reader.rows:
            reader.paragraphs.append(Paragraph(attached=[Table(reader.rows)]))
            reader.rows = []


def _codec(number: int) -> str:
    name = {10000: "mac_roman", 65001: "utf-8", 1361: "johab"}.get(number, f"cp{number}")
    try:
        "".encode(name)
    except LookupError:
        return "cp1252"
    return name


def _date(said: dict[str, int]) -> str:
    try:
        moment = datetime(said["yr"], said["mo"], said["dy"], said.get("hr", 0), said.get("min", 0))
    except (KeyError, ValueError):
        return ""
    return moment.isoformat()
