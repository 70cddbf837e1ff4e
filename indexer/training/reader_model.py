"""Training of the embedded readers: questions and passages -> the weights that `search/models/pair/` reads.

    python -m quarry.indexer.training.reader_model QUESTIONS --into FOLDER
    python -m quarry.indexer.training.reader_model QUESTIONS --into FOLDER --korean FILE    the multilingual one
    python -m quarry.indexer.training.reader_model QUESTIONS --into FOLDER --korean FILE --further WEIGHTS

QUESTIONS is a folder with train.jsonl.gz and dev/*.jsonl.gz: rows of `question`, `context`, `answers` and `source`.
FILE has such rows in Korean, without `source`; its last articles are held out and measured with. WEIGHTS are those of
the run before, with which the multilingual one goes on over all sources.

    1. passes over the rows are drawn: all of them, and mostly those about encyclopedic prose        questions.py
    2. MiniLM, or e5 above its lowest layers, learns where answers start and end, and to decline
    3. figures on every set of dev, which the training has not seen

loss        cross-entropy of the start and of the end over the passage and the first token, which means "no answer"
weights     stepped in float32; what is kept is their moving average (Polyak and Juditsky 1992), in float16

It can be stopped at any time: run again, it goes on from the last checkpoint. Uses CUDA where there is any. Two CPU
cores that multiply bfloat16 in hardware (AMX) take about an hour, without that several.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, eager_mask

from quarry.indexer.training.checkpoints import put, resume, save
from quarry.indexer.training.questions import Lesson, Questions, apart, batches, read_rows
from quarry.indexer.training.reader_recipes import FURTHER_MULTILINGUAL, MULTILINGUAL, ReaderRecipe
from quarry.search.errors import NotFound, QuarryError
from quarry.search.evaluations import squad
from quarry.search.evaluations.answers import auroc
from quarry.search.evaluations.rankings import rows_of
from quarry.search.models import files
from quarry.search.models.pair import spans
from quarry.search.models.pair.source import EMBEDDED
from quarry.search.models.text.tokens import Frame, Tokens

CHECKPOINT = "checkpoint.pt"
EVERY = 250  # steps from one checkpoint to the next

_ATTENTION = "quarry_bfloat16"
_NOWHERE = -1e4  # logit of what can't be part of an answer
_DECAY, _CLIP = 0.01, 1.0
_WINDOW = 384  # tokens of a passage when measuring; longer ones are read in windows that overlap by a half


def train(
    folder: Path,
    into: Path,
    recipe: ReaderRecipe,
    say: Callable[[str], None],
    korean: Path | None = None,
    further: Path | None = None,
) -> dict[str, Any]:
    """Train a reader and write its weights to `into`/model.safetensors.

    Args:
        korean: rows that are learnt from as well.
        further: weights of a run before, to begin with.

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
    embedded = EMBEDDED[recipe.reader]
    tokens = embedded.tokens()
    torch.manual_seed(recipe.seed)
    model = embedded.untrained()
    if further is not None:
        put(trained(model), load_file(further))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device).eval()
    say(f"reading {path}")
    dev = {name: [row for _, row in rows_of(folder / "dev" / f"{name}.jsonl.gz")] for name in recipe.sets}
    rows = list(read_rows(path, recipe.rows))
    if korean is not None:
        learnt, dev[korean.parent.name] = apart(list(read_rows(korean, source=korean.parent.name)), recipe.held)
        rows = learnt + rows
    questions = Questions(rows, tokens, recipe.windows)
    steps = []
    for number, (shares, most) in enumerate(zip_longest(recipe.passes, recipe.steps)):
        random = np.random.default_rng(recipe.seed + number)
        steps += batches(list(questions.lessons(shares, random)), recipe.batch, random)[:most]
    size = sum(len(batch) * max(lesson.length for lesson in batch) for batch in steps)
    say(f"{sum(map(len, steps)):,} questions in {len(steps):,} steps, {size:,} tokens")

    def after(model: Any, words: str) -> None:
        if dev:
            name, rows = next(iter(dev.items()))
            words += f"; {name} {json.dumps(measure(model, tokens, rows[:400]))}"
        say(words)

    fit(model, steps, tokens.frame, recipe, into / CHECKPOINT, after)
    weights = {name: value.half() for name, value in trained(model).items()}
    path = into / embedded.WEIGHTS
    save_file({name: value.cpu().contiguous() for name, value in weights.items()}, path)
    put(trained(model), weights)  # what is measured is what is written
    figures: dict[str, Any] = {"sha256": files.file_sha256(path)}
    for name, rows in dev.items():
        figures[name] = measure(model, tokens, rows)
        say(f"{name}: {json.dumps(figures[name])}")
    return figures


