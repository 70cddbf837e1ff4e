"""Translation of texts and of queries, by tiny models saved to disk: sentence by sentence, shown with the original."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from quarry.api import Library, Text
from quarry.api.cli import cli
from quarry.api.server.app import create_app
from quarry.indexer.enrichments.tasks.table import TASKS
from quarry.search.errors import InvalidRequest, ModelError
from quarry.search.models import languages
from quarry.search.models.auto import serving, source
from quarry.search.models.fake import FakeModels
from quarry.search.stores.rows.tasks import ChosenModel
from quarry.search.tasks import translation
from quarry.search.tasks.translation import Translator

ANSWERS = {"good": "gut", "bad": "schlecht"}
Saved = Callable[..., Path]


def translator(folder: Path, to: str = "") -> Translator:
    return Translator(serving.serve(source.resolve(str(folder), translation.TASK), translation.TASK), to)


def said(one: Translator, text: str) -> list[str]:
    return [piece.written.text for piece in one.translate(text)]


@pytest.mark.parametrize(("kind", "to"), [("marian", ""), ("t5", ""), ("m2m100", "de"), ("nllb", "deu_Latn")])
def test_a_text_is_translated_by_its_sentences(seq2seq_models: Saved, kind: str, to: str) -> None:
    text = "The good day.  A bad, bad one!\n\nSo good."
    found = translator(seq2seq_models(kind, ANSWERS), to).translate(text)
    assert [one.written.text for one in found] == ["gut", "schlecht", "gut"]
    assert [text[one.start : one.end] for one in found] == ["The good day.", "A bad, bad one!", "So good."]
    assert all(0.9 < one.written.mean <= 1 for one in found)
    assert translator(seq2seq_models(kind, ANSWERS), to).translate(" \n") == []


def test_a_sentence_that_is_too_long_is_cut_at_words(seq2seq_models: Saved) -> None:
    text = "so " * 200 + "good " * 3 + "so " * 100
    found = translator(seq2seq_models("marian", ANSWERS)).translate(text)
    assert len(found) == 8 and [one.written.text for one in found if one.written.text] == ["gut"]
    assert all(text[one.start - 1 : one.start].strip() == "" for one in found)
    assert "".join(text[one.start : one.end] for one in found).split() == text.split()


def test_a_model_of_many_languages_is_told_one(seq2seq_models: Saved) -> None:
    many = seq2seq_models("m2m100", {**ANSWERS, "__ko__": "joa"})
    assert said(translator(many, "ko"), "good") == said(translator(many, "kor_Hang"), "bad") == ["joa"]
    with pytest.raises(InvalidRequest, match="several languages: name one, such as --translate-to en"):
        translator(many)
    with pytest.raises(InvalidRequest, match="does not write 'fr'; it knows languages by such as __en__"):
        translator(many, "fr")
    german = "Das ist ein Satz, der schon in der Sprache steht, die gewünscht wird."
    assert translator(many, "de").translate(german) == []
    assert (languages.code("ko", ["kor_Hang", "jpn_Jpan"]), languages.code("xx", ["kor_Hang"])) == ("kor_Hang", "")


def test_what_was_translated_before_says_nothing_of_a_text_s_language(
    seq2seq_models: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = translator(seq2seq_models("m2m100", ANSWERS), "de")
    words = one._model.words
    monkeypatch.setattr(words, "src_lang", "de", raising=False)
    with one._reading("en"):
        assert words.src_lang == "en"
    one.translate("The good day was a lovely one, and everybody in the town was there.")
    assert words.src_lang == "de"


def test_a_model_that_is_told_in_words(seq2seq_models: Saved) -> None:
    told = {"task_specific_params": {"translation_en_to_de": {"prefix": "good "}}}
    folder = seq2seq_models("t5", ANSWERS, **told)
    assert said(translator(folder, "de"), "so") == ["gut"] and said(translator(folder), "so") == [""]
    with pytest.raises(InvalidRequest, match="writes de, not fr"):
        translator(folder, "fr")
    with pytest.raises(ModelError, match="BertForTokenClassification, a model for token classification, and not for"):
        config = {"architectures": ["BertForTokenClassification"], "model_type": "bert"}
        (folder.parent / "other").mkdir(exist_ok=True)
        (folder.parent / "other" / "config.json").write_text(json.dumps(config))
        source.resolve(str(folder.parent / "other"), translation.TASK)


def test_a_library_has_its_texts_in_another_language(seq2seq_models: Saved, tmp_path: Path) -> None:
    model = seq2seq_models("m2m100", ANSWERS)
    with Library(tmp_path / "library", models=FakeModels()) as library:
        library.add([Text("A good day.\n\nA bad day.", title="one"), Text("Nothing.", title="two")])
        with pytest.raises(InvalidRequest, match="name one"):
            library.enrich({"translation": str(model)})
        with pytest.raises(InvalidRequest, match="a language is for what is told one"):
            library.enrich(translate_to="de")
        library.enrich({"german": f"translation:{model}"}, translate_to="de")
        (hit,) = library.search("schlecht", mode="lexical", filter={"said_by": "german"}).hits
        assert (hit.text, hit.said_by, hit.original) == ("gut\nschlecht", "german", "A good day.\n\nA bad day.")
        assert hit.confidence is not None and hit.confidence > 0.9
        body = TestClient(create_app(library), base_url="http://127.0.0.1").post(
            "/v1/search", json={"query": "schlecht", "mode": "lexical"}
        )
        assert body.json()["hits"][0]["original"] == hit.original
        assert body.json()["hits"][0]["place"] == {"characters": [0, 23]}
        library.enrich(remove="german")
        assert not library.search("schlecht", mode="lexical").hits


def test_a_long_text_is_many_passages_each_with_what_it_translates(seq2seq_models: Saved, tmp_path: Path) -> None:
    task = TASKS["translation"]
    card = source.resolve(str(seq2seq_models("marian", ANSWERS)), task.task)
    text = " ".join(["So good a day it was in the town, they said to all who came."] * 40)
    (result,) = task(ChosenModel("t", "translation", card.name, card.identity)).enrich([text])
    assert result is not None and len(result.said) > 2
    spans = [one.place.characters for one in result.said if one.place and one.place.characters]
    assert len(spans) == len(result.said) and spans[0][0] == 0 and spans[-1][1] == len(text)
    assert all(end - start <= 800 for start, end in spans)


def test_a_query_is_translated(seq2seq_models: Saved, tmp_path: Path) -> None:
    model = seq2seq_models("marian", ANSWERS)
    with Library(tmp_path / "library", models=FakeModels(), translator=str(model)) as library:
        library.add([Text("Alles gut hier.", title="one"), Text("Something good.", title="two")])
        found = library.search("good", mode="lexical", translate_to="de")
        assert [hit.document.title for hit in found.hits] == ["one"] and found.query.text == "gut"
        assert [note.values for note in found.notes if note.code == "translated"] == [
            {"text": "gut", "original": "good", "model": str(model)}
        ]
        assert library.search("nothing", mode="lexical", translate_to="de").query.text == "nothing"
        client = TestClient(create_app(library), base_url="http://127.0.0.1")
        body = client.post("/v1/search", json={"query": "good", "mode": "lexical", "translate_to": "de"}).json()
        assert body["notes"][0]["code"] == "translated" and body["hits"][0]["document"]["title"] == "one"
    options = ["search", "good", "--mode", "lexical", "--library", str(tmp_path / "library"), "--translate-to", "de"]
    run = CliRunner().invoke(cli, [*options, "--translator", str(model)], obj=FakeModels())
    assert "'gut'" in run.stderr and "'good'" in run.stderr and "Alles gut hier." in run.stdout
    missing = CliRunner().invoke(cli, options, obj=FakeModels())
    assert isinstance(missing.exception, InvalidRequest) or "--translator" in missing.output
