"""What each precision of the default text model costs in ranking, and gains in speed, against sentence-transformers.

    python -m benchmarks.precision [FOLDER] [--collections ...] [--variants ...] [--keep FOLDER]

FOLDER holds collections in BEIR layout: those of QUARRY_TEST_DATA where none is given. `drawn` is what is served, the
graph that was put together by hand; the other variants are made of the graph that torch traced.

Every document is its title and text, cut at the model's 256 tokens; search is exact, semantic alone.
With `--keep`, embeddings are kept there as COLLECTION-VARIANT.npz and used again by the next run.
Speed is taken of 100 documents, the variants in turns, on all cores and per second of CPU (for a busy machine).
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
import onnx

from benchmarks.corpus import data_folder
from quarry.search.models.files import file_sha256
from quarry.search.models.prepared import GRAPH, TOKENIZER, Prepared
from quarry.search.models.quantize import optimise, quantise
from quarry.search.models.text import embedded, export
from quarry.search.models.text.embedded import CARD as EMBEDDED
from quarry.search.models.text.original import TextOriginal
from quarry.search.models.text.parity import Parity, bank, calibration
from quarry.search.models.text.serving import OnnxTextEncoder
from quarry.search.models.tokenizing import serving_tokenizer

REFERENCE = "sentence-transformers"
QUERY = "what is the best way to cook {} in a pot"  # 12 tokens; never the same, whose vector is kept
Vectors = Any


class Torch:
    """The reference as it is commonly run: batches of 32, sorted by length and padded."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        return self.model.encode(list(texts), batch_size=32, normalize_embeddings=True, show_progress_bar=False)

    encode_queries = encode_documents


def onnxruntime_dynamic(model: onnx.ModelProto, *, per_channel: bool, reduce_range: bool) -> onnx.ModelProto:
    """ONNX Runtime's own dynamic quantisation, unsmoothed, tables left in float32."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "a.onnx", Path(folder) / "b.onnx"
        onnx.save(model, source)
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul"],
            per_channel=per_channel,
            reduce_range=reduce_range,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(target)


def matmul_nbits(model: onnx.ModelProto) -> onnx.ModelProto:
    """8-bit weights in blocks of 32, activations quantised by block (accuracy level 4)."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(model, bits=8, block_size=32, is_symmetric=True, accuracy_level=4)
    quantizer.process()
    made: onnx.ModelProto = quantizer.model.model
    return made


VARIANTS: dict[str, Callable[[onnx.ModelProto, Any], onnx.ModelProto]] = {
    "float32": lambda graph, samples: graph,
    "drawn": lambda graph, samples: onnx.ModelProto.FromString(embedded.parts()[GRAPH]),
    "int8": lambda graph, samples: quantise(graph, samples),
    "int8-8bit": lambda graph, samples: quantise(graph, samples, bits=8),
    "ort-tensor-7bit": lambda graph, _: onnxruntime_dynamic(graph, per_channel=False, reduce_range=True),
    "ort-channel-7bit": lambda graph, _: onnxruntime_dynamic(graph, per_channel=True, reduce_range=True),
    "ort-channel-8bit": lambda graph, _: onnxruntime_dynamic(graph, per_channel=True, reduce_range=False),
    "nbits-8bit": lambda graph, _: matmul_nbits(graph),
}


def encoders(names: Sequence[str], folder: Path) -> tuple[dict[str, Any], dict[str, Parity]]:
    """Build the encoders called `names`, and their parity with the reference on the bank of texts."""
    original = TextOriginal(EMBEDDED)
    tokenizer = serving_tokenizer(original)
    samples = export.token_ids(tokenizer, EMBEDDED, calibration())
    reference = original.encode(bank(), "document")
    graph = export.trace(original)
    made: dict[str, Any] = {REFERENCE: Torch(original.model)}
    parity = {REFERENCE: Parity(1.0, 1.0)}
    for name in names:
        target = folder / name
        target.mkdir()
        (target / TOKENIZER).write_bytes(tokenizer)
        (target / GRAPH).write_bytes(
            optimise(VARIANTS[name](onnx.ModelProto.FromString(graph.SerializeToString()), samples))
        )
        ready = Prepared(target, EMBEDDED, name, {part: file_sha256(target / part) for part in (GRAPH, TOKENIZER)})
        made[name] = OnnxTextEncoder(replace(ready))
        parity[name] = Parity.of(made[name].encode_documents(bank()), reference)
    return made, parity


