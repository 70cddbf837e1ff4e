"""Graphs of the embedded models: the same bytes every time, and as near to the originals as a traced one."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from quarry.indexer.training import drawing
from quarry.search.errors import ModelDamaged, ModelMissing
from quarry.search.models.graphs.bert import Bert, reader_graph, sentence_graph
from quarry.search.models.graphs.graph import Graph
from quarry.search.models.graphs.products import Float32, read_channels
from quarry.search.models.image import embedded as image
from quarry.search.models.image import original as image_original
from quarry.search.models.image import parity as image_parity
from quarry.search.models.image.original import ImageOriginal
from quarry.search.models.image.serving import OnnxImageEncoder
from quarry.search.models.loading import load_text_encoder
from quarry.search.models.pair import embedded as reader
from quarry.search.models.pair import original as pair_original
from quarry.search.models.pair import parity as pair_parity
from quarry.search.models.pair.serving import PairModel
from quarry.search.models.prepared import CARD, GRAPH, TOKENIZER, VISUAL, prepared
from quarry.search.models.text import embedded as text
from quarry.search.models.text import original as text_original
from quarry.search.models.text.parity import EXACT, QUANTISED, compare, samples_of
from quarry.search.models.text.serving import OnnxTextEncoder
from quarry.search.models.tokenizing import serving_tokenizer

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch and transformers


@pytest.fixture(scope="module")
def image_model() -> ImageOriginal:
    """The image model in torch, which works out what a thousand classes are called."""
    return image_original.load(image.CARD)


KINDS = pytest.mark.parametrize("kind", [text, reader, image], ids=["text", "reader", "image"])


def unrounded() -> Bert:
    """Return the original's own weights."""
    from safetensors.numpy import load_file

    return Bert(load_file(text.embedded_folder() / text.WEIGHTS), text.HEADS)


@KINDS
def test_a_graph_is_the_same_every_time(kind: ModuleType) -> None:
    parts = kind.parts()
    assert parts == kind.parts()
    graph = parts[VISUAL if kind is image else GRAPH]
    assert hashlib.sha256(graph).hexdigest() == kind.CARD.graph_sha256


def test_a_graph_is_no_part_of_an_identity() -> None:
    # Of the models whose graphs were traced by torch: libraries hold vectors under these names.
    assert text.CARD.identity == "bert-mean-384-3f343c4759b36d83dee9478f"
    assert reader.CARD.identity == "bert-reader-468dc477f8bd8996df692153"
    assert image.CARD.identity == "quarry-lite0-224px-386-6df818c36680a34381e6140b"
    assert "graph_sha256" not in text.CARD.to_json()


def test_the_text_model_equals_sentence_transformers(tmp_path: Path) -> None:
    original = text_original.load(text.CARD)
    samples = samples_of(original)
    made = text.draw(tmp_path / "made")
    found = compare(OnnxTextEncoder(made), samples)
    assert found.least >= QUANTISED
    assert {"min": found.least, "mean": found.mean} == pytest.approx(
        {name: text.PARITY[name] for name in ("min", "mean")}, abs=0.002
    )
    graph = sentence_graph(unrounded(), Float32())
    (made.folder / GRAPH).write_bytes(graph)
    assert compare(OnnxTextEncoder(made.hashed()), samples).least >= EXACT
    assert (
        json.loads((made.folder / TOKENIZER).read_bytes())["model"] == json.loads(serving_tokenizer(original))["model"]
    )


def test_the_reader_equals_transformers(tmp_path: Path) -> None:
    original = pair_original.load(reader.CARD)
    made = reader.draw(tmp_path / "made")
    samples = pair_parity.samples_of(original, (made.folder / TOKENIZER).read_bytes())
    found = pair_parity.compare(PairModel(made), samples)
    assert found.close
    assert found.figures == pytest.approx({name: reader.PARITY[name] for name in found.figures}, abs=0.03)
    trained = reader.weights()
    whole = replace(trained, weights={**trained.weights, reader.FROZEN: unrounded()[text.WORDS]})
    graph = reader_graph(whole, Float32(), reader.SEPARATOR)
    (made.folder / GRAPH).write_bytes(graph)
    assert pair_parity.compare(PairModel(replace(made, precision="float32").hashed()), samples).exact


