"""Prepared models: a text model's graph, exported once from its original weights and kept in the user's cache.

    <cache>/models/<identity>/   card.json, tokenizer.json, model.onnx      written elsewhere, then renamed into place
    <cache>/models/<identity>.lock          held (flock) while it is being prepared; a dead holder holds nothing
    <cache>/models/sources/                 what `sources.resolve` read of a folder, valid while no file in it changed

The export itself needs torch and runs in a child process (`python -m search.models.export`), so that the process that
searches never imports it.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from search import errors
from search.errors import ModelDamaged, ModelError, ModelMissing, QuarryError, StorageFull
from search.models import sources
from search.models.cards import EMBEDDED, EMBEDDED_NAMES, Card

FORMAT = 1
GRAPH, TOKENIZER, CARD = "model.onnx", "tokenizer.json", "card.json"
MEND = "run `quarry models --prepare` (or `make setup`)"

Progress = Callable[[str], None]


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

    def read(self, name: str) -> bytes:
        """Read one of the files, checked against its hash.

        Raises:
            ModelDamaged: it is missing, or is not what was written.
        """
        try:
            content = (self.folder / name).read_bytes()
        except OSError as error:
            raise ModelDamaged(f"{self.folder / name} can't be read ({error.strerror}); {MEND}.") from error
        if hashlib.sha256(content).hexdigest() != self.files.get(name):
            raise ModelDamaged(f"{self.folder / name} is damaged: its SHA-256 is not the one recorded; {MEND}.")
        return content

    def verify(self) -> None:
        """Read every file against its hash.

        Raises:
            ModelDamaged: one of them is not what was written.
        """
        for name in self.files:
            self.read(name)


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
    return found


def prepare(name: str, progress: Progress | None = None) -> Prepared:
    """Return the prepared form of the model called `name`, exporting it first where that was not done or is damaged.

    Safe to call from many processes at once: one exports, the others wait for it. Takes some 20 seconds for the
    embedded model. `progress` is told in words what is being done.

    Raises:
        ModelMissing: there is no such model here, nor could the hub be reached.
        ModelDamaged: its weights are not what they should be, or its export is not equal to it.
        StorageFull: there is no room in the cache.
    """
    say = progress or (lambda _: None)
    try:
        card: Card | None = resolve(name)
    except ModelMissing:
        if not sources.hub_names(name) or name in EMBEDDED_NAMES:
            raise
        card = None
    if card and (found := _sound(card)):
        return found
    folder = models_folder()
    with _storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if card is None:
        say(f"fetching {name} from the hub")
        _export(name, None, say)
        card = resolve(name)
    with _locked(folder / f"{card.identity}.lock", say):
        if found := _sound(card):
            return found
        with _storage(folder):
            for leftover in folder.glob(f".{card.identity}.*"):
                shutil.rmtree(leftover, ignore_errors=True)
            temporary = Path(tempfile.mkdtemp(prefix=f".{card.identity}.", dir=folder))
        try:
            _export(name, temporary, say)
            with _storage(folder):
                if (folder / card.identity).exists():
                    os.replace(folder / card.identity, temporary / "damaged")
                os.replace(_only(temporary), folder / card.identity)
                _fsync(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    made = _sound(card)
    if made is None:
        raise ModelDamaged(f"the model {name!r} changed while it was being prepared; {MEND} again.")
    return made


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


def _sound(card: Card) -> Prepared | None:
    try:
        found = prepared(card)
        if found:
            found.verify()
    except ModelDamaged:
        return None
    return found


def _only(folder: Path) -> Path:
    return folder / "made"


def _export(name: str, into: Path | None, say: Progress) -> None:
    """Run `search.models.export` in a child; without `into` it only fetches the model."""
    package_root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH")))),
        "PYTHONIOENCODING": "utf-8",
        "PYTHONWARNINGS": "ignore",
        "TOKENIZERS_PARALLELISM": "false",
    }
    # -P: the working directory may be any folder, and is no place to import from.
    command = [sys.executable, "-P", "-m", "search.models.export", name]
    if into:
        command += ["--into", str(_only(into))]
    outcome: dict[str, Any] = {}
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, env=environment
        ) as child,
    ):
        try:
            assert child.stdout is not None
            for line in child.stdout:
                message = _message(line)
                if "progress" in message:
                    say(str(message["progress"]))
                outcome = message or outcome
        except BaseException:
            child.kill()
            raise
        status = child.wait()
        complaints.seek(0)
        tail = complaints.read().decode("utf-8", "replace").strip().splitlines()[-1:]
    if status == 0:
        return
    if "error" in outcome:
        kind = getattr(errors, str(outcome["error"]), ModelError)
        raise (kind if issubclass(kind, QuarryError) else ModelError)(str(outcome["message"]))
    reason = f"was killed by signal {-status} (out of memory?)" if status < 0 else f"ended with {status}"
    raise ModelError(f"exporting {name!r} failed: the process {reason}: {' '.join(tail) or 'it said nothing'}.")


def _message(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        return {}  # a library printed something
    return message if isinstance(message, dict) else {}


@contextmanager
def _locked(path: Path, say: Progress) -> Iterator[None]:
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another process that is preparing the same model")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _storage(folder: Path) -> Iterator[None]:
    """Translate what the file system says."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"the disk is full: no room for a model under {folder}.") from error
        raise ModelError(
            f"models can't be kept under {folder} ({error.strerror}): make it writable, or name another in QUARRY_CACHE."
        ) from error


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _fsync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