def read(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def ndcg(collection: Path, encoder: Any, variant: str, keep: Path | None) -> float:
    """nDCG@10 of exact search over `collection`, reading or writing the embeddings in `keep`."""
    kept = keep / f"{collection.name}-{variant}.npz" if keep else None
    if kept and kept.is_file():
        held = dict(np.load(kept))
    else:
        corpus, queries = read(collection / "corpus.jsonl"), read(collection / "queries.jsonl")
        held = {
            "ids": np.array([row["_id"] for row in corpus]),
            "vectors": encoder.encode_documents([f"{row.get('title', '')} {row['text']}" for row in corpus]),
            "query_ids": np.array([row["_id"] for row in queries]),
            "query_vectors": encoder.encode_queries([row["text"] for row in queries]),
        }
        if kept:
            np.savez(kept, **held)
    scores = held["query_vectors"] @ held["vectors"].T
    run = [
        ir_measures.ScoredDoc(str(query), str(held["ids"][position]), float(row[position]))
        for query, row in zip(held["query_ids"], scores, strict=True)
        for position in np.argsort(-row, kind="stable")[:100]
    ]
    qrels = list(ir_measures.read_trec_qrels(_trec(collection / "qrels" / "test.tsv")))
    return float(ir_measures.calc_aggregate([ir_measures.nDCG @ 10], qrels, run)[ir_measures.nDCG @ 10])


def _trec(path: Path) -> str:
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:])
    return "\n".join(f"{query} 0 {document} {int(grade)}" for query, document, grade in rows)


def speed(made: dict[str, Any], texts: Sequence[str], rounds: int = 3) -> dict[str, tuple[float, float, float]]:
    """Documents a second, a CPU second, and least milliseconds of a query: medians over rounds taken in turns."""
    taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in made}
    for encoder in made.values():
        encoder.encode_documents(texts[:8])
    for turn in range(rounds):
        for name, encoder in made.items():
            wall, cpu = time.perf_counter(), time.process_time()
            encoder.encode_documents(texts)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            latencies = []
            for number in range(30):
                began = time.perf_counter()
                encoder.encode_queries([QUERY.format(30 * turn + number)])
                latencies.append(1000 * (time.perf_counter() - began))
            taken[name].append((len(texts) / wall, len(texts) / cpu, min(latencies)))
    return {
        name: tuple(statistics.median(column) for column in zip(*rows, strict=True)) for name, rows in taken.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="collections in BEIR layout")
    parser.add_argument("--collections", nargs="*")
    parser.add_argument("--variants", nargs="*", default=["float32", "drawn"], choices=list(VARIANTS))
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    folder_of_collections = options.folder or data_folder() / "retrieval"
    collections = sorted(
        path.parent
        for path in folder_of_collections.glob("*/corpus.jsonl")
        if not options.collections or path.parent.name in options.collections
    )
    with tempfile.TemporaryDirectory() as folder:
        made, parity = encoders(options.variants, Path(folder))
        sizes = {name: (Path(folder) / name / GRAPH).stat().st_size / 1e6 for name in options.variants}
        texts = [f"{row.get('title', '')} {row['text']}" for row in read(collections[0] / "corpus.jsonl")[:100]]
        speeds = speed(made, texts)
        figures = {
            name: [ndcg(collection, encoder, name, options.keep) for collection in collections]
            for name, encoder in made.items()
        }
    print(
        "| variant | MB | cosine min / mean | docs/s | docs per CPU s | query ms, least | "
        + " | ".join(c.name for c in collections)
        + " | mean change |"
    )
    print("|---|" + "---|" * (6 + len(collections)))
    for name, values in figures.items():
        changes = [value / base - 1 for value, base in zip(values, figures[REFERENCE], strict=True)]
        cells = [f"{value:.4f} ({100 * change:+.2f}%)" for value, change in zip(values, changes, strict=True)]
        size = f"{sizes[name]:.0f}" if name in sizes else "91"
        rate, work, latency = speeds[name]
        print(
            f"| {name} | {size} | {parity[name].least:.4f} / {parity[name].mean:.4f} | {rate:.0f} | {work:.1f} | "
            f"{latency:.2f} | {' | '.join(cells)} | {100 * statistics.mean(changes):+.2f}% |",
            flush=True,
        )


if __name__ == "__main__":
    main()
