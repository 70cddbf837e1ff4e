"""Settings: what can be chosen for a library, read once, from arguments first and the environment second."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from quarry.search.errors import InvalidRequest, NotFound
from quarry.search.files.uris import expanded, uri_of
from quarry.search.models.live import LiveModels, NamedModels
from quarry.search.queries import arguments
from quarry.search.requests.watching import Unwatched, Watch

if TYPE_CHECKING:
    from quarry.search.engines.table import Engines


class ModelOptions(TypedDict, total=False):
    """The fields of `ModelNames`, as what takes some of them by name is given them; a test holds the two equal."""

    text_model: str | None
    image_model: str | None
    reader: str | None
    cross_encoder: str | None
    summarizer: str | None
    generator: str | None
    checker: str | None
    picture_reader: str | None
    page_reader: str | None
    table_reader: str | None
    translator: str | None


@dataclass(frozen=True, slots=True)
class ModelNames:
    """Which models are wanted, each by its name or folder.

    Args:
        text_model: of sentence-transformers; None for the one that embedded the library, or the embedded default where
            nothing was embedded yet.
        image_model: of open_clip, with its weights, or a folder; None as for `text_model`.
        reader: a transformers model for question answering, which finds answers; None for the embedded one.
        cross_encoder: a CrossEncoder of sentence-transformers, for `rerank="cross-encoder"`; there is no default.
        summarizer: a transformers model that writes summaries; None for the documents' own sentences.
        generator: a transformers model that writes answers; there is no default.
        checker: a transformers model for natural language inference, which says whether passages support a claim; there
            is no default.
        picture_reader: a transformers model for visual question answering; there is no default.
        page_reader: a transformers model for document question answering; there is no default.
        table_reader: a transformers model for table question answering; there is no default.
        translator: a transformers model for translation, which queries are translated by; there is no default.
    """

    text_model: str | None = None
    image_model: str | None = None
    reader: str | None = None
    cross_encoder: str | None = None
    summarizer: str | None = None
    generator: str | None = None
    checker: str | None = None
    picture_reader: str | None = None
    page_reader: str | None = None
    table_reader: str | None = None
    translator: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """How a library is opened.

    Args:
        library: its directory.
        models: what is loaded for it.
        wait_s: how long a write waits for another process's batch.
        prepare: export a model on its first use for writing; a server does not.
        deadline_s: how long a request may take before it is stopped, and what writes twenty times as long; None for any
            time.
        engines: by the names of spaces, those that other vector engines than the default follow: the name of one
            (`search/engines/table.py`), or what opens it.
        live: gives the models that are named here, and may name others where nothing is.
        tell: is told in words of what takes long before anything else is seen: the export of a model.
        shared: a library that is made is for this user's group, too.
        watch: is told how searches go.
    """

    library: Path
    models: ModelNames = ModelNames()
    wait_s: float = 30.0
    prepare: bool = True
    tell: Callable[[str], None] | None = field(default=None, compare=False)
    shared: bool = False
    deadline_s: float | None = None
    live: LiveModels = field(default_factory=NamedModels, compare=False)
    engines: Engines = field(default_factory=dict, compare=False)
    watch: Watch = field(default_factory=Unwatched, compare=False)


def read_settings(
    library: str | os.PathLike[str] | None = None,
    *,
    wait_s: float = 30.0,
    prepare: bool = True,
    tell: Callable[[str], None] | None = None,
    shared: bool = False,
    deadline_s: float | None = None,
    live: LiveModels | None = None,
    engines: Engines | None = None,
    **models: Unpack[ModelOptions],
) -> Settings:
    """Fill what is not given from the environment (`QUARRY_LIBRARY`, `QUARRY_TEXT_MODEL`, ...) and from defaults.

    Raises:
        InvalidRequest: something is of another type than it can be.
    """
    if library is not None:
        library = arguments.path(library, "directory")
    for name, value in models.items():
        if value is not None:
            arguments.path(value, name)
    directory = library or os.environ.get("QUARRY_LIBRARY")
    if not directory:
        from platformdirs import user_data_dir

        directory = user_data_dir("quarry", appauthor=False)
    live = live or NamedModels()
    given = {name: value or live.names.get(name) for name, value in asdict(ModelNames(**models)).items()}
    named = {name: value or os.environ.get(variable(name)) or None for name, value in given.items()}
    return Settings(
        _anchored(directory),
        ModelNames(**named),
        arguments.seconds(wait_s, "wait_s"),
        arguments.flag(prepare, "prepare"),
        tell,
        arguments.flag(shared, "shared"),
        _seconds("QUARRY_DEADLINE") if deadline_s is None else arguments.seconds(deadline_s, "deadline_s"),
        live,
        engines=engines or {},
    )


def variable(model: str) -> str:
    """Return the environment variable that names a model where nothing else does."""
    return f"QUARRY_{model.upper()}"


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
