"""Drawn models: the prepared form of an embedded model, from its weights, in seconds and without torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from quarry.search.errors import ModelDamaged, ModelMissing
from quarry.search.models import files
from quarry.search.models.prepared import AnyCard, Prepared, versions

_LIBRARIES = ("numpy", "onnx", "onnxruntime", "tokenizers")


def write_drawn(
    card: AnyCard, into: Path, parts: Mapping[str, bytes], precision: str, parity: Mapping[str, float]
) -> Prepared[AnyCard]:
    """Write the parts of an embedded model into the new folder `into`, and return its prepared form.

    Args:
        card: has the hash of its graph.
        parity: how near that graph is to the original, as a test finds it.

    Raises:
        ModelDamaged: another graph came out than the one that was compared with the original.
    """
    if card.graph_sha256 not in (hashlib.sha256(content).hexdigest() for content in parts.values()):
        made = ", ".join(f"{name} {version}" for name, version in versions(_LIBRARIES).items())
        raise ModelDamaged(
            f"{card.name} came out as another graph than the one that was compared with its original (SHA-256 "
            f"{card.graph_sha256[:12]}... expected): install Quarry again, with other versions than {made}."
        )
    into.mkdir(parents=True)
    for name, content in parts.items():
        (into / name).write_bytes(content)
    return Prepared(into, card, precision, {}, parity, versions=versions(_LIBRARIES)).finished()


def shipped_part(path: Path, model: str, sha256: str = "") -> Path:
    """Return the path of a part of an embedded model that comes with Quarry, after reading it against its hash.

    Raises:
        ModelMissing: it is not there.
        ModelDamaged: it is another.
    """
    if not path.is_file():
        raise ModelMissing(f"{path}, a part of {model}, is missing: install Quarry again.")
    if sha256 and files.file_sha256(path) != sha256:
        raise ModelDamaged(
            f"{path} is not the one that {model} is made of (SHA-256 {sha256[:12]}... expected): install it again."
        )
    return path
