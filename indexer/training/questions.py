"""What the reader learns from: questions with their passage, and questions with one that doesn't answer them.

A row is a question, its context and where the answers stand. Each pass over the rows draws anew:

window      of a long context, one of a few lengths that holds the answer, anywhere in it; one time in ten one that
            does not, if there is one
negatives   for a part of the rows besides, a question with a passage that can't answer it: with any other context, with
            the one of some that shares most of its rare words, with its own without the sentence of the answer; or,
            most often, with its own, but asked about another name or year than the one that it shares with it
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import FileMalformed
from quarry.search.evaluations.rankings import rows_of
from quarry.search.evaluations.squad import normalized
from quarry.search.language.function_words import STOP_WORDS
from quarry.search.models.text.tokens import Tokens

LONGEST_QUESTION = 48  # tokens; more are cut off, at training only
_WITHOUT_ANSWER = 0.1  # of the windows of a context that is longer
_RIVALS = 48  # contexts of which the most alike is taken
_REMAINDER = 24  # tokens at least that a passage keeps without the sentence of its answer
_NAME = re.compile(r"(?<![.!?\n] )(?<!^)\b[A-Z][\w'’-]*(?: (?:of |the |de |van )?[A-Z][\w'’-]*)*\b")
_YEAR = re.compile(r"(?<!\d)(?:1\d|20)\d\d(?!\d)")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+")

Ids = NDArray[np.int32]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """A passage in tokens: (n,) ids, and (n, 2) character offsets."""

    text: str
    ids: Ids
    offsets: Ids


@dataclass(frozen=True, slots=True)
class Exercise:
    """A question about a context, and (start, end) of its answers in characters, () where it has none."""

    text: str
    question: Ids
    context: int
    answers: tuple[tuple[int, int], ...]
    source: str


@dataclass(frozen=True, slots=True)
class Lesson:
    """A question, a window of a passage, and the first and last token of the answer in it, None for "no answer"."""

    question: Ids
    passage: Ids
    answer: tuple[int, int] | None

    @property
    def length(self) -> int:
        """How many tokens it comes to, with [CLS] and two [SEP]."""
        return len(self.question) + len(self.passage) + 3


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a source one pass takes, and how many negatives come with it.

    Args:
        rows: expected number of times that a row is taken; 0.5 takes half of them, 2 all of them twice.
        negatives: negatives for each row taken.
    """

    rows: float = 1.0
    negatives: float = 0.25


class Questions:
    """Rows and contexts of a training set, in tokens."""

    def __init__(self, rows: Iterable[Row], tokens: Tokens, windows: Sequence[int] = (128, 256)) -> None:
        """Cut rows, as `read_rows` gives them, into tokens.

        Args:
            windows: tokens of a passage; of a longer one a part of one of these lengths is drawn.
        """
        raw = list(rows)
        self._tokens, self._windows = tokens, tuple(windows)
        texts = list(dict.fromkeys(row["context"] for row in raw))
        self.contexts = [
            Context(text, ids.astype(np.int32), offsets.astype(np.int32))
            for text, (ids, offsets) in ((text, tokens.plain(text)) for text in texts)
        ]
        at = {text: number for number, text in enumerate(texts)}
        self.rows = [
            Exercise(
                row["question"],
                self._question(row["question"]),
                at[row["context"]],
                tuple((a["start"], a["start"] + len(a["text"])) for a in row["answers"]),
                row["source"],
            )
            for row in raw
        ]
        self._names = [tuple(dict.fromkeys(filter(_is_name, _NAME.findall(text)))) for text in texts]
        self._years = [tuple(dict.fromkeys(_YEAR.findall(text))) for text in texts]
        self._words = [frozenset(context.ids.tolist()) for context in self.contexts]
        seen = Counter(word for words in self._words for word in words)
        self._rarity = {word: math.log(len(texts) / count) for word, count in seen.items()}
        self._of_source: dict[str, list[int]] = defaultdict(list)
        for source, context in sorted({(row.source, row.context) for row in self.rows}):
            self._of_source[source].append(context)

    def lessons(self, shares: Mapping[str, Share], random: np.random.Generator) -> Iterator[Lesson]:
        """Draw one pass.

        Args:
            shares: by the beginning of a source's name; the first that fits counts, "" fits all.
            random: what it is drawn with.
        """
        for row in self.rows:
            share = next((share for prefix, share in shares.items() if row.source.startswith(prefix)), Share())
            for _ in range(_drawn(share.rows, random)):
                yield self._window(row, random)
                if row.answers and random.random() < share.negatives:
                    yield self._negative(row, random)

    def _question(self, text: str) -> Ids:
        return self._tokens.plain(text)[0][:LONGEST_QUESTION].astype(np.int32)

    def _window(self, row: Exercise, random: np.random.Generator) -> Lesson:
        context = self.contexts[row.context]
        spans = [span for answer in row.answers if (span := tokens_of(context, *answer))]
        span = spans[random.integers(len(spans))] if spans else None
        width = self._windows[random.integers(len(self._windows))]
        if len(context.ids) <= width:
            return Lesson(row.question, context.ids, span)
        last = len(context.ids) - width
        start = int(random.integers(last + 1))
        if span and random.random() >= _WITHOUT_ANSWER:
            highest = min(last, span[0])
            start = int(random.integers(min(highest, max(0, span[1] - width + 1)), highest + 1))
        kept = [(a - start, b - start) for a, b in spans if start <= a and b < start + width]
        inside = span and (span[0] - start, span[1] - start)
        answer = inside if inside in kept else kept[0] if kept else None
        return Lesson(row.question, context.ids[start : start + width], answer)

    def _negative(self, row: Exercise, random: np.random.Generator) -> Lesson:
        kind = random.integers(6)
        if kind > 2 and (question := self._about_another(row, random)) is not None:
            context = self.contexts[row.context]
            start = int(random.integers(max(0, len(context.ids) - self._windows[-1]) + 1))
            return Lesson(question, context.ids[start : start + self._windows[-1]], None)
        if kind == 0 and (rest := self._without_answer(row)) is not None:
            return Lesson(row.question, rest[: self._windows[-1]], None)
        others = self._of_source[row.source]
        drawn = [others[place] for place in random.integers(0, len(others), _RIVALS if kind == 1 else 4)]
        texts = [normalized(self.contexts[row.context].text[start:end]) for start, end in row.answers]
        drawn = [
            other
            for other in drawn
            if other != row.context and not any(text in normalized(self.contexts[other].text) for text in texts)
        ] or [other for other in drawn if other != row.context]
        if not drawn:  # a source of one context
            return Lesson(row.question, self.contexts[row.context].ids[:0], None)
        other = drawn[0] if kind != 1 else max(drawn, key=lambda number: self._likeness(row, number))
        ids = self.contexts[other].ids
        width = self._windows[random.integers(len(self._windows))]
        start = int(random.integers(max(0, len(ids) - width) + 1))
        return Lesson(row.question, ids[start : start + width], None)

    def _about_another(self, row: Exercise, random: np.random.Generator) -> Ids | None:
        """Return a question with a name or a year of its context replaced by another, None where it has none."""
        others = self._of_source[row.source]
        for kind in (self._years, self._names):
            for said in kind[row.context]:
                place = re.search(rf"\b{re.escape(said)}\b", row.text, re.IGNORECASE)
                other = kind[others[random.integers(len(others))]]
                if place is None or not other:
                    continue
                instead = other[random.integers(len(other))]
                if instead.lower() in self.contexts[row.context].text.lower():
                    continue
                text = row.text[: place.start()] + instead + row.text[place.end() :]
                return self._question(text)
        return None

    def _likeness(self, row: Exercise, context: int) -> float:
        words = self._words[context]
        return sum(self._rarity.get(word, 0.0) for word in set(row.question.tolist()) if word in words)

    def _without_answer(self, row: Exercise) -> Ids | None:
        """Return a context without the sentences of the answers, None where too little or the answer itself is left."""
        context = self.contexts[row.context]
        bounds = [0, *(match.end() for match in _SENTENCE_END.finditer(context.text)), len(context.text)]
        kept = [
            (start, end) for start, end in pairwise(bounds) if not any(start < b and a < end for a, b in row.answers)
        ]
        rest = normalized(" ".join(context.text[start:end] for start, end in kept))
        if any(normalized(context.text[start:end]) in rest for start, end in row.answers):
            return None
        inside = np.zeros(len(context.ids), bool)
        for start, end in kept:
            inside |= (context.offsets[:, 0] >= start) & (context.offsets[:, 1] <= end)
        return context.ids[inside] if inside.sum() >= _REMAINDER else None


