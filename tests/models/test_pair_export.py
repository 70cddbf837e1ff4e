from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quarry.search.errors import InvalidRequest, ModelDamaged, ModelMissing
from quarry.search.models import prepared
from quarry.search.models.kinds import READER
from quarry.search.models.loading import load_cross_encoder, load_reader
from quarry.search.models.pair import export as pair_export
from quarry.search.models.pair import parity as pair_parity
from quarry.search.models.pair.card import PairCard
from quarry.search.models.pair.parity import AGREEING, CORRELATED, EXACT, PairParity
from quarry.search.models.pair.serving import OnnxCrossEncoder, OnnxReader
from quarry.search.models.preparation import prepare
from quarry.search.models.prepared import GRAPH, Prepared
from tests.pair_models import READERS, save_cross_encoder, save_reader

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch and transformers

QUESTION = "How high is the tower, and who built it?"
PASSAGE = "The tower, begun in 1343, was left at 98 metres when the money ran out. [SEP] Its plans had asked for 151."
PASSAGES = [PASSAGE, "Ünïcödé 42", "The cliff."]


def silent(_: str) -> None:
    pass


@pytest.fixture(scope="module", params=READERS)
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Prepared[PairCard]:
    folder = save_reader(tmp_path_factory.mktemp("readers"), request.param)
    return pair_export.export(str(folder), folder.parent / "made", silent, "reader")


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_reader(tmp_path_factory.mktemp("bert"), "bert")


def reference(card: PairCard, question: str, passage: str) -> np.ndarray:
    """Return the original's logits, (n, 2), from raw strings, without special tokens in them."""
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(card.source, split_special_tokens=True)
    model = AutoModelForQuestionAnswering.from_pretrained(card.source).eval()
    inputs = tokenizer(question, passage, return_tensors="pt", return_token_type_ids=card.family in ("bert", "electra"))
    with torch.inference_mode():
        output = model(**inputs)
    return torch.stack([output.start_logits[0], output.end_logits[0]], -1).numpy()


def test_a_reader_says_what_its_original_says(reader: Prepared[PairCard]) -> None:
    assert (reader.precision, reader.notice) == ("int8", "")
    assert reader.parity["float32_difference"] <= EXACT
    served = OnnxReader(reader)
    for passage, ((window, logits),) in zip(PASSAGES, served.logits(QUESTION, PASSAGES), strict=True):
        original = reference(reader.card, QUESTION, passage)
        assert logits.shape == original.shape == (window.ids.size, 2)
        assert np.corrcoef(logits.ravel(), original.ravel())[0, 1] > 0.98


def test_a_reader_does_not_care_what_it_reads_beside(reader: Prepared[PairCard]) -> None:
    served = OnnxReader(reader, threads=2)
    long = " ".join([PASSAGE] * 40)
    passages = [PASSAGE, "", long, " \n", PASSAGES[1]]
    together = served.read(QUESTION, passages, 3)
    assert together == [served.read(QUESTION, [passage], 3)[0] for passage in passages]
    assert together[1] == together[3] == []
    assert len(together[2]) == 3
    for passage, found in zip(passages, together, strict=True):
        assert [span.score for span in found] == sorted((span.score for span in found), reverse=True)
        for span in found:
            assert passage[span.start : span.end].strip() == passage[span.start : span.end] != ""
    with pytest.raises(InvalidRequest, match="Ask in fewer words"):
        served.read("how " * 600, [PASSAGE])


def test_a_cross_encoder_scores_as_its_original_does(tmp_path: Path) -> None:
    from sentence_transformers import CrossEncoder

    folder = save_cross_encoder(tmp_path, "Identity")
    made = pair_export.export(str(folder), tmp_path / "made", silent, "cross-encoder")
    assert (made.card.activation, made.precision) == ("identity", "int8")
    served = OnnxCrossEncoder(made)
    scores = served.score(QUESTION, [*PASSAGES[1:], ""])
    original = CrossEncoder(str(folder), device="cpu").predict([(QUESTION, p) for p in (*PASSAGES[1:], "")])
    assert np.abs(scores - original).max() < 0.2
    assert np.argsort(scores).tolist() == np.argsort(original).tolist()

    long = " ".join([PASSAGE] * 40)
    (windows,) = served.logits(QUESTION, [long])
    assert len(windows) > 2
    assert served.score(QUESTION, [long])[0] == max(float(logits[0]) for _, logits in windows)


def test_a_model_that_int8_would_change_is_kept_in_float32(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_parity, "CORRELATED", 1.1)
    made = pair_export.export(str(bert), tmp_path / "made", silent, "reader")
    assert made.precision == "float32"
    assert "is kept in float32" in made.notice
    ((_, logits),) = OnnxReader(made).logits(QUESTION, [PASSAGE])[0]
    assert np.abs(logits - reference(made.card, QUESTION, PASSAGE)).max() < 1e-3


def test_a_model_that_can_t_be_exported_is_left_to_torch(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(pair_export, "trace", refuse)
    made = pair_export.export(str(bert), tmp_path / "made", silent, "reader")
    assert made.precision == "torch"
    assert "served by transformers itself" in made.notice and "no such operator" in made.notice
    served = OnnxReader(made)
    ((_, logits),) = served.logits(QUESTION, [PASSAGE])[0]
    assert np.abs(logits - reference(made.card, QUESTION, PASSAGE)).max() < 1e-4
    assert served.read(QUESTION, [PASSAGE])[0]


def test_a_model_without_its_last_layer_is_refused(bert: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(bert, tmp_path / "model"))
    weights = load_file(folder / "model.safetensors")
    del weights["qa_outputs.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelDamaged, match="lacks weights of the model \\(qa_outputs"):
        pair_export.export(str(folder), tmp_path / "made", silent, "reader")


@pytest.mark.usefixtures("exported_here")
def test_preparing_serving_and_mending(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARRY_CACHE", str(tmp_path / "cache"))
    told: list[str] = []
    made = prepare(READER, str(bert), told.append)
    assert any("exporting" in words for words in told)
    assert prepare(READER, str(bert), told.append) == made == prepared.prepared(made.card)
    found = load_reader(str(bert)).read(QUESTION, [PASSAGE])
    code = f"""
import sys
from quarry.search.models.loading import load_reader
from quarry.search.models.loading import load_cross_encoder
found = load_reader({str(bert)!r}).read({QUESTION!r}, [{PASSAGE!r}])
print(repr(found), "torch" in sys.modules, "transformers" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert run.stdout.strip() == f"{found!r} False False"
    (made.folder / GRAPH).write_bytes(b"")
    with pytest.raises(ModelDamaged, match=f"run `quarry models --prepare --reader {bert}`"):
        load_reader(str(bert))


def test_a_model_that_is_nowhere_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARRY_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ModelMissing):
        load_cross_encoder(str(tmp_path / "nowhere"), prepare=True)


def test_parity_of_spans_and_scores() -> None:
    random = np.random.default_rng(0)
    reference = [random.normal(size=(12, 2)).astype(np.float32) * 4 for _ in range(6)]
    passages = [(4, 11)] * 6
    same = PairParity.of_spans(reference, reference, passages)
    assert same.exact and same.close and same.agreement == 1
    other = PairParity.of_spans([part[::-1] for part in reference], reference, passages)
    assert not other.close and other.correlation < CORRELATED and other.agreement < AGREEING
    broken = PairParity.of_spans([part * np.nan for part in reference], reference, passages)
    assert not broken.exact and not broken.close
    scores = random.normal(size=9).astype(np.float32)
    assert PairParity.of_scores(scores, scores).exact
    assert PairParity.of_scores(-scores, scores).agreement == 0
