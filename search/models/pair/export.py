"""Export of readers and cross-encoders into an ONNX graph, compared with the original from raw strings.

Needs torch, but for the embedded readers, and is run in a process of its own (`search.models.exporting`).

The graph takes `input_ids` (1, n), one window without padding, and gives `logits`: (1, n, 2), a start and an end for
each token, of a reader, (1,) of a cross-encoder. Which token belongs to which text is worked out in the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from quarry.search.errors import ModelDamaged
from quarry.search.models.pair.card import PairCard, PairTask
from quarry.search.models.pair.original import PairOriginal, graph_module, load
from quarry.search.models.pair.parity import PairParity, Sample, compare, samples_of
from quarry.search.models.pair.serving import PairModel
from quarry.search.models.pair.source import EMBEDDED, resolve
from quarry.search.models.prepared import GRAPH, TOKENIZER, Prepared, versions
from quarry.search.models.quantize import optimise, quantise
from quarry.search.models.tokenizing import scripts_of, serving_tokenizer
from quarry.search.models.tracing import (
    ATTENTION,
    LARGEST,
    NotExportable,
    attention_of,
    reason_of,
    traced,
)

if TYPE_CHECKING:
    from onnx import ModelProto

_LIBRARIES = ("torch", "transformers", "onnx", "onnxruntime", "tokenizers")


def export(name: str, into: Path, say: Callable[[str], None], task: PairTask) -> Prepared[PairCard]:
    """Export the model called `name` into the new folder `into`.

    A model that can't be exported to within `EXACT` of itself is left to torch, and one whose int8 form is not `close`
    to itself is kept in float32; the `notice` then says so.

    Raises:
        ModelMissing: there is no such model.
        ModelDamaged: its weights are not what they should be or can't be loaded, or its tokenizer is of a kind that
            Quarry can't put pairs together with.
    """
    say(f"reading {name}")
    card = resolve(name, task)
    if not card.source:
        return EMBEDDED[card.name].draw(into)
    original = load(card)
    try:
        tokenizer = serving_tokenizer(original)
    except NotExportable as error:
        raise ModelDamaged(f"{name} can't be used: {error}.") from error
    card = replace(card, scripts=card.scripts or scripts_of(tokenizer))
    samples = samples_of(original, tokenizer)
    into.mkdir(parents=True)
    (into / TOKENIZER).write_bytes(tokenizer)
    made = Prepared(into, card, "torch", {}, versions=versions(_LIBRARIES))
    graph, exact, reason = None, None, "its weights are larger than an ONNX graph may be"
    size = sum(parameter.numel() * parameter.element_size() for parameter in original.model.parameters())
    for attention in (ATTENTION, None) if size <= LARGEST else ():
        say(f"exporting {name} to ONNX" + ("" if attention else " with its own attention"))
        try:
            candidate = trace(original, attention)
            exact = _parity(made, optimise(candidate), samples)
        except Exception as error:
            reason = f"the export failed: {reason_of(error)}"
            continue
        if exact.exact:
            graph = candidate
            break
        reason = f"the exported graph differs from the model (by {exact.difference:.4f} standard deviations)"
    if graph is None or exact is None:
        (into / GRAPH).unlink(missing_ok=True)
        notice = f"{name} is served by transformers itself, which is slower and takes more memory: {reason}."
        return replace(made, notice=notice).finished()
    say(f"quantising {name}")
    content, precision, notice = optimise(quantise(graph, [sample.window.ids[None] for sample in samples])), "int8", ""
    parity = _parity(made, content, samples)
    if not parity.close:
        notice = (
            f"{name} is kept in float32, since int8 would change it too much (correlation {parity.correlation:.4f}, "
            f"{parity.agreement:.0%} of its choices the same)."
        )
        content, precision, parity = optimise(graph), "float32", exact
    (into / GRAPH).write_bytes(content)
    figures = {**parity.figures, "float32_difference": round(exact.difference, 8)}
    return replace(made, precision=precision, parity=figures, notice=notice).finished()


def trace(original: PairOriginal, attention: str | None = ATTENTION) -> ModelProto:
    """Trace a model into an ONNX graph, with its own implementation of attention where None is given."""
    import torch

    example = torch.arange(5, 16, dtype=torch.int64)[None]
    with attention_of(original.model, attention):
        return traced(graph_module(original), example, "input_ids", "logits", {1: torch.export.Dim.DYNAMIC})


def _parity(made: Prepared[PairCard], graph: bytes, samples: Sequence[Sample]) -> PairParity:
    """Compare `graph`, as it will be served, with the original."""
    (made.folder / GRAPH).write_bytes(graph)
    return compare(PairModel(replace(made, precision="float32").hashed()), samples)