def trained(model: Any) -> dict[str, Tensor]:
    """Return the weights that are trained, by name."""
    return {name: value.data for name, value in model.named_parameters() if value.requires_grad}


def fit(
    model: Any,
    steps: Sequence[Sequence[Lesson]],
    frame: Frame,
    recipe: ReaderRecipe,
    checkpoint: Path,
    after: Callable[[Any, str], None],
) -> None:
    """Train a model, and leave it with the averaged weights.

    Goes on from the checkpoint, which is written after every `EVERY` steps.

    Args:
        frame: tokens around question and passage.
        after: called after a checkpoint with the averaged model, and what to say of it.

    Raises:
        InvalidRequest: the checkpoint is of another run.
    """
    _register()
    working = copy.deepcopy(model).to(torch.bfloat16 if recipe.half else torch.float32)
    working.set_attn_implementation(_ATTENTION)
    working.train(recipe.dropout)
    weights = trained(model)
    masters = [value.requires_grad_(True) for value in (nn.Parameter(value) for value in weights.values())]
    copies = [value for value in working.parameters() if value.requires_grad]
    average = {name: value.clone() for name, value in weights.items()}
    optimizer = torch.optim.AdamW(masters, lr=recipe.rate, betas=(0.9, 0.98), weight_decay=_DECAY, fused=True)
    run = json.dumps([asdict(recipe), len(steps)], sort_keys=True)
    done = resume(checkpoint, run, weights, average, optimizer)
    losses: list[float] = []
    for step in tqdm(range(done, len(steps)), initial=done, total=len(steps), desc="reader", unit="step"):
        with torch.no_grad():
            torch._foreach_copy_(copies, masters)
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * _schedule(step / len(steps), recipe)
        loss = _loss(working, steps[step], frame)
        loss.backward()
        for master, value in zip(masters, copies, strict=True):
            master.grad, value.grad = value.grad.float(), None
        nn.utils.clip_grad_norm_(masters, _CLIP)
        optimizer.step()
        losses.append(loss.item())
        decay = min(recipe.average, step / (step + recipe.slow))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), list(weights.values()), 1 - decay)
        if (step + 1) % EVERY == 0 or step + 1 == len(steps):
            save(checkpoint, run, step + 1, weights, average, optimizer)
            averaged = copy.deepcopy(model)
            put(trained(averaged), average)
            after(averaged, f"step {step + 1} of {len(steps)}: loss {sum(losses[-EVERY:]) / len(losses[-EVERY:]):.3f}")
    put(weights, average)


