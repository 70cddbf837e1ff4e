"""What Whisper hears in a recording, a minute at a time: passages of some sentences, each with its seconds."""

from __future__ import annotations

import math
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.decoding import one_line
from quarry.indexer.loaders.sound.container import opened
from quarry.indexer.loaders.sound.samples import RATE, Samples, parts
from quarry.search.errors import FileMalformed, UnsupportedType
from quarry.search.models.runtime import available_cores, load_onnxruntime
from quarry.search.types import Parsed
from quarry.search.values.places import Place

_MISSING = "nothing is installed that hears what is said"
_PASSAGE_S = 12.0  # that a passage may take
_PAUSE_S = 1.2
_LEAST_S = 3.0  # of speech that is not understood, from which on that is told
_NO_SPEECH = 0.6  # how likely it is that nobody speaks, from which on what was not heard well is not said
_SURE = math.log(0.5)
_HEARD = -1.0  # mean logarithm of the probability of a token, below which it is a guess
_REPEATS = 2.4  # how well a text can be compressed that goes round in circles
# Of a part, 0..1, below which it is of a language that an English model does not know. Of a machine's voice English has
# 0.71 and more, through noise and a poor telephone, too; nine other languages have 0.58 and less.
_UNDERSTOOD = 0.64
UNKNOWN = "unknown"
_SOUNDS = re.compile(r"[\[(*♪♫][^\])]*[\])*♪♫]")  # [Music], (applause), *laughs*
_ENDS = re.compile(r"[.?!。？！…][\"'”’)]*\s*$")
_TEMPERATURES = (0.0, 0.4)


@dataclass(frozen=True, slots=True)
class Utterance:
    """What a model takes for said, from one second to another.

    Args:
        sureness: mean logarithm of the probability of a token, of all that it heard at once.
        clearness: mean probability of a word, 0..1.
    """

    start: float
    end: float
    text: str
    sureness: float
    clearness: float = 1.0


def parse(source: Source) -> Iterator[Parsed]:
    """Hear parts of a recording; yield what is said in each by passages, then an empty one, with the part as their key.

    `Parsed.metadata` has the `confidence` of a passage, 0..1; of the empty one the `language` that was heard, where
    anybody spoke: `UNKNOWN` of what an English model can make nothing of.

    Raises:
        UnsupportedType: what hears is not installed.
        FileMalformed: the file or the model is damaged.
    """
    wanted = source.options.listening
    if wanted is None:
        raise UnsupportedType(_MISSING)
    if not wanted.model:
        yield from _sounds(source, wanted.parts)
        return
    model = _opened(wanted.model)
    with opened(source.stream) as container:
        for number, start, samples in parts(container, wanted.parts, source.watch):
            key = f"part={number}"
            language, every = _heard(model, samples, source)
            spoken = sum(one.end - one.start for one in every)
            kept = list(credible(every))
            if not model.model.is_multilingual and (understood(every) < _UNDERSTOOD or not kept):
                language, kept = UNKNOWN, []
            for one in passages(kept):
                place = Place(seconds=(round(start + one.start, 2), round(start + one.end, 2)))
                confidence = {"confidence": round(math.exp(one.sureness), 2)}
                yield Parsed(one.text, "text/plain", key=key, metadata=confidence, place=place)
            told = {"language": language} if kept or spoken >= _LEAST_S else {}
            yield Parsed("", "text/plain", key=key, metadata=told)


def _sounds(source: Source, numbers: Sequence[int]) -> Iterator[Parsed]:
    """Yield parts of a recording as they are, each with its seconds."""
    with opened(source.stream) as container:
        for number, start, samples in parts(container, numbers, source.watch):
            place = Place(seconds=(round(start, 3), round(start + len(samples) / RATE, 3)))
            sound = (samples * 32_767).astype("<i2").tobytes()
            yield Parsed("", "audio/L16", key=f"part={number}", place=place, samples=sound)


def sentences(words: Iterable[Utterance]) -> Iterator[Utterance]:
    """Join words to sentences, which a pause ends, too: what a model hears at once ends wherever it likes."""
    held: list[Utterance] = []
    for word in words:
        if held and (word.start - held[-1].end > _PAUSE_S or word.end - held[0].start > _PASSAGE_S):
            yield _joined(held, "")
            held = []
        held.append(word)
        if _ENDS.search(word.text):
            yield _joined(held, "")
            held = []
    if held:
        yield _joined(held, "")


