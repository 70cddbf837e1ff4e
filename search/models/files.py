"""Files of a model: what they hash to, and what they say. No weight is unpickled, and no code of a model is run."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from quarry.search.errors import ModelDamaged
from quarry.search.files.uris import expanded

# What transformers writes into a configuration beside what the model computes.
INCIDENTAL = {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "use_cache"}
# Families whose positions count from the padding token's id: of their table, that many rows and one more are not used.
_AFTER_PADDING = (
    *("camembert", "data2vec-text", "esm", "ibert", "layoutlmv3", "lilt", "longformer", "luke", "markuplm", "mluke"),
    *("mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod"),
)
_VOCABULARIES = ("vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model",
                 "source.spm", "target.spm")  # fmt: skip


def folder_named(name: str) -> Path | None:
    """Return the folder whose path `name` is, None where there is none."""
    try:
        folder = expanded(name)
        return folder.resolve() if folder.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # over-long, no such home, a NUL
        return None


def max_tokens(config: dict[str, Any], sentence: dict[str, Any], tokenizer: dict[str, Any]) -> int:
    """Return the longest input in tokens: what the model states, and never more than it has positions for."""
    text = config.get("text_config") or {}
    known = (values.get(key) for values in (config, text) for key in ("max_position_embeddings", "n_positions"))
    positions = next((value for value in known if isinstance(value, int) and value > 0), 0)
    bounds = [positions] if positions else []
    if bounds and config.get("model_type") in _AFTER_PADDING:
        padding = config.get("pad_token_id")
        bounds[0] -= (1 if padding is None else int(padding)) + 1
    stated = sentence.get("max_seq_length") or tokenizer.get("model_max_length")
    if isinstance(stated, int | float) and 0 < stated < 1e6:  # 1e30 means "no limit"
        bounds.append(int(stated))
    return min(bounds, default=512)


def licence(folder: Path) -> str:
    """Return the licence that a model's README.md states, "" if it states none."""
    try:
        head = (folder / "README.md").read_text(encoding="utf-8", errors="replace")[:4_000]
    except OSError:
        return ""
    found = re.search(r"^licen[sc]e:\s*[\"']?([\w.+-]+)", head, re.MULTILINE)
    return found[1] if found and head.startswith("---") else ""


def weight_files(folders: Iterable[Path]) -> list[Path]:
    """List the safetensors files directly in `folders`."""
    return sorted({path for folder in folders for path in folder.glob("*.safetensors")})


def weights_sha256(folder: Path, modules: list[Path], save: str) -> str:
    """Return the SHA-256 of the safetensors weights in `modules`, folders below `folder`.

    Raises:
        ModelDamaged: there are none; the message says to save the model by the Python expression `save`.
    """
    files = weight_files(modules)
    if not files or any(list(path.glob("*.bin")) and not weight_files([path]) for path in modules):
        raise ModelDamaged(
            f"{folder} lacks a model.safetensors. Pickled weights (pytorch_model.bin) are not read: "
            f"save the model again with `{save}` and use that folder."
        )
    digests = {path.relative_to(folder.resolve()).as_posix(): file_sha256(path) for path in files}
    return next(iter(digests.values())) if len(digests) == 1 else sha256_of_values(sorted(digests.items()))


def tokenizer_sha256(folder: Path) -> str:
    """Return the SHA-256 of the tokenizer in `folder`.

    Raises:
        ModelDamaged: there is none, or it can't be read.
    """
    if (folder / "tokenizer.json").is_file():
        return file_sha256(folder / "tokenizer.json")
    digests = [(name, file_sha256(folder / name)) for name in _VOCABULARIES if (folder / name).is_file()]
    if not digests:
        raise ModelDamaged(f"{folder} holds no tokenizer (tokenizer.json, or a vocabulary); fetch the model again.")
    return sha256_of_values(digests)


def file_sha256(path: Path) -> str:
    """Return a file's SHA-256.

    Raises:
        ModelDamaged: it can't be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelDamaged(f"{path} can't be read: {error.strerror}.") from error


def sha256_of_values(values: Any) -> str:
    """Return the SHA-256 of JSON values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def read_json(
    path: Path, *, optional: bool = False, kind: type = dict, model: str = "a sentence-transformers model"
) -> Any:
    """Read one of the JSON files of `model`; without it, an empty value where it is `optional`.

    Raises:
        ModelDamaged: it is missing or malformed.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if optional:
            return kind()
        raise ModelDamaged(f"{path} is missing: not {model}, or not all of one.") from error
    except (OSError, ValueError) as error:
        raise ModelDamaged(f"{path} can't be read ({error}); fetch the model again.") from error
    if not isinstance(values, kind):
        raise ModelDamaged(f"{path} holds no JSON {'object' if kind is dict else 'array'}; fetch the model again.")
    return values
