"""`quarry models`."""

from __future__ import annotations

import click

from api.cli.options import json_option, print_json
from search.config import DEFAULT_TEXT_MODEL


@click.command("models")
@click.argument("model", default=DEFAULT_TEXT_MODEL)
@click.option("--prepare", is_flag=True, help="Export the model for serving, and check it against the original.")
@json_option
def models_command(model: str, prepare: bool, as_json: bool) -> None:
    """Show a text model, and whether it is ready to serve; with --prepare, make it so.

    MODEL is the name or folder of a sentence-transformers model; without it, the embedded default is shown.
    """
    from search.models import preparation
    from search.models import prepared as models

    ready = preparation.prepare(model, lambda text: click.echo(text, err=True)) if prepare else None
    card = models.resolve(model)
    ready = ready or models.prepared(card)
    body = {**card.to_json(), "identity": card.identity, "prepared": None}
    if ready is not None:
        body["prepared"] = {
            "folder": str(ready.folder),
            "precision": ready.precision,
            "parity": dict(ready.parity),
            "notice": ready.notice,
        }
    if as_json:
        print_json(body)
        return
    click.secho(card.name, bold=True)
    click.echo(
        f"{card.family}, {card.dimension} dimensions, {card.max_tokens} tokens, licence {card.licence or 'unknown'}"
    )
    click.echo(f"scripts: {', '.join(card.scripts) or 'any'}")
    if ready is None:
        click.echo(f"not prepared yet: quarry models --prepare {model}")
        return
    parity = ready.parity.get("min")
    checked = f", cosine to the original at least {parity:.4f}" if parity is not None else ""
    click.echo(f"ready: {ready.precision}{checked}, in {ready.folder}")
    if ready.notice:
        click.echo(ready.notice)
