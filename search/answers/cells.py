"""Answers in cells: rows and pairs of a passage as a reader understands them, and as they are looked up.

A reader that was trained on prose takes the price of the line above for the one that is asked for. So it is given the
rows as "Ticket: Monthly pass; Adults: £44.00", each a sentence of its own, and what it points at is brought back to the
cell. Beside it, cells are looked up: whose row, column, label and headings hold the words of the question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import Stemmer

from quarry.search.answers import kinds
from quarry.search.answers.words import weights_of
from quarry.search.language import analysis
from quarry.search.language.function_words import STOP_WORDS
from quarry.search.language.layout import Cell, Line, lines
from quarry.search.language.units import completed, holds
from quarry.search.types import Hit, Reading

_SHORT = 4  # words, up to which a cell is an answer as a whole
_LONG = 90  # characters of a cell from which it is read as prose is
_NEUTRAL, _SLOPE = 0.62, 22.0  # coverage at which a cell that was looked up has the score 0, and what more is worth
_MOST = 9.0  # score of one whose words are all there
_AROUND, _BESIDE = 0.9, 0.4  # what a word counts in headings, title or record; elsewhere in the passage
_ELSEWHERE = 12.0  # what a span loses whose row holds none of the words that the best row holds
_MISSING = 5.0  # what a span of a row loses where none of the words stands anywhere around
_OF_PROSE = 0.5  # as much of that counts for a span of prose beside rows
_OPTION = re.compile(r"\b(?:which|what)\b.*\b(?:options?|flags?|switch)\b", re.I)
_OPTION = re.compile(r"(?<![\w-])-{1,2}\w[\w-]*")
# What only asks for an amount, a name, a moment: it counts where it stands, and is not missed where it does not.
_VAGUE = (
    "cost price pay paid amount charge worth much many number name date time day year mean show do doe weigh hole have "
    "give given kind type sort call get take need must will may go make one option default "
    "valu 번호 이름 가격 금액 kosten kostet preis hoch viel"
)
_VAGUE_TERMS = frozenset(_VAGUE.split())
# How old something is says of no cell that it is old.
_HOW = re.compile(r"\bhow (?:tall|big|high|wide|old|far|deep|heavy|large|long|fast)\b", re.IGNORECASE)
_VAGUE_WEIGHT = 0.25
_GERMAN = Stemmer.Stemmer("german", 0)  # without a cache, it can be shared
_NOUN = 6  # letters of a German noun, of which long ones are made of several
_LABEL_WEIGHT = 1.0  # what it counts that a question says the whole of a label
_IMPLIED_WEIGHT, _OPTION_WEIGHT = 0.5, 2.0
_FOREIGN_STOPS = (
    "der die das den dem des ein eine einen einem einer im in am an auf aus bei für mit nach um von vom zu zum zur und "
    "oder ist sind war waren hat haben wird was wer wie wo wann welche welcher welches le la les un une du de des à au "
    "est qui que quel quelle où el los las una en es qué cuál det den et og er hvad hvem hvor je na v kdo co kdy"
)
_STOPS = frozenset(term for word in (*STOP_WORDS, *_FOREIGN_STOPS.split()) for term in analysis.terms(word))


@dataclass(frozen=True, slots=True)
class Spoken:
    """A passage as a reader is given it, and where each piece of it comes from: (start, source, length), ascending."""

    text: str
    pieces: tuple[tuple[int, int, int], ...]

    def source(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the span of the passage that a span of `text` stands for, None where that was put in only."""
        within = [
            (source + max(start - at, 0), source + min(end - at, length))
            for at, source, length in self.pieces
            if at < end and start < at + length
        ]
        return (min(low for low, _ in within), max(high for _, high in within)) if within else None


@lru_cache(maxsize=256)
def spoken(text: str, trail: str) -> Spoken:
    """Return a passage with its rows and pairs as lines of "name: value", each a paragraph; prose stays as it is."""
    parsed = lines(text, trail)
    if not any(line.is_data for line in parsed):
        return Spoken(text, ((0, 0, len(text)),) if text else ())
    parts: list[str] = []
    pieces: list[tuple[int, int, int]] = []
    length = 0

    def add(part: str, source: int | None = None) -> None:
        nonlocal length
        if part:
            if source is not None:
                pieces.append((length, source, len(part)))
            parts.append(part)
            length += len(part)

    before = 0
    for line in parsed:
        if line.is_data:
            add("\n\n")
            for number, cell in enumerate(line.cells):
                if number:
                    add(": " if line.kind == "pair" else "; ")
                add(f"{cell.name}: " if cell.name else "")
                add(text[cell.start : cell.end], cell.start)
            add("\n\n")
        elif line.kind not in ("rule", "contents"):
            add(text[before : line.start] if not parts or parts[-1] != "\n\n" else "")
            add(text[line.start : line.end], line.start)
        before = line.end
    return Spoken("".join(parts), tuple(pieces))


