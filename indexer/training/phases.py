"""One phase of training: pictures and captions are drawn together, each to its own among those of the batch.

loss        InfoNCE both ways (van den Oord et al. 2018; as CLIP has it, Radford et al. 2021), over the vectors that
            the search will compare: head + ConSE (Norouzi et al. 2013), projected text
targets     softened: captions that mean the same are partly right for each other's pictures, as much as MiniLM says
weights     what is kept is their moving average (Polyak and Juditsky 1992), not the last ones
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from quarry.indexer.training.activations import Activations
from quarry.indexer.training.checkpoints import put, resume, save
from quarry.indexer.training.classes import NAMED
from quarry.search.models.graphs.efficientnet import CONCEPTS
from quarry.search.models.image.tower import DualEncoder

FIRST_SCALE = 20.0  # of cosines in the loss; it is trained too

_LARGEST_SCALE = 60.0
_SOFTNESS, _TEMPERATURE = 0.2, 0.05  # part of a target that goes by likeness; of the softmax over it
_DECAY, _TUNED_DECAY = 0.05, 0.01  # of weights
_CLIP = 1.0  # largest norm of a gradient
_AVERAGED = 30  # steps after which the moving average begins to be slow


@dataclass(frozen=True, slots=True)
class Phase:
    """How one phase goes.

    Args:
        rate: peak learning rate of the head, the projection and the scale; it rises over `warmup` steps and falls as a
            cosine.
        tuned_rate: that of the tuned stages; 0 leaves them as they are.
        imagined: imagined pictures added to a batch, as a part of it.
        average: decay of the moving average, a step.
    """

    name: str
    epochs: int
    batch: int
    rate: float
    tuned_rate: float
    imagined: float
    warmup: int
    average: float


@dataclass(frozen=True, slots=True)
class Lessons:
    """What there is to learn from; texts as MiniLM's unit vectors.

    Args:
        views: of the same n pictures.
        captions: of each picture, (any number, 384).
        imagined: one picture of each class, in order; as many classes as there are.
        phrases: what the classes are called, (1000, phrases, 384), on the model's device.
    """

    views: Sequence[Activations]
    captions: Sequence[Tensor]
    imagined: Activations
    phrases: Tensor


def fit(
    model: DualEncoder,
    lessons: Lessons,
    phase: Phase,
    seed: int,
    checkpoint: Path,
    after: Callable[[str], None],
) -> None:
    """Train a model through a phase, and leave it with the averaged weights.

    Goes on from the checkpoint, which is written after every epoch.

    Args:
        after: called after every epoch, with what to say of it; the model has the averaged weights then.

    Raises:
        InvalidRequest: the checkpoint is of another run.
    """
    tower = model.visual
    device = tower.head.position.device
    tower.tuned.requires_grad_(True)
    weights = model.trained()
    average = {name: value.clone() for name, value in weights.items()}
    tower.tuned.requires_grad_(phase.tuned_rate > 0)
    optimizer = _optimizer(model, phase)
    size = {"pictures": len(lessons.captions), "views": len(lessons.views), "classes": len(lessons.imagined)}
    run = {**asdict(phase), **size, "seed": seed}
    done = resume(checkpoint, run, weights, average, optimizer)
    steps = max(1, len(lessons.captions) // phase.batch)
    for epoch in range(done, phase.epochs):
        torch.manual_seed(seed * 1_000 + epoch)  # whatever came before, so that a resumed run draws the same
        model.eval()
        tower.head.train()  # of the stages nothing: their batch norms keep the statistics of ImageNet
        order = torch.randperm(len(lessons.captions))
        losses = 0.0
        for number in tqdm(range(steps), desc=f"{phase.name} {epoch + 1}/{phase.epochs}", unit="step"):
            step = epoch * steps + number
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * _schedule(step, phase.epochs * steps, phase.warmup)
            rows = order[number * phase.batch : (number + 1) * phase.batch].sort().values  # as they lie in the file
            loss = _loss(model, *_batch(lessons, rows, phase, device), lessons.phrases)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([value for group in optimizer.param_groups for value in group["params"]], _CLIP)
            optimizer.step()
            losses += loss.item()
            with torch.no_grad():
                model.logit_scale.clamp_(max=math.log(_LARGEST_SCALE))
                decay = min(phase.average, step / (step + _AVERAGED))
                for name, value in weights.items():
                    average[name].lerp_(value, 1 - decay)
        save(checkpoint, run, epoch + 1, weights, average, optimizer)
        live = {name: value.clone() for name, value in weights.items()}
        put(weights, average)
        conceive(model, lessons.phrases)
        model.eval()
        after(f"{phase.name}, epoch {epoch + 1} of {phase.epochs}: loss {losses / steps:.3f}")
        put(weights, live)
    put(weights, average)
    tower.tuned.requires_grad_(True)
    conceive(model, lessons.phrases)
    model.eval()


def conceive(model: DualEncoder, phrases: Tensor) -> None:
    """Bring the concepts of the image tower up to the projection, as `DualEncoder.set_classes` does from texts."""
    with torch.no_grad():
        model.visual.concepts = _concepts(model, phrases)


def _concepts(model: DualEncoder, phrases: Tensor) -> Tensor:
    return F.normalize(model.text.proj(phrases[:, :NAMED].mean(1)), dim=1)


def _batch(lessons: Lessons, rows: Tensor, phase: Phase, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Draw a view of some pictures and a caption of each, and add imagined ones.

    Returns:
        `shared` and `logits` of n pictures, and their captions, (n, 384).
    """
    view = lessons.views[int(torch.randint(len(lessons.views), ()))]
    shared, logits = view.take(rows.numpy(), device)
    is_flipped = (torch.rand(len(rows)) < 0.5).to(device)
    shared = torch.where(is_flipped[:, None, None, None], shared.flip(3), shared)
    own = [lessons.captions[row] for row in rows.tolist()]
    captions = torch.stack([texts[int(torch.randint(len(texts), ()))] for texts in own])
    classes = torch.randperm(len(lessons.imagined))[: int(phase.imagined * len(rows))]
    imagined, their_logits = lessons.imagined.take(classes.numpy(), device)
    called = lessons.phrases[classes, int(torch.randint(lessons.phrases.shape[1], ()))]
    texts = torch.cat([captions.to(device), called])
    return torch.cat([shared, imagined]), torch.cat([logits, their_logits]), texts


