"""Training of the embedded image model: captioned pictures -> the weights that `search/models/image/embedded.py` reads.

    python -m quarry.indexer.training.image_model PICTURES --into FOLDER

PICTURES is a folder with captions.jsonl: rows of `image`, `captions` and `split` (train, val or test), as Flickr8k has.

    1. what the frozen stages make of six views of each picture                     activations.py, pictures.py
    2. pictures of ImageNet's classes, imagined                                     classes.py
    3. the head and the projection are trained, the backbone left as it is          phases.py
    4. the head, the projection and copies of the last stages                       phases.py
    5. the bank against hubs: middles of clusters of the captions' vectors
    6. figures on the pictures of `test`, which no step above has seen

Learns from train and val; with `--validate` from train alone, and says after each epoch how well val goes. It can be
stopped at any time: run again, it goes on from the last epoch. Uses CUDA where there is any. On two CPU cores a view of
7,000 pictures takes about three minutes, imagining a picture of each class five, an epoch of the last phase two or
three.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from quarry.indexer.training.activations import BATCH, Activations, kept
from quarry.indexer.training.checkpoints import put
from quarry.indexer.training.classes import imagine, phrases
from quarry.indexer.training.phases import FIRST_SCALE, Lessons, Phase, conceive, fit
from quarry.indexer.training.pictures import shared_of
from quarry.search.errors import QuarryError
from quarry.search.evaluations.captions import evaluate_captions, load_captions
from quarry.search.models import files
from quarry.search.models.image import embedded as embedded_image
from quarry.search.models.image.tower import BANK, DIMENSION, DualEncoder
from quarry.search.models.text.embedded import CARD as EMBEDDED
from quarry.search.types import Vectors

CAPTIONS = "captions.jsonl"

HEAD = Phase("head", 24, 512, rate=1e-3, tuned_rate=0, imagined=0.25, warmup=50, average=0.995)
TUNED = Phase("tuned", 8, 256, rate=5e-4, tuned_rate=2e-4, imagined=0.15, warmup=40, average=0.996)

_TEXTS = 256  # embedded at once


@dataclass(frozen=True, slots=True)
class ImageRecipe:
    """How the embedded model was trained.

    Args:
        views: of each picture beside the plain one.
        imagined: classes of which pictures are imagined, the first of ImageNet's.
    """

    head: Phase = HEAD
    tuned: Phase = TUNED
    views: int = 5
    imagined: int = 1000
    seed: int = 0


def train(
    pictures: Path,
    into: Path,
    cache: Path,
    recipe: ImageRecipe,
    classes: Sequence[Sequence[str]],
    validate: bool,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Train the model and write its weights to `into`/model.safetensors.

    Args:
        cache: where activations and text vectors are kept for another run.
        classes: the phrases of each of the backbone's classes.
        validate: learn from the split `train` alone, and measure `val`.

    Returns:
        `{"sha256", "test", "val", "imagined_recall@1", "agreement"}`, of the weights as they were written; for `test`
        and `val` see `evaluate_captions`.

    Raises:
        FileMalformed: the captions are not what they should be, or a picture can't be read.
        NotFound: a picture or the captions are missing.
        InvalidRequest: `into` has checkpoints of another run.
        ModelError: the untrained model is not there.
    """
    sets = {split: load_captions(pictures / CAPTIONS, split) for split in ("train", "val", "test")}
    into.mkdir(parents=True, exist_ok=True)
    cache.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    model = embedded_image.untrained().eval()
    nn.init.constant_(model.logit_scale, math.log(FIRST_SCALE))
    texts = {split: _embed(model, one.captions, cache) for split, one in sets.items()}
    named = torch.stack(_embed(model, classes, cache))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device, memory_format=torch.channels_last)
    named = named.to(device)

    def seen(paths: Sequence[Path], view: int) -> Activations:
        place = cache / f"view-{view}-{_digest([recipe.seed, *map(str, paths)])}"
        batches = shared_of(model.visual, paths, view, recipe.seed, device)
        return kept(place, len(paths), batches, model.visual)

    def imagined(backgrounds: Activations, seed: int) -> Activations:
        place = cache / f"imagined-{_digest([seed, recipe.imagined, len(backgrounds)])}"
        batches = imagine(model.visual, backgrounds, recipe.imagined, seed, device)
        return kept(place, recipe.imagined, batches, model.visual)

    first = len(sets["train"].pictures)
    paths = [*sets["train"].pictures, *sets["val"].pictures]
    views = [seen(paths, view) for view in range(recipe.views + 1)]
    measured = {"test": seen(sets["test"].pictures, 0)}
    captions = texts["train"] + texts["val"]
    if validate:
        measured["val"] = views[0].part(first, len(paths))
        views, captions = [view.part(0, first) for view in views], texts["train"]
    lessons = Lessons(views, captions, imagined(views[0], recipe.seed + 1), named)
    others = imagined(measured["test"], recipe.seed + 2)

    def figures(split: str) -> dict[str, Any]:
        vectors = _vectors(model, measured[split])
        return dict(evaluate_captions(sets[split], vectors, _projected(model, torch.cat(texts[split])))["modes"])

    def after(words: str) -> None:
        say(f"{words}; val {json.dumps(figures('val'))}" if validate else words)

    for phase in (recipe.head, recipe.tuned):
        fit(model, lessons, phase, recipe.seed, into / f"{phase.name}.pt", after)
    put({"visual.bank": model.visual.bank}, {"visual.bank": _bank(_projected(model, torch.cat(captions)), recipe)})
    weights = {name: value.half() for name, value in model.trained().items()}
    put(model.trained(), weights)  # what is measured is what is written
    conceive(model, named)
    path = into / embedded_image.WEIGHTS
    save_file({name: value.cpu().contiguous() for name, value in weights.items()}, path)
    return {
        "sha256": files.file_sha256(path),
        **{split: figures(split) for split in measured},
        "imagined_recall@1": _imagined_recall(model, others, named[:, 0]),
        "agreement": _agreement(model, measured["test"], named[:, 0]),
    }


