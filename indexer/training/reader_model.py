"""Training of the embedded reader: questions and passages -> the weights that `search/models/pair/embedded.py` reads.

    python -m quarry.indexer.training.reader_model QUESTIONS --into FOLDER

QUESTIONS is a folder with train.jsonl.gz and dev/*.jsonl.gz: rows of `question`, `context`, `answers` and `source`.

    1. two passes over the rows are drawn: all of them, then mostly those about encyclopedic prose   questions.py
    2. MiniLM learns where answers start and end, and to decline; word embeddings stay as they are
    3. figures on every set of dev, which the training has not seen

loss        cross-entropy of the start and of the end over the passage and the first token, which means "no answer"
weights     computed with in bfloat16, stepped in float32; what is kept is their moving average (Polyak and Juditsky
            1992), in float16

It can be stopped at any time: run again, it goes on from the last checkpoint. Uses CUDA where there is any. Two CPU
cores that multiply bfloat16 in hardware (AMX) take about an hour, without that several.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, eager_mask

from quarry.indexer.training.checkpoints import put, resume, save
from quarry.indexer.training.questions import Lesson, Questions, Share, batches
from quarry.search.errors import NotFound, QuarryError
from quarry.search.evaluations import squad
from quarry.search.evaluations.answers import auroc
from quarry.search.evaluations.rankings import rows_of
from quarry.search.models import files
from quarry.search.models.pair import embedded as embedded_reader
from quarry.search.models.pair import spans
from quarry.search.models.prepared import TOKENIZER
from quarry.search.models.text.embedded import embedded_folder

CLS, SEP, PAD = 101, 102, 0
CHECKPOINT = "checkpoint.pt"
EVERY = 250  # steps from one checkpoint to the next

_ATTENTION = "quarry_bfloat16"
_NOWHERE = -1e4  # logit of what can't be part of an answer
_DECAY, _CLIP = 0.01, 1.0
_AVERAGED = 60  # steps after which the moving average begins to be slow
_WINDOW = 384  # tokens of a passage when measuring; longer ones are read in windows that overlap by a half

FIRST = {"squadshifts-reddit": Share(0.7), "squadshifts-amazon": Share(0.7), "subjqa": Share(0.7, 0.1), "": Share()}
SECOND = {
    "qed-nq": Share(1.4, 0.4),
    "squadshifts-new_wiki": Share(0.8, 0.4),
    "squadshifts": Share(0.15),
    "qamr": Share(0.1),
    "": Share(0.08),
}


@dataclass(frozen=True, slots=True)
class ReaderRecipe:
    """How the embedded reader was trained.

    Args:
        passes: what each pass over the rows takes of every source.
        batch: tokens of a batch, padding included.
        rate: peak learning rate; it rises over the first `warmup` of the steps and falls in a straight line.
        average: decay of the moving average, a step.
        rows: of the training set; None for all.
    """

    passes: tuple[Mapping[str, Share], ...] = (FIRST, SECOND)
    batch: int = 6144
    rate: float = 2.5e-4
    warmup: float = 0.06
    average: float = 0.998
    seed: int = 0
    rows: int | None = None
    sets: tuple[str, ...] = ("qed-nq-dev", "subjqa-test", "policyqa-test", "bipar-en-test", "fairytaleqa-test")


def train(folder: Path, into: Path, recipe: ReaderRecipe, say: Callable[[str], None]) -> dict[str, Any]:
    """Train the reader and write its weights to `into`/model.safetensors.

    Returns:
        `{"sha256", set: {"f1", "em", "auroc"}}`, of the weights as they were written; see `measure`.

    Raises:
        NotFound: the training set is missing.
        FileMalformed: a row of it is not what it should be.
        InvalidRequest: `into` has a checkpoint of another run.
        ModelError: the untrained model is not there.
    """
    path = folder / "train.jsonl.gz"
    if not path.is_file():
        raise NotFound(f"{path} is missing: the folder must hold train.jsonl.gz and dev/*.jsonl.gz")
    into.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(embedded_folder() / TOKENIZER))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    torch.manual_seed(recipe.seed)
    model = embedded_reader.untrained()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device).eval()  # no dropout: no row is seen often enough to be learnt by heart
    say(f"reading {path}")
    questions = Questions(path, tokenizer, recipe.rows)
    random = np.random.default_rng(recipe.seed)
    steps = []
    for shares in recipe.passes:
        steps += batches(list(questions.lessons(shares, random)), recipe.batch, random)
    tokens = sum(len(batch) * max(lesson.length for lesson in batch) for batch in steps)
    say(f"{sum(map(len, steps)):,} questions in {len(steps):,} steps, {tokens:,} tokens")
    dev = {name: [row for _, row in rows_of(folder / "dev" / f"{name}.jsonl.gz")] for name in recipe.sets}

    def after(model: Any, words: str) -> None:
        if dev:
            name, rows = next(iter(dev.items()))
            words += f"; {name} {json.dumps(measure(model, tokenizer, rows[:400]))}"
        say(words)

    fit(model, steps, recipe, into / CHECKPOINT, after)
    weights = {name: value.half() for name, value in trained(model).items()}
    path = into / embedded_reader.WEIGHTS
    save_file({name: value.cpu().contiguous() for name, value in weights.items()}, path)
    put(trained(model), weights)  # what is measured is what is written
    figures: dict[str, Any] = {"sha256": files.file_sha256(path)}
    for name, rows in dev.items():
        figures[name] = measure(model, tokenizer, rows)
        say(f"{name}: {json.dumps(figures[name])}")
    return figures


def trained(model: Any) -> dict[str, Tensor]:
    """Return the weights that are trained, by name."""
    return {name: value.data for name, value in model.named_parameters() if name != embedded_reader.FROZEN}


def fit(
    model: Any,
    steps: Sequence[Sequence[Lesson]],
    recipe: ReaderRecipe,
    checkpoint: Path,
    after: Callable[[Any, str], None],
) -> None:
    """Train a model, and leave it with the averaged weights.

    Goes on from the checkpoint, which is written after every `EVERY` steps.

    Args:
        after: called after a checkpoint with the averaged model, and what to say of it.

    Raises:
        InvalidRequest: the checkpoint is of another run.
    """
    _register()
    working = copy.deepcopy(model).bfloat16()
    working.set_attn_implementation(_ATTENTION)
    weights = trained(model)
    masters = [value.requires_grad_(True) for value in (nn.Parameter(value) for value in weights.values())]
    copies = [value for name, value in working.named_parameters() if name != embedded_reader.FROZEN]
    average = {name: value.clone() for name, value in weights.items()}
    optimizer = torch.optim.AdamW(masters, lr=recipe.rate, betas=(0.9, 0.98), weight_decay=_DECAY, fused=True)
    run = json.dumps([asdict(recipe), len(steps)], sort_keys=True)
    done = resume(checkpoint, run, weights, average, optimizer)
    losses: list[float] = []
    for step in tqdm(range(done, len(steps)), initial=done, total=len(steps), desc="reader", unit="step"):
        with torch.no_grad():
            torch._foreach_copy_(copies, masters)
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * _schedule(step / len(steps), recipe.warmup)
        loss = _loss(working, steps[step])
        loss.backward()
        for master, value in zip(masters, copies, strict=True):
            master.grad, value.grad = value.grad.float(), None
        nn.utils.clip_grad_norm_(masters, _CLIP)
        optimizer.step()
        losses.append(loss.item())
        decay = min(recipe.average, step / (step + _AVERAGED))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), list(weights.values()), 1 - decay)
        if (step + 1) % EVERY == 0 or step + 1 == len(steps):
            save(checkpoint, run, step + 1, weights, average, optimizer)
            averaged = copy.deepcopy(model)
            put(trained(averaged), average)
            after(averaged, f"step {step + 1} of {len(steps)}: loss {sum(losses[-EVERY:]) / len(losses[-EVERY:]):.3f}")
    put(weights, average)


def measure(model: Any, tokenizer: Tokenizer, rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return how well a model answers.

    Returns:
        `f1` and `em` over the rows that have an answer, whose best span is taken; `auroc`, how often a question with
        its own passage scores higher than with another's, ties counting half.
    """
    answerable = [row for row in rows if row["answers"]]
    own = _read_out(model, tokenizer, [(row["question"], row["context"]) for row in answerable])
    half = len(answerable) // 2
    others = [answerable[(place + half) % len(answerable)]["context"] for place in range(len(answerable))]
    mismatched = _read_out(
        model, tokenizer, [(row["question"], other) for row, other in zip(answerable, others, strict=True)]
    )
    texts = [[answer["text"] for answer in row["answers"]] for row in answerable]
    return {
        "f1": float(np.mean([squad.best(squad.f1, o[0], t) for o, t in zip(own, texts, strict=True)])),
        "em": float(np.mean([squad.best(squad.exact_match, o[0], t) for o, t in zip(own, texts, strict=True)])),
        "auroc": auroc([score for _, score in own], [score for _, score in mismatched]),
    }


