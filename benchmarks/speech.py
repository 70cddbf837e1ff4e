"""What is heard of spoken sentences, how quickly and with how much memory; and how many frames films give.

`python -m benchmarks.speech`: 30 sentences are spoken by espeak-ng (`apt-get install espeak-ng`), a machine's voice
that is harder to understand than a person's, in two accents, plain, at 8 kHz, clipped and with noise. The references
are the model without what is done here to its output, and the length of the sound.
"""

from __future__ import annotations

import io
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

import numpy as np

from quarry.indexer.loaders.base import Listening, LoadOptions
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.search.models import whisper

SENTENCES = """
The first boat of the morning carries the post and the bread.
My grandmother planted this apple tree before the war.
Nobody had told the new teacher where the keys were kept.
The museum is closed on Mondays and on public holidays.
Water boils at a lower temperature on a high mountain.
We walked along the river until it was too dark to read the map.
The council will vote on the new bridge next Thursday.
Please leave your wet umbrella outside the library.
The old clock in the station has been wrong for eleven years.
She learned to play the violin by listening to the radio.
A small fire in the kitchen was put out within minutes.
The farmers are waiting for rain, and so are the frogs.
His train was late because a cow stood on the track.
They found the missing letter behind a picture of a ship.
The recipe needs two eggs, a cup of flour and a little salt.
In the desert the nights can be colder than the days are hot.
The company sold its last factory in the north of the country.
Most of the stars that we can see are brighter than the sun.
The doctor asked him to rest and to drink more water.
Our neighbors keep bees on the roof of their house.
The film begins with a long walk through an empty city.
There is a market in front of the church every Saturday.
The engine stopped twice before we reached the border.
The children built a castle of sand and gave it a flag.
The report says that the lake has become cleaner since then.
He wrote three novels and never showed them to anyone.
The concert was moved to a larger hall at the last moment.
You can hear the waterfall long before you see it.
The bakery on the corner opens at six in the morning.
The last speaker thanked everybody and turned off the light.
""".strip().splitlines()
VOICES = ("en-us", "en-gb")
FOREIGN = {
    "de": "Die Fähre zur Insel fährt jeden Morgen um halb zehn ab. Fahrkarten werden am Hafen verkauft.",
    "fr": "Le bateau pour l'île part tous les matins à neuf heures et demie. Les billets sont vendus sur le quai.",
    "ko": "섬으로 가는 배는 매일 아침 아홉 시 반에 떠납니다. 표는 부두에서 팝니다.",
    "es": "El barco para la isla sale todas las mañanas a las nueve y media. Los billetes se venden en el muelle.",
}
RATE = 16_000
PAUSE = RATE


def main() -> None:
    """Print a row for each condition, what foreign speech is taken for, and figures of speed and memory."""
    if shutil.which("espeak-ng") is None:
        sys.exit("espeak-ng is not installed: apt-get install espeak-ng")
    print("| voice | condition | sentences | word errors | of the model alone | times real time |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as name, _sandbox() as sandbox:
        folder = Path(name)
        for voice in VOICES:
            clear = spoken(SENTENCES, voice)
            for condition, samples in {
                "clear": clear,
                "8 kHz": np.repeat(clear[::2], 2),
                "noise, 20 dB below": clear + _noise(clear, 20),
                "clipped": np.clip(4 * clear, -0.5, 0.5),
            }.items():
                path = _written(folder / "speech.wav", samples)
                began = time.perf_counter()
                text = " ".join(one for one, _ in heard(sandbox, path, len(samples)))
                took = time.perf_counter() - began
                alone = _alone(samples)
                print(
                    f"| {voice} | {condition} | {len(SENTENCES)} | {_percent(word_errors(SENTENCES, text))}"
                    f" | {_percent(word_errors(SENTENCES, alone))} | {len(samples) / RATE / took:.1f} |",
                    flush=True,
                )
        for language, text in FOREIGN.items():
            samples = spoken([text], language)
            said = heard(sandbox, _written(folder / "foreign.wav", samples), len(samples))
            print(f"{language}: {said or 'nothing is said'}")
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"\nThe process that hears had at most {largest:,} MiB.")


def spoken(sentences: list[str], voice: str) -> np.ndarray:
    """Return sentences as espeak-ng speaks them, 16 kHz, with a second between them."""
    pieces = []
    for sentence in sentences:
        command = ["espeak-ng", "-v", voice, "-s", "150", "--stdout", sentence]
        with wave.open(io.BytesIO(subprocess.run(command, check=True, capture_output=True).stdout)) as sound:
            rate = sound.getframerate()
            samples = np.frombuffer(sound.readframes(10**9), "<i2").astype(np.float32) / 32768
        at = np.arange(0, len(samples) - 1, rate / RATE)
        pieces += [np.interp(at, np.arange(len(samples)), samples).astype(np.float32), np.zeros(PAUSE, np.float32)]
    return np.concatenate(pieces)


def heard(sandbox: Sandbox, path: Path, length: int) -> list[tuple[str, float]]:
    """Return the passages that are heard, each with the second that it begins at."""
    parts = tuple(range(1, -(-length // (60 * RATE)) + 1))
    listening = Listening(str(whisper.named(whisper.EMBEDDED).folder), parts)
    found = sandbox.load(path, options=LoadOptions(listening=listening))
    return [(one.text, one.place.seconds[0]) for one in found if one.text and one.place and one.place.seconds]


def word_errors(sentences: list[str], text: str) -> float:
    """Return how many words are wrong, missing or too many, as a share of those that were said."""
    said, found = _words(" ".join(sentences)), _words(text)
    row = list(range(len(found) + 1))
    for at, word in enumerate(said, 1):
        before, row[0] = row[0], at
        for place, other in enumerate(found, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (word != other))
    return row[-1] / len(said)


def _words(text: str) -> list[str]:
    numbers = {"11": "eleven", "2": "two", "3": "three", "6": "six"}
    return [numbers.get(word, word) for word in re.findall(r"[a-z']+|\d+", text.lower())]


def _alone(samples: np.ndarray) -> str:
    """Return what faster-whisper makes of it by itself, the whole at once."""
    from faster_whisper import WhisperModel

    model = WhisperModel(str(whisper.named(whisper.EMBEDDED).folder), device="cpu", compute_type="int8")
    return " ".join(one.text for one in model.transcribe(samples, language="en")[0])


def _noise(samples: np.ndarray, decibels: float) -> np.ndarray:
    loud = float(np.sqrt(np.mean(np.square(samples[np.abs(samples) > 0.01]))))
    return np.random.default_rng(0).normal(0, loud / 10 ** (decibels / 20), len(samples)).astype(np.float32)


def _written(path: Path, samples: np.ndarray) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, RATE, 0, "NONE", ""))
        sound.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def _sandbox() -> Sandbox:
    return Sandbox(timeout=600, memory=2 << 30)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


if __name__ == "__main__":
    main()
