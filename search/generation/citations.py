"""Citations: the sentences of a text that a model wrote, and the passages that each of them rests on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from quarry.search.language import analysis
from quarry.search.language.scripts import is_foreign
from quarry.search.language.sentences import sentences
from quarry.search.models.contracts import TextEncoder
from quarry.search.types import Cited, Hit

# Support below which a sentence rests on nothing, with vectors and by words alone. Of 40 reference summaries each of
# SciTLDR and DialogSum, 85 % and 85 % are then tied to their own document, 3 % and 3 % to another one; by words alone
# 82 % and 60 %, and 3 % and 0 %.
FLOOR, FLOOR_OF_WORDS = 0.45, 0.35
_NEAR = 0.1  # what supports a sentence nearly as well as the best does
_SOURCES = 3  # of a sentence at most
_COMPARED = 24  # source sentences of which vectors are made, for each sentence
_MARK = r"[\[【]\s*\d+(?:\s*[,;]\s*\d+)*\s*[\]】]"
_MARKS = re.compile(_MARK)
_AFTERWARDS = re.compile(
    rf"(?:{_MARK}\s*)++(?=\W*(?:[^\Wa-z]|$))"
)  # "It is so. [1] It": not the beginning of a sentence


def by_number(text: str, passages: Sequence[Hit]) -> tuple[Cited, ...]:
    """Tie the sentences of `text` to the passages whose numbers they cite, `[1]` or `[1, 3]`.

    A number behind a sentence belongs to it, whether before or after its full stop; one that no passage has counts
    for nothing. A sentence without numbers rests on nothing. Of a passage that goes over pages, the source is the part
    on one page.
    """
    found: list[str] = []
    text = re.sub(rf"(?<=[.!?])(?={_MARK})", " ", text)  # "It is so.[1] It": a sentence ends
    for start, end in sentences(text):
        sentence = text[start:end]
        if found and (marks := _AFTERWARDS.match(sentence)):
            found[-1] += " " + marks[0].rstrip()
            sentence = sentence[marks.end() :]
        if sentence:
            found.append(sentence)
    return tuple(Cited(sentence, _numbered(sentence, passages)) for sentence in found)


def _numbered(sentence: str, passages: Sequence[Hit]) -> tuple[tuple[Hit, int, int], ...]:
    numbers = dict.fromkeys(
        int(digits) for mark in _MARKS.findall(sentence) for digits in re.findall(r"(?<!\d)\d{1,4}(?!\d)", mark)
    )
    cited = [passages[number - 1] for number in numbers if 1 <= number <= len(passages)]
    return tuple((hit, *_on_one_page(hit, sentence)) for hit in cited)


def _on_one_page(hit: Hit, sentence: str) -> tuple[int, int]:
    """Return the span of a passage; of one that goes over pages, the part on the page that shares most words."""
    if hit.pages is None or not hit.pages.starts:
        return hit.start, hit.end
    said = set(analysis.query_terms(_MARKS.sub("", sentence)))
    parts = pairwise((hit.start, *hit.pages.starts, hit.end))
    start, end = max(parts, key=lambda part: len(said & set(_terms_of(hit, *part))))
    return start, end


def _terms_of(hit: Hit, start: int, end: int) -> list[str]:
    return analysis.terms(hit.text[start - hit.start : end - hit.start])


def by_support(text: str, passages: Sequence[Hit], encoder: TextEncoder | None) -> tuple[Cited, ...]:
    """Tie the sentences of `text` to those of the passages that say the same, the best first, one of a passage.

    Support is the mean of the share of the sentence's terms that a source has and of their cosine; the share alone
    where there is no encoder, or one that does not know the script.
    """
    sources = [(hit, start, end) for hit in passages for start, end in sentences(hit.text)]
    terms = [set(analysis.query_terms(hit.text[start:end])) for hit, start, end in sources]
    cited = []
    for start, end in sentences(text):
        sentence = text[start:end]
        wanted = set(analysis.query_terms(sentence))
        support = np.asarray([len(wanted & had) / max(len(wanted), 1) for had in terms], np.float32)
        nearest = np.argsort(-support, kind="stable")[:_COMPARED]
        floor = FLOOR_OF_WORDS
        if len(nearest) and encoder is not None and not is_foreign(encoder.card, sentence):
            compared = [hit.text[start:end] for hit, start, end in (sources[place] for place in nearest)]
            floor = FLOOR
            vectors = encoder.encode_documents([sentence, *compared])
            support[nearest] = (support[nearest] + vectors[1:] @ vectors[0]) / 2
            nearest = nearest[np.argsort(-support[nearest], kind="stable")]
        best: dict[str, tuple[Hit, int, int]] = {}
        for place in nearest:
            if support[place] < max(floor, support[nearest[0]] - _NEAR):
                break
            hit, first, last = sources[place]
            best.setdefault(hit.id, (hit, hit.start + first, hit.start + last))
        cited.append(Cited(sentence, tuple(best.values())[:_SOURCES]))
    return tuple(cited)