def _read_out(model: Any, tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, float]]:
    """Return the best answer and its score to each pair of question and passage."""
    windows = []
    for number, (question, passage) in enumerate(pairs):
        words = np.array(tokenizer.encode(question, add_special_tokens=False).ids, np.int32)
        encoding = tokenizer.encode(passage, add_special_tokens=False)
        ids = np.array(encoding.ids, np.int32)
        for start in range(0, max(1, len(ids) - _WINDOW // 2), _WINDOW // 2):
            windows.append((number, encoding.offsets[start:], Lesson(words, ids[start : start + _WINDOW], None)))
    windows.sort(key=lambda window: window[2].length)
    found = [("", -np.inf)] * len(pairs)
    for start in range(0, len(windows), 32):
        part = windows[start : start + 32]
        device = model.qa_outputs.weight.device
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
            logits = _logits(model, [lesson for *_, lesson in part]).cpu().numpy()
        for (number, offsets, lesson), values in zip(part, logits, strict=True):
            first = len(lesson.question) + 2
            within = (first, first + len(lesson.passage))
            for span in spans.best_spans(values[:, 0], values[:, 1], within):
                if span.score > found[number][1]:
                    text = pairs[number][1][offsets[span.first - first][0] : offsets[span.last - first][1]]
                    found[number] = (text, span.score)
    return found


def _logits(model: Any, lessons: Sequence[Lesson]) -> Tensor:
    """Return (n, tokens, 2) logits to start and to end an answer, low where there can't be one."""
    shape = (len(lessons), max(lesson.length for lesson in lessons))
    ids, types, mask = (np.zeros(shape, np.int64) for _ in range(3))
    outside = np.full((*shape, 1), _NOWHERE, np.float32)
    for row, lesson in enumerate(lessons):
        first = len(lesson.question) + 2
        ids[row, : lesson.length] = np.concatenate([[CLS], lesson.question, [SEP], lesson.passage, [SEP]])
        types[row, first : lesson.length] = 1
        mask[row, : lesson.length] = 1
        outside[row, 0] = outside[row, first : lesson.length - 1] = 0
    device = model.qa_outputs.weight.device
    inputs = [torch.from_numpy(values).to(device) for values in (ids, mask, types)]
    hidden = model.bert(input_ids=inputs[0], attention_mask=inputs[1], token_type_ids=inputs[2]).last_hidden_state
    return model.qa_outputs(hidden).float() + torch.from_numpy(outside).to(device)


def _loss(model: Any, lessons: Sequence[Lesson]) -> Tensor:
    logits = _logits(model, lessons)
    offsets = [len(lesson.question) + 2 for lesson in lessons]
    targets = torch.tensor(
        [
            (0, 0) if lesson.answer is None else (lesson.answer[0] + offset, lesson.answer[1] + offset)
            for lesson, offset in zip(lessons, offsets, strict=True)
        ],
        device=logits.device,
    )
    return (F.cross_entropy(logits[..., 0], targets[:, 0]) + F.cross_entropy(logits[..., 1], targets[:, 1])) / 2


def _register() -> None:
    """Give transformers an attention of plain products: on a CPU the fused one's backward takes ten times as long."""

    def attend(
        module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float, **_: Any
    ) -> tuple[Tensor, None]:
        scores = (query * scaling) @ key.transpose(2, 3)
        if mask is not None:
            scores = scores + mask
        return (scores.softmax(-1) @ value).transpose(1, 2), None

    AttentionInterface.register(_ATTENTION, attend)
    AttentionMaskInterface.register(_ATTENTION, eager_mask)


def _schedule(done: float, warmup: float) -> float:
    return done / warmup if done < warmup else (1 - done) / (1 - warmup)


def main(arguments: list[str] | None = None) -> int:
    """Train as the command line says, and print the figures as JSON; 1 where that is not possible."""
    recipe = ReaderRecipe()
    parser = argparse.ArgumentParser(
        prog="python -m quarry.indexer.training.reader_model", description="Train quarry-reader."
    )
    parser.add_argument("questions", type=Path, help="folder of train.jsonl.gz and dev/")
    parser.add_argument("--into", type=Path, required=True, help="folder of the weights and the checkpoint")
    parser.add_argument("--rate", type=float, default=recipe.rate, help="peak learning rate; default: %(default)s")
    parser.add_argument("--rows", type=int, help="learn from so many rows only; default: all")
    parser.add_argument("--seed", type=int, default=recipe.seed, help="default: %(default)s")
    options = parser.parse_args(arguments)
    recipe = replace(recipe, rate=options.rate, rows=options.rows, seed=options.seed)
    say = partial(tqdm.write, file=sys.stderr)
    try:
        figures = train(options.questions, options.into, recipe, say)
    except QuarryError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
