"""Where the files are that come with Quarry: models, samples, background queries."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def shipped(*parts: str) -> Path:
    """Return the path of a file or folder of `data/`, which need not be there."""
    spec = find_spec("data")
    folder = Path(spec.origin).parent if spec and spec.origin else Path(__file__).resolve().parents[1] / "data"
    return folder.joinpath(*parts)