def _loss(model: DualEncoder, shared: Tensor, logits: Tensor, texts: Tensor, phrases: Tensor) -> Tensor:
    tower = model.visual
    tower.concepts = _concepts(model, phrases)  # the projection learns through them too
    pictures = F.normalize(tower.look(shared) + CONCEPTS * tower.conceive(logits), dim=1)
    scores = model.logit_scale.exp() * pictures @ F.normalize(model.text.proj(texts), dim=1).T
    likeness = (texts @ texts.T / _TEMPERATURE).softmax(1)
    targets = (1 - _SOFTNESS) * torch.eye(len(texts), device=texts.device) + _SOFTNESS * likeness
    return (F.cross_entropy(scores, targets) + F.cross_entropy(scores.T, targets)) / 2


def _schedule(step: int, steps: int, warmup: int) -> float:
    return min(1.0, (step + 1) / warmup) * (1 + math.cos(math.pi * step / steps)) / 2


def _optimizer(model: DualEncoder, phase: Phase) -> torch.optim.Optimizer:
    tuned = list(model.visual.tuned.parameters())
    of_stages = {id(value) for value in tuned}
    new = [value for value in model.parameters() if value.requires_grad and id(value) not in of_stages]
    groups: list[dict[str, Any]] = [{"params": new, "peak": phase.rate, "weight_decay": _DECAY}]
    if phase.tuned_rate:
        groups.append({"params": tuned, "peak": phase.tuned_rate, "weight_decay": _TUNED_DECAY})
    return torch.optim.AdamW(groups)
