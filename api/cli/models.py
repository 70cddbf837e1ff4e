"""`quarry models`."""

from __future__ import annotations

from collections.abc import Mapping
from gettext import gettext as _
from typing import TYPE_CHECKING, Any

import click

from quarry.api.cli.options import json_option, model_options, print_json
from quarry.api.cli.terminal import say

if TYPE_CHECKING:
    from quarry.search.config import ModelOptions
    from quarry.search.models.prepared import AnyCard, Prepared


@click.command("models")
@click.argument("model", required=False)
@model_options(
    image_model="An image model: one of open_clip's, or a folder.",
    reader="A reader: a transformers model for question answering.",
    cross_encoder="A cross-encoder of sentence-transformers with one label.",
)
@click.option("--prepare", is_flag=True, help="Export the model for serving, and check it against the original.")
@json_option
def models_command(model: str | None, models: ModelOptions, prepare: bool, as_json: bool) -> None:
    """Show the models, and whether they are ready to serve; with --prepare, make them so.

    MODEL is the name or folder of a sentence-transformers model. An image model is one of open_clip's architectures
    with its weights (ViT-B-32/laion2b_s34b_b79k), hf-hub:ORG/NAME, or a folder that open_clip saved. Readers and
    cross-encoders are hub names or folders. Where none is named, the embedded defaults are shown.
    """
    from quarry.search.beside import BESIDE, MODEL
    from quarry.search.models.kinds import KINDS
    from quarry.search.models.names import MULTILINGUAL_READER
    from quarry.search.models.preparation import prepare as make_ready
    from quarry.search.models.prepared import prepared
    from quarry.search.models.text.multilingual import is_here

    def tell(text: str) -> None:
        say(text, err=True)

    names = {
        "text": model,
        "image": models["image_model"],
        "reader": models["reader"],
        "cross-encoder": models["cross_encoder"],
    }
    wanted = [(of, of, name) for of, name in names.items() if name]
    if not wanted:
        wanted = [(kind.name, kind.name, kind.default) for kind in KINDS.values() if kind.default]
        if is_here():
            wanted.insert(1, (BESIDE, "text", MODEL))
            wanted.append((f"{BESIDE} reader", "reader", MULTILINGUAL_READER))
    body = {}
    for label, of, name in wanted:
        ready = make_ready(KINDS[of], name, tell) if prepare else None
        card = KINDS[of].find(name)
        body[label] = _described(card, ready or prepared(card))
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
    from quarry.search.beside import BESIDE

    say(body["name"], bold=True)
    if kind == "image":
        size = body["preprocessing"]
        takes, option = _("{width} x {height} pixels").format_map(size), "--image-model "
    else:
        takes = _("{n} tokens").format(n=body["max_tokens"])
        option = "" if kind in ("text", BESIDE) else f"--{kind.split()[-1]} "
    gives = _("{n} dimensions").format(n=body["dimension"]) if "dimension" in body else kind
    licence = _("licence {name}").format(name=body["licence"] or _("unknown"))
    say(f"{body['family']}, {gives}, {takes}, {licence}")
    say(_("scripts: {names}").format(names=", ".join(body["scripts"]) or _("any")))
    ready = body["prepared"]
    if ready is None:
        say(_("not prepared yet: {command}").format(command=f"quarry models --prepare {option}{body['name']}"))
        return
    checked = _checked(ready["parity"])
    say(_("ready: {precision}, in {folder}").format(precision=ready["precision"] + checked, folder=ready["folder"]))
    if ready["notice"]:
        say(ready["notice"])


def _checked(parity: Mapping[str, float]) -> str:
    """Say how near a prepared model is to its original."""
    if "min" in parity:
        return _(", cosine to the original at least {least:.4f}").format(least=parity["min"])
    if "correlation" in parity:
        return _(", correlation with the original at least {least:.4f}").format(least=parity["correlation"])
    return ""
