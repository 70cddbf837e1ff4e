"""What a model of transformers costs through a library's tasks, beside the pipelines of transformers.

The model is a random BERT of 6 layers, 384 wide: what it says is nonsense, and takes as long as if it were none.

Run: python -m benchmarks.task_models [DOCUMENTS]
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from benchmarks import corpus, machine
from benchmarks.labels import spread
from quarry.indexer.enrichments.tasks.table import TASKS
from quarry.search.models.auto import source
from quarry.search.models.text.embedded import embedded_folder
from quarry.search.stores.rows.tasks import ChosenModel

HEADS = {"text-classification": "SequenceClassification", "token-classification": "TokenClassification"}
SIZES = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1_536}
SHORT, LONG = 900, 3_000  # characters at most of texts that one window takes, at least of those that several do


def save(folder: Path, task: str) -> Path:
    """Save a random model with the tokenizer of MiniLM."""
    import torch
    import transformers

    torch.manual_seed(0)
    words = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(embedded_folder() / "tokenizer.json"),
        model_max_length=512,
        **{f"{name}_token": f"[{name.upper()}]" for name in ("unk", "sep", "pad", "cls", "mask")},
    )
    labels = dict(enumerate(("O", "B-PER", "I-PER", "B-LOC", "I-LOC") if "token" in task else ("good", "bad", "odd")))
    config = transformers.BertConfig(
        vocab_size=len(words), **SIZES, id2label=labels, label2id={name: number for number, name in labels.items()}
    )
    getattr(transformers, f"BertFor{HEADS[task]}")(config).save_pretrained(folder)
    words.backend_tokenizer.no_padding()
    words.backend_tokenizer.no_truncation()
    words.save_pretrained(folder)
    return folder


def ours(task: str, folder: Path) -> Any:
    """Return what looks at texts, a few to a commit, as a library does."""
    card = source.resolve(str(folder), TASKS[task].task)
    one = TASKS[task](ChosenModel("said", task, str(folder), card.identity))
    one.open()
    return lambda texts: [one.enrich(texts[at : at + one.at_once]) for at in range(0, len(texts), one.at_once)]


def theirs(task: str, folder: Path) -> Any:
    """Return the pipeline of transformers; of a long text it looks at the beginning alone."""
    import transformers

    words = transformers.AutoTokenizer.from_pretrained(folder)
    options = {"aggregation_strategy": "simple"} if "token" in task else {"truncation": True}
    pipeline = transformers.pipeline(task, model=str(folder), tokenizer=words, device=-1, batch_size=8, **options)
    return lambda texts: [*pipeline(texts)]


def main(count: int = 200) -> None:
    """Print the table."""
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(machine.description(), file=sys.stderr)
    every = list(corpus.abstracts())
    sets = {
        "texts of one window": spread([text for text in every if 200 < len(text) < SHORT], count),
        "texts of several": spread([text for text in every if len(text) > LONG], count // 10),
    }
    rows = []
    with tempfile.TemporaryDirectory(prefix="quarry-bench-") as temporary:
        for task in HEADS:
            folder = save(Path(temporary, task), task)
            for what, texts in sets.items():
                if what != "texts of one window" and "token" in task:
                    continue  # the pipeline fails over them
                took = {}
                for name, do in (("ours", ours(task, folder)), ("theirs", theirs(task, folder))):
                    do(texts[:8])
                    runs = []
                    for _ in range(3):
                        started = time.process_time()
                        do(texts)
                        runs.append(time.process_time() - started)
                    took[name] = min(runs)
                mine, plain = took["ours"], took["theirs"]
                rows.append((
                    task, f"{len(texts)} {what}", f"{len(texts) / mine:.1f}", f"{len(texts) / plain:.1f}",
                    f"{mine / plain:.2f}",
                ))  # fmt: skip
    header = ("task", "of", "documents/s", "transformers' pipeline", "times its processor time")
    print(machine.table(header, rows))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