def _embed(model: DualEncoder, texts: Sequence[Sequence[str]], cache: Path) -> list[Tensor]:
    """Return MiniLM's vectors of lists of texts, (texts, 384) each, from the cache where it has them."""
    flat = [text for own in texts for text in own]
    distinct = sorted(set(flat), key=lambda text: (len(text), text))  # a batch is padded to its longest
    path = cache / f"texts-{_digest(distinct)}.npy"
    if not path.is_file():
        batches = [distinct[start : start + _TEXTS] for start in range(0, len(distinct), _TEXTS)]
        vectors = torch.cat([model.embed(batch) for batch in tqdm(batches, desc="texts", unit="batch")])
        unfinished = path.with_suffix(".tmp")
        with unfinished.open("wb") as file:
            np.save(file, vectors.numpy())
        unfinished.replace(path)
    rows = {text: row for row, text in enumerate(distinct)}
    vectors = torch.from_numpy(np.load(path))[[rows[text] for text in flat]]
    return list(vectors.split([len(own) for own in texts]))


def _bank(captions: Vectors, recipe: ImageRecipe) -> Tensor:
    """Return the (BANK, DIMENSION) middles of clusters of caption vectors, by k-means on the sphere.

    Of fewer captions, as a test has them, some middles stay at zero, which moves every picture alike.
    """
    bank = np.zeros((BANK, DIMENSION), np.float32)
    count = min(BANK, len(captions))
    means = faiss.Kmeans(DIMENSION, count, niter=12, spherical=True, seed=recipe.seed, min_points_per_centroid=1)
    means.train(captions[:, :DIMENSION] * np.float32((1 + embedded_image.CARD.text_constant**2) ** 0.5))
    bank[:count] = means.centroids
    return torch.from_numpy(bank)


def _vectors(model: DualEncoder, activations: Activations) -> Vectors:
    """Return the unit vectors of pictures."""
    tower = model.visual
    batches = []
    for start in range(0, len(activations), BATCH):
        shared, logits = activations.take(slice(start, start + BATCH), tower.head.position.device)
        with torch.no_grad():
            batches.append(tower.biased(tower.join(tower.look(shared), tower.conceive(logits))))
    found: Vectors = torch.cat(batches).cpu().numpy()
    return found


def _projected(model: DualEncoder, texts: Tensor) -> Vectors:
    """Return the unit vectors of texts, of MiniLM's."""
    weight = model.text.proj.weight
    with torch.no_grad():
        units: Vectors = F.normalize(model.text.proj(texts.to(weight.device)), dim=1).cpu().numpy()
    return embedded_image.CARD.with_constant(units)


def _imagined_recall(model: DualEncoder, imagined: Activations, names: Tensor) -> float:
    """Return how often the name of a class finds its own imagined picture first."""
    scores = _projected(model, names[: len(imagined)]) @ _vectors(model, imagined).T
    return float((scores.argmax(1) == np.arange(len(imagined))).mean())


def _agreement(model: DualEncoder, activations: Activations, names: Tensor) -> float:
    """Return how often the name nearest to a real picture is that of the class which the classifier puts first."""
    scores = _vectors(model, activations) @ _projected(model, names).T
    return float((scores.argmax(1) == activations.logits.argmax(1)).mean())


def _digest(values: Sequence[object]) -> str:
    """Name what was computed from `values` and from the untrained model."""
    stated = json.dumps([embedded_image.BACKBONE_SHA256, EMBEDDED.sha256, *values])
    return hashlib.sha256(stated.encode()).hexdigest()[:12]


def main(arguments: list[str] | None = None) -> int:
    """Train as the command line says, and print the figures as JSON; 1 where that is not possible."""
    recipe = ImageRecipe()
    parser = argparse.ArgumentParser(
        prog="python -m quarry.indexer.training.image_model", description="Train quarry-lite0."
    )
    parser.add_argument("pictures", type=Path, help="folder of captions.jsonl, such as Flickr8k's")
    parser.add_argument("--into", type=Path, required=True, help="folder of the weights and checkpoints")
    parser.add_argument("--cache", type=Path, help="folder of what is computed once, about 2 GB; default: INTO/cache")
    parser.add_argument(
        "--epochs", type=int, default=recipe.tuned.epochs, help="of the last phase; default: %(default)s"
    )
    parser.add_argument("--rate", type=float, default=recipe.tuned.rate, help="its learning rate; default: %(default)s")
    parser.add_argument("--seed", type=int, default=recipe.seed, help="default: %(default)s")
    parser.add_argument("--validate", action="store_true", help="learn from train alone, measure val")
    options = parser.parse_args(arguments)
    recipe = replace(recipe, tuned=replace(recipe.tuned, epochs=options.epochs, rate=options.rate), seed=options.seed)
    classes = phrases(embedded_image.read_classes(embedded_image.model_folder() / embedded_image.CLASSES))
    cache = options.cache or options.into / "cache"
    say = partial(tqdm.write, file=sys.stderr)
    try:
        figures = train(options.pictures, options.into, cache, recipe, classes, options.validate, say)
    except QuarryError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
