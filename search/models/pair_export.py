"""Export of readers and cross-encoders into an ONNX graph, compared with the original from raw strings.

    python -m quarry.search.models.pair_export NAME --task reader --into FOLDER

Runs in a process of its own, as `search.models.export` does, and writes the same JSON lines. Without `--into` it only
fetches from the hub.

The graph takes `input_ids` (1, n), one window without padding, and gives `logits`: (1, n, 2), a start and an end for
each token, of a reader, (1,) of a cross-encoder. Which token belongs to which text is worked out in the graph.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quarry.search.errors import ModelDamaged, ModelMissing
from quarry.search.models import pair_sources, sources
from quarry.search.models.export import download, finish, run, scripts_of, serving_tokenizer
from quarry.search.models.pair_cards import PairCard, PairTask
from quarry.search.models.pair_parity import PairParity, bank
from quarry.search.models.prepared import GRAPH, TOKENIZER, Prepared
from quarry.search.models.quantize import optimise, quantise
from quarry.search.models.tracing import ATTENTION, NotExportable, attention_of, traced
from quarry.search.readers.pairs import Logits, PairModel
from quarry.search.readers.windows import LONGEST, PairTokenizer, Window

if TYPE_CHECKING:
    from onnx import ModelProto

_LARGEST = 1_800_000_000  # bytes of weights; a serialized graph must stay under 2 GiB
_LIBRARIES = ("torch", "transformers", "onnx", "onnxruntime", "tokenizers")


@dataclass(frozen=True, slots=True)
class Original:
    """A loaded model, in evaluation mode, and its tokenizer, both of transformers."""

    card: PairCard
    model: Any
    tokenizer: Any

    @property
    def separator(self) -> int:
        """The token after which the second text begins, -1 where the model does not tell the texts apart by types."""
        if getattr(self.model.config, "type_vocab_size", 0) < 2:
            return -1
        return int(self.tokenizer.sep_token_id)


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
    original = load(pair_sources.resolve(name, task))
    try:
        tokenizer = serving_tokenizer(original)
    except NotExportable as error:
        raise ModelDamaged(f"{name} can't be used: {error}.") from error
    card = original.card
    card = replace(card, scripts=card.scripts or scripts_of(tokenizer))
    windows = _windows(original, tokenizer)
    into.mkdir(parents=True)
    (into / TOKENIZER).write_bytes(tokenizer)
    made = Prepared(into, card, "torch", {}, versions={library: version(library) for library in _LIBRARIES})
    reference = _reference(original)
    graph, exact, reason = None, None, "its weights are larger than an ONNX graph may be"
    size = sum(parameter.numel() * parameter.element_size() for parameter in original.model.parameters())
    for attention in (ATTENTION, None) if size <= _LARGEST else ():
        say(f"exporting {name} to ONNX" + ("" if attention else " with its own attention"))
        try:
            candidate = trace(original, attention)
            exact = _parity(made, optimise(candidate), windows, reference)
        except Exception as error:
            reason = f"the export failed: {' '.join(str(error).split())[:200] or type(error).__name__}"
            continue
        if exact.exact:
            graph = candidate
            break
        reason = f"the exported graph differs from the model (by {exact.difference:.4f} standard deviations)"
    if graph is None or exact is None:
        (into / GRAPH).unlink(missing_ok=True)
        notice = f"{name} is served by transformers itself, which is slower and takes more memory: {reason}."
        return finish(_hashed(replace(made, notice=notice)))
    say(f"quantising {name}")
    content, precision, notice = optimise(quantise(graph, [window.ids[None] for window in windows])), "int8", ""
    parity = _parity(made, content, windows, reference)
    if not parity.close:
        notice = (
            f"{name} is kept in float32, since int8 would change it too much (correlation {parity.correlation:.4f}, "
            f"{parity.agreement:.0%} of its choices the same)."
        )
        content, precision, parity = optimise(graph), "float32", exact
    (into / GRAPH).write_bytes(content)
    figures = {"correlation": round(parity.correlation, 6), "agreement": round(parity.agreement, 4)}
    figures["float32_difference"] = round(exact.difference, 8)
    return finish(_hashed(replace(made, precision=precision, parity=figures, notice=notice)))


def load(card: PairCard) -> Original:
    """Load the original of `card`.

    Raises:
        ModelMissing, ModelDamaged: it can't be loaded, or lacks some of its weights.
    """
    from transformers import AutoModelForQuestionAnswering, AutoModelForSequenceClassification, AutoTokenizer

    kind = AutoModelForQuestionAnswering if card.task == "reader" else AutoModelForSequenceClassification
    safely: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    folder = card.source or str(sources.embedded_folder())
    try:
        if card.source:
            model, told = kind.from_pretrained(folder, use_safetensors=True, output_loading_info=True, **safely)
        else:
            from quarry.search.models.embedded_reader import build

            model, told = build(), {}
        tokenizer = AutoTokenizer.from_pretrained(folder, **safely)
    except (ModelMissing, ModelDamaged):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelDamaged(f"transformers can't load {folder}: {reason}") from error
    if absent := sorted(told.get("missing_keys", ())):
        raise ModelDamaged(f"{folder} lacks weights of the model ({absent[0]}): fetch or save it again.")
    return Original(card, model.eval().float(), tokenizer)


def graph_module(original: Original) -> Any:
    """Return a torch module: (1, n) ids of a window -> its logits."""
    import torch

    separator, model = original.separator, original.model
    is_reader = original.card.task == "reader"

    class Pair(torch.nn.Module):  # type: ignore[misc]  # torch is not followed
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any) -> Any:
            types = {}
            if separator >= 0:
                borders = (input_ids == separator).long()
                types["token_type_ids"] = (borders.cumsum(1) > borders).long()
            output = self.model(input_ids=input_ids, **types)
            if is_reader:
                return torch.stack([output.start_logits, output.end_logits], dim=-1)
            return output.logits[:, 0]

    return Pair().eval()


def trace(original: Original, attention: str | None = ATTENTION) -> ModelProto:
    """Trace a model into an ONNX graph, with its own implementation of attention where None is given."""
    import torch

    example = torch.arange(5, 16, dtype=torch.int64)[None]
    with attention_of(original.model, attention):
        return traced(graph_module(original), example, "input_ids", "logits", {1: torch.export.Dim.DYNAMIC})


def _windows(original: Original, tokenizer: bytes) -> list[Window]:
    """Return the bank as it will be served, the first window of each pair.

    Raises:
        ModelDamaged: the original's own tokenizer puts pairs together in another way.
    """
    from tokenizers import Tokenizer

    pairs = PairTokenizer(Tokenizer.from_buffer(tokenizer), original.card.max_tokens)
    windows = [pairs.windows(question, passage)[0] for question, passage in bank()]
    for (question, passage), window in zip(bank(), windows, strict=True):
        own = _encoded(original, question, passage)
        kinds = own.get("token_type_ids")
        border = window.passage[0]
        plain = [int(place >= border) for place in range(window.ids.size)]
        if own["input_ids"] != window.ids.tolist() or (original.separator >= 0 and kinds != plain):
            raise ModelDamaged(
                f"{original.card.name} puts question and passage together in a way that Quarry does not know: "
                "name a model of another architecture."
            )
    if original.card.task == "reader" and not pairs.before:
        raise ModelDamaged(f"{original.card.name} begins with no token that could stand for the lack of an answer.")
    return windows


def _reference(original: Original) -> list[Logits]:
    """Return what the original makes of the bank, from raw strings."""
    import torch

    found = []
    for question, passage in bank():
        encoded = {key: torch.tensor([ids]) for key, ids in _encoded(original, question, passage).items()}
        with torch.inference_mode():
            output = original.model(**encoded)
        if original.card.task == "reader":
            found.append(torch.stack([output.start_logits[0], output.end_logits[0]], dim=-1).numpy())
        else:
            found.append(output.logits[0].numpy())
    return found


def _encoded(original: Original, question: str, passage: str) -> dict[str, list[int]]:
    longest = min(original.card.max_tokens, LONGEST)
    encoded = original.tokenizer(question, passage, truncation="only_second", max_length=longest)
    unused = () if original.separator >= 0 else ("token_type_ids",)
    return {key: encoded[key] for key in encoded if key not in unused}


def _parity(made: Prepared[PairCard], graph: bytes, windows: list[Window], reference: list[Logits]) -> PairParity:
    """Compare `graph`, as it will be served, with the original."""
    (made.folder / GRAPH).write_bytes(graph)
    served = PairModel(_hashed(replace(made, precision="float32")))
    logits = served.logits_of(windows)
    if made.card.task == "cross-encoder":
        return PairParity.of_scores(np.concatenate(logits), np.concatenate(reference))
    return PairParity.of_spans(logits, reference, [window.passage for window in windows])


def _hashed(made: Prepared[PairCard]) -> Prepared[PairCard]:
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in made.folder.iterdir()}
    return replace(made, files=files)


def fetch(name: str) -> None:
    """Fetch a model from the hub into its cache.

    Raises:
        ModelMissing: that was not possible.
    """
    download(name, name)


def _main() -> int:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--task", choices=("reader", "cross-encoder"), required=True)
    options, rest = parser.parse_known_args()
    return run("quarry.search.models.pair_export", partial(export, task=options.task), fetch, rest)


if __name__ == "__main__":
    sys.exit(_main())
