"""What a terminal shows of a passage: the part around its first match, wrapped to columns, matches in bold."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice

from quarry.api.cli.terminal import printable
from quarry.search.language.letters import border
from quarry.search.types import FieldMatch

MARGIN = 5  # columns before what belongs to a title

_WIDEST, _NARROWEST = 110, 20  # columns; below, lines are as wide, and the terminal breaks them
_BOLD, _PLAIN = "\x1b[1;33m", "\x1b[0m"
_ON, _OFF = "\x01", "\x02"  # around a match while lines are laid out; a text itself can't hold them (`printable`)
_LEAD = re.compile(r"(?P<mark>[ \t]*#{1,6}[ \t]+)?(?P<words>[^\n]*)(?P<end>\n+|\Z)")
_UNDERLINE = re.compile(r"[ \t]*([=~^\"'*+#.-])\1{2,}[ \t]*(\n+|\Z)")
_LONGEST = 20  # characters of a word that is left out rather than cut
_LOST = 4  # columns of a line, about, that its last word leaves empty
_PAUSES = "。、！？；：，．」』）"  # after which what is written without spaces may be cut
_CLOSING = frozenset(_PAUSES + "〉》】〕］”’·・…ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ")  # no line begins with these
_BEFORE = 3  # one part in three of a snippet stands before its first match


def columns(text: str) -> int:
    """Return how many columns a text takes: East Asian wide characters two, combining ones none."""
    return sum(map(_width, text))


def snippet(text: str, highlights: Iterable[tuple[int, int]], heading: str, width: int, lines: int) -> list[str]:
    """Return up to `lines` lines of a passage.

    Args:
        highlights: spans of `text` that match, ascending.
        heading: the headings above the passage, as a hit has it; its last is not said twice.
        width: columns of a line.
    """
    body = _body_start(text, heading)
    spans = [span for span in highlights if span[0] >= body]
    room = (width - _LOST) * lines
    start = _start(text, body, spans[0][0] if spans else body, room)
    marked = _marked(text, start, min(len(text), start + 2 * room), spans)  # some take no column
    laid = list(islice(_wrap(("… " if start > body else "") + marked, width), lines + 1))
    return list(_styled([*laid[: lines - 1], _cut(laid[lines - 1], width)] if len(laid) > lines else laid))


def field_line(field: FieldMatch, width: int) -> str:
    """Return a line that says which field of a document matches, and how."""
    before = f"{field.name}: "
    spans = [(start + len(before), end + len(before)) for start, end in field.highlights]
    return "".join(snippet(before + field.value, spans, "", width, 1))


def page_width() -> int:
    """Return how many columns a page of results takes: the terminal's, as far as lines stay readable."""
    return max(_NARROWEST, min(shutil.get_terminal_size().columns, _WIDEST))


def wrapped(text: str, highlights: Iterable[tuple[int, int]], width: int) -> list[str]:
    """Return all lines of a text, `highlights` in bold, white space as single spaces."""
    return list(_styled(_wrap(_marked(text, 0, len(text), highlights), width)))


def _body_start(text: str, heading: str) -> int:
    """Return where a passage begins to say what its headings, which are shown above it, don't say."""
    shown = {" ".join(part.split()) for part in heading.split(" > ")}
    at = 0
    while match := _LEAD.match(text, at):
        said = " ".join(match["words"].split()).rstrip("# ") in shown
        if not said or match.end() == len(text):
            return match.start("words") if match["mark"] else at
        at = match.end()
        underline = _UNDERLINE.match(text, at)
        if underline and underline.end() < len(text):
            at = underline.end()
    return at


def _start(text: str, body: int, first: int, room: int) -> int:
    """Return where to begin so that the first match is seen: at the body where that is near, else at a word."""
    lead = max(room // _BEFORE, room - columns(text[first:]))
    start, before = first, 0
    while start > body and before < lead:
        start -= 1
        before += _width(text[start])
    if start == body:
        return body
    return next(
        (at for at in range(start, first) if text[at - 1].isspace() or text[at - 1] in _PAUSES), border(text, start)
    )


def _cut(line: str, width: int) -> str:
    """Return a line that ends in an ellipsis, with a word less where there is no room for it."""
    while line and columns(line) + 2 > width:
        words, _, last = line.rpartition(" ")
        line = words if words and len(last) <= _LONGEST else line[: border(line, len(line) - 1)]
    return line + (_OFF if line.rfind(_ON) > line.rfind(_OFF) else "") + " …"


def _marked(text: str, start: int, end: int, spans: Iterable[tuple[int, int]]) -> str:
    pieces, at = [], start
    for low, high in spans:
        if low >= at and high <= end:
            pieces += [printable(text[at:low]), _ON, printable(text[low:high]), _OFF]
            at = high
    pieces.append(printable(text[at:end]))
    return " ".join("".join(pieces).split())


def _wrap(text: str, width: int) -> Iterator[str]:
    """Break at spaces; a word that is wider than a line, or of a script without spaces, within."""
    line, used = "", 0
    for word in text.split(" "):
        needed, space = columns(word), 1 if line else 0
        if used + space + needed <= width:
            line, used = line + " " * space + word, used + space + needed
            continue
        if not _breakable(word) and needed <= width:
            yield line
            line, used = word, needed
            continue
        if space and used + space < width:
            line, used = line + " ", used + 1
        for character in word:
            if used + _width(character) > width:
                end = _line_end(line, character)
                yield line[:end].rstrip()
                line = line[end:].lstrip()
                used = columns(line)
            line, used = line + character, used + _width(character)
    if line:
        yield line


def _line_end(line: str, following: str) -> int:
    """Return where a line ends whose next character would be `following`: what may not begin one brings another."""
    end = len(line)
    while end > 1 and (following in _CLOSING or following == _OFF) and not line[end - 1].isspace():
        end -= 1
        following = line[end]
    return end if end > 1 else len(line)


def _styled(lines: Iterable[str]) -> Iterator[str]:
    """Put the marks as escape codes; each line ends plain."""
    bold = False
    for line in lines:
        styled = (_BOLD if bold else "") + line
        bold = line.rfind(_ON) > line.rfind(_OFF) or (bold and _OFF not in line)
        yield styled.replace(_ON, _BOLD).replace(_OFF, _PLAIN) + (_PLAIN if bold else "")


def _breakable(word: str) -> bool:
    """Say whether a word is of a script that writes without spaces: Han, Kana."""
    return any("\u3040" <= character <= "\u30ff" or "\u4e00" <= character <= "\u9fff" for character in word)


def _width(character: str) -> int:
    if character < "\x7f":
        return 0 if character in (_ON, _OFF) else 1
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    if "\u1160" <= character <= "\u11ff" or "\ud7b0" <= character <= "\ud7fb":  # the rest of a syllable
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