def tokens_of(context: Context, start: int, end: int) -> tuple[int, int] | None:
    """Return the first and last token that touch a span of characters."""
    touching = np.flatnonzero((context.offsets[:, 0] < end) & (context.offsets[:, 1] > start))
    return (int(touching[0]), int(touching[-1])) if len(touching) else None


def batches(lessons: Sequence[Lesson], tokens: int, random: np.random.Generator) -> list[list[Lesson]]:
    """Put lessons of like length into batches of at most `tokens` tokens, padding included, in random order."""
    order = random.permutation(len(lessons))
    found: list[list[Lesson]] = []
    for start in range(0, len(order), 4096):
        part = sorted((lessons[place] for place in order[start : start + 4096]), key=lambda lesson: lesson.length)
        batch: list[Lesson] = []
        for lesson in part:
            if batch and lesson.length * (len(batch) + 1) > tokens:
                found.append(batch)
                batch = []
            batch.append(lesson)
        found.append(batch)
    return [found[place] for place in random.permutation(len(found))]


def read_rows(path: Path, limit: int | None = None, source: str | None = None) -> Iterator[Row]:
    """Read JSON Lines, gzipped or not, of `question`, `context`, `answers` of {text, start} and `source`.

    Args:
        limit: read only so many rows.
        source: of rows that do not say it.

    Raises:
        NotFound: there is no such file.
        FileMalformed: a row is something else.
    """
    for number, row in islice(rows_of(path), limit):
        try:
            if source is not None:
                row.setdefault("source", source)
            right = all(row["context"][a["start"] :].startswith(a["text"]) for a in row["answers"])
            right = right and isinstance(row["question"], str) and isinstance(row["source"], str)
        except (ValueError, KeyError, TypeError) as error:
            raise FileMalformed(f"{path}, line {number}: expected question, context, answers and source") from error
        if not right:
            raise FileMalformed(f"{path}, line {number}: an answer does not stand where it says")
        yield row


def apart(rows: Sequence[Row], articles: int) -> tuple[list[Row], list[Row]]:
    """Return the rows of all articles but the last so many, and theirs; an `id` is its article's up to "-"."""
    named = [str(row["id"]).partition("-")[0] for row in rows]
    held = set(list(dict.fromkeys(named))[-articles:])
    kept, out = ([row for row, name in zip(rows, named, strict=True) if (name in held) == one] for one in (False, True))
    return kept, out


def _is_name(words: str) -> bool:
    return len(words) > 3 and not set(re.split(r"[ '’]", words.lower())) & STOP_WORDS


def _drawn(expected: float, random: np.random.Generator) -> int:
    whole = int(expected)
    return whole + bool(random.random() < expected - whole)