def test_the_image_model_equals_open_clip(image_model: ImageOriginal, tmp_path: Path) -> None:
    load_text_encoder(prepare=True)  # which its texts are encoded by
    found = image_parity.check(OnnxImageEncoder(image.draw(tmp_path / "made")), image_model)
    assert found["pictures_min"] >= EXACT
    assert found == pytest.approx(image.PARITY, abs=0.005)


@pytest.mark.parametrize(
    ("kind", "learned"), [(text, drawing.text_channels), (reader, drawing.reader_channels)], ids=["text", "reader"]
)
def test_what_quantisation_learned_is_what_the_samples_say(kind: ModuleType, learned: object) -> None:
    kept = read_channels(kind.model_folder() / kind.CHANNELS)
    again = learned()  # type: ignore[operator]
    assert kept.keys() == again.keys()
    for name, channels in again.items():
        assert np.allclose(kept[name].peak, channels.peak, rtol=1e-3, atol=1e-4)
        assert np.allclose(kept[name].mean, channels.mean, rtol=1e-3, atol=1e-4)


def test_the_weights_that_are_kept_are_the_original_s() -> None:
    from safetensors.numpy import load_file

    kept, again = load_file(text.model_folder() / text.WEIGHTS), drawing.text_weights()
    assert kept.keys() == again.keys()
    assert all(np.array_equal(kept[name], values) for name, values in again.items())


def test_concepts_are_what_the_original_works_out(image_model: ImageOriginal, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.numpy import load_file

    monkeypatch.setattr(image, "build", lambda: image_model.model)
    kept = load_file(image.model_folder() / image.CONCEPTS)["concepts"]
    assert np.allclose(kept, drawing.concepts(), atol=1e-3)


def test_another_graph_than_was_compared_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(text, "CARD", replace(text.CARD, graph_sha256="0" * 64))
    with pytest.raises(ModelDamaged, match="another graph than the one that was compared with its original"):
        text.draw(tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_what_was_exported_before_is_not_served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUARRY_CACHE", str(tmp_path))
    (tmp_path / "models").mkdir()
    made = text.draw(tmp_path / "models" / text.CARD.identity)
    assert prepared(text.CARD) == made
    graph = made.folder / GRAPH
    graph.write_bytes(graph.read_bytes() + b"")
    replace(made, files={**made.files, GRAPH: "1" * 64}).write()
    assert (made.folder / CARD).is_file() and prepared(text.CARD) is None


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (text, "WEIGHTS"),
        (text, "CHANNELS"),
        (text, "TOKENIZER"),
        (reader, "CHANNELS"),
        (reader, "WEIGHTS"),
        (image, "CONCEPTS"),
    ],
)
def test_a_part_that_is_missing_is_named(
    kind: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for path in kind.model_folder().iterdir():
        if path.name != getattr(kind, name):
            (folder / path.name).symlink_to(path)
    monkeypatch.setattr(kind, "model_folder", lambda: folder)
    with pytest.raises(ModelMissing, match="install Quarry again"):
        kind.parts()


def test_drawing_needs_no_pytorch(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "for name in ('torch', 'transformers', 'sentence_transformers', 'timm', 'open_clip', 'onnxscript'):\n"
        "    sys.modules[name] = None\n"
        "from quarry.search.models.exporting import run\n"
        "for kind, name in (('text', 'all-MiniLM-L6-v2'), ('reader', 'quarry-reader'), ('image', 'quarry-lite0')):\n"
        "    assert run([kind, name, '--into', sys.argv[1] + kind]) == 0\n"
    )
    done = subprocess.run([sys.executable, "-c", code, f"{tmp_path}/"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in (tmp_path / "image").iterdir()} == {CARD, VISUAL, "projection.npy"}


def test_two_constants_of_one_name_are_an_error() -> None:
    graph = Graph("test")
    assert graph.constant("a", np.float32(1)) == graph.constant("a", np.float32(1))
    with pytest.raises(AssertionError, match="a"):
        graph.constant("a", np.float32(2))