def measure(model: Any, tokens: Tokens, rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return how well a model answers.

    Returns:
        `f1` and `em` over the rows that have an answer, whose best span is taken; `auroc`, how often a question with
        its own passage scores higher than with another's, ties counting half.
    """
    answerable = [row for row in rows if row["answers"]]
    own = _read_out(model, tokens, [(row["question"], row["context"]) for row in answerable])
    half = len(answerable) // 2
    others = [answerable[(place + half) % len(answerable)]["context"] for place in range(len(answerable))]
    mismatched = _read_out(
        model, tokens, [(row["question"], other) for row, other in zip(answerable, others, strict=True)]
    )
    texts = [[answer["text"] for answer in row["answers"]] for row in answerable]
    return {
        "f1": float(np.mean([squad.best(squad.f1, o[0], t) for o, t in zip(own, texts, strict=True)])),
        "em": float(np.mean([squad.best(squad.exact_match, o[0], t) for o, t in zip(own, texts, strict=True)])),
        "auroc": auroc([score for _, score in own], [score for _, score in mismatched]),
    }


def _read_out(model: Any, tokens: Tokens, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, float]]:
    """Return the best answer and its score to each pair of question and passage."""
    windows = []
    for number, (question, passage) in enumerate(pairs):
        words, (ids, offsets) = tokens.plain(question)[0], tokens.plain(passage)
        for start in range(0, max(1, len(ids) - _WINDOW // 2), _WINDOW // 2):
            lesson = Lesson(words.astype(np.int32), ids[start : start + _WINDOW].astype(np.int32), None)
            windows.append((number, offsets[start:], lesson))
    windows.sort(key=lambda window: window[2].length)
    found = [("", -np.inf)] * len(pairs)
    for start in range(0, len(windows), 32):
        part = windows[start : start + 32]
        device = model.qa_outputs.weight.device
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
            logits = _logits(model, [lesson for *_, lesson in part], tokens.frame).cpu().numpy()
        for (number, offsets, lesson), values in zip(part, logits, strict=True):
            first = len(lesson.question) + 2
            within = (first, first + len(lesson.passage))
            for span in spans.best_spans(values[:, 0], values[:, 1], within):
                if span.score > found[number][1]:
                    text = pairs[number][1][offsets[span.first - first][0] : offsets[span.last - first][1]]
                    found[number] = (text, span.score)
    return found


def _logits(model: Any, lessons: Sequence[Lesson], frame: Frame) -> Tensor:
    """Return (n, tokens, 2) logits to start and to end an answer, low where there can't be one."""
    shape = (len(lessons), max(lesson.length for lesson in lessons))
    ids, types, mask = (np.zeros(shape, np.int64) for _ in range(3))
    outside = np.full((*shape, 1), _NOWHERE, np.float32)
    for row, lesson in enumerate(lessons):
        first = len(lesson.question) + 2
        ids[row, : lesson.length] = np.concatenate([frame[0], lesson.question, frame[1], lesson.passage, frame[2]])
        types[row, first : lesson.length] = 1
        mask[row, : lesson.length] = 1
        outside[row, 0] = outside[row, first : lesson.length - 1] = 0
    device = model.qa_outputs.weight.device
    inputs = [torch.from_numpy(values).to(device) for values in (ids, mask, types)]
    hidden = model.bert(input_ids=inputs[0], attention_mask=inputs[1], token_type_ids=inputs[2]).last_hidden_state
    return model.qa_outputs(hidden).float() + torch.from_numpy(outside).to(device)


def _loss(model: Any, lessons: Sequence[Lesson], frame: Frame) -> Tensor:
    logits = _logits(model, lessons, frame)
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


def _schedule(done: float, recipe: ReaderRecipe) -> float:
    return min(1.0, done / recipe.warmup, (1 - done) / recipe.cooldown)


def main(arguments: list[str] | None = None) -> int:
    """Train as the command line says, and print the figures as JSON; 1 where that is not possible."""
    parser = argparse.ArgumentParser(
        prog="python -m quarry.indexer.training.reader_model", description="Train an embedded reader."
    )
    parser.add_argument("questions", type=Path, help="folder of train.jsonl.gz and dev/")
    parser.add_argument("--into", type=Path, required=True, help="folder of the weights and the checkpoint")
    parser.add_argument("--korean", type=Path, help="train the multilingual reader, on these rows as well")
    parser.add_argument("--further", type=Path, help="weights of a run before, with which the multilingual one goes on")
    parser.add_argument("--rate", type=float, help="peak learning rate; default: the recipe's")
    parser.add_argument("--rows", type=int, help="learn from so many rows only; default: all")
    parser.add_argument("--seed", type=int, help="default: the recipe's")
    options = parser.parse_args(arguments)
    given = {"rate": options.rate, "rows": options.rows, "seed": options.seed}
    recipe = replace(
        ReaderRecipe() if not options.korean else FURTHER_MULTILINGUAL if options.further else MULTILINGUAL,
        **{name: value for name, value in given.items() if value is not None},
    )
    say = partial(tqdm.write, file=sys.stderr)
    try:
        figures = train(options.questions, options.into, recipe, say, options.korean, options.further)
    except QuarryError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
