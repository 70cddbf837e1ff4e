"""From which cosine texts say the same: fitted on the train split of the STS benchmark, measured on others.

python -m benchmarks.paraphrases     the thresholds, and precision and recall at them
"""

from __future__ import annotations

import json
import sys

import numpy as np

from benchmarks import machine
from benchmarks.corpus import data_folder
from quarry.search.alike.meanings import PARAPHRASES
from quarry.search.models.live import NamedModels

SAME = 4  # of 5, from which people say that two sentences mean the same


def read(name: str, one: str, other: str, told: str, least: float) -> tuple[list[str], list[str], np.ndarray]:
    """Return pairs of texts, and whether they say the same."""
    rows = [json.loads(line) for line in (data_folder() / "sts" / f"{name}.jsonl").open("rb")]
    return [row[one] for row in rows], [row[other] for row in rows], np.array([row[told] >= least for row in rows])


def best(cosines: np.ndarray, same: np.ndarray) -> float:
    """Return the cosine from which F1 is highest."""
    order = np.argsort(-cosines)
    right = np.cumsum(same[order])
    return float(cosines[order][(2 * right / (np.arange(1, len(same) + 1) + same.sum())).argmax()])


def main() -> None:
    """Print the table."""
    print(machine.description(), file=sys.stderr)
    sets = {
        "STS, train": ("stsb-en-train", "sentence1", "sentence2", "score", SAME),
        "STS, test": ("stsb-en-test", "sentence1", "sentence2", "score", SAME),
        "questions about COVID-19": ("covid-question-similarity-en", "question1", "question2", "duplicate", 1),
    }
    rows = []
    for model, threshold in PARAPHRASES.items():
        encoder = NamedModels().text(model, prepare=True)
        for name, source in sets.items():
            one, other, same = read(*source)
            cosines = np.einsum("ij,ij->i", encoder.encode_documents(one), encoder.encode_documents(other))
            said = cosines >= threshold
            precision, recall = same[said].mean(), said[same].mean()
            f1 = 2 * precision * recall / (precision + recall)
            rows.append((model, name, len(same), f"{same.mean():.0%}", f"{threshold:.2f}", f"{precision:.1%}",
                         f"{recall:.1%}", f"{f1:.3f}", f"{best(cosines, same):.3f}"))  # fmt: skip
    header = ("model", "pairs", "n", "say the same", "threshold", "precision", "recall", "F1", "best threshold")
    print(machine.table(header, rows))


if __name__ == "__main__":
    main()
