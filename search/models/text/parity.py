"""Parity: how near an export's vectors are to the original's, on a fixed bank of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from quarry.search.models.contracts import TextEncoder
from quarry.search.models.text.original import Task, TextOriginal
from quarry.search.types import Vectors

EXACT = 0.9999  # least cosine of a float32 export: everything but rounding is the same
QUANTISED = 0.98  # least cosine of an int8 export

_SENTENCES = (
    "how do stars form",
    "What is the boiling point of water at sea level?",
    "Error: ENOENT: no such file or directory, open '/etc/quarry/settings.toml'",
    "The committee postponed its decision until the auditors had finished their report.",
    "def binary_search(items, target):\n    low, high = 0, len(items) - 1",
    "SELECT name, COUNT(*) FROM orders WHERE total > 100 GROUP BY name;",
    "ISO 8601 dates such as 2021-03-14T15:09:26Z sort as text.",
    "Invoice 4711-B, due 30 June, net amount EUR 12,450.00, VAT 19 %.",
    "Penicillin was found by Alexander Fleming in 1928 at St Mary's Hospital in London.",
    "mRNA vaccines carry instructions for a protein, and the cells of the body make it.",
    "The violin's four strings are tuned in fifths: G, D, A and E.",
    "He said, \"I'm not sure it's worth it...\" and left.",
    "E = mc² relates mass and energy; α, β and γ rays differ in charge.",
    "Crème brûlée, jalapeño, Škoda, Łódź, São Paulo, naïve façade",
    "TCP/IP, HTTP/2, gRPC, QUIC & WebRTC: which one for real-time audio?",
    "a",
    "the",
    "?",
    "42",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "https://example.org/a/b?c=d&e=%20f#section-3.2",
    "😀 🚀 ✨",
    "서울은 대한민국의 수도이다.",
    "한글은 세종대왕이 만든 문자로, 자음과 모음을 모아 음절을 적는다.",
    "東京は日本の首都です。",
    "长城是中国古代的防御工事。",
    "Москва — столица России.",
    "القاهرة هي عاصمة مصر.",
    "ไทยมีเมืองหลวงชื่อกรุงเทพมหานคร",
    "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας.",
    "",
    "   \n\t ",
    "!!! --- ??? ... ***",
    "0x1F 0b1010 1e-9 NaN inf -0.0",
)
_PARAGRAPH = (
    "A river carries more than water. Where it runs fast it lifts sand and gravel from its bed, and where it slows it"
    " lets them fall, the coarse first and the fine last. Over a few thousand years the bends of a lowland river "
    "wander across the whole of its valley, cutting the outer bank and building the inner one, until a flood breaks "
    "through the neck of a loop and leaves a crescent lake behind. Engineers who straighten such a river shorten it, "
    "and a shorter river is steeper: it digs into its own bed, the ground water follows it down, and the meadows "
    "beside it dry out. Bridges built on shallow piers are then in danger, and towns further downstream meet higher "
    "floods, since the water reaches them sooner and all at once. Many countries now give rivers some of their room "
    "back. Dikes are moved inland, old arms are opened, and side channels that were filled in a century ago are dug "
    "again. Fish return within a few seasons; the willows take longer. Whether the floods became lower is measured "
    "with gauges, some of which have been read every day since the eighteenth century. "
)


def bank() -> list[str]:
    """Return the texts: short and long, several scripts, and nearly empty ones; about 60."""
    words = _PARAGRAPH.split()
    lengths = (3, 5, 8, 12, 16, 20, 25, 32, 40, 50, 64, 80, 100, 120, 150, 180, 200)
    cuts = [" ".join(words[start : start + n]) for start, n in zip(range(0, 17 * 3, 3), lengths, strict=True)]
    joined = [" ".join(_SENTENCES[start : start + 5]) for start in range(0, 20, 5)]
    return [*_SENTENCES, *cuts, *joined, _PARAGRAPH, _PARAGRAPH * 3, _SENTENCES[23] * 12]


def calibration() -> list[str]:
    """Return the texts that quantisation learns from: those of `bank` before any is cut or joined."""
    return [*_SENTENCES, _PARAGRAPH, _PARAGRAPH.upper()]


@dataclass(frozen=True, slots=True)
class Parity:
    """Cosines of an export's vectors to the original's: the least, and the mean."""

    least: float
    mean: float

    @classmethod
    def of(cls, vectors: Vectors, reference: Vectors) -> Parity:
        """Compare (n, d) unit vectors row by row; NaN counts as -1."""
        cosines = np.nan_to_num(np.einsum("ij,ij->i", vectors, reference), nan=-1.0)
        return cls(round(float(cosines.min()), 6), round(float(cosines.mean()), 6))


@dataclass(frozen=True, slots=True)
class Samples:
    """Texts of one task, and the original's vectors of them."""

    task: Task
    texts: list[str]
    vectors: Vectors


def samples_of(original: TextOriginal) -> list[Samples]:
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


def compare(encoder: TextEncoder, samples: Sequence[Samples]) -> Parity:
    """Compare the vectors that an encoder makes of samples with the original's."""
    encode = {"query": encoder.encode_queries, "document": encoder.encode_documents}
    vectors = [encode[sample.task](sample.texts) for sample in samples]
    return Parity.of(np.concatenate(vectors), np.concatenate([sample.vectors for sample in samples]))


def check(encoder: TextEncoder, original: TextOriginal) -> Mapping[str, float]:
    """Return the least and the mean cosine of what an encoder makes of the bank to what its original does."""
    found = compare(encoder, samples_of(original))
    return {"min": found.least, "mean": found.mean}
