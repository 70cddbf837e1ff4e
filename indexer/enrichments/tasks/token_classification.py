"""Token classification: persons, organizations and places that a text names, or what else a model was trained for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from quarry.indexer.enrichments.base import RESERVED, Result
from quarry.indexer.enrichments.tasks.base import ModelEnrichment
from quarry.search.fields.named import BUILT_IN
from quarry.search.models.auto.serving import AutoModel, softmax
from quarry.search.models.auto.task import Task
from quarry.search.models.auto.windows import TextWindow, batches, windows

TASK = Task(
    name="token-classification",
    heads=("ForTokenClassification",),
    loader="AutoModelForTokenClassification",
    command="quarry enrich token-classification=MODEL",
    option="any `...ForTokenClassification`",
    seen="fields named by what is found (`person`, `organization`, `location`): filters, facets",
)
_FIELDS = {"per": "person", "pers": "person", "org": "organization", "loc": "location", "misc": "miscellaneous"}
_MARK = re.compile(r"([BIESLU])[-_](.+)", re.DOTALL)  # of schemes: begins, goes on, ends, stands alone
_OUTSIDE = ("O", "0", "")
_ENOUGH = 0.5  # probability of a name's words, on average
_LONGEST = 100  # characters of a name
_MOST = 200  # values of a field


@dataclass(frozen=True, slots=True)
class _Word:
    """A word and its likeliest label; `begins` where that says so."""

    start: int
    end: int
    kind: str
    begins: bool
    share: float


class TokenClassification(ModelEnrichment[str]):
    """Finds names, each under a field that is named by its kind; the same one counts once, by its surest place.

    A word has the label of its first token, as such models are trained; a text of several windows is looked at in
    each where no other looks.
    """

    task = TASK

    def look(self, model: AutoModel, items: Sequence[str]) -> list[Result]:
        """Find the names in texts."""
        words: list[list[_Word]] = [[] for _ in items]
        for batch, inputs in batches(model, windows(model, items)):
            for window, shares in zip(batch, softmax(model.outputs(inputs).logits), strict=True):
                words[window.text] += _words(model, window, shares)
        return [_result(text, sorted(own, key=lambda word: word.start)) for text, own in zip(items, words, strict=True)]


def _words(model: AutoModel, window: TextWindow, shares: Any) -> Iterator[_Word]:
    """Yield the words of a window that is theirs alone, with the label of the first token of each."""
    number, found = None, None
    for (start, end), word, row in zip(window.spans, window.words, shares, strict=False):
        if word is None:
            continue
        if word == number and found is not None:
            found = replace(found, end=end)
            continue
        if found is not None:
            yield found
        number, found = word, None
        if window.start <= start < window.end:
            label = model.labels[best := int(row.argmax())]
            begins, kind = _read(label)
            found = _Word(start, end, kind, begins, float(row[best]))
    if found is not None:
        yield found


def _read(label: str) -> tuple[bool, str]:
    """Return whether a label says that a name begins, and the field of its kind, "" for none."""
    if label in _OUTSIDE:
        return False, ""
    match = _MARK.fullmatch(label)
    mark, kind = (match[1], match[2]) if match else ("", label)
    kind = kind.strip().lower()
    is_taken = kind in RESERVED or kind in BUILT_IN  # by what else a document has: its own language, its date
    return mark in ("B", "S", "U"), f"named_{kind}" if is_taken else _FIELDS.get(kind, kind)


def _result(text: str, words: Sequence[_Word]) -> Result:
    surest: dict[str, dict[str, float]] = {}
    for kind, start, end, share in _names(words):
        value = " ".join(text[start:end].split())
        if value and len(value) <= _LONGEST and share >= _ENOUGH:
            own = surest.setdefault(kind, {})
            own[value] = max(share, own.get(value, 0.0))
    fields, confidence = {}, {}
    for kind, values in surest.items():
        kept = sorted(values, key=lambda value: -values[value])[:_MOST]
        fields[kind] = sorted(kept)
        confidence[kind] = {value: round(values[value], 3) for value in sorted(kept)}
    return Result(fields, confidence=confidence)


def _names(words: Sequence[_Word]) -> Iterator[tuple[str, int, int, float]]:
    """Yield the kind, the start, the end and the mean probability of each run of words of one kind."""
    run: list[_Word] = []
    for word in [*words, None]:
        if run and (word is None or word.begins or word.kind != run[0].kind):
            yield run[0].kind, run[0].start, run[-1].end, sum(one.share for one in run) / len(run)
            run = []
        if word is not None and word.kind:
            run.append(word)
