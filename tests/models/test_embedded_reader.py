from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from quarry.search.errors import ModelDamaged, ModelMissing
from quarry.search.models import files
from quarry.search.models.loading import load_reader
from quarry.search.models.pair import embedded as embedded_reader
from quarry.search.models.text.embedded import embedded_folder

PASSAGES = (
    "The old lighthouse was built in 1846 by Edward Hale, an engineer from Bristol. Its lamp burned whale oil.",
    "Bread rises because yeast turns sugar into carbon dioxide, which stretches the dough.",
)


@pytest.mark.filterwarnings("ignore")  # of torch and transformers, where it is still to be exported
def test_it_answers_from_a_passage() -> None:
    reader = load_reader(prepare=True)
    found = reader.read("Who built the lighthouse?", PASSAGES)
    assert PASSAGES[0][found[0][0].start : found[0][0].end] == "Edward Hale"
    assert found[0][0].score > found[1][0].score
    (when,) = reader.read("When was the lighthouse built?", PASSAGES[:1])
    assert PASSAGES[0][when[0].start : when[0].end] == "1846"


def test_weights_that_are_missing_or_of_another_model_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_reader, "model_folder", lambda: tmp_path)
    with pytest.raises(ModelMissing, match="install Quarry again"):
        embedded_reader.build()
    (tmp_path / embedded_reader.WEIGHTS).write_bytes(b"something else")
    with pytest.raises(ModelDamaged, match=f"SHA-256 {embedded_reader.CARD.sha256[:12]}"):
        embedded_reader.build()


def test_it_shares_its_words_with_the_text_model() -> None:
    card = embedded_reader.CARD
    folder = embedded_folder()
    assert card.config_sha256 == files.file_sha256(folder / "model.safetensors")
    assert card.tokenizer_sha256 == files.tokenizer_sha256(folder)
    assert replace(card, sha256="").identity != card.identity
