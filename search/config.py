"""Settings: what can be chosen for a library, read once, from arguments first and the environment second."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from quarry.search.errors import InvalidRequest, NotFound
from quarry.search.uris import expanded, uri_of


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
        reader: name or folder of a transformers model for question answering; None for the embedded one.
        cross_encoder: name or folder of a sentence-transformers CrossEncoder, for reranking; there is no default.
        summarizer: name or folder of a transformers model that writes summaries; None for the documents' own sentences.
        generator: name or folder of a transformers model that writes answers; there is no default.
        deadline_s: how long a request may take before it is stopped, and what writes twenty times as long; None for any
            time.
        tell: is told in words of what takes long before anything else is seen: the export of a model.
        shared: a library that is made is for this user's group, too.
    """

    library: Path
    text_model: str | None = None
    wait_s: float = 30.0
    prepare: bool = True
    image_model: str | None = None
    reader: str | None = None
    cross_encoder: str | None = None
    summarizer: str | None = None
    generator: str | None = None
    tell: Callable[[str], None] | None = field(default=None, compare=False)
    shared: bool = False
    deadline_s: float | None = None


def read_settings(
    library: str | os.PathLike[str] | None = None,
    text_model: str | None = None,
    wait_s: float = 30.0,
    prepare: bool = True,
    image_model: str | None = None,
    reader: str | None = None,
    cross_encoder: str | None = None,
    summarizer: str | None = None,
    generator: str | None = None,
    tell: Callable[[str], None] | None = None,
    shared: bool = False,
    deadline_s: float | None = None,
) -> Settings:
    """Fill what is not given from the environment (`QUARRY_LIBRARY`, `QUARRY_TEXT_MODEL`, ...) and from defaults."""
    directory = library or os.environ.get("QUARRY_LIBRARY")
    if not directory:
        from platformdirs import user_data_dir

        directory = user_data_dir("quarry", appauthor=False)
    return Settings(
        _anchored(directory),
        text_model or os.environ.get("QUARRY_TEXT_MODEL") or None,
        wait_s,
        prepare,
        image_model or os.environ.get("QUARRY_IMAGE_MODEL") or None,
        reader or os.environ.get("QUARRY_READER") or None,
        cross_encoder or os.environ.get("QUARRY_CROSS_ENCODER") or None,
        summarizer or os.environ.get("QUARRY_SUMMARIZER") or None,
        generator or os.environ.get("QUARRY_GENERATOR") or None,
        tell,
        shared,
        _seconds("QUARRY_DEADLINE") if deadline_s is None else deadline_s,
    )


def _anchored(directory: str | os.PathLike[str]) -> Path:
    """Return a directory from the root of the file system; links stay as they are named."""
    path = expanded(directory)
    try:
        str(path).encode()
        return path.absolute()
    except UnicodeEncodeError as error:  # tantivy takes no other
        raise InvalidRequest(f"A library can't lie at {uri_of(path)}: its path must be UTF-8; give another.") from error
    except FileNotFoundError as error:
        raise NotFound(f"{path} is relative, and the current folder is gone; name it from /.") from error


def _seconds(variable: str) -> float | None:
    text = os.environ.get(variable)
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise InvalidRequest(f"{variable} is {text!r}; it must be a number of seconds above 0.")
    return seconds
