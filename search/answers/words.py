"""Answers by words alone, for questions in a script that the reader was not made for: the sentence that says most.

A sentence's score is the share of the question's words that it holds, or what stands around it. Words of Hangul, Han
and Kana are compared by overlapping pairs of characters, as the lexical index does; the first pairs of a word count
most, since its end is where particles and endings stand (훈민정음은, 반포되었는가).
"""

from __future__ import annotations

import re

from quarry.search.language import analysis
from quarry.search.language.sentences import sentences
from quarry.search.types import Reading

_ASKING = re.compile(
    r"(언제|어디|누구|누가|무엇|무슨|뭐|얼마|몇|왜|어떻게|어느|어떤|何|誰|どこ|いつ|なぜ|どう|什么|谁|哪|怎么|多少)"
)
_COUNTING = re.compile(r"언제|얼마|몇|날짜|何|幾|いつ|几|多少")
# Particles and endings of Korean words, where what is left has two characters or more.
_ENDING = re.compile(
    r"(?<=[가-힣]{2})(?:(?:되|하)(?:는가|었는가|였는가|나요|나)|했는가|했나|은|는|이|가|을|를|의|에|에서|에게|로|으로|와|과|도|만|부터|까지|는가|은가|인가|던가|나요|까요|습니까)$"
    r"|(?<=^[가-힣])[은는]$"
)
_PREDICATE = re.compile(r"[가-힣](?:나요|까요|[어아해]요|[었았했왔렀났]어|야|[는은던]가|[었았했왔]나|니까|하지)$")
_WITHOUT_NUMBER = 0.6  # what the share is worth of a sentence without a number, where one is asked for
_AROUND = 0.5  # what a word counts that stands in the title or elsewhere in the passage
_NEUTRAL = 0.58  # share at which the score is 0
_SLOPE = 8.0


def read_by_words(question: str, title: str, passage: str) -> list[Reading]:
    """Return the sentence of `passage` that answers best, with a score above 0 where it holds most of the question.

    Args:
        question: the question.
        title: of the passage's document, and its headings.
        passage: the passage.

    Returns:
        One reading, or none where the passage shares nothing with the question.
    """
    weights = weights_of(question)
    total = sum(weights.values())
    if not total:
        return []
    around = set(analysis.terms(f"{title}\n{passage}"))
    wants_number = bool(_COUNTING.search(question))
    best, found = 0.0, (0, 0)
    for start, end in sentences(passage):
        words = set(analysis.terms(passage[start:end]))
        own = sum(weight for term, weight in weights.items() if term in words)
        inherited = sum(weight for term, weight in weights.items() if term in around and term not in words)
        share = (own + _AROUND * inherited) / total
        if wants_number and not any(map(str.isdigit, passage[start:end])):
            share *= _WITHOUT_NUMBER
        if own and share > best:
            best, found = share, (start, end)
    return [Reading(*found, _SLOPE * (best - _NEUTRAL))] if best else []


def weights_of(question: str, predicate: float = 1.0) -> dict[str, float]:
    """Return how much each term of a question counts; words that only ask count nothing.

    Args:
        predicate: what the verb of a Korean question counts, which a table does not say.
    """
    weights: dict[str, float] = {}
    counted = False
    for word in question.split():
        if _ASKING.match(word) or counted:  # 몇 장인가: what is counted stands with the number, if at all
            counted = word == "몇"
            continue
        word = word.rstrip("?？.")
        share = predicate if _PREDICATE.search(word) else 1.0
        for place, term in enumerate(analysis.query_terms(_ENDING.sub("", word))):
            weights[term] = max(weights.get(term, 0.0), share / (1 + place))
    return weights
