"""Export of text models: a sentence-transformers model into an ONNX graph, compared with it from raw strings.

Needs torch, but for the embedded model, and is run in a process of its own (`search.models.exporting`).

The graph takes `input_ids` (1, length), one text without padding, and gives `sentence_embedding` (1, dimension) of
length 1: transformer, pooling, linear layers and normalization in one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quarry.search.models import files
from quarry.search.models.prepared import GRAPH, TOKENIZER, Prepared, versions
from quarry.search.models.quantize import optimise, quantise
from quarry.search.models.text import embedded, multilingual, source
from quarry.search.models.text.card import TextCard
from quarry.search.models.text.original import TextOriginal, load
from quarry.search.models.text.parity import EXACT, QUANTISED, Parity, Samples, calibration, compare, samples_of
from quarry.search.models.text.serving import OnnxTextEncoder
from quarry.search.models.tokenizing import scripts_of, serving_tokenizer
from quarry.search.models.tracing import ATTENTION, LARGEST, NotExportable, attention_of, reason_of, traced

if TYPE_CHECKING:
    from onnx import ModelProto

_AFTER = ("Dense", "Normalize")  # modules that may follow the pooled ones
_OVERLONG = "word " * 100_000
_LIBRARIES = ("torch", "transformers", "sentence-transformers", "onnx", "onnxruntime", "tokenizers")


def export(name: str, into: Path, say: Callable[[str], None]) -> Prepared[TextCard]:
    """Export the model called `name` into the new folder `into`.

    A model that can't be exported to within `EXACT` of itself is left to torch, and one whose int8 form is not within
    `QUANTISED` of itself is kept in float32; the `notice` then says so.

    Raises:
        ModelMissing: there is no such model.
        ModelDamaged: its weights are not what they should be, or can't be loaded.
    """
    say(f"reading {name}")
    card = source.resolve(name)
    if card == embedded.CARD:
        return embedded.draw(into)
    if card == multilingual.CARD:
        return multilingual.draw(into)
    folder = source.find(name)
    original = load(card)
    into.mkdir(parents=True)
    made = Prepared(into, card, "torch", {}, versions=versions(_LIBRARIES))
    notice = _caveat(folder)
    try:
        _check_exportable(folder, card)
        tokenizer = serving_tokenizer(original)
        made = replace(made, card=replace(card, scripts=card.scripts or scripts_of(tokenizer)))
    except NotExportable as error:
        original.encode(["a word", _OVERLONG], "query")  # whether sentence-transformers itself can
        original.encode(["a word", _OVERLONG], "document")
        return _left_to_torch(made, str(error), notice)
    (into / TOKENIZER).write_bytes(tokenizer)
    samples = samples_of(original)
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
    figures = {"float32_min": exact.least, "min": parity.least, "mean": parity.mean}
    return replace(made, precision=precision, parity=figures, notice=notice).finished()


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


def _check_exportable(folder: Path, card: TextCard) -> None:
    modules = source.module_list(folder)
    kinds = [module.kind for module in modules] or ["Transformer", "Pooling"]
    rest = kinds[2:] if kinds[:2] == ["Transformer", "Pooling"] else kinds[1:]
    if (kinds[0] != "StaticEmbedding" and len(kinds) - len(rest) < 2) or any(kind not in _AFTER for kind in rest):
        raise NotExportable(f"its modules are {', '.join(kinds)}")
    if (card.query_prefix or card.document_prefix) and source.leaves_prompt_out(modules):
        raise NotExportable("its pooling leaves the prompt out (`include_prompt` is false)")
    if any(source.lengths_by_task(module) for module in modules[:1]):
        raise NotExportable("it cuts queries and documents at different lengths")
    if sum(path.stat().st_size for path in files.weight_files([folder])) > LARGEST:
        raise NotExportable("its weights are larger than an ONNX graph may be")


def token_ids(tokenizer: bytes, card: TextCard, texts: list[str]) -> list[NDArray[np.int64]]:
    """Return each text as the graph's input, (1, length); a text without a token is left out."""
    from tokenizers import Tokenizer

    encoder = Tokenizer.from_buffer(tokenizer)
    encoder.no_padding()
    encoder.enable_truncation(card.max_tokens)
    rows = [np.asarray([encoder.encode(card.document_prefix + text).ids], np.int64) for text in texts]
    return [row for row in rows if row.size]


def _parity(made: Prepared[TextCard], graph: bytes, samples: Sequence[Samples]) -> Parity:
    """Compare the vectors that the serving encoder makes of `graph` with the original's."""
    (made.folder / GRAPH).write_bytes(graph)
    return compare(OnnxTextEncoder(made.hashed()), samples)


def _left_to_torch(made: Prepared[TextCard], reason: str, notice: str) -> Prepared[TextCard]:
    cause = f"{made.card.name} is served by sentence-transformers, which is slower and takes more memory: {reason}."
    return replace(made.emptied(), precision="torch", notice=" ".join(filter(None, (cause, notice)))).finished()


def _caveat(folder: Path) -> str:
    """Say in which way rankings are not the model's own: Quarry compares directions."""
    stated = files.read_json(folder / "config_sentence_transformers.json", optional=True)
    similarity = stated.get("similarity_fn_name") or "cosine"
    normalized = any(module.kind == "Normalize" for module in source.module_list(folder))
    if similarity == "cosine" or normalized:  # of vectors of length 1, all of them rank alike
        return ""
    return f"It was made for the similarity {similarity!r}; here its vectors are compared by cosine, at any length."
