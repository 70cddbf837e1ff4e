"""`quarry eval`."""

from __future__ import annotations

from pathlib import Path

import click

from quarry.api.cli.options import json_option, model_options, print_json, tell
from quarry.api.cli.progress import progress_display
from quarry.api.cli.terminal import say
from quarry.search.config import ModelOptions


@click.command("eval")
@click.argument("dataset", metavar="DATASET", type=click.Path(path_type=Path))
@model_options(
    text_model="Name or folder of a sentence-transformers model.",
    image_model="Name or folder of an open_clip model.",
    reader="Name or folder of a transformers model for question answering.",
)
@json_option
def eval_command(dataset: Path, models: ModelOptions, as_json: bool) -> None:
    """Measure how well a collection is ranked, questions are answered, or documents summarized.

    DATASET is a folder in BEIR layout (corpus.jsonl, queries.jsonl, qrels/), by which every mode is measured; or a
    file of JSON Lines, gzipped or not: captions.jsonl with an `image` and its `captions` in each row, by which the
    image model is measured; rows of `question`, `context` and `answers` (`text` and `start`), by which the reader is;
    or rows of `document` and `summaries`, by which the extractive summary is.

    Figures are 0 to 1; in brackets, the 95% interval by bootstrap over the queries.
    """
    from quarry.api.members.evaluation import evaluate_file, evaluate_folder

    progress = progress_display("items")
    try:
        evaluate = evaluate_folder if dataset.is_dir() else evaluate_file
        report = evaluate(dataset, progress=progress, tell=tell, **models)
    finally:
        progress.close()
    if as_json:
        print_json(report)
        return
    say(f"{report['collection']}: {report['queries']} judged queries", bold=True)
    names = [name for name in next(iter(report["modes"].values())) if not name.endswith("_interval")]
    click.echo(f"{'':14}" + "".join(f"{name:>24}" for name in names))
    for mode, figures in report["modes"].items():
        cells = []
        for name in names:
            low, high = figures.get(f"{name}_interval", (None, None))
            cells.append(f"{figures[name]:.3f}" + (f" [{low:.3f}, {high:.3f}]" if low is not None else ""))
        click.echo(f"{mode:14}" + "".join(f"{cell:>24}" for cell in cells))
