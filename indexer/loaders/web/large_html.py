"""HTML that is too large for one tree, in pieces: cut between blocks, and what is open there is opened again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TextIO

from quarry.indexer.loaders.web.markup import words
from quarry.search.language.letters import cut

PIECE = 2 * 1024 * 1024  # characters, which as tags take half a gigabyte at the most
_LONGEST_TAG = 16 * 1024 * 1024  # characters, such as of a picture that it holds; what is longer is passed by
_LONGEST_START = 500  # characters of a start tag that are repeated
_DEEPEST = 200
_ROOMS = (
    "article aside blockquote dl div footer form header main nav ol pre section table tbody td th thead tfoot tr ul"
)
_BLOCKS = f"{_ROOMS} br dd dt figure h1 h2 h3 h4 h5 h6 hr li p"
_KEPT = words(_ROOMS)
_IMPLIED = {  # what a start tag ends of what is open, within a table
    **dict.fromkeys(("td", "th"), words("td th")),
    "tr": words("td th tr"),
    **dict.fromkeys(("tbody", "thead", "tfoot"), words("td th tr tbody thead tfoot")),
}
_MARK = re.compile(
    r"<!--|<(?P<raw>script|style|textarea|iframe|xmp|noembed|noframes)(?=[\s/>])[^<>]*>"
    rf"|<(?P<end>/?)(?P<name>{'|'.join(_BLOCKS.split())})(?=[\s/>])[^<>]*>",
    re.I,
)
_TAG = re.compile(r"<[a-z/!?]", re.I)


def pieces(text: TextIO) -> Iterator[str]:
    """Yield markup of any length a piece at a time, each of which can be parsed by itself."""
    stack, longest = _Open(), PIECE
    held = text.read(longest + 1)
    while held:
        before = stack.tags()
        end, until = stack.cut(held, longest)
        if end == 0:  # something without an end in sight begins here
            held = _passed(held, until, text, longest)
            continue
        yield before + held[:end]
        held = held[end:]
        held += text.read(max(0, longest + 1 - len(held)))


def _passed(held: str, until: str, text: TextIO, longest: int) -> str:
    """Return what follows after what is too long to be read, or all of a tag that is not."""
    if until == ">" and len(held) < _LONGEST_TAG and (more := text.read(longest)):
        return held + more
    while (place := _ending(held, until, 1)) < 0:
        if not (more := text.read(longest)):
            return ""
        held = held[-len(until) :] + more
    return held[place if until.startswith("</") else place + len(until) :]


class _Open:
    """The elements that are open where a piece begins: their names and start tags."""

    def __init__(self) -> None:
        self._stack: list[tuple[str, str]] = []
        self._counts: Counter[str] = Counter()

    @property
    def _is_in_cell(self) -> bool:
        return bool(self._stack) and self._stack[-1][0] in ("td", "th")

    def tags(self) -> str:
        return "".join(tag for _, tag in self._stack)

    def cut(self, held: str, longest: int) -> tuple[int, str]:
        """Return where a piece ends, and open and close what is in it; 0, and how it would end, where nothing ends."""
        if len(held) <= longest:
            return len(held), ""
        at = end = 0
        while (mark := _MARK.search(held, at)) is not None:
            if mark.start() > longest:
                break
            at = mark.end()
            if mark["name"]:
                self._pass(mark["name"].lower(), mark[0])
                end = at
                if end >= longest * 3 // 4 and (not self._is_in_cell or end >= longest * 7 // 8):
                    return end, ""
                continue
            until = f"</{mark['raw'].lower()}" if mark["raw"] else "-->"
            if (place := _ending(held, until, at)) < 0:
                return mark.start(), until
            at = end = place
        if end >= longest // 2:
            return end, ""
        tail = held.rfind("<", end, longest)
        if tail < end or not _TAG.match(held, tail):
            return cut(held, longest * 3 // 4, longest), ""
        closed = held.find(">", tail)
        if -1 < closed < longest * 3 // 4:
            return cut(held, longest * 3 // 4, longest), ""
        return tail or closed + 1, ">"

    def _pass(self, name: str, tag: str) -> None:
        if name not in _KEPT:
            return
        if not tag.startswith("</"):
            ended = _IMPLIED.get(name, ())
            while self._stack and self._stack[-1][0] in ended:
                self._counts[self._stack.pop()[0]] -= 1
            if len(self._stack) < _DEEPEST:
                self._stack.append((name, tag if len(tag) <= _LONGEST_START else f"<{name}>"))
                self._counts[name] += 1
        elif self._counts[name]:
            popped = ""
            while popped != name:
                popped = self._stack.pop()[0]
                self._counts[popped] -= 1


def _ending(held: str, until: str, at: int) -> int:
    found = re.compile(re.escape(until), re.I).search(held, at)
    return found.start() if found else -1
