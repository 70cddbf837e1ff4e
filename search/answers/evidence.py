"""How likely a span is to be the answer: one logistic function over five pieces of evidence.

    score       the reader's null-corrected logit
    relevance   of the hit, as a logit
    likeness    cosine between the question and the sentence of the span, by the library's encoder
    unnamed     whether a name or a number of the question is missing there
    mistyped    whether a quantity is asked for, and the span has no number

A reader alone takes the best-looking name of any passage, a ranking alone knows no answers, and both overlook that a
passage on moons does not speak of Saturn's. The constants were fitted on questions put to collections of passages, with
and without those that answer them (`python -m benchmarks.answers --fit`), those across languages on translated ones
(`python -m benchmarks.answers_across --fit`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache

from quarry.search.answers import kinds
from quarry.search.answers.cells import record
from quarry.search.language import analysis
from quarry.search.language import korean as korean_words
from quarry.search.language.across import is_across
from quarry.search.language.function_words import STOP_WORDS
from quarry.search.language.layout import lines
from quarry.search.language.sentences import sentences
from quarry.search.language.units import holds
from quarry.search.models.contracts import TextEncoder
from quarry.search.types import Hit, Reading

_AROUND = 0.5  # what counts that stands not in the sentence, but around it
_OPENING = 100  # characters of a line that heads a document, at most
_USUAL_LIKENESS = 0.5  # where there is no encoder

# An option, a word with a digit, or one with a capital letter that does not begin a sentence.
_NAMED = re.compile(r"(?<![\w-])-{1,2}\w[\w-]*|\b\w*\d[\w.,:-]*\b|(?<![.!?] )(?<!^)\b[A-Z][\w'’-]+")
# Korean names have no capitals: a noun of three syllables and more is mostly one, or no less telling. What ends as the
# verbs of questions do is none.
_KOREAN = re.compile(
    r"(?<![가-힣])([가-힣]{3,}?)(?:의|은|는|을|를|에서?)(?![가-힣])"  # with a particle
    r"|(?<![가-힣])([가-힣]{2,}[^다요까나가지니\W])(?![가-힣])"
)
_HANGUL = re.compile("[가-힣]")
_QUANTITY = re.compile(
    r"\bhow (?:many|much|old|tall|high|far|fast|deep|heavy|wide|big|large)\b|\bwhat (?:year|percentage|number)\b"
    r"|\bwhich year\b|\b(?:wie ?viele?|wie (?:hoch|lange|schwer|alt|weit|groß)|wann)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d|\b(?:no|none|once|twice|half|third|quarter|dozens?|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven"
    r"|twelve|\w+teen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundreds?|thousands?|[mbtr]+illions?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and what it is compared with passages by.

    Args:
        text: the question.
        encoder: of the library; None where there is none, or it does not know the script.
    """

    text: str
    encoder: TextEncoder | None = None


