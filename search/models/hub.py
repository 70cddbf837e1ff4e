"""The Hugging Face hub: models that were fetched from it lie in its cache, by its own rules."""

from __future__ import annotations

import os
import re
from pathlib import Path

from quarry.search.errors import ModelMissing
from quarry.search.files.uris import expanded
from quarry.search.models.extra import need


def cache() -> Path:
    """Return the folder of the Hugging Face hub's cache, by the hub's own rules."""
    if path := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return expanded(path)
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return expanded(os.environ.get("HF_HOME", f"{cache}/huggingface")) / "hub"


def names_of(name: str) -> tuple[str, ...]:
    """Return what `name` may be called on the hub, () where it can't be a name there."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", name) or ".." in name:
        return ()
    return (name,) if "/" in name else (f"sentence-transformers/{name}",)


def lacking(what: str, name: str, command: str) -> ModelMissing:
    """Return what is to be said of a model that is neither a folder nor in the hub's cache.

    Args:
        what: kind of model, in words.
        command: that fetches one, before its name.
    """
    if not names_of(name):
        return ModelMissing(f"no {what} {name!r} on this machine: there is no such folder.")
    return ModelMissing(
        f"no {what} {name!r} on this machine: it is no folder, and not in the hub's cache ({cache()}). "
        f"Run `{command} {name}` where the hub can be reached, or give the path of a model's folder."
    )


def snapshot(hub_name: str) -> Path | None:
    """Return the folder of a hub repository's main revision in the hub's cache, None where it is not there."""
    repository = cache() / f"models--{hub_name.replace('/', '--')}"
    try:
        revision = (repository / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError, ValueError):
        return None
    snapshot = repository / "snapshots" / revision
    return snapshot if revision and snapshot.is_dir() else None


def download(name: str, hub_name: str) -> None:
    """Fetch the model called `name` from one of the hub's repositories into the hub's cache.

    Raises:
        ModelMissing: that was not possible.
    """
    need(name, "huggingface_hub")
    from huggingface_hub import snapshot_download

    wanted = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "README.md", "*/*.json", "*/*.safetensors"]
    unwanted = ["onnx/*", "openvino/*"]
    try:
        snapshot_download(hub_name, allow_patterns=wanted, ignore_patterns=unwanted)
    except Exception as error:  # a dozen kinds, from requests and the hub alike
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ModelMissing(
            f"the model {name!r} is not on this machine and could not be fetched from the hub ({reason}). "
            "Fetch it where the hub can be reached, and give the path of its folder."
        ) from error
