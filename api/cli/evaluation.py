"""`quarry eval`."""

from __future__ import annotations

from pathlib import Path

import click

from quarry.api.cli.options import json_option, print_json, tell
from quarry.api.cli.progress import progress_display
from quarry.api.cli.terminal import say


@click.command("eval")
@click.argument("dataset", metavar="DATASET", type=click.Path(path_type=Path))
@click.option("--text-model", metavar="MODEL", help="Name or folder of a sentence-transformers model.")
@click.option("--image-model", metavar="MODEL", help="Name or folder of an open_clip model.")
@click.option("--reader", metavar="MODEL", help="Name or folder of a transformers model for question answering.")
@json_option
def eval_command(
    dataset: Path, text_model: str | None, image_model: str | None, reader: str | None, as_json: bool
) -> None:
    """Measure how well a collection is ranked, questions are answered, or documents summarized.

    DATASET is a folder in BEIR layout (corpus.jsonl, queries.jsonl, qrels/), by which every mode is measured; or a
    file of JSON Lines, gzipped or not: captions.jsonl with an `image` and its `captions` in each row, by which the
    image model is measured; rows of `question`, `context` and `answers` (`text` and `start`), by which the reader is;
    or rows of `document` and `summaries`, by which the extractive summary is.

    Figures are 0 to 1; in brackets, the 95% interval by bootstrap over the queries.
    """
    from quarry.api.evaluation import evaluate_file, evaluate_folder

    progress = progress_display("items")
    try:
        if dataset.is_dir():
            report = evaluate_folder(dataset, text_model=text_model, progress=progress, tell=tell)
        else:
            report = evaluate_file(
                dataset, text_model=text_model, image_model=image_model, reader=reader, progress=progress, tell=tell
            )
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