@dataclass(frozen=True, slots=True)
class Features:
    """What speaks for one span, and against it; see above."""

    score: float
    relevance: float
    likeness: float = _USUAL_LIKENESS
    unnamed: float = 0.0
    mistyped: float = 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much each piece counts, in logits, and a constant."""

    constant: float
    score: float
    relevance: float
    likeness: float = 0.0
    unnamed: float = 0.0
    mistyped: float = 0.0

    def confidence(self, features: Features) -> float:
        """Return 0..1, how likely a span is to be the answer."""
        constant, *weights = astuple(self)
        weighed = constant + sum(weight * value for weight, value in zip(weights, astuple(features), strict=True))
        return float(1 / (1 + math.exp(-max(-30.0, min(30.0, weighed)))))


BY_WORDS = Evidence(-1.35, 1.0, 0.0)  # relevance is words already, where only words count
# Of a passage in another language than the question: a reader that learnt from pairs in one language each scores all of
# them low, and what its score tells is told by relevance better.
ACROSS = Evidence(-0.6, 0.1, 0.3)


def features(asked: Asked, spans: Sequence[tuple[Hit, Reading]], hits: Iterable[Hit] = ()) -> list[Features]:
    """Return what speaks for each span of a hit.

    Args:
        hits: all that were found: what others of the same document name is around a span, too.
    """
    places = [sentence_around(hit, reading) for hit, reading in spans]
    own = [hit.text[start:end] for (hit, _), (start, end) in zip(spans, places, strict=True)]
    likeness = _likeness(asked, own)
    named = [match[0] for match in _NAMED.finditer(asked.text) if match[0].casefold() not in STOP_WORDS]  # I
    if kinds.GERMAN.search(asked.text):  # whose nouns all have capital letters
        named = [name for name in named if not name.isalpha()]
    names = [frozenset(analysis.query_terms(name)) for name in named]
    nouns = [match[1] or match[2] for match in _KOREAN.finditer(asked.text)]
    korean = [frozenset(analysis.query_terms(noun)) for noun in nouns if not korean_words.only_asks(noun)]

    def in_script(hit: Hit) -> list[frozenset[str]]:
        return [*names, *(korean if _HANGUL.search(hit.text) else ())]

    wants_number = bool(_QUANTITY.search(asked.text))
    known = {hit.id: hit for hit in (*(hit for hit, _ in spans), *hits)}.values()
    beside: dict[str, str] = {}
    opening: dict[str, str] = {}
    for hit in known:
        beside[hit.document.id] = f"{beside.get(hit.document.id, '')}\n{hit.text}"
        opening[hit.document.id] = opening.get(hit.document.id) or opening_of(hit, [hit])
    return [
        Features(
            reading.score,
            odds(hit.relevance),
            likeness[sentence],
            _unnamed(in_script(hit), f"{opening[hit.document.id]}\n{sentence}", hit, beside[hit.document.id]),
            float(wants_number and not _NUMBER.search(hit.text[reading.start : reading.end])),
        )
        for (hit, reading), sentence in zip(spans, own, strict=True)
    ]


def confidences(
    asked: Asked, spans: Sequence[tuple[Hit, Reading]], evidence: Evidence, hits: Iterable[Hit] = ()
) -> list[float]:
    """Return how likely each span is to be the answer, 0..1; see `features`.

    Args:
        evidence: of passages in the question's language.
    """
    weighed = zip(features(asked, spans, hits), spans, strict=True)
    return [fitting(asked, hit, evidence).confidence(one) for one, (hit, _) in weighed]


def fitting(asked: Asked, hit: Hit, evidence: Evidence) -> Evidence:
    """Return what a hit that was read is weighed by: `evidence`, or `ACROSS`."""
    return ACROSS if evidence is not BY_WORDS and is_across(asked.text, hit.text) else evidence


def sentence_around(hit: Hit, reading: Reading) -> tuple[int, int]:
    """Return where in a hit's text the sentence of a span stands, or the sentences, where it goes over several."""
    around = [(start, end) for start, end in _sentences(hit.text) if start < reading.end and reading.start < end]
    if not around:
        return reading.start, reading.end
    return min(around[0][0], reading.start), max(around[-1][1], reading.end)


def odds(chance: float) -> float:
    """Return the logit of a chance, bounded."""
    return math.log(max(chance, 1e-4) / max(1 - chance, 1e-4))


def _likeness(asked: Asked, texts: Sequence[str]) -> dict[str, float]:
    distinct = list(dict.fromkeys(text for text in texts if text.strip()))
    found = dict.fromkeys(texts, _USUAL_LIKENESS)
    if asked.encoder is not None and distinct:
        question = asked.encoder.encode_queries([asked.text])[0]
        cosines = asked.encoder.encode_documents(distinct) @ question
        found.update(zip(distinct, cosines.tolist(), strict=True))
    return found


def _unnamed(names: Sequence[frozenset[str]], sentence: str, hit: Hit, beside: str) -> float:
    """Return 1 where the hits of a document lack one of the names, with title and headings; less where it is around."""
    near = _terms(f"{hit.document.title}\n{hit.heading}\n{sentence}") | record(hit.text, hit.heading)
    around = _terms(f"{hit.document.title}\n{hit.heading}\n{beside}")
    numbers = {name: next((int(term) for term in name if term.isdecimal()), None) for name in names}
    near_it = {
        name for name, number in numbers.items() if name & near or (number is not None and _in_range(hit, number))
    }
    return max((0.0 if name in near_it else 1 - _AROUND if name & around else 1.0 for name in names), default=0.0)


def _in_range(hit: Hit, number: int) -> bool:
    """Whether a column or a label of a passage is a range that holds a number."""
    cells = (cell for line in lines(hit.text, hit.heading) if line.is_data for cell in line.cells)
    return any(holds(cell.name or hit.text[cell.start : cell.end], number) for cell in cells)


@lru_cache(maxsize=512)
def _terms(text: str) -> frozenset[str]:
    return frozenset(analysis.terms(text))


@lru_cache(maxsize=128)
def _sentences(text: str) -> tuple[tuple[int, int], ...]:
    return tuple(sentences(text))


def opening_of(hit: Hit, hits: Sequence[Hit]) -> str:
    """Return the line that the document of a hit is headed by, "" where its first passage is not among `hits`."""
    first = next((one for one in hits if one.start == 0 and one.document.id == hit.document.id), None)
    line, newline, _ = first.text.partition("\n") if first else ("", "", "")
    heads = newline and len(line) <= _OPENING and not line.rstrip().endswith((".", "!", "?", ":"))
    return line.strip("#= ") if heads else ""
