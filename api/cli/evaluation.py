"""`quarry eval`."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.indexing import progress_display
from api.cli.options import json_option, print_json
from search.caption_evaluation import CAPTION_METRICS
from search.evaluation import METRICS


@click.command("eval")
@click.argument("dataset", metavar="DATASET", type=click.Path(path_type=Path))
@click.option("--text-model", metavar="MODEL", help="Name or folder of a sentence-transformers model.")
@click.option("--image-model", metavar="MODEL", help="Name or folder of an open_clip model.")
@json_option
def eval_command(dataset: Path, text_model: str | None, image_model: str | None, as_json: bool) -> None:
    """Measure how well a collection is ranked.

    DATASET is a folder in BEIR layout (corpus.jsonl, queries.jsonl, qrels/), by which every mode is measured; or a
    captions.jsonl with an `image` and its `captions` in each row, by which the image model is.

    Figures are 0 to 1; in brackets, the 95% interval by bootstrap over the queries.
    """
    from api.evaluation import evaluate_folder, evaluate_pictures

    progress = progress_display()
    try:
        if dataset.is_file():
            report = evaluate_pictures(dataset, image_model=image_model, progress=progress)
        else:
            report = evaluate_folder(dataset, text_model=text_model, progress=progress)
    finally:
        progress.close()
    if as_json:
        print_json(report)
        return
    metrics = CAPTION_METRICS if dataset.is_file() else tuple(METRICS)
    click.secho(f"{report['collection']}: {report['queries']} judged queries", bold=True)
    click.echo(f"{'':14}" + "".join(f"{name:>24}" for name in metrics))
    for mode, figures in report["modes"].items():
        cells = []
        for name in metrics:
            low, high = figures[f"{name}_interval"]
            cells.append(f"{figures[name]:.3f} [{low:.3f}, {high:.3f}]")
        click.echo(f"{mode:14}" + "".join(f"{cell:>24}" for cell in cells))
