"""Where the files are that come with Quarry: models, samples, background queries."""

from __future__ import annotations

from pathlib import Path


def shipped(*parts: str) -> Path:
    """Return the path of a file or folder of `data/`, which need not be there."""
    return Path(__file__).resolve().parents[2].joinpath("data", *parts)
