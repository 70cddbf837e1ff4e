"""Translation: what a text says, in another language, a sentence at a time, as such models are trained.

Models are of three kinds: those of a pair of languages (Marian), those of many whose target is a token that the text
begins with (M2M100 and NLLB, mBART), and those that are told in words, which their configuration knows (T5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from quarry.search.errors import InvalidRequest
from quarry.search.language.repetition import unrepeated
from quarry.search.language.sentences import sentences
from quarry.search.models import languages
from quarry.search.models.auto.card import AutoCard
from quarry.search.models.auto.serving import AutoModel
from quarry.search.models.auto.task import Task
from quarry.search.models.auto.windows import MAX_CHARACTERS, most
from quarry.search.models.auto.writing import Written, write
from quarry.search.models.tokenizing import encodable
from quarry.search.requests import deadline

TASK = Task(
    name="translation",
    heads=(
        "MarianMTModel",
        "M2M100ForConditionalGeneration",
        "NllbMoeForConditionalGeneration",
        "MBartForConditionalGeneration",
        "FSMTForConditionalGeneration",
        "T5ForConditionalGeneration",
    ),
    loader="AutoModelForSeq2SeqLM",
    command='quarry search "QUERY" --translate-to en --translator MODEL',
    option="`--translator`: any `MarianMTModel`, M2M100 or NLLB, mBART or T5",
    seen="`quarry search --translate-to`, `translate_to` of `POST /v1/search`: hits of the translated query, which is "
    "told",
)
_CODE = re.compile(r"__[a-z]{2,3}__|[a-z]{2}_[A-Z]{2}|[a-z]{3}_[A-Z][a-z]{3}")  # M2M100, mBART, NLLB
_LONGEST = 512  # tokens of a piece, whatever a model takes: none was trained for more
_BATCH = 1_024  # tokens
_TOKENS = 2.0  # of a translation, for each of its text
_LEAST = 24  # tokens that a translation may have


@dataclass(frozen=True, slots=True)
class TranslatedPiece:
    """A sentence, or a part of one that is very long: its characters in the text, and what a model says for it."""

    start: int
    end: int
    written: Written


class Translator:
    """A model that translates. Many threads may share one.

    Args:
        model: of `TASK`.
        to: the language, as ISO 639-1 or the model calls it; "" for the one that it has.

    Raises:
        InvalidRequest: it does not write that language, or writes several and is told none.
    """

    def __init__(self, model: AutoModel, to: str) -> None:
        self._model = model
        self._to = to
        self._prefix, self._begin = _aimed(model.card.name, model.words, model.model.config, to)
        self._codes = _codes(model.words)

    @property
    def name(self) -> str:
        """What the model is called."""
        return self._model.card.name

    def translate(self, text: str) -> list[TranslatedPiece]:
        """Return the sentences of a text in the other language, in order; () of what is in that already, or blank.

        Raises:
            ModelError: the model fails, or gives no usable numbers.
        """
        text = encodable(text[:MAX_CHARACTERS])
        own = languages.language_of(text)
        if own and self._to and languages.same(own, self._to):
            return []
        source = own and languages.code(own, self._codes).strip("_")
        with self._reading(source):
            spans = list(self._pieces(text))
        written: dict[int, Written] = {}
        for numbers in self._batches(spans):  # between two, others have their turn
            texts = [self._prefix + text[slice(*spans[number][:2])] for number in numbers]
            with self._reading(source):
                written |= dict(zip(numbers, self._written(texts), strict=True))
        return [TranslatedPiece(start, end, written[number]) for number, (start, end, _) in enumerate(spans)]

    @contextmanager
    def _reading(self, source: str) -> Iterator[None]:
        """Have the tokenizer, which all threads share, read a language in the block; its own one for ""."""
        words = self._model.words
        with deadline.holding(self._model.running):
            if not source or not hasattr(words, "src_lang"):
                yield
                return
            before, words.src_lang = words.src_lang, source
            try:
                yield
            finally:
                words.src_lang = before

    def _pieces(self, text: str) -> Iterator[tuple[int, int, int]]:
        """Yield the sentences of a text with how many tokens each has; one that is too long in parts, cut at words."""
        left = sentences(text)[::-1]
        longest = min(most(self._model), _LONGEST)
        while left:
            start, end = left.pop()
            count = len(self._model.tokens(self._prefix + text[start:end], verbose=False)["input_ids"])
            if count <= longest or end - start < 2:
                yield start, end, count
                continue
            middle = (start + end) // 2
            cut = max(text.rfind(" ", start + 1, middle), text.rfind("\n", start + 1, middle))
            cut = cut + 1 if cut > start else middle
            left += [(cut, end), (start, cut)]

    def _batches(self, spans: Sequence[tuple[int, int, int]]) -> Iterator[list[int]]:
        """Yield the numbers of pieces that are of a length, the longest first."""
        left = sorted(range(len(spans)), key=lambda number: -spans[number][2])
        while left:
            count = max(1, _BATCH // max(1, spans[left[0]][2]))
            yield left[:count]
            left = left[count:]

    def _written(self, texts: Sequence[str]) -> list[Written]:
        longest = most(self._model)
        inputs = self._model.tokens(texts, padding=True, truncation=True, max_length=longest, return_tensors="pt")
        inputs = {name: value for name, value in inputs.items() if name in self._model.arguments}
        begin = {} if self._begin is None else {"forced_bos_token_id": self._begin}
        tokens = min(longest - 2, _LEAST + int(_TOKENS * inputs["input_ids"].shape[1]))
        return [_ended(one) for one in write(self._model, inputs, tokens, **begin)]


def check(card: AutoCard, to: str) -> None:
    """Raise `InvalidRequest` where a model does not write a language, or writes several and is told none."""
    from quarry.search.models.auto.original import configured

    _aimed(card.name, *configured(card), to)


def _ended(one: Written) -> Written:
    """Return what a model wrote up to where it goes round in circles, if it found no end."""
    return one if one.is_whole else Written(unrepeated(one.text), one.shares, one.is_whole)


def _codes(words: Any) -> list[str]:
    """Return what a tokenizer calls languages."""
    return [token for token in words.all_special_tokens if _CODE.fullmatch(token)]


def _aimed(name: str, words: Any, config: Any, to: str) -> tuple[str, int | None]:
    """Return what a text is to begin with, and the token that its translation is to begin with."""
    if not to:
        if _codes(words):
            raise InvalidRequest(f"{name} writes several languages: name one, such as --translate-to en.")
        return "", None
    for token in (f"<2{to}>", f">>{to}<<"):
        if words.convert_tokens_to_ids(token) not in (None, words.unk_token_id):
            return f"{token} ", None
    codes = _codes(words)
    if token := languages.code(to, codes):
        return "", int(words.convert_tokens_to_ids(token))
    if codes:
        raise InvalidRequest(f"{name} does not write {to!r}; it knows languages by such as {', '.join(codes[:5])}.")
    told = getattr(config, "task_specific_params", None) or {}
    prefixes = {task: values.get("prefix", "") for task, values in told.items() if isinstance(values, dict)}
    pairs = {task.rpartition("_to_")[2]: str(prefix) for task, prefix in prefixes.items() if "translation_" in task}
    for written, prefix in pairs.items():
        if languages.same(written, to):
            return prefix, None
    if pairs:
        raise InvalidRequest(f"{name} writes {', '.join(pairs)}, not {to}.")
    own = getattr(words, "target_lang", None)
    if own is None or languages.same(str(own), to):  # it says nothing of what it writes, or just that
        return "", None
    raise InvalidRequest(f"{name} writes {own}, not {to}.")
