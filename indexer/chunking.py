"""Cut a document into passages by the encoder's own tokens, at the best borders there are.

Borders are preferred in this order: headings, pages, paragraphs, lines that end a sentence, sentences, other lines,
words, and only then tokens. The passages cover all that is not white space, each character once.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import pairwise
from operator import itemgetter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quarry.search.language.letters import border, cut, parts
from quarry.search.language.sentences import sentence_starts
from quarry.search.types import Chunk, Heading, Parsed
from quarry.search.values.places import Place

TARGET = 200  # tokens
SLICE = 200_000  # characters that are tokenized at once, so that a text of any length takes bounded memory
_SECTION = 40  # tokens, from which a section of level 1 or 2 shares no passage with another
_MAX_TRAIL = 300  # characters
_STRETCH, _STEP = 48, 16  # a stretch of more characters than the first without a token counts one per so many

# What a border is worth. Hard-wrapped prose is why a sentence within a line is worth more than a mere line.
_PAGE, _PARAGRAPH, _SENTENCE_LINE = 0.9, 0.8, 0.7
_SENTENCE, _LINE, _BROKEN_LINE = 0.45, 0.4, 0.3
_WORD, _TOKEN = 0.1, 0.0
_AFTER_HEADING, _IN_CLUSTER, _IN_CHARACTER = -1.0, -0.5, -9.0

_SPACES = np.array([chr(code).isspace() for code in range(0x3002)])
_HEADING_LINES = re.compile(r"(?:[^\w\s]{3,}[ \t]*\n)?[^\n]*(?:\n[=\-~^\"'`#*+.:_]{2,}[ \t]*(?=\n|\Z))?\s*")

_Offsets = NDArray[np.int64]


class Tokenizer(Protocol):
    """What an encoder tells of its tokens."""

    def token_offsets(self, text: str) -> NDArray[np.int64]:
        """(n, 2) character offsets of the tokens of `text`, in order."""
        ...


def chunk(parsed: Parsed, encoder: Tokenizer, *, max_tokens: int, target: int = TARGET) -> list[Chunk]:
    """Cut a document.

    Args:
        max_tokens: how many tokens, as the encoder counts them in the passage alone, no passage exceeds.
        target: how many it has on the average, where `max_tokens` allows them.

    Returns:
        Passages in order, `parsed.text[start:end] == text`, none of them empty, begun or ended by white space.
    """
    if max_tokens < 1 or target < 1:
        raise ValueError("a passage needs at least one token")
    text = parsed.text
    sizes = _Sizes(max_tokens, target)
    trails = _Trails(parsed.headings)
    places = _Places(parsed)
    found: list[Chunk] = []
    for low, high in _slices(text):
        part = text[low:high]
        headings = [(heading.start - low, heading.level) for heading in trails.within(low, high)]
        pages = parsed.page_starts[bisect_left(parsed.page_starts, low) : bisect_left(parsed.page_starts, high)]
        whole = high - low == len(text)
        for start, end in _cut(part, encoder, sizes, headings, [place - low for place in pages], whole):
            place, trail = places.of(start + low, end + low), trails.at(start + low)
            found.append(Chunk(len(found), start + low, end + low, part[start:end], place, trail))
    return found


class _Sizes:
    """The lengths that passages should have, in tokens."""

    def __init__(self, max_tokens: int, target: int) -> None:
        self.most = max_tokens
        # A passage alone may have a few tokens more than it had within its text. With this reserve only those that are
        # cut within a word need to be counted anew.
        self.exact = max_tokens < 64
        self.limit = max_tokens if self.exact else max_tokens * 9 // 10
        self.target = min(target, self.limit)
        self.soft = min(self.limit, self.target * 5 // 4)


class _Places:
    """Where each passage of a document stands in its file; they are asked for in order."""

    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed
        self._at, self._line = 0, parsed.place.lines[0] if parsed.place and parsed.place.lines else 0

    def of(self, start: int, end: int) -> Place | None:
        parsed = self._parsed
        if parsed.page_starts:
            page = bisect_right(parsed.page_starts, start)
            return Place(page=page) if page else None
        if parsed.places:
            first, last = (bisect_right(parsed.places, at, key=itemgetter(0)) for at in (start, end - 1))
            if not first:
                return parsed.place
            along = (place for _, place in parsed.places[first - 1 : last])
            return reduce(Place.through, along)
        if not self._line:
            return parsed.place
        first = self._line + parsed.text.count("\n", self._at, start)
        self._at, self._line = start, first
        return Place(lines=(first, first + parsed.text.count("\n", start, end)))


class _Trails:
    """The headings above each place of a document."""

    def __init__(self, headings: Sequence[Heading]) -> None:
        self._headings = sorted(headings, key=lambda heading: heading.start)
        self._starts = [heading.start for heading in self._headings]
        self._trails: list[str] = []
        above: list[Heading] = []
        for heading in self._headings:
            while above and above[-1].level >= heading.level:
                above.pop()
            above.append(heading)
            self._trails.append(" > ".join(each.text for each in above if each.text)[:_MAX_TRAIL])

    def at(self, place: int) -> str:
        number = bisect_right(self._starts, place)
        return self._trails[number - 1] if number else ""

    def within(self, low: int, high: int) -> list[Heading]:
        return self._headings[bisect_left(self._starts, low) : bisect_left(self._starts, high)]


def _slices(text: str) -> Iterator[tuple[int, int]]:
    """Cut a long text roughly."""
    low, length = 0, len(text)
    while length - low > SLICE * 5 // 4:
        high = cut(text, low + SLICE * 3 // 4, low + SLICE)
        yield low, high
        low = high
    if low < length:
        yield low, length


def _cut(
    text: str,
    encoder: Tokenizer,
    sizes: _Sizes,
    headings: Sequence[tuple[int, int]],
    pages: Sequence[int],
    whole: bool,
) -> Iterator[tuple[int, int]]:
    """Give (start, end) of the passages of one slice. `headings` are (place, level)."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    words = np.flatnonzero(~_SPACES[np.minimum(codes, 0x3001)])
    if not len(words):
        return
    units = _units(encoder.token_offsets(text), words)
    sections = _sections(units, headings, len(units))
    if whole and len(units) <= sizes.most and len(sections) == 2 and len(pages) < 2:
        # Counted as a passage alone, so without the reserve: an abstract is better found whole than in two halves.
        yield int(words[0]), int(words[-1]) + 1
        return
    value, cuts = _values(text, codes, words, units, headings, pages)
    ends = [end for low, high in pairwise(sections) for end in _pack(value, low, high, sizes)]
    for low, high in pairwise([0, *ends]):
        start = int(cuts[low])
        until = int(cuts[high]) if high < len(units) else len(text)
        end = int(words[np.searchsorted(words, until) - 1]) + 1
        if end <= start:
            continue  # tokens of one character only, which the next passage has
        edges = (value[edge] < _WORD if 0 < edge < len(units) else not whole for edge in (low, high))
        if sizes.exact or any(edges):
            yield from _within(text, start, end, encoder, sizes)
        else:
            yield start, end


