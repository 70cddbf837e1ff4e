"""What the frozen stages of the backbone make of pictures, kept in files: they never change, so they are computed once.

FOLDER/NAME.shared.npy   (n, 112, 14, 14) float16, `ImageTower.shared`
FOLDER/NAME.logits.npy   (n, 1000) float16, `ImageTower.logits`; written last: it says that both are whole
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from quarry.search.models.image.tower import ImageTower

BATCH = 100  # pictures


@dataclass(frozen=True, slots=True)
class Activations:
    """What both branches of an `ImageTower` begin with, and what its untouched one ends with.

    Args:
        shared: (n, 112, 14, 14) float16; read from the file as it is needed.
        logits: (n, 1000) float16.
    """

    shared: NDArray[np.float16]
    logits: NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.logits)

    def part(self, start: int, end: int) -> Activations:
        """Return those of the pictures from `start` up to `end`, without reading them."""
        return Activations(self.shared[start:end], self.logits[start:end])

    def take(self, rows: NDArray[np.int64] | slice, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return `shared` and `logits` of some rows, as float32."""
        shared, logits = (torch.from_numpy(np.array(part[rows])).to(device) for part in (self.shared, self.logits))
        return shared.float().contiguous(memory_format=torch.channels_last), logits.float()


def kept(path: Path, count: int, batches: Iterable[Tensor], tower: ImageTower) -> Activations:
    """Return the activations kept as `path`; where they are not, compute them.

    A run that was interrupted begins again with the file that it was at.

    Args:
        count: how many pictures there are.
        batches: their `ImageTower.shared`; not iterated where there is nothing to compute.
    """
    shared_path, logits_path = (path.with_name(f"{path.name}.{part}.npy") for part in ("shared", "logits"))
    if not logits_path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        logits = np.empty((count, tower.backbone.num_classes), np.float16)
        written = None
        start = 0
        with tqdm(total=count, desc=path.name, unit="picture") as bar:
            for batch in batches:
                # Rounded before the logits are taken: training reads the rounded ones.
                batch = batch.detach().half()
                if written is None:
                    shape = (count, *batch.shape[1:])
                    written = np.lib.format.open_memmap(shared_path, "w+", np.float16, shape)
                end = start + len(batch)
                written[start:end] = batch.cpu().numpy()
                with torch.no_grad():
                    logits[start:end] = tower.logits(batch.float()).cpu().numpy()
                bar.update(end - start)
                start = end
        if written is not None:
            written.flush()
        unfinished = logits_path.with_suffix(".tmp")
        with unfinished.open("wb") as file:
            np.save(file, logits)
        unfinished.replace(logits_path)
    return Activations(np.load(shared_path, mmap_mode="r"), np.load(logits_path))