def settled(
    question: str, hit: Hit, reading: Reading, opening: str = "", *, is_looked_up: bool = False
) -> Reading | None:
    """Return the answer that a span stands for: whole words and numbers, or the cell; None where it is none.

    Headings, tables of contents, and spans without a word or a number of their own are no answers.
    """
    start, end = completed(hit.text, reading.start, reading.end)
    touched = [line for line in lines(hit.text, hit.heading) if line.start < end and start < line.end]
    if touched and touched[0].is_data:
        line = touched[0]
        cell = _cell(question, hit.text, line, start, end)
        if cell is None:
            return None
        low, high = max(start, cell.start), min(end, cell.end)
        whole = hit.text[cell.start : cell.end]
        if len(whole.split()) <= _SHORT or (len(whole) <= _LONG and high - low >= len(whole) / 2) or low >= high:
            low, high = cell.start, cell.end
        start, end = completed(hit.text, low, high)
        if not kinds.fits(question, hit.text[cell.start : cell.end]):
            return None
    elif touched and any(line.kind in ("heading", "contents", "rule") for line in touched):
        return None
    if _says_nothing(question, hit.text[start:end]) or kinds.contradicts(question, hit.text[start:end]):
        return None
    lost = 0.0
    if not is_looked_up:
        lost = _ELSEWHERE * _elsewhere(question, hit, start, end)
        lost += _MISSING * _missing(question, hit, opening) if touched and touched[0].is_data else 0.0
    return Reading(start, end, reading.score - lost)


def _cell(question: str, text: str, line: Line, start: int, end: int) -> Cell | None:
    """Return the cell that is meant by a span of a line: the one that it is in, unless that is what is asked about."""
    touched = [cell for cell in line.cells if cell.start < end and start < cell.end]
    told = frozenset(_weighed(question))
    free = [cell for cell in touched if not _is_told(text, line, cell, told)]
    if line.kind == "pair" and len(free) > 1:
        free = free[1:]
    first = line.cells[0]
    if kinds.OPTION.search(question) and not _OPTION.search(question) and _OPTION.match(text, first.start):
        return first
    if not free:
        free = [cell for cell in line.cells if cell not in touched and not _is_told(text, line, cell, told)]
        if len(free) != 1:
            return None
    return max(free, key=lambda cell: min(end, cell.end) - max(start, cell.start))


def _is_told(text: str, line: Line, cell: Cell, told: frozenset[str]) -> bool:
    """Whether a cell says for the most part what the question says itself; numbers are said by the first cell only."""
    if text[cell.start : cell.end].lstrip("`").startswith("-"):  # an option, named after what it does
        return False
    own = frozenset(analysis.query_terms(text[cell.start : cell.end]))
    if cell != line.cells[0] and len(text[cell.start : cell.end].split()) > _SHORT:
        return own <= told
    words = {term for term in own if not term.isdecimal()}
    if len(words) < len(own) and cell != line.cells[0]:
        return False
    if (
        cell != line.cells[0]
        and words & told
        and words.isdisjoint(_terms(text[line.cells[0].start : line.cells[0].end]))
    ):
        return (
            not told.isdisjoint(_terms(text[line.cells[0].start : line.cells[0].end]))
            or len(words & told) > len(words) / 2
        )
    return len(words & told) > len(words) / 2


_EMPTY = "one ones about also may can yes will etc und oder der die das ein eine le la les un une de el los y 것 수 등"
_EMPTY_WORDS = frozenset(_EMPTY.split())


