"""Measure image-text retrieval on captioned pictures: each caption should find its picture, each picture a caption.

The protocol of Flickr8k and COCO (Hodosh, Young and Hockenmaier 2013; Karpathy and Fei-Fei 2015): all pictures of the
set are ranked for each caption, all captions for each picture, of which any of its own counts. By vectors alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.errors import FileMalformed, NotFound
from quarry.search.evaluations.rankings import interval, rows_of
from quarry.search.types import Vectors

CUTS = (1, 5, 10)
CAPTION_METRICS = tuple(f"recall@{cut}" for cut in CUTS)
_BLOCK = 1_000


@dataclass(frozen=True, slots=True)
class Captioned:
    """Pictures and the captions of each; `split` is the part of the set that was chosen, "" where there are none."""

    name: str
    pictures: Sequence[Path]
    captions: Sequence[Sequence[str]]
    split: str = ""


def load_captions(path: Path, split: str | None = None) -> Captioned:
    """Read a set of captioned pictures: rows of `image` (relative to the file) and `captions`.

    Args:
        split: the rows to take; if not given, those of `test` where rows name one, else all.

    Raises:
        NotFound: a picture is missing.
        FileMalformed: the file is not what it should be.
    """
    rows = list(rows_of(path))
    if split is None:
        split = "test" if any(row.get("split") == "test" for _, row in rows) else ""
    pictures, captions = [], []
    for number, row in rows:
        if split and row.get("split") != split:
            continue
        own = row.get("captions")
        if not isinstance(row.get("image"), str) or not isinstance(own, list) or not all(map(_is_text, own or [""])):
            raise FileMalformed(f"{path}, line {number}: expected `image`, and `captions`, a list of texts")
        picture = path.parent / row["image"]
        if not picture.is_file():
            raise NotFound(f"{path}, line {number}: there is no picture {picture}")
        pictures.append(picture)
        captions.append(own)
    if not pictures:
        raise FileMalformed(f"{path} has no rows" + (f" of the split {split!r}" if split else ""))
    return Captioned(path.parent.name or path.stem, pictures, captions, split)


def _is_text(caption: object) -> bool:
    return isinstance(caption, str) and caption.strip() != ""


def evaluate_captions(captioned: Captioned, pictures: Vectors, captions: Vectors) -> dict[str, Any]:
    """Rank both ways.

    Args:
        pictures: (n, d) unit vectors.
        captions: (m, d), of all pictures' captions one after the other.

    Returns:
        `{"collection", "queries", "modes": {"text_to_image": {"recall@1", "recall@1_interval", ..., "median_rank"},
        "image_to_text": {...}}}`; recall is 0..1, ranks count from 1.
    """
    counts = [len(own) for own in captioned.captions]
    owners = np.repeat(np.arange(len(counts)), counts)
    return {
        "collection": captioned.name + (f" ({captioned.split})" if captioned.split else ""),
        "queries": len(owners),
        "pictures": len(counts),
        "modes": {
            "text_to_image": _figures(_ranks(captions, pictures, owners)),
            "image_to_text": _figures(_best_ranks(pictures, captions, owners)),
        },
    }


def _ranks(queries: Vectors, items: Vectors, own: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, for each query, how many other items score no less than its own: a tie is no success."""
    ranks = np.empty(len(queries), np.int64)
    for start in range(0, len(queries), _BLOCK):
        scores = queries[start : start + _BLOCK] @ items.T
        target = scores[np.arange(len(scores)), own[start : start + _BLOCK]]
        ranks[start : start + _BLOCK] = (scores >= target[:, None]).sum(axis=1) - 1
    return ranks


def _best_ranks(pictures: Vectors, captions: Vectors, owners: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, for each picture, how many captions of others score no less than the best of its own."""
    ranks = np.empty(len(pictures), np.int64)
    for start in range(0, len(pictures), _BLOCK):
        scores = pictures[start : start + _BLOCK] @ captions.T
        mine = owners[None, :] == np.arange(start, start + len(scores))[:, None]
        best = np.where(mine, scores, -np.inf).max(axis=1)
        ranks[start : start + _BLOCK] = (~mine & (scores >= best[:, None])).sum(axis=1)
    return ranks


def _figures(ranks: NDArray[np.int64]) -> Mapping[str, Any]:
    figures: dict[str, Any] = {}
    for cut in CUTS:
        found = (ranks < cut).astype(np.float64)
        figures[f"recall@{cut}"] = float(found.mean())
        figures[f"recall@{cut}_interval"] = list(interval(found))
    figures["median_rank"] = float(np.median(ranks)) + 1
    return figures