def credible(segments: Iterable[Utterance]) -> Iterator[Utterance]:
    """Leave out what is a guess, a sound, or said over and over: what the model makes of noise and music."""
    for one, is_new in _told(segments):
        if is_new and one.sureness >= _HEARD:
            yield one


def understood(segments: Iterable[Utterance]) -> float:
    """Return how much of what is said a model makes anything of, 0..1.

    A language that it does not know it hears unclearly, or goes round in circles over it, of which it is very sure.
    """
    told = [(one.end - one.start, one.clearness * is_new) for one, is_new in _told(segments)]
    spoken = sum(seconds for seconds, _ in told)
    return sum(seconds * clearness for seconds, clearness in told) / spoken if spoken else 0.0


def _told(segments: Iterable[Utterance]) -> Iterator[tuple[Utterance, bool]]:
    """Yield what is no mere sound, and whether it is new: neither in circles nor said twice before."""
    before: list[str] = []
    for one in segments:
        text = one_line(_SOUNDS.sub("", one.text), 5_000)
        if spoken := "".join(letter for letter in text.lower() if letter.isalnum()):
            is_new = before[-2:] != [spoken] * 2 and not _circles(text)
            before += [spoken] * is_new
            yield replace(one, text=text), is_new


def _circles(text: str) -> bool:
    data = text.encode()
    return len(data) / len(zlib.compress(data)) > _REPEATS


def passages(segments: Iterable[Utterance]) -> Iterator[Utterance]:
    """Join sentences that are said without a pause."""
    held: list[Utterance] = []
    for one in segments:
        if held and (one.end - held[0].start > _PASSAGE_S or one.start - held[-1].end > _PAUSE_S):
            yield _joined(held, " ")
            held = []
        held.append(one)
    if held:
        yield _joined(held, " ")


def _joined(held: list[Utterance], between: str) -> Utterance:
    weight = max(1, sum(len(one.text) for one in held))
    sureness = sum(one.sureness * len(one.text) for one in held) / weight
    clearness = sum(one.clearness * len(one.text) for one in held) / weight
    return Utterance(held[0].start, held[-1].end, between.join(one.text for one in held), sureness, clearness)


@lru_cache(maxsize=1)  # of a child, which hears many files by the same
def _opened(folder: str) -> Any:
    """Load a model from its folder, which is all that is needed of it.

    Raises:
        UnsupportedType: faster-whisper is not installed.
        FileMalformed: it can't be loaded.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"  # in the confined child alone
    try:
        load_onnxruntime()  # which tells where voices are, with its telemetry off
        from faster_whisper import WhisperModel
    except ImportError as error:
        raise UnsupportedType(_MISSING) from error
    try:
        return WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=available_cores())
    except (RuntimeError, ValueError, OSError) as error:
        raise FileMalformed(f"the model that hears it can't be loaded ({error})") from error


def _heard(model: Any, samples: Samples, source: Source) -> tuple[str, list[Utterance]]:
    """Return the language that is spoken, and what is said, as the model has it."""
    found, info = model.transcribe(
        samples,
        language=None if model.model.is_multilingual else "en",
        word_timestamps=True,  # what is heard at once may be half a minute long
        vad_filter=True,  # nothing is heard where there is no voice
        vad_parameters={"min_silence_duration_ms": 500, "speech_pad_ms": 200},
        condition_on_previous_text=False,  # else one mistake is repeated to the end
        temperature=_TEMPERATURES,
        log_prob_threshold=_HEARD,
        no_speech_threshold=_NO_SPEECH,
        compression_ratio_threshold=None,  # a refrain is no mistake: `credible` looks at each sentence
    )
    words: list[Utterance] = []
    for one in found:
        source.watch.reached(0.0)
        if one.no_speech_prob <= _NO_SPEECH or one.avg_logprob >= _SURE:
            sureness, most = float(one.avg_logprob), len(samples) / RATE
            words += (
                Utterance(min(w.start, most), min(w.end, most), w.word, sureness, float(w.probability))
                for w in one.words or ()
            )
    return str(info.language), list(sentences(words))