def _says_nothing(question: str, text: str) -> bool:
    words = re.findall(r"\w+", text.casefold())
    if not words or text.strip() in ("-", "—"):
        return True
    if kinds.MUCH.search(question) and words[0] in ("one", "no", "once"):
        return False
    return all(
        word in STOP_WORDS or word in _EMPTY_WORDS or (len(word) == 1 and word.isascii() and word.isalpha())
        for word in words
    ) and not text.startswith("-")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A cell that can be an answer, and the terms that tell what it is: of its row and column, of its name alone."""

    cell: Cell
    near: frozenset[str]
    column: frozenset[str]
    name: frozenset[str]
    named: int  # cells of its row that have names


@lru_cache(maxsize=256)
def _entries(text: str, trail: str) -> tuple[tuple[_Entry, Line, str], ...]:
    found = []
    above = ""
    for line in lines(text, trail):
        if line.kind == "heading":
            above = text[line.start : line.end]
        if not line.is_data:
            continue
        labelled = line.kind == "pair" and ":" in text[line.cells[0].end : line.cells[1].start]
        labelled = labelled and not text[line.cells[0].start : line.cells[0].end].startswith(("-", "`-"))
        for cell in line.cells[1:] if labelled else line.cells:
            others = [text[other.start : other.end] for other in line.cells if other is not cell]
            whole = text[cell.start : cell.end]
            near = _terms(" \n ".join([*others, cell.name, whole if len(whole.split()) > _SHORT else ""]))
            named = sum(bool(other.name) for other in line.cells)
            name = cell.name or (text[line.cells[0].start : line.cells[0].end] if line.kind == "pair" else "")
            found.append((_Entry(cell, near, _terms(cell.name), _terms(name), named), line, above))
    return tuple(found)


def looked_up(question: str, hit: Hit, opening: str = "") -> list[Reading]:
    """Return the cells of a passage that the question names, best first; [] where it names none well.

    Args:
        opening: the line that the document begins with.
    """
    best: dict[tuple[int, int], float] = {}
    weights = _weights_in(question, hit)
    around = _terms(f"{hit.document.title}\n{hit.heading}\n{opening}")
    for entry, line, above in _entries(hit.text, hit.heading):
        if _is_told(hit.text, line, entry.cell, frozenset(weights)):
            continue
        coverage = _coverage(question, weights, hit, entry, line, around | _terms(above))
        if coverage > 0:
            score = min(_MOST, _SLOPE * (coverage - _NEUTRAL))
            best[entry.cell.start, entry.cell.end] = score
    ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))
    return [Reading(start, end, score) for (start, end), score in ranked if score > -_SLOPE * _NEUTRAL / 2]


@lru_cache(maxsize=256)
def _weighed(question: str) -> Mapping[str, float]:
    question = _HOW.sub("how", _OPTION.sub(" ", question))
    told = weights_of(question, _VAGUE_WEIGHT)
    if kinds.GERMAN.search(question):
        told = {term: weight * told[term] for term, weight in _german(question).items() if term in told}
    return {
        term: weight * (_VAGUE_WEIGHT if term in _VAGUE_TERMS else 1.0)
        for term, weight in told.items()
        if term not in _STOPS
    }


@lru_cache(maxsize=256)
def _german_stems(text: str) -> frozenset[str]:
    return frozenset(_GERMAN.stemWord(term) for term in _terms(text))


def _german(question: str) -> Mapping[str, float]:
    """Return what words of German count: nouns, which have capital letters, the more the more they are made of."""
    weights: dict[str, float] = {}
    for word in question.split()[1:]:
        is_noun = word[:1].isupper() or any(map(str.isdigit, word))
        for term in analysis.query_terms(word):
            weights[term] = min(2.0, max(1.0, len(word.strip("?.,")) / _NOUN)) if is_noun else _VAGUE_WEIGHT
    return weights


@lru_cache(maxsize=256)
def _names(text: str, trail: str) -> frozenset[str]:
    """Return the terms of all names that cells of a passage bear."""
    return frozenset(term for entry, *_ in _entries(text, trail) for term in entry.name)


def _weights_in(question: str, hit: Hit) -> Mapping[str, float]:
    """Return what the question's words count in a passage: a vague one fully where a cell bears it as its name."""
    names = _names(hit.text, hit.heading)
    return {
        term: 1.0 if term in _VAGUE_TERMS and term in names else weight for term, weight in _weighed(question).items()
    }


