from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from quarry.api import Library
from quarry.search.errors import ModelDamaged, ModelError, ModelMissing
from quarry.search.models.contracts import TextEncoder
from quarry.search.models.image import source as image_sources
from quarry.search.models.kinds import TEXT
from quarry.search.models.loading import load_text_encoder
from quarry.search.models.preparation import prepare
from quarry.search.models.prepared import GRAPH, TOKENIZER, Prepared, prepared
from quarry.search.models.text import export
from quarry.search.models.text import source as text_sources
from quarry.search.models.text.embedded import CARD as EMBEDDED
from quarry.search.models.text.embedded import check_embedded, embedded_folder
from quarry.search.models.text.parity import EXACT, QUANTISED, Parity, bank
from quarry.search.models.text.serving import OnnxTextEncoder, TorchTextEncoder
from quarry.search.models.text.source import resolve
from tests.text_models import save

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch and transformers

QUERIES = [
    "how do stars form",
    "a question that is somewhat longer than the one before, with a comma",
    "x",
    "Ünïcödé 42",
]


def reference(folder: Path, task: str, texts: list[str]) -> np.ndarray:
    """Return what sentence-transformers itself makes of texts, each alone; NaN where it makes nothing of one."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    encode = model.encode_query if task == "query" else model.encode_document
    rows = []
    for text in texts:
        try:
            row = encode([text], normalize_embeddings=True)[0]
        except (RuntimeError, IndexError):
            assert text.strip() == ""
            row = np.full(model.get_embedding_dimension(), np.nan)
        rows.append(row)
    return np.asarray(rows, np.float32)


def check_parity(encoder: TextEncoder, folder: Path, least: float, longest: int = 10**9) -> None:
    """Compare an encoder with sentence-transformers on the bank, which has empty and over-long texts, and on queries.

    Args:
        longest: characters of a text that sentence-transformers itself can still take.
    """
    for task, encode in (("query", encoder.encode_queries), ("document", encoder.encode_documents)):
        texts = [text for text in [*QUERIES, *bank()] if len(text) <= longest]
        expected = reference(folder, task, texts)
        usable = np.abs(np.linalg.norm(expected, axis=1) - 1) < 1e-3
        vectors = encode([text for text, is_usable in zip(texts, usable, strict=True) if is_usable])
        assert Parity.of(vectors, expected[usable]).least >= least
        # The test could not tell models apart whose vectors all point the same way.
        assert (vectors @ vectors.T).min() < 0.7
        for position in np.flatnonzero(~usable):
            with pytest.raises(ModelError, match=r"no usable vector|no token"):
                encode([texts[position]])


@pytest.mark.parametrize(
    ("kind", "dimension", "tokens"),
    [
        ("bert-mean", 48, 98),
        ("bert-cls-prefixes-dense", 24, 96),
        ("bert-residual-cut-dot", 16, 98),
        ("xlm-roberta", 48, 98),
        ("mpnet", 48, 98),
        ("data2vec", 48, 62),
        ("wordless", 48, 100),
        ("static", 48, 128),
        ("static-dense-cut", 16, 126),
    ],
)
def test_an_exported_model_equals_sentence_transformers_from_raw_strings(
    kind: str, dimension: int, tokens: int, tmp_path: Path
) -> None:
    folder = save(tmp_path, kind)
    made = export.export(str(folder), tmp_path / "made", lambda _: None)
    assert made.precision in ("int8", "float32"), made.notice
    assert made.parity["float32_min"] >= EXACT
    encoder = OnnxTextEncoder(made)
    # sentence-transformers cuts data2vec's texts at more positions than it has.
    check_parity(encoder, folder, QUANTISED, 30 if kind == "data2vec" else 10**9)
    assert encoder.encode_documents(["word " * 5_000]).shape == (1, dimension)
    assert (encoder.dimension, encoder.max_tokens) == (dimension, tokens)
    prefixed = kind in ("bert-cls-prefixes-dense", "static-dense-cut")
    assert (made.card.query_prefix, made.card.document_prefix) == (("query: ", "passage: ") if prefixed else ("", ""))
    assert made.card.scripts == ("Latin",)
    assert ("'dot'" in made.notice) == (kind == "bert-residual-cut-dot")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("distilbert-layer-norm", "LayerNorm"),
        ("prompt-not-pooled", "leaves the prompt out"),
        ("cnn", "CNN"),
        ("weighted-layers", "WeightedLayerPooling"),
        ("lstm", "LSTM"),
        ("router", "Router"),
        ("clip", "CLIPModel"),
    ],
)
def test_a_model_without_a_graph_is_left_to_torch(kind: str, reason: str, tmp_path: Path) -> None:
    folder = save(tmp_path, kind)
    made = export.export(str(folder), tmp_path / "made", lambda _: None)
    assert made.precision == "torch"
    assert reason in made.notice
    assert [path.name for path in made.folder.iterdir()] == ["card.json"]
    encoder = TorchTextEncoder(made)
    check_parity(encoder, folder, EXACT, 30 if kind == "clip" else 10**9)
    if kind != "lstm":  # which knows a handful of words only
        assert encoder.encode_documents(["word " * 5_000]).shape == (1, made.card.dimension)
    if kind not in ("lstm", "router"):  # whose routes have tokenizers of their own: where tokens lie is guessed
        assert encoder.token_offsets("Hello, world").tolist() == [[0, 5], [5, 6], [7, 12]]
    assert encoder.token_offsets("").shape == (0, 2)


def test_a_stated_length_beyond_the_positions_is_cut(tmp_path: Path) -> None:
    folder = save(tmp_path, "cnn")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 512}))
    sentence = json.loads((folder / "sentence_bert_config.json").read_text())
    (folder / "sentence_bert_config.json").write_text(json.dumps(sentence | {"max_seq_length": 2_000}))
    assert text_sources.read_card(folder, "m").max_tokens == 512
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer | {"model_max_length": 2_000}))
    made = export.export(str(folder), tmp_path / "made", lambda _: None)
    assert TorchTextEncoder(made).encode_documents(["word " * 5_000]).shape == (1, 48)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("small"), "bert-mean")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUARRY_CACHE", str(cache))
    return cache / "models"


@pytest.fixture
def ready(small: Path, cached: Path) -> Prepared:
    """The small model, prepared once for all tests, as it would be by a process of its own."""
    card = resolve(str(small))
    found = prepared(card)
    if found is None:
        cached.mkdir(exist_ok=True)
        export.export(str(small), cached / card.identity, lambda _: None)
        found = prepared(card)
    assert found is not None
    return found


def test_preparing_what_is_prepared_does_nothing(ready: Prepared, small: Path) -> None:
    said: list[str] = []
    assert prepare(TEXT, str(small), said.append) == ready
    assert said == []
    assert load_text_encoder(str(small)).encode_queries(["a"]).shape == (1, 48)


def test_of_two_who_prepare_at_once_one_exports_and_damage_is_mended(
    ready: Prepared, small: Path, cached: Path
) -> None:
    graph = bytearray((ready.folder / GRAPH).read_bytes())
    graph[len(graph) // 2] ^= 1
    (ready.folder / GRAPH).write_bytes(graph)
    said: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: prepare(TEXT, str(small), said.append), range(2))
    assert first == second
    assert first.files == ready.files  # an export is the same whenever it is made
    first.verify()
    assert sum(words.startswith("quantising") for words in said) == 1
    assert said.count(f"preparing the text model {small} (once)") == 1
    assert any("waiting for another process" in words for words in said)
    assert [path.name for path in cached.glob(".*")] == []  # nothing half-made is left
    modes = {path.name: oct(path.stat().st_mode)[-3:] for path in (first.folder, *first.folder.rglob("*"))}
    assert modes.pop(first.folder.name) == "700" and set(modes.values()) == {"600"}  # whatever the umask
    assert oct((cached / f"{first.card.identity}.lock").stat().st_mode)[-3:] == "600"


def test_a_relative_folder_is_stored_by_its_absolute_path(
    ready: Prepared, small: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("Stars form in clouds of gas.")
    monkeypatch.chdir(small.parent)
    assert image_sources.find(f"ViT-B-32/{small.name}/model.safetensors").name == f"ViT-B-32/{small}/model.safetensors"
    with Library(tmp_path / "library", text_model=f"./{small.name}") as library:
        assert library.index(tmp_path / "notes").complete
        assert library.searcher.encoder().card.name == str(small)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes" / "b.txt").write_text("Rivers carry sand.")
    with Library(tmp_path / "library") as library:
        assert library.index(tmp_path / "notes").complete
        assert len(library.search("stars").hits) == 2


@pytest.mark.fault("40")
def test_a_changed_folder_is_another_model(small: Path, cached: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small, tmp_path / "model"))
    card = resolve(str(folder))
    assert card.identity == resolve(str(small)).identity
    assert resolve(str(folder)) == card  # as remembered
    config = json.loads((folder / "config_sentence_transformers.json").read_text())
    config["prompts"] = {"query": "q: ", "document": ""}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(config))
    assert resolve(str(folder)).identity != card.identity
    assert prepared(resolve(str(folder))) is None


def test_errors_of_the_exporting_process_keep_their_kind(small: Path, cached: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small, tmp_path / "model"))
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1_000])
    with pytest.raises(ModelDamaged, match=r"sentence-transformers can't load"):
        prepare(TEXT, str(folder))
    assert [path.name for path in cached.glob(".*")] == []


def test_an_embedded_model_with_other_weights_is_refused(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(embedded_folder(), tmp_path / "model"))
    check_embedded(folder)
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(50_000_000)
        byte = file.read(1)[0]
        file.seek(50_000_000)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(ModelDamaged, match="SHA-256"):
        check_embedded(folder)


def test_a_cache_that_can_not_be_written_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("QUARRY_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="QUARRY_CACHE"):
        prepare(TEXT, EMBEDDED.name)


def test_a_model_that_is_nowhere_is_missing(cached: Path) -> None:
    with pytest.raises(ModelMissing, match="'/no/such/model' on this machine: there is no such folder"):
        prepare(TEXT, "/no/such/model")


def test_int8_graphs_saturate_nowhere(ready: Prepared) -> None:
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(ready.folder / GRAPH).graph
    constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
    products = [node for node in graph.node if node.op_type in ("MatMulIntegerToFloat", "DynamicQuantizeMatMul")]
    assert len(products) == 2 * 6
    for product in products:
        weights = constants[product.input[1]]
        assert weights.dtype == np.int8
        assert 2 * 255 * int(np.abs(weights.astype(np.int64)).max()) <= np.iinfo(np.int16).max
    assert {value.dtype for name, value in constants.items() if name.endswith(".rows")} == {np.dtype(np.int8)}


def test_prepared_knows_its_files(ready: Prepared, small: Path) -> None:
    assert set(ready.files) == {GRAPH, TOKENIZER}
    assert ready.card.name == str(small)
    assert {"torch", "onnxruntime"} <= set(ready.versions)
