from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quarry.search.errors import ModelDamaged, ModelError, ModelMissing
from quarry.search.models.fake import FakeTextEncoder
from quarry.search.models.files import file_sha256
from quarry.search.models.kinds import TEXT
from quarry.search.models.loading import load_text_encoder
from quarry.search.models.preparation import prepare
from quarry.search.models.prepared import CARD, GRAPH, TOKENIZER, Prepared
from quarry.search.models.text.embedded import CARD as EMBEDDED
from quarry.search.models.text.embedded import embedded_folder
from quarry.search.models.text.parity import QUANTISED, Parity, bank
from quarry.search.models.text.serving import OnnxTextEncoder


@pytest.fixture(scope="module")
def ready() -> Prepared:
    return prepare(TEXT, EMBEDDED.name)


@pytest.fixture(scope="module")
def encoder(ready: Prepared) -> OnnxTextEncoder:
    return OnnxTextEncoder(ready, threads=2)


@pytest.fixture
def copied(ready: Prepared, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The prepared embedded model in a cache of its own, to be damaged."""
    monkeypatch.setenv("QUARRY_CACHE", str(tmp_path))
    return Path(shutil.copytree(ready.folder, tmp_path / "models" / ready.folder.name))


@pytest.mark.filterwarnings("ignore")
def test_embedded_model_equals_sentence_transformers_from_raw_strings(encoder: OnnxTextEncoder) -> None:
    from sentence_transformers import SentenceTransformer

    original = SentenceTransformer(str(embedded_folder()), device="cpu")
    texts = [
        *bank(),
        "A text that no calibration saw: the ferry to Tinos leaves Rafina at half past seven.",
        "x" * 20_000,
    ]
    reference = original.encode(texts, normalize_embeddings=True)
    parity = Parity.of(encoder.encode_documents(texts), reference)
    assert parity.least >= QUANTISED, parity
    assert parity.mean >= 0.99, parity


def test_prepared_model_is_recorded(ready: Prepared) -> None:
    assert ready.precision == "int8"
    assert ready.parity["float32_min"] >= 0.9999
    assert ready.parity["min"] >= QUANTISED
    assert ready.folder.name == EMBEDDED.identity
    assert set(ready.files) == {GRAPH, TOKENIZER}
    assert ready.notice == ""


def test_vectors_are_of_length_one_and_know_meaning(encoder: OnnxTextEncoder) -> None:
    vectors = encoder.encode_documents(["The cat sat on the mat.", "A kitten rested on a rug.", "Interest rates rose."])
    assert vectors.shape == (3, encoder.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > 0.5 > 0.2 > vectors[0] @ vectors[2]


def test_a_vector_does_not_depend_on_its_company(encoder: OnnxTextEncoder, ready: Prepared) -> None:
    texts = bank()[::2]
    together = encoder.encode_documents(texts)
    np.testing.assert_array_equal(together, encoder.encode_documents(texts[::-1])[::-1])
    np.testing.assert_array_equal(together, np.concatenate([encoder.encode_documents([text]) for text in texts]))
    np.testing.assert_array_equal(together, OnnxTextEncoder(ready, threads=1).encode_documents(texts))


def test_threads_share_an_encoder(encoder: OnnxTextEncoder) -> None:
    texts = bank()[::6]
    expected = encoder.encode_queries(texts)
    with ThreadPoolExecutor(8) as pool:
        for vectors in pool.map(lambda _: encoder.encode_queries(texts), range(8)):
            np.testing.assert_array_equal(vectors, expected)


def test_no_text_and_empty_text(encoder: OnnxTextEncoder) -> None:
    assert encoder.encode_documents([]).shape == (0, 384)
    assert np.isfinite(encoder.encode_documents([""])).all()


def test_a_lone_surrogate_is_encoded(encoder: OnnxTextEncoder) -> None:
    np.testing.assert_array_equal(encoder.encode_queries(["a \ud800 b"]), encoder.encode_queries(["a ? b"]))
    assert encoder.token_offsets("a \ud800 b").tolist() == [[0, 1], [2, 3], [4, 5]]


def test_max_tokens_is_where_texts_are_cut(encoder: OnnxTextEncoder) -> None:
    assert encoder.max_tokens == 254
    words = ["star", "cloud", "river", "stone"] * 100
    fits, longer, least = (" ".join(words[:count]) for count in (254, 255, 253))
    assert len(encoder.token_offsets(fits)) == 254
    vectors = encoder.encode_documents([fits, longer, least])
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], vectors[2])


def test_token_offsets_lie_on_the_text(encoder: OnnxTextEncoder) -> None:
    text = "  Unbelievable!  Crème brûlée\n\n서울 42 😀"
    offsets = encoder.token_offsets(text)
    assert offsets.dtype == np.int64
    pieces = [text[start:end] for start, end in offsets]
    assert pieces[:2] == ["Unbelievable", "!"]
    assert "".join(dict.fromkeys(pieces)).replace(" ", "").startswith("Unbelievable!Crèmebrûlée")
    assert (np.diff(offsets[:, 0]) >= 0).all()
    assert encoder.token_offsets("").shape == encoder.token_offsets(" \n ").shape == (0, 2)


@pytest.mark.parametrize("separator", [" ", ""])
def test_token_offsets_of_a_long_text(
    encoder: OnnxTextEncoder, separator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quarry.search.models.text.serving._SLICE", 1_000)
    text = separator.join(["Wörter", "und", "Zahlen", "12345"] * 200)
    offsets = encoder.token_offsets(text)
    assert offsets[0, 0] == 0
    assert offsets[-1, 1] == len(text)
    covered = np.zeros(len(text), bool)
    for start, end in offsets:
        covered[start:end] = True
    assert all(covered[position] or character.isspace() for position, character in enumerate(text))
    if separator:
        monkeypatch.undo()
        np.testing.assert_array_equal(offsets, encoder.token_offsets(text))


@pytest.mark.parametrize("part", [GRAPH, TOKENIZER])
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_damaged_files_are_refused(copied: Path, part: str, damage: str) -> None:
    path = copied / part
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(content if damage == "flip" else content[: len(content) // 2])
    with pytest.raises(ModelDamaged, match=r"quarry models --prepare"):
        load_text_encoder()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 1, "card": {"name": "x"}}'],
    ids=["empty", "cut", "array", "no card", "half a card"],
)
def test_a_damaged_card_is_refused(copied: Path, content: bytes) -> None:
    (copied / CARD).write_bytes(content)
    with pytest.raises(ModelDamaged, match=r"quarry models --prepare"):
        load_text_encoder()


def test_the_card_of_another_model_is_refused(copied: Path) -> None:
    values = json.loads((copied / CARD).read_bytes())
    values["card"]["query_prefix"] = "query: "
    (copied / CARD).write_text(json.dumps(values))
    with pytest.raises(ModelDamaged, match="another model"):
        load_text_encoder()


def test_a_model_that_is_not_prepared_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUARRY_CACHE", str(tmp_path))
    with pytest.raises(ModelMissing, match=r"'all-MiniLM-L6-v2' is not prepared yet: run `quarry models --prepare`"):
        load_text_encoder()


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0])
def test_an_unusable_vector_is_an_error(ready: Prepared, tmp_path: Path, value: float) -> None:
    import onnx
    from onnx import TensorProto, helper

    constant = helper.make_tensor("v", TensorProto.FLOAT, [1, 384], [value] * 384)
    graph = helper.make_graph(
        [helper.make_node("Constant", [], ["sentence_embedding"], value=constant)],
        "broken",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "length"])],
        [helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, [1, 384])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), tmp_path / GRAPH)
    shutil.copy(ready.folder / TOKENIZER, tmp_path / TOKENIZER)
    hashes = {part: file_sha256(tmp_path / part) for part in (GRAPH, TOKENIZER)}
    broken = OnnxTextEncoder(replace(ready, folder=tmp_path, files=hashes), threads=2)
    with pytest.raises(ModelError, match="no usable vector"):
        broken.encode_documents(["one text"] * 5)


def test_serving_imports_neither_torch_nor_transformers(ready: Prepared) -> None:
    code = (
        "import sys; from quarry.search.models.loading import load_text_encoder; "
        "print(load_text_encoder().encode_queries(['how do stars form']).shape); "
        "print(*sorted({'torch', 'transformers', 'sentence_transformers', 'onnx', 'pydantic', 'pandas', 'subprocess'}"
        " & set(sys.modules)))"
    )
    lines = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.splitlines()
    assert lines == ["(1, 384)", ""]


def test_fake_encoder_is_deterministic_and_near_by_words() -> None:
    fake = FakeTextEncoder(64)
    vectors = fake.encode_documents(["red green blue", "red green cyan", "one two three", ""])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    np.testing.assert_array_equal(
        vectors, FakeTextEncoder(64).encode_queries(["red green blue", "red green cyan", "one two three", ""])
    )
    assert fake.token_offsets("ab, c").tolist() == [[0, 2], [2, 3], [4, 5]]
    assert fake.identity != FakeTextEncoder(64, name="other").identity != FakeTextEncoder(32, name="other").identity


def test_fake_encoder_cuts_and_breaks_where_told() -> None:
    fake = FakeTextEncoder(8, max_tokens=2, broken={"bad": math.nan, "nil": 0.0})
    vectors = fake.encode_documents(["a b", "a b c", "bad", "nil"])
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert np.isnan(vectors[2]).all()
    assert not vectors[3].any()
