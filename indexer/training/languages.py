"""Train the map by which words of other languages find pictures: `languages.safetensors` of the embedded image model.

    python -m quarry.indexer.training.languages FOLDER --into OUT

From what multilingual-e5-small makes of an English text, ridge regression tells what MiniLM and the image model make of
it: captions, parts of them such as people search by, and the names of ImageNet's classes. A map learnt of English alone
goes half as far in Korean: what tells languages apart lies in many directions, and some of them look useful. So there
are the few hundred phrases of `sayings.jsonl` as well, in other languages beside English. They count twice: as examples
of their own, and by the spread of the difference between a phrase and the same in English, along which the map is held
back as by noise.

It is solved in one step, always with the same result but for rounding. Minutes go into embedding the texts.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from quarry.search.errors import QuarryError
from quarry.search.models.image import embedded
from quarry.search.models.image.languages import LANGUAGES, Bridge
from quarry.search.models.loading import load_text_encoder
from quarry.search.models.names import DEFAULT_TEXT_MODEL, MULTILINGUAL_TEXT_MODEL

SAYINGS = Path(__file__).with_name("sayings.jsonl")
TEXTS = 13_750  # of those in English, in the order of `english`
SEED = 3

Floats = NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Weights:
    """What counts for how much beside the English texts.

    Args:
        korean, others: the phrases in Korean, and those in other languages.
        apart: the spread of the differences between languages.
        ridge: all directions alike.
    """

    korean: float = 1.0
    others: float = 0.15
    apart: float = 0.1
    ridge: float = 3e-4


@dataclass(frozen=True, slots=True)
class Examples:
    """Vectors of texts, (n, d), and those of the same in English: by the multilingual model, and in the space."""

    said: Floats
    english: Floats
    wanted: Floats


def english(rows: Sequence[Row]) -> list[str]:
    """Return captions of the train and validation splits, parts of them, and names of classes, shuffled."""
    chance = random.Random(SEED)
    names = []
    for phrases in embedded.read_classes(embedded.model_folder() / embedded.CLASSES):
        names += [phrases[0], chance.choice(phrases[-1].split(", "))]
    names = list(dict.fromkeys(names))
    captions = [caption for row in rows if row["split"] == "train" for caption in row["captions"]]
    chance.shuffle(captions)
    parts = list(dict.fromkeys(_part(caption, chance) for caption in captions[::-1][:4500]))
    first = [row["captions"][0] for row in rows if row["split"] == "val"]
    return [
        *(first + captions[:2000] + names[:1000] + parts[:1500]),
        *(captions[2000:5000] + names[1000:] + parts[1500:] + captions[5000:]),
    ][:TEXTS]


def _part(caption: str, chance: random.Random) -> str:
    words = caption.rstrip(" .").split()
    starts = [at for at, word in enumerate(words) if word.lower() in ("a", "an", "the", "two", "three", "some")] or [0]
    start = chance.choice(starts)
    return " ".join(words[start : start + chance.randint(2, 5)])


def sayings(rows: Sequence[Row]) -> dict[str, list[tuple[str, list[str]]]]:
    """Return phrases by their language, each with what says the same in English: one text or the captions of a picture.

    A caption's translation names its picture and its number; what was written of a picture itself has no number.
    """
    known = {row["image"]: row for row in rows if row["split"] != "test"}
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for line in SAYINGS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        same = [row.pop("en")] if "en" in row else known[row.pop("image")]["captions"]
        if (number := row.pop("number", None)) is not None:
            same = [same[number]]
        for language, text in row.items():
            found.setdefault(language, []).append((text, same))
    return found


def solved(base: Examples, spoken: dict[str, Examples], weights: Weights) -> Bridge:
    """Return the map with the least squares of all, (d, d'), and what is added to it.

    Args:
        spoken: by language.
    """
    gram, product = _moments(base.said, base.wanted)
    others = [language for language in spoken if language != "ko"]
    shares = {language: weights.others / len(others) for language in others} | {"ko": weights.korean}
    held = np.zeros_like(gram)
    for language, examples in spoken.items():
        own_gram, own_product = _moments(examples.said, examples.wanted)
        gram, product = gram + shares[language] * own_gram, product + shares[language] * own_product
        apart = examples.said - examples.english
        share = 2 / 3 if language == "ko" else 1 / 3 / len(others)
        held[:-1, :-1] += share * apart.T @ apart / len(apart)
    width = len(gram) - 1
    held[:-1, :-1] = weights.apart * held[:-1, :-1] + weights.ridge * np.eye(width)
    found = np.linalg.solve(gram + held, product)
    return Bridge(found[:-1].astype(np.float16), found[-1].astype(np.float16))


def _moments(said: Floats, wanted: Floats) -> tuple[Floats, Floats]:
    longer = np.concatenate([said, np.ones((len(said), 1))], axis=1)
    return longer.T @ longer / len(said), longer.T @ wanted / len(said)


def train(folder: Path, into: Path, weights: Weights) -> None:
    """Write `languages.safetensors` into a folder, from the captions of another; raise `QuarryError`."""
    rows = [json.loads(line) for line in (folder / "captions.jsonl").read_text(encoding="utf-8").splitlines()]
    many, own = load_text_encoder(MULTILINGUAL_TEXT_MODEL, prepare=True), load_text_encoder(DEFAULT_TEXT_MODEL)
    projection = embedded.projection()

    def wanted(texts: Sequence[str]) -> Floats:
        return _units(own.encode_queries(texts) @ projection)

    def means(vectors: Floats, of: Sequence[Sequence[str]]) -> Floats:
        parts = np.split(vectors, np.cumsum([len(texts) for texts in of])[:-1])
        return _units(np.stack([part.mean(axis=0) for part in parts]))

    texts = english(rows)
    spoken = {}
    for language, phrases in sayings(rows).items():
        same = [one for _, one in phrases]
        flat = [text for one in same for text in one]
        said = many.encode_queries([text for text, _ in phrases]).astype(np.float64)
        both = means(many.encode_queries(flat).astype(np.float64), same), means(wanted(flat), same)
        spoken[language] = Examples(said, *both)
    vectors = many.encode_queries(texts).astype(np.float64)
    found = solved(Examples(vectors, vectors, wanted(texts)), spoken, weights)
    into.mkdir(parents=True, exist_ok=True)
    save_file({"matrix": found.matrix, "added": found.added}, into / LANGUAGES)


def _units(vectors: NDArray[Any]) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float64)


def main(arguments: list[str] | None = None) -> int:
    """Train as the command line says; 1 where that is not possible."""
    parser = argparse.ArgumentParser(prog="python -m quarry.indexer.training.languages", description=__doc__)
    parser.add_argument("captions", type=Path, help="folder of captions.jsonl, such as Flickr8k's")
    parser.add_argument("--into", type=Path, required=True, help="folder of the weights")
    options = parser.parse_args(arguments)
    try:
        train(options.captions, options.into, Weights())
    except QuarryError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
