"""`quarry models`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from api.cli.options import json_option, print_json
from search.config import DEFAULT_IMAGE_MODEL, DEFAULT_TEXT_MODEL

if TYPE_CHECKING:
    from search.models.prepared import AnyCard, Prepared


@click.command("models")
@click.argument("model", required=False)
@click.option("--image-model", metavar="MODEL", help="An image model: one of open_clip's, or a folder.")
@click.option("--prepare", is_flag=True, help="Export the model for serving, and check it against the original.")
@json_option
def models_command(model: str | None, image_model: str | None, prepare: bool, as_json: bool) -> None:
    """Show the models, and whether they are ready to serve; with --prepare, make them so.

    MODEL is the name or folder of a sentence-transformers model. An image model is one of open_clip's architectures
    with its weights (ViT-B-32/laion2b_s34b_b79k), hf-hub:ORG/NAME, or a folder that open_clip saved. Without either,
    the embedded defaults are shown.
    """
    from search.models import image_sources, preparation
    from search.models import prepared as models

    def say(text: str) -> None:
        click.echo(text, err=True)

    if not model and not image_model:
        model, image_model = DEFAULT_TEXT_MODEL, DEFAULT_IMAGE_MODEL
    body = {}
    if model:
        ready = preparation.prepare(model, say) if prepare else None
        card = models.resolve(model)
        body["text"] = _described(card, ready or models.prepared(card))
    if image_model:
        image_ready = preparation.prepare_image(image_model, say) if prepare else None
        image_card = image_sources.resolve(image_model)
        body["image"] = _described(image_card, image_ready or models.prepared(image_card))
    if as_json:
        print_json(body)
        return
    for kind, described in body.items():
        _show(kind, described)


def _described(card: AnyCard, ready: Prepared[AnyCard] | None) -> dict[str, Any]:
    prepared = None
    if ready is not None:
        prepared = {
            "folder": str(ready.folder),
            "precision": ready.precision,
            "parity": dict(ready.parity),
            "notice": ready.notice,
        }
        card = ready.card  # which knows the scripts of its vocabulary
    return {**card.to_json(), "identity": card.identity, "prepared": prepared}


def _show(kind: str, body: Mapping[str, Any]) -> None:
    click.secho(body["name"], bold=True)
    if kind == "text":
        takes, option = f"{body['max_tokens']} tokens", ""
    else:
        size = body["preprocessing"]
        takes, option = f"{size['width']} x {size['height']} pixels", "--image-model "
    click.echo(f"{body['family']}, {body['dimension']} dimensions, {takes}, licence {body['licence'] or 'unknown'}")
    click.echo(f"scripts: {', '.join(body['scripts']) or 'any'}")
    ready = body["prepared"]
    if ready is None:
        click.echo(f"not prepared yet: quarry models --prepare {option}{body['name']}")
        return
    parity = ready["parity"].get("min")
    checked = f", cosine to the original at least {parity:.4f}" if parity is not None else ""
    click.echo(f"ready: {ready['precision']}{checked}, in {ready['folder']}")
    if ready["notice"]:
        click.echo(ready["notice"])
