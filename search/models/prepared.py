"""Prepared models: a model's graphs, exported once from its original weights and kept in the user's cache.

    <cache>/models/<identity>/   card.json and the model's parts            written elsewhere, then renamed into place
    <cache>/models/<identity>.lock          held (flock) while it is being prepared; a dead holder holds nothing
    <cache>/models/sources/                 what was read of a model's source, valid while no file of it changed

The parts of a text model, a reader and a cross-encoder are tokenizer.json and model.onnx; the embedded multilingual one
has pieces.safetensors in the place of the former, and words.bin, of which only as much is read as texts need. Those of
an image model are visual.onnx, and for texts either textual.onnx and tokenizer.json or projection.npy, a matrix for the
vectors of a text model. A model that writes has none.

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

from quarry.search.errors import ModelDamaged, ModelMissing
from quarry.search.files.access import make_file_anew, make_folder
from quarry.search.files.uris import expanded
from quarry.search.models.card import Card

FORMAT = 1
GRAPH, TOKENIZER, PIECES, CARD = "model.onnx", "tokenizer.json", "pieces.safetensors", "card.json"
VISUAL, TEXTUAL, PROJECTION = "visual.onnx", "textual.onnx", "projection.npy"

AnyCard = TypeVar("AnyCard", bound=Card)


@dataclass(frozen=True, slots=True)
class Prepared(Generic[AnyCard]):
    """A model that is ready to serve.

    Args:
        folder: where its files are.
        card: the model.
        precision: `int8`, `int4` or `float32` in ONNX Runtime, or `torch` where the model can't be exported.
        files: SHA-256 of each file but card.json.
        parity: how near it is to the original, on the bank of its kind (`parity.py` in each folder).
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

    def finished(self) -> Prepared[AnyCard]:
        """Return it with the hashes of all files in `folder`, after writing card.json and seeing all onto the disk."""
        found = self.hashed()
        found.write()
        for path in self.folder.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        return found

    def hashed(self) -> Prepared[AnyCard]:
        """Return it with the hashes of all files that are in `folder` but card.json."""
        paths = sorted(path for path in self.folder.iterdir() if path.name != CARD)
        return replace(self, files={path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths})

    def emptied(self) -> Prepared[AnyCard]:
        """Return it without files, after deleting those in `folder`."""
        for path in self.folder.iterdir():
            path.unlink()
        return replace(self, files={})

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


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """Return the versions of the libraries that make an export."""
    from importlib.metadata import version

    return {library: version(library) for library in libraries}


def mend(card: Card) -> str:
    """Say what makes a damaged or missing prepared form anew."""
    if not card.source:
        return "run `quarry models --prepare` (or `make setup`)"
    return f"run `quarry models --prepare {card.option} {card.name}`".replace("  ", " ")


def models_folder() -> Path:
    """Return the folder of prepared models: in `QUARRY_CACHE`, or in the user's cache directory."""
    if cache := os.environ.get("QUARRY_CACHE"):
        return expanded(cache) / "models"
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("quarry")) / "models"


def prepared(card: AnyCard) -> Prepared[AnyCard] | None:
    """Return the prepared form of `card`'s model, None where there is none. Files are checked when they are read.

    Of a model whose graph is drawn here, no other than that very graph counts.

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
    if card.graph_sha256 and card.graph_sha256 not in found.files.values():
        return None  # made by an earlier version, which exported it
    return replace(found, card=replace(found.card, name=card.name, source=card.source, graph_sha256=card.graph_sha256))


def ready(card: AnyCard) -> Prepared[AnyCard]:
    """Return the prepared form of `card`'s model; raise as `prepared` does, and `ModelMissing` where there is none."""
    if (found := prepared(card)) is None:
        raise ModelMissing(f"the model {card.name!r} is not prepared yet: {mend(card)}.")
    return found


def as_it_is(card: AnyCard) -> Prepared[AnyCard]:
    """Return what stands for a model that is served by its original alone, and has nothing in the cache."""
    return Prepared(Path(card.source), card, "torch", {})


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
