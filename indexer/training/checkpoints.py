"""Checkpoints of a training run, from which one that was stopped goes on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from quarry.search.errors import InvalidRequest


def put(weights: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Overwrite weights, in place, with those of the same names."""
    with torch.no_grad():
        for name, value in weights.items():
            value.copy_(values[name])


def save(
    checkpoint: Path,
    run: object,
    done: int,
    weights: Mapping[str, Tensor],
    average: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write a checkpoint, at once or not at all.

    Args:
        run: what the run was told, in plain values: only the same run may go on from here.
        done: how far it is.
    """
    state = {"run": run, "done": done, "weights": weights, "average": average, "optimizer": optimizer.state_dict()}
    unfinished = checkpoint.with_suffix(".tmp")
    torch.save(state, unfinished)
    unfinished.replace(checkpoint)


def resume(
    checkpoint: Path,
    run: object,
    weights: Mapping[str, Tensor],
    average: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
) -> int:
    """Take over what a checkpoint holds, and return how far it is; 0 where there is none.

    Raises:
        InvalidRequest: the checkpoint is of another run.
    """
    if not checkpoint.is_file():
        return 0
    state: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
    if state["run"] != run:
        raise InvalidRequest(f"{checkpoint} is of a run with other settings: delete it, or train into another folder")
    put(weights, state["weights"])
    put(average, state["average"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["done"])
