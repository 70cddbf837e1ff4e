"""`quarry eval`."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.indexing import progress_display
from api.cli.options import json_option, print_json
from search.evaluation import METRICS


@click.command("eval")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--text-model", metavar="MODEL", help="Name or folder of a sentence-transformers model.")
@json_option
def eval_command(folder: Path, text_model: str | None, as_json: bool) -> None:
    """Measure how well each mode ranks a judged collection (BEIR layout: corpus.jsonl, queries.jsonl, qrels/).

    Figures are 0 to 1; in brackets, the 95% interval by bootstrap over the queries.
    """
    from api.evaluation import evaluate_folder

    progress = progress_display()
    try:
        report = evaluate_folder(folder, text_model=text_model, progress=progress)
    finally:
        progress.close()
    if as_json:
        print_json(report)
        return
    click.secho(f"{report['collection']}: {report['queries']} judged queries", bold=True)
    click.echo(f"{'':10}" + "".join(f"{name:>24}" for name in METRICS))
    for mode, figures in report["modes"].items():
        cells = []
        for name in METRICS:
            low, high = figures[f"{name}_interval"]
            cells.append(f"{figures[name]:.3f} [{low:.3f}, {high:.3f}]")
        click.echo(f"{mode:10}" + "".join(f"{cell:>24}" for cell in cells))
