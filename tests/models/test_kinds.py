"""The table of kinds: whatever kind a model is of, the same can be done with it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

import quarry.search.models
from quarry.search.errors import ModelMissing
from quarry.search.models.card import Card
from quarry.search.models.kinds import KINDS, TEXT, Kind
from quarry.search.models.loading import load_text_encoder
from quarry.search.models.text.parity import QUANTISED

PARTS = {
    "source": ("resolve", "is_on_hub", "fetch"),
    "original": ("load",),
    "serving": ("serve",),
    "export": ("export",),
    "parity": ("check",),
}
FOLDERS = Path(quarry.search.models.__file__).parent


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_each_folder_has_the_same_files(kind: Kind[Card, object]) -> None:
    folder = f"quarry.search.models.{kind.folder}"
    parts = PARTS if kind.exported else {name: PARTS[name] for name in ("source", "original", "serving")}
    for part, functions in parts.items():
        module = import_module(f"{folder}.{part}")
        assert all(callable(getattr(module, function)) for function in functions), (folder, part)
    lacking = {name for name in PARTS if not (FOLDERS / kind.folder / f"{name}.py").is_file()}
    assert lacking == PARTS.keys() - parts.keys()
    docstring = import_module(folder).__doc__ or ""
    assert all(name in docstring for name in lacking), "a folder says why it lacks a file"


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.default], ids=lambda kind: kind.name)
def test_each_embedded_model_is_found_by_its_default_name(kind: Kind[Card, object]) -> None:
    card = kind.find(kind.default)
    assert (card.name, card.source) == (kind.default, "")
    assert type(card).from_json(card.to_json()).identity == card.identity
    assert card.identity.startswith(f"{card.stem}-")


def test_a_live_model_is_checked_against_its_original() -> None:
    figures = TEXT.check(load_text_encoder(), TEXT.load(TEXT.find(TEXT.default)))
    assert QUANTISED <= figures["min"] <= figures["mean"] <= 1


@pytest.mark.parametrize("kind", ["text", "reader", "cross-encoder", "writing"])
def test_of_a_folder_that_is_not_there_no_download_is_advised(kind: str) -> None:
    with pytest.raises(ModelMissing, match="'/nowhere' on this machine: there is no such folder"):
        KINDS[kind].find("/nowhere")
    with pytest.raises(ModelMissing, match=r"Run `.* nobody/nothing` where the hub can be reached"):
        KINDS[kind].find("nobody/nothing")
