"""Prepared models: a text model's graph, exported once from its original weights and kept in the user's cache.

    <cache>/models/<identity>/   card.json, tokenizer.json, model.onnx      written elsewhere, then renamed into place
    <cache>/models/<identity>.lock          held (flock) while it is being prepared; a dead holder holds nothing
    <cache>/models/sources/                 what `sources.resolve` read of a folder, valid while no file in it changed

This module reads them; `search.models.preparation` makes them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from search.errors import ModelDamaged
from search.models import sources
from search.models.cards import EMBEDDED, EMBEDDED_NAMES, Card

FORMAT = 1
GRAPH, TOKENIZER, CARD = "model.onnx", "tokenizer.json", "card.json"
MEND = "run `quarry models --prepare` (or `make setup`)"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model that is ready to serve.

    Args:
        folder: where its files are.
        card: the model.
        precision: `int8` or `float32` in ONNX Runtime, or `torch` where the model can't be exported.
        files: SHA-256 of each file but card.json.
        parity: cosines to sentence-transformers on the bank of `search.models.export`: `float32_min`, `min`, `mean`.
        notice: what a user should know, such as why it is served by torch; "" for nothing.
        versions: of the libraries that made it.
    """

    folder: Path
    card: Card
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
            raise ModelDamaged(f"{path} can't be read ({error.strerror}); {MEND}.") from error
        if digest != self.files.get(name):
            raise ModelDamaged(f"{path} is damaged: its SHA-256 is not the one recorded; {MEND}.")
        return path

    def verify(self) -> None:
        """Read every file against its hash.

        Raises:
            ModelDamaged: one of them is not what was written.
        """
        for name in self.files:
            self.checked(name)


def models_folder() -> Path:
    """Return the folder of prepared models: in `QUARRY_CACHE`, or in the user's cache directory."""
    if cache := os.environ.get("QUARRY_CACHE"):
        return Path(cache).expanduser() / "models"
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("quarry")) / "models"


def prepared(card: Card) -> Prepared | None:
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
        raise ModelDamaged(f"{folder / CARD} can't be read ({error}); {MEND}.") from error
    try:
        if values["format"] != FORMAT:
            return None
        found = Prepared(
            folder,
            Card.from_json(values["card"]),
            values["precision"],
            values["files"],
            values["parity"],
            values["notice"],
            values["versions"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelDamaged(f"{folder / CARD} is damaged ({error!r}); {MEND}.") from error
    if found.card.identity != card.identity:
        raise ModelDamaged(f"{folder / CARD} describes another model than its folder is named after; {MEND}.")
    return replace(found, card=replace(found.card, name=card.name, source=card.source))


def resolve(name: str) -> Card:
    """Return the card of the model called `name`, as `sources.resolve` does, hashing an unchanged folder only once.

    Raises:
        ModelMissing, ModelDamaged: as `sources.resolve`.
    """
    if name in EMBEDDED_NAMES:
        return EMBEDDED
    folder = sources.find(name)
    memory = models_folder() / "sources" / f"{hashlib.sha256(f'{name}|{folder}'.encode()).hexdigest()[:32]}.json"
    stamps = _stamps(folder)
    try:
        known = json.loads(memory.read_bytes())
        if known["format"] == FORMAT and known["stamps"] == stamps:
            return Card.from_json(known["card"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    card = sources.read_card(folder, name)
    if _stamps(folder) == stamps:
        try:
            memory.parent.mkdir(parents=True, exist_ok=True)
            _write(memory, json.dumps({"format": FORMAT, "stamps": stamps, "card": card.to_json()}).encode())
        except OSError:
            pass  # only slower next time
    return card


def _stamps(folder: Path) -> dict[str, list[int]]:
    """Return size and times of the files that a card is read from, by path."""
    stamps = {}
    for path in sorted([*folder.glob("*"), *folder.glob("*/*")]):
        if path.suffix in (".json", ".safetensors", ".txt", ".model") and path.is_file():
            status = path.stat()
            stamps[path.relative_to(folder).as_posix()] = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    return stamps


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
