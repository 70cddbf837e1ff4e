"""Imagined pictures of ImageNet's classes: the breadth that a few thousand photos of people and dogs don't have.

No picture of ImageNet is used. The backbone has learnt from them what each class looks like; that knowledge is asked
back. From what the shared stages make of one of our photos, a gradient is followed until the frozen classifier takes it
for the class: not in pixels, but in the activations that the tuned stages begin with, since only those are trained. The
result is no picture that anyone could look at. With the names of the class as its caption it keeps the tuned branch
from forgetting what the classifier knows.

Inverting a classifier to get training data without data is the idea of DeepInversion (Yin et al. 2020, "Dreaming to
Distill"). That one makes pictures, from noise, and needs the statistics of every layer to keep them natural; here a
photo's own activations are the start, so that a few steps are enough, and what stands around the object is real.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from timm.data.imagenet_info import ImageNetInfo
from torch import Tensor

from quarry.indexer.training.activations import BATCH, Activations
from quarry.search.models.image.tower import ImageTower

NAMED = 3  # the first phrases of a class, whose mean is its concept

_STEPS, _STRIDE = 14, 0.12  # at most so many, each so many standard deviations of a channel long
_LEAST, _MOST = 0.1, 0.97  # the probability at which an imagined object is good enough is drawn between
_HIDES = 0.5  # how much of what is behind the middle of an object it takes away
_EDGE = 0.1  # how much of the gradient reaches what is far from it


def phrases(classes: Sequence[Sequence[str]]) -> list[list[str]]:
    """Add to the three phrases of each class (`read_classes`) its first synonym and WordNet's description of it."""
    wordnet = ImageNetInfo("imagenet-1k")
    return [
        [*named, named[-1].split(", ")[0], wordnet.index_to_description(number, detailed=True)]
        for number, named in enumerate(classes)
    ]


def imagine(
    tower: ImageTower, backgrounds: Activations, count: int, seed: int, device: torch.device
) -> Iterator[Tensor]:
    """Yield `ImageTower.shared` as it would be of pictures of the first `count` classes, one each, in batches.

    Args:
        backgrounds: of real pictures, in which the objects are put.
    """
    chance = torch.Generator().manual_seed(seed)
    for start in range(0, count, BATCH):
        classes = torch.arange(start, min(start + BATCH, count))
        rows = torch.randint(len(backgrounds), (len(classes),), generator=chance)
        yield _with_objects(tower, backgrounds.take(rows.numpy(), device)[0], classes.to(device), chance)


def _with_objects(tower: ImageTower, shared: Tensor, classes: Tensor, chance: torch.Generator) -> Tensor:
    count, _, height, width = shared.shape
    spread = shared.std((0, 2, 3), keepdim=True)
    where = _places(count, height, width, chance).to(shared.device)
    goal = (_LEAST + (_MOST - _LEAST) * torch.rand(count, generator=chance)).to(shared.device)
    behind = shared * (1 - _HIDES * where)
    change = torch.zeros_like(shared)
    for _ in range(_STEPS):
        change.requires_grad_(True)
        likelihood = tower.logits(behind + where * change * spread).log_softmax(1).gather(1, classes[:, None])[:, 0]
        lacking = (likelihood.exp() < goal).float()
        if not lacking.any():
            break
        (gradient,) = torch.autograd.grad(likelihood.sum(), change)
        with torch.no_grad():
            # In part the same direction all over the object: one thing is wanted, not a pattern of many.
            gradient = gradient + gradient.mean((2, 3), keepdim=True) / 2
            stride = _STRIDE * lacking / gradient.square().mean((1, 2, 3)).sqrt().clamp_min(1e-12)
            change = change.detach() + stride[:, None, None, None] * gradient
    return (behind + where * change * spread).detach()


def _places(count: int, height: int, width: int, chance: torch.Generator) -> Tensor:
    """Draw where an object is, (count, 1, height, width) of `_EDGE`..1: a round spot about the middle."""
    down, across = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    middle = (0.25 + 0.5 * torch.rand(2, count, 1, 1, generator=chance)) * height
    radius = (0.2 + 0.25 * torch.rand(count, 1, 1, generator=chance)) * height
    distance = (down - middle[0]).square() + (across - middle[1]).square()
    return torch.exp(-distance / (2 * radius.square())).clamp_min(_EDGE)[:, None]
