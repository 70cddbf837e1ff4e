"""Settings: what can be chosen for a library, read once, from arguments first and the environment second."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

DEFAULT_TEXT_MODEL = "all-MiniLM-L6-v2"
DEFAULT_IMAGE_MODEL = "quarry-lite0"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a library is opened.

    Args:
        library: its directory.
        text_model: name or folder of a sentence-transformers model; None for the one that embedded the library, or
            the embedded default where nothing was embedded yet.
        wait_s: how long a write waits for another process's batch.
        prepare: export a model on its first use for writing; a server does not.
        image_model: name of an open_clip model and checkpoint, or folder of one; None as for `text_model`.
    """

    library: Path
    text_model: str | None = None
    wait_s: float = 30.0
    prepare: bool = True
    image_model: str | None = None


def read_settings(
    library: str | os.PathLike[str] | None = None,
    text_model: str | None = None,
    wait_s: float = 30.0,
    prepare: bool = True,
    image_model: str | None = None,
) -> Settings:
    """Fill what is not given from `QUARRY_LIBRARY`, `QUARRY_TEXT_MODEL` and `QUARRY_IMAGE_MODEL`, and from defaults."""
    directory = library or os.environ.get("QUARRY_LIBRARY")
    if not directory:
        from platformdirs import user_data_dir

        directory = user_data_dir("quarry", appauthor=False)
    return Settings(
        Path(directory).expanduser().absolute(),
        text_model or os.environ.get("QUARRY_TEXT_MODEL") or None,
        wait_s,
        prepare,
        image_model or os.environ.get("QUARRY_IMAGE_MODEL") or None,
    )
