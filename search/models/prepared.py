"""Prepared models: a model's graphs, exported once from its original weights and kept in the user's cache.

    <cache>/models/<identity>/   card.json and the model's parts            written elsewhere, then renamed into place
    <cache>/models/<identity>.lock          held (flock) while it is being prepared; a dead holder holds nothing
    <cache>/models/sources/                 what was read of a model's source, valid while no file of it changed

The parts of a text model, a reader and a cross-encoder are tokenizer.json and model.onnx. Those of an image model are
visual.onnx, and for texts either textual.onnx and tokenizer.json or projection.npy, a matrix for the vectors of a text
model.

This module reads them; `search.models.preparation` makes them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar

from quarry.search.access import make_file_anew, make_folder
from quarry.search.config import DEFAULT_READER
from quarry.search.errors import ModelDamaged
from quarry.search.models import sources, text_sources
from quarry.search.models.cards import EMBEDDED, EMBEDDED_NAMES, Card
from quarry.search.models.image_cards import DEFAULT_IMAGE_MODEL, ImageCard
from quarry.search.models.pair_cards import PairCard
from quarry.search.uris import expanded

FORMAT = 1
GRAPH, TOKENIZER, CARD = "model.onnx", "tokenizer.json", "card.json"
VISUAL, TEXTUAL, PROJECTION = "visual.onnx", "textual.onnx", "projection.npy"
MEND = "run `quarry models --prepare` (or `make setup`)"

AnyCard = TypeVar("AnyCard", Card, ImageCard, PairCard)


@dataclass(frozen=True, slots=True)
class Prepared(Generic[AnyCard]):
    """A model that is ready to serve.

    Args:
        folder: where its files are.
        card: the model.
        precision: `int8` or `float32` in ONNX Runtime, or `torch` where the model can't be exported.
        files: SHA-256 of each file but card.json.
        parity: cosines to the original on the banks of `search.models.parity` and `image_parity`: the least and the
            mean, and those of single parts.
        notice: what a user should know, such as why it is served by torch; "" for nothing.
        versions: of the libraries that made it.
    """

    folder: Path
    card: AnyCard
    precision: str
    files: Mapping[str, str]
    parity: Mapping[str, float] = field(default_factory=dict)
    notice: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def write(self) -> None:
        """Write card.json into `folder`."""
        values = {
            "format": FORMAT,
            "identity": self.card.identity,
            "card": self.card.to_json(),
            "precision": self.precision,
            "files": dict(self.files),
            "parity": dict(self.parity),
            "notice": self.notice,
            "versions": dict(self.versions),
        }
        _write(self.folder / CARD, json.dumps(values, indent=1, ensure_ascii=False).encode())

    def checked(self, name: str) -> Path:
        """Return the path of one of the files, after reading it against its hash.

        Raises:
            ModelDamaged: it is missing, or is not what was written.
        """
        path = self.folder / name
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelDamaged(f"{path} can't be read ({error.strerror}); {mend(self.card)}.") from error
        if digest != self.files.get(name):
            raise ModelDamaged(f"{path} is damaged: its SHA-256 is not the one recorded; {mend(self.card)}.")
        return path

    def verify(self) -> None:
        """Read every file against its hash.

        Raises:
            ModelDamaged: one of them is not what was written.
        """
        for name in self.files:
            self.checked(name)


def mend(card: Card | ImageCard | PairCard) -> str:
    """Say what makes a damaged or missing prepared form anew."""
    if isinstance(card, PairCard) and card.name != DEFAULT_READER:
        return f"run `quarry models --prepare --{card.task} {card.name}`"
    if isinstance(card, ImageCard) and card.name != DEFAULT_IMAGE_MODEL:
        return f"run `quarry models --prepare --image-model {card.name}`"
    return MEND


def models_folder() -> Path:
    """Return the folder of prepared models: in `QUARRY_CACHE`, or in the user's cache directory."""
    if cache := os.environ.get("QUARRY_CACHE"):
        return expanded(cache) / "models"
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("quarry")) / "models"


def prepared(card: AnyCard) -> Prepared[AnyCard] | None:
    """Return the prepared form of `card`'s model, None where there is none. Files are checked when they are read.

    Raises:
        ModelDamaged: its card.json can't be used.
    """
    folder = models_folder() / card.identity
    try:
        values = json.loads((folder / CARD).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelDamaged(f"{folder / CARD} can't be read ({error}); {mend(card)}.") from error
    try:
        if values["format"] != FORMAT:
            return None
        found = Prepared(
            folder,
            type(card).from_json(values["card"]),
            values["precision"],
            values["files"],
            values["parity"],
            values["notice"],
            values["versions"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelDamaged(f"{folder / CARD} is damaged ({error!r}); {mend(card)}.") from error
    if found.card.identity != card.identity:
        raise ModelDamaged(f"{folder / CARD} describes another model than its folder is named after; {mend(card)}.")
    return replace(found, card=replace(found.card, name=card.name, source=card.source))


def resolve(name: str) -> Card:
    """Return the card of the text model called `name`, as `text_sources.resolve` does, hashing a folder only once.

    Raises:
        ModelMissing, ModelDamaged: as `text_sources.resolve`.
    """
    if name in EMBEDDED_NAMES:
        return EMBEDDED
    folder = sources.find(name)
    return remembered(f"{name}|{folder}", lambda: _parts(folder), Card, lambda: text_sources.read_card(folder, name))


def remembered(
    key: str, files: Callable[[], Iterable[Path]], kind: type[AnyCard], read: Callable[[], AnyCard]
) -> AnyCard:
    """Return the card that `read` makes of `files`, without reading them again while they are unchanged."""
    memory = models_folder() / "sources" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    stamps = _stamps(files())
    try:
        known = json.loads(memory.read_bytes())
        if known["format"] == FORMAT and known["stamps"] == stamps:
            return kind.from_json(known["card"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    card = read()
    if _stamps(files()) == stamps:
        try:
            note(memory, {"format": FORMAT, "stamps": stamps, "card": card.to_json()})
        except OSError:
            pass  # only slower next time
    return card


def note(path: Path, values: Mapping[str, object]) -> None:
    """Write JSON into a file, at once or not at all, making its folder."""
    make_folder(path.parent)
    _write(path, json.dumps(values).encode())


def _parts(folder: Path) -> list[Path]:
    """List the files that a text model's card is read from."""
    paths = [*folder.glob("*"), *folder.glob("*/*"), *folder.glob("*/*/*")]
    return [path for path in paths if path.suffix in (".json", ".safetensors", ".txt", ".model")]


def _stamps(paths: Iterable[Path]) -> dict[str, list[int]]:
    """Return size and times of files, by path."""
    stamps = {}
    for path in sorted(paths):
        if path.is_file():
            status = path.stat()
            stamps[str(path)] = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    return stamps


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with make_file_anew(temporary) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
