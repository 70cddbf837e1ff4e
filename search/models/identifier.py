"""py3langid's model as it lies in memory: unpacked once into the user's cache, and mapped from there.

    <cache>/language/<SHA-256 of the packed model>/    *.npy, and the SHA-256 of them all

Unpacking it takes most of a second of a core, and 68 MB of memory that a mapped file takes only as cache.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.files.access import make_folder
from quarry.search.models.prepared import models_folder

_ARRAYS = ("ptc", "pc", "classes", "nextmove", "row", "output")  # in the order in which py3langid gives them
_DIGEST = "sha256"

Arrays = Mapping[str, NDArray[Any]]


def open_identifier() -> Any:
    """Return py3langid's `LanguageIdentifier`, whose confidences are probabilities."""
    from py3langid.langid import MODEL_DIR, MODEL_FILE, LanguageIdentifier
    from py3langid.modelio import load_model

    packed = Path(MODEL_DIR, MODEL_FILE)
    folder = models_folder().parent / "language" / hashlib.sha256(packed.read_bytes()).hexdigest()
    model = _mapped(folder)
    if model is None:
        model = dict(zip(_ARRAYS, map(np.asarray, load_model(packed)), strict=True))
        with suppress(OSError):  # where nothing can be kept, it is unpacked each time
            _keep(model, folder)
    return LanguageIdentifier(
        model["ptc"],
        model["pc"],
        model["classes"].tolist(),
        memoryview(model["nextmove"]),  # type: ignore[arg-type]  # which gives plain numbers, as a list does
        model["output"].tolist(),
        norm_probs=True,
        tk_row=model["row"].tolist(),
    )


def _mapped(folder: Path) -> Arrays | None:
    """Return what is kept in `folder`, None where that is not what was written."""
    try:
        if (folder / _DIGEST).read_text() != _digest(folder):
            return None
        return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
    except (OSError, ValueError):
        return None


def _keep(model: Arrays, folder: Path) -> None:
    """Write a model where `_mapped` finds it, whole or not at all."""
    make_folder(folder.parent)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        made = Path(temporary, "made")
        made.mkdir(mode=0o700)
        for name, values in model.items():
            np.save(made / f"{name}.npy", values)
        (made / _DIGEST).write_text(_digest(made))
        shutil.rmtree(folder, ignore_errors=True)  # damaged; another process may have it mapped, and keeps it
        made.rename(folder)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in _ARRAYS:
        with (folder / f"{name}.npy").open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
