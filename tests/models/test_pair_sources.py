from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quarry.search.errors import ModelDamaged, ModelMissing
from quarry.search.models.pair.card import PairCard, PairTask
from quarry.search.models.pair.embedded import CARD
from quarry.search.models.pair.source import resolve
from tests.pair_folders import READER, SCORER, write


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARRY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def test_a_card_is_read_from_a_folder(tmp_path: Path) -> None:
    folder = write(tmp_path / "model", READER, tokenizer_config={"model_max_length": 100})
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    card = resolve(str(folder), "reader")
    assert (card.task, card.family, card.source) == ("reader", "bert", str(folder))
    assert (card.max_tokens, card.licence, card.activation) == (100, "mit", "")
    assert PairCard.from_json(json.loads(json.dumps(card.to_json()))) == card
    assert resolve(str(folder), "reader") == card  # what was remembered


def test_the_identity_is_of_what_changes_a_logit(tmp_path: Path) -> None:
    first, copy = (resolve(str(write(tmp_path / name, READER)), "reader") for name in ("a", "b"))
    other = resolve(str(write(tmp_path / "c", {**READER, "hidden_act": "relu"})), "reader")
    assert first.identity == copy.identity != other.identity
    assert first.identity.startswith("bert-reader-")


def test_a_hub_name_is_found_in_the_hub_s_cache(tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--deepset--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("1a2b")
    write(repository / "snapshots" / "1a2b", READER)
    assert resolve("deepset/tiny", "reader").name == "deepset/tiny"


@pytest.mark.parametrize(
    ("config", "files", "activation"),
    [
        (SCORER, {}, "sigmoid"),
        (SCORER, {"config_sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}, "identity"),
        ({**SCORER, "sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}, {}, "identity"),
        ({**SCORER, "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, {}, "identity"),
    ],
)
def test_the_activation_of_a_cross_encoder(
    tmp_path: Path, config: dict[str, Any], files: dict[str, Any], activation: str
) -> None:
    folder = write(tmp_path / "model", config, **files)
    assert resolve(str(folder), "cross-encoder").activation == activation


@pytest.mark.parametrize(
    ("task", "config", "message"),
    [
        ("reader", {**READER, "architectures": ["BertForMaskedLM"]}, "is a BertForMaskedLM, not a question-answering"),
        ("reader", {"model_type": "bert"}, "is a model without a head, not a question-answering"),
        ("cross-encoder", READER, "is a BertForQuestionAnswering, not a cross-encoder"),
        ("cross-encoder", {**SCORER, "id2label": {"0": "a", "1": "b", "2": "c"}}, "gives a pair 3 labels"),
        ("cross-encoder", {k: v for k, v in SCORER.items() if k != "id2label"}, "gives a pair 2 labels"),
    ],
)
def test_another_kind_of_model_is_refused(tmp_path: Path, task: PairTask, config: dict[str, Any], message: str) -> None:
    folder = write(tmp_path / "model", config)
    with pytest.raises(ModelDamaged, match=message):
        resolve(str(folder), task)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "model", READER, weights="pytorch_model.bin")
    with pytest.raises(ModelDamaged, match=r"Pickled weights .*AutoModelForQuestionAnswering"):
        resolve(str(folder), "reader")


@pytest.mark.parametrize(
    ("absent", "message"), [("tokenizer.json", "holds no tokenizer"), ("config.json", "not a transformers model")]
)
def test_a_folder_without_a_part_is_refused(tmp_path: Path, absent: str, message: str) -> None:
    folder = write(tmp_path / "model", READER)
    (folder / absent).unlink()
    with pytest.raises(ModelDamaged, match=message):
        resolve(str(folder), "reader")


@pytest.mark.parametrize("name", ["deepset/nowhere", "x" * 5_000])
def test_an_unknown_name_is_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(ModelMissing, match=f"quarry models --prepare --cross-encoder {name}"):
        resolve(name, "cross-encoder")


@pytest.mark.parametrize("name", ["/no/such/folder", "a\0b"])
def test_what_the_hub_could_not_have_is_refused_as_a_folder(name: str) -> None:
    with pytest.raises(ModelMissing, match="there is no such folder"):
        resolve(name, "cross-encoder")


def test_the_embedded_reader_is_known_by_its_name() -> None:
    assert resolve("quarry-reader", "reader") == CARD
    with pytest.raises(ModelMissing):
        resolve("quarry-reader", "cross-encoder")