def _units(offsets: NDArray[np.int64], words: _Offsets) -> _Offsets:
    """Where each token starts, moved to the next character that is no white space; not decreasing.

    Characters of which the tokenizer makes nothing, or one unknown token however many they are, count too: a stretch
    of them may not become a passage without end.
    """
    first, end = words[0], words[-1] + 1
    places = np.searchsorted(words, offsets[:, 0]) if len(offsets) else np.empty(0, np.int64)
    starts = np.maximum.accumulate(words[places[places < len(words)]])
    if not len(starts) or starts[0] > first:
        starts = np.concatenate([words[:1], starts])
    lengths = np.diff(np.append(starts, end))
    counts = np.where(lengths > _STRETCH, -(-lengths // _STEP), 1)
    if counts.max() == 1:
        return starts
    begins = np.repeat(np.cumsum(counts) - counts, counts)
    spread = np.repeat(starts, counts) + (np.arange(counts.sum()) - begins) * _STEP
    found: _Offsets = words[np.minimum(np.searchsorted(words, spread), len(words) - 1)]
    return found


def _values(
    text: str,
    codes: NDArray[np.uint32],
    words: _Offsets,
    units: _Offsets,
    headings: Sequence[tuple[int, int]],
    pages: Sequence[int],
) -> tuple[NDArray[np.float64], _Offsets]:
    """How good a border it is before each unit, and at which character exactly it is."""
    at = np.zeros(len(text))
    word = words[np.diff(words, prepend=0) > 1]  # where white space is followed by something else
    at[word] = _WORD
    newlines = np.append(np.cumsum(codes == 10), 0)  # the last for a word that has none before it
    ahead = np.searchsorted(words, word) - 1
    count = newlines[word] - newlines[np.where(ahead < 0, -1, words[ahead])]
    lines = word[count == 1]
    lower = np.fromiter((text[place].islower() for place in lines.tolist()), bool, len(lines))
    at[lines] = np.where(lower, _BROKEN_LINE, _LINE)
    sentences = np.array(sentence_starts(text), np.int64)
    at[sentences] = np.where(at[sentences] >= _BROKEN_LINE, _SENTENCE_LINE, _SENTENCE)
    at[word[count > 1]] = _PARAGRAPH
    at[_moved(pages, words)] = _PAGE
    for place, (_, level) in zip(_moved([place for place, _ in headings], words), headings, strict=True):
        at[place] = 1.0 + 0.1 * max(0, 4 - level)
    borders = np.flatnonzero(at)
    before = np.searchsorted(units, borders)
    borders, before = borders[before < len(units)], before[before < len(units)]
    best = np.argsort(at[borders], kind="stable")  # of several borders before one unit the best is written last
    value, cuts = np.full(len(units), _TOKEN), units.copy()
    value[before[best]], cuts[before[best]] = at[borders[best]], borders[best]
    foreign = np.flatnonzero((codes[cuts] >= 0x300) & (value < _WORD))
    value[[unit for unit in foreign.tolist() if parts(text, int(cuts[unit]))]] = _IN_CLUSTER
    value[1:][units[1:] == units[:-1]] = _IN_CHARACTER
    for place, _ in headings:
        body = _HEADING_LINES.match(text, place)
        low, high = np.searchsorted(units, [place, body.end() if body else place], side="right")
        value[low:high] = np.minimum(value[low:high], _AFTER_HEADING)
    return value, cuts


def _moved(places: Sequence[int], words: _Offsets) -> _Offsets:
    """Move each place on to a character that is no white space."""
    found: _Offsets = words[np.minimum(np.searchsorted(words, np.array(places, np.int64)), len(words) - 1)]
    return found


def _sections(units: _Offsets, headings: Sequence[tuple[int, int]], count: int) -> list[int]:
    """Units at which a passage must begin, and the end: where a section of level 1 or 2 begins, if it and what is
    before it are long enough to stand alone.
    """
    places = np.searchsorted(units, [place for place, level in headings if level <= 2]).tolist()
    found = [0]
    for place, following in zip(places, [*places[1:], count], strict=False):
        if place - found[-1] >= _SECTION and following - place >= _SECTION:
            found.append(place)
    return [*found, count]


def _pack(value: NDArray[np.float64], low: int, high: int, sizes: _Sizes) -> Iterator[int]:
    """Give the end of each passage from unit `low` to unit `high`, of about equal lengths."""
    while (left := high - low) > sizes.soft:
        ideal = left / max(-(-left // sizes.soft), round(left / sizes.target))
        least = max(1, int(ideal / 2))
        most = min(sizes.limit, int(ideal * 1.5), left - 1)
        lengths = np.arange(least, max(least, most) + 1)
        low += int(lengths[np.argmax(value[low + lengths] - ((lengths - ideal) / ideal) ** 2)])
        yield low
    yield high


def _within(text: str, start: int, end: int, encoder: Tokenizer, sizes: _Sizes) -> Iterator[tuple[int, int]]:
    """Halve a passage until it has no more tokens, on its own, than it may."""
    count = len(encoder.token_offsets(text[start:end]))
    if count <= sizes.most or end - start < 2:
        yield start, end
        return
    middle = (start + end) // 2
    space = max(text.rfind(each, start + (end - start) // 4, middle) for each in (" ", "\n"))
    middle = space if space > start else middle
    middle = border(text, middle, start)
    left, right = len(text[start:middle].rstrip()), len(text[middle:end].lstrip())
    yield from _within(text, start, start + left, encoder, sizes)
    yield from _within(text, end - right, end, encoder, sizes)