def _coverage(
    question: str, weights: Mapping[str, float], hit: Hit, entry: _Entry, line: Line, around: frozenset[str]
) -> float:
    """Return the share of the question's words that tell of a cell, 0 of one that it does not name, or can't be."""
    text = hit.text[entry.cell.start : entry.cell.end]
    if not kinds.fits(question, text):
        return 0.0
    key = hit.text[line.cells[0].start : line.cells[0].end]
    options = _OPTION.findall(question)
    if options and (entry.cell == line.cells[0] or not set(options) <= set(_OPTION.findall(key))):
        return 0.0
    if not options and kinds.OPTION.search(question) and _OPTION.search(key) and entry.cell != line.cells[0]:
        return 0.0
    meant = kinds.implied(question)
    implied = _IMPLIED_WEIGHT * bool(entry.name & meant) + _OPTION_WEIGHT * bool(options)
    labelled = line.kind == "pair" and _says(weights, key)
    implied += _LABEL_WEIGHT * labelled
    within = {term for term in weights if term.isdecimal() and holds(entry.cell.name or key, int(term))}
    beside_it = entry.near | within
    near = implied + sum(weight for term, weight in weights.items() if term in beside_it)
    if not near:
        return 0.0
    if entry.named > 2 and not within and not any(term in entry.column for term in (*weights, *meant)):
        others = [c for c in line.cells if (c.start, c.end) != (entry.cell.start, entry.cell.end)]
        if sum(kinds.fits(question, hit.text[c.start : c.end]) for c in others) or entry.cell == line.cells[0]:
            near *= 0.5  # which of the columns is not said
    of_record = around | (record(hit.text, hit.heading) if line.kind == "pair" else frozenset[str]())
    anywhere = _terms(hit.text)
    if kinds.GERMAN.search(question):
        stems = _german_stems(hit.text)
        anywhere |= {term for term in weights if _GERMAN.stemWord(term) in stems}
    beside = sum(
        weight * (_AROUND if term in of_record else _BESIDE * (term in anywhere))
        for term, weight in weights.items()
        if term not in beside_it
    )
    own = _terms(text)
    echoed = sum(weight for term, weight in weights.items() if term in own and term not in beside_it)
    lacks = _IMPLIED_WEIGHT * (not labelled and not entry.name & meant and bool(_names(hit.text, hit.heading) & meant))
    total = implied + lacks + sum(w for t, w in weights.items() if w > _VAGUE_WEIGHT or t in beside_it)
    return (near + beside - echoed) / total if total else 0.0


def _says(weights: Mapping[str, float], label: str) -> bool:
    """Whether a question says the whole of a label, the words that count."""
    own = frozenset(analysis.query_terms(label)) - _STOPS
    return bool(own - _VAGUE_TERMS) and all(weights.get(term, 0.0) > _VAGUE_WEIGHT for term in own)


@lru_cache(maxsize=256)
def record(text: str, trail: str) -> frozenset[str]:
    """Return the terms of a passage that is one record: pairs for the most part, and no list that leads to numbers."""
    parsed = [line for line in lines(text, trail) if line.kind not in ("heading", "rule")]
    pairs = sum(line.kind == "pair" for line in parsed)
    dotted = [line for line in parsed if line.kind == "pair" and "...." in text[line.start : line.cells[1].start]]
    numbers = sum(kinds.is_amount(text[line.cells[1].start : line.cells[1].end]) for line in dotted)
    return _terms(text) if pairs > len(parsed) / 2 and numbers <= len(dotted) / 2 else frozenset()


def _missing(question: str, hit: Hit, opening: str) -> float:
    """Return the share of the question's words that neither a passage nor its title and headings hold."""
    weights = {term: weight for term, weight in _weighed(question).items() if term not in _VAGUE_TERMS}
    known = _terms(hit.text) | _terms(f"{hit.document.title}\n{hit.heading}\n{opening}")
    total = sum(weights.values())
    return sum(weight for term, weight in weights.items() if term not in known) / total if total else 0.0


def _elsewhere(question: str, hit: Hit, start: int, end: int) -> float:
    """Return how much more of the question the best row of a passage tells of than the row of a span, 0..1."""
    weights = _weights_in(question, hit)
    shares = (
        [
            (sum(weight for term, weight in weights.items() if term in entry.near) / sum(weights.values()), entry.cell)
            for entry, _, _ in _entries(hit.text, hit.heading)
            if kinds.fits(question, hit.text[entry.cell.start : entry.cell.end])
        ]
        if weights
        else []
    )
    best = max((share for share, _ in shares), default=0.0)
    own = [share for share, cell in shares if cell.start < end and start < cell.end]
    line = next((one for one in lines(hit.text, hit.heading) if one.start <= start < one.end), None)
    if line is None or not best:
        return 0.0
    if not line.is_data:  # which may say it in other words
        said = _terms(hit.text[line.start : line.end])
        told = sum(weight for term, weight in weights.items() if term in said) / sum(weights.values())
        return max(0.0, best - told) / best * _OF_PROSE
    return (best - max(own, default=0.0)) / best


@lru_cache(maxsize=2048)
def _terms(text: str) -> frozenset[str]:
    return frozenset(analysis.terms(text))


def merged(spans: Sequence[Reading]) -> Iterator[Reading]:
    """Yield readings best first, each place once."""
    taken: list[Reading] = []
    for one in sorted(spans, key=lambda span: (-span.score, span.start, span.end)):
        if all(one.end <= other.start or other.end <= one.start for other in taken):
            taken.append(one)
            yield one
