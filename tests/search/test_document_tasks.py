"""Questions about pages as they look, and about tables, by tiny models saved to disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from PIL import Image, ImageDraw, ImageFont

from quarry.api import Library, Text
from quarry.api.cli import cli
from quarry.api.server.app import create_app
from quarry.indexer.loaders.scans.engines import engine
from quarry.search.errors import DeadlineExceeded, InvalidRequest, ModelError
from quarry.search.models.auto import serving, source
from quarry.search.models.auto.writing import write
from quarry.search.models.fake import FakeModels
from quarry.search.requests.deadline import Deadline
from quarry.search.tasks import document_question_answering as dqa
from quarry.search.tasks import table_question_answering as tqa
from quarry.search.tasks.document_question_answering import PageReader, ShownPage, words_of
from quarry.search.tasks.table_question_answering import TableReader, table_of
from quarry.search.values.places import Place
from tests.office_files import row, xlsx
from tests.search.document_models import ANSWER, save

Saved = Callable[..., Path]
FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
LINES = "the total is\nabout forty euros"
PAGE = ShownPage(2, np.full((60, 40, 3), 255, np.uint8),
            tuple(words_of(LINES, [(0, (0.1, 0.1, 0.5, 0.2)), (13, (0.1, 0.3, 0.9, 0.4))])))  # fmt: skip
CELLS = {"city": "busan", "price": "20", "count": "2"}  # what is written of a table, by the words of a question
SHOPS = "name,price,city\nchair,10,Seoul\ntable,20,Busan\nlamp,5,Jeju\n"


@pytest.fixture(scope="module", params=["layoutlm", "layoutlmv3", "donut"])
def page_reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("reader") / "model", request.param)


def opened(folder: Path) -> PageReader:
    return PageReader(serving.serve(source.resolve(str(folder), dqa.TASK), dqa.TASK))


def test_a_page_answers(page_reader: Path) -> None:
    reader = opened(page_reader)
    found = reader.answer("what is the total?", [PAGE])
    assert found.answers[0].text == ANSWER and 0 < found.answers[0].confidence <= 1 and found.looked_at == 1
    place = found.answers[0].place
    assert place is not None and place.page == 2
    if reader.reads_words:
        assert place.box == pytest.approx((0.3824, 0.3, 0.6176, 0.4), abs=1e-3)  # of the word alone
        assert reader.answer("what is the total?", [ShownPage(1, PAGE.pixels)]).answers == ()  # without words
        long = ShownPage(3, PAGE.pixels, PAGE.words[:4] * 30 + PAGE.words)
        assert reader.answer("what is the total?", [long]).answers[0].text == ANSWER  # in a window of its own
    with pytest.raises(InvalidRequest, match="The question has"):
        reader.answer("why " * 300, [PAGE])


def test_words_have_as_much_of_their_line_as_of_its_letters() -> None:
    words = list(words_of("ab cdefg\nx", [(0, (0.0, 0.0, 0.8, 0.1)), (9, (0.0, 0.2, 0.1, 0.3))]))
    assert [one.text for one in words] == ["ab", "cdefg", "x"]
    boxes = [(0.0, 0.0, 0.2, 0.1), (0.3, 0.0, 0.8, 0.1), (0.0, 0.2, 0.1, 0.3)]
    assert [one.box for one in words] == [pytest.approx(box) for box in boxes]
    assert list(words_of("", [])) == []


def test_a_scanned_document_is_asked(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    if engine() is None or not FONT.exists():
        pytest.skip("apt install tesseract-ocr fonts-dejavu-core")
    pages = []
    for line in ("Nothing to see here", "The total is forty euros"):
        pages.append(Image.new("L", (900, 300), 250))
        ImageDraw.Draw(pages[-1]).text((70, 100), line, 25, ImageFont.truetype(FONT, 40))
    scan = tmp_path / "scan.pdf"
    pages[0].save(scan, save_all=True, append_images=pages[1:], resolution=100)
    model = save(tmp_path_factory.mktemp("scan") / "model", "layoutlm")
    with Library(tmp_path / "library", models=FakeModels(), page_reader=str(model)) as library:
        library.index(scan, ocr="off")
        found = library.ask_document("what is the total?", scan)
        assert (found.answers[0].text, found.looked_at, found.of) == (ANSWER, 2, 2)
        place = found.answers[0].place
        assert place is not None and place.page == 2 and place.box is not None and place.box[0] > 0.3
        id = library.get(scan).id
        client = TestClient(create_app(library), base_url="http://127.0.0.1")
        body = client.post(f"/v1/documents/{id}/answer", json={"question": "the total?", "page": 2}).json()
        assert body["answers"][0]["place"]["page"] == 2 and (body["looked_at"], body["of"]) == (1, 2)
        assert client.post(f"/v1/documents/{id}/answer", json={"question": "the total?", "page": 3}).status_code == 422
        other = library.add(Text("No page."))[0]
        with pytest.raises(InvalidRequest, match="No model was chosen to answer questions about tables"):
            library.ask_document("why?", other)
        with pytest.raises(InvalidRequest, match="no pages that can be looked at"):
            library.ask_document("why?", other, page=1)
    options = ["ask", "the total?", "--library", str(tmp_path / "library"), "--document", f"{scan}#page=2"]
    run = CliRunner().invoke(cli, [*options, "--page-reader", str(model)], obj=FakeModels())
    assert ANSWER in run.stdout and "page 2" in run.stdout and "from the left" in run.stdout, run.output


def test_a_model_that_was_not_trained_for_questions_is_refused(
    picture_models: Callable[[str], Path], task_models: Saved
) -> None:
    with pytest.raises(ModelError, match="no token <s_answer>"):
        opened(picture_models("vision encoder decoder"))
    with pytest.raises(ModelError, match="a model for token classification, and not for document-question-answering"):
        source.resolve(str(task_models("Bert", "ForTokenClassification", {"O": []})), dqa.TASK)


@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_a_table_answers(seq2seq_models: Saved, kind: str) -> None:
    model = serving.serve(source.resolve(str(seq2seq_models(kind, CELLS)), tqa.TASK), tqa.TASK)
    reader = TableReader(model)
    rows = [
        ({"name": "chair", "price": "10"}, Place(rows=(1, 1))),
        ({"name": "x", "city": "Busan"}, Place(rows=(2, 2))),
    ]
    table = table_of(rows)
    assert table.columns == ("name", "price", "city") and table.rows[0].cells == ("chair", "10", "")
    (answer,) = reader.answer("which?", table).answers
    assert answer.text in CELLS.values() and answer.confidence > 0
    sheet = table_of([({"a": "1", "b": "busan"}, Place(cells="Shops!C7:D7"))])
    assert reader.answer("city city city", sheet).answers[0].place == Place(cells="Shops!D7")
    missing = table_of([({"a": "1", "b": "busan"}, Place(cells="Shops!C7:E7"))])  # nobody knows which is empty
    assert reader.answer("city city city", missing).answers[0].place == Place(cells="Shops!C7:E7")
    assert reader.answer("count count count", sheet).answers[0].place is None  # a number that no cell holds
    with pytest.raises(InvalidRequest, match="The question has"):
        reader.answer("why " * 100, table)


def test_a_table_of_ten_thousand_rows(seq2seq_models: Saved) -> None:
    reader = TableReader(serving.serve(source.resolve(str(seq2seq_models("bart", CELLS)), tqa.TASK), tqa.TASK))
    rows = [({"name": f"shop {n}", "city": "busan" if n == 7_000 else "x"}, Place(rows=(n, n))) for n in range(10_000)]
    found = reader.answer("city city city of shop 7000", table_of(rows))
    assert (found.answers[0].place, found.of) == (Place(rows=(7_000, 7_000)), 10_000) and found.looked_at < 20


def test_a_model_ends_with_its_request(seq2seq_models: Saved) -> None:
    model = serving.serve(source.resolve(str(seq2seq_models("bart", CELLS)), tqa.TASK), tqa.TASK)
    inputs = model.tokens(["city"], return_tensors="pt")
    table = table_of([({"city": "busan"}, Place(rows=(1, 1)))])
    for ask in (
        lambda: TableReader(model).answer("city", table),
        lambda: model.tokens("city"),
        lambda: model.outputs(inputs),
        lambda: write(model, inputs, 4),
    ):
        with Deadline(0).current(), pytest.raises(DeadlineExceeded):
            ask()
    ending = Deadline(60)
    begin = model.model.generate

    def generate(**options: object) -> object:
        ending.stop("it is over")
        return begin(**options)

    with pytest.MonkeyPatch.context() as patch, ending.current(), pytest.raises(DeadlineExceeded):
        patch.setattr(model.model, "generate", generate)  # it ends between two words
        write(model, inputs, 4)


def test_a_library_s_tables_are_asked(seq2seq_models: Saved, tmp_path: Path) -> None:
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "shops.csv").write_text(SHOPS)
    header = row(4, "Ship", "Length", "Port", first="B")
    ships = header + row(5, "Aurora", 120.0, "Busan", first="B") + row(6, "Borealis", 95.5, "Jeju", first="B")
    (folder / "ships.xlsx").write_bytes(xlsx({"Ships": ships}))
    model = seq2seq_models("bart", CELLS)
    with Library(tmp_path / "library", models=FakeModels(), table_reader=str(model)) as library:
        library.index(folder)
        found = library.ask_document("city city city", folder / "shops.csv")
        assert [(one.text, one.place) for one in found.answers] == [("busan", Place(rows=(2, 2)))]
        assert (found.looked_at, found.of) == (3, 3)
        hit = library.search("chair", mode="lexical").hits[0]  # a row stands for its table
        assert library.ask_document("city city city", hit.document.id) == found
        (answer,) = library.ask_document("city city city", folder / "ships.xlsx").answers
        assert answer.place == Place(cells="Ships!D5")
        other = library.add(Text("No table."))[0]
        with pytest.raises(InvalidRequest, match="neither pages nor rows"):
            library.ask_document("why?", other)
        with pytest.raises(InvalidRequest, match="empty"):
            library.ask_document(" ", folder / "shops.csv")
        with pytest.raises(InvalidRequest, match="10,001 characters; the limit"):
            library.ask_document("?" * 10_001, folder / "shops.csv")
    options = ["ask", "city city city", "--library", str(tmp_path / "library"), "--table-reader", str(model)]
    run = CliRunner().invoke(cli, [*options, "--document", str(folder / "shops.csv")], obj=FakeModels())
    assert "busan" in run.stdout and "row 2" in run.stdout, run.output
    both = [*options, "--document", "a", "--picture", "b"]
    assert CliRunner().invoke(cli, both, obj=FakeModels()).exit_code == 2
    body = CliRunner().invoke(cli, [*options, "--json", "--document", str(folder / "ships.xlsx")], obj=FakeModels())
    assert json.loads(body.stdout)["answers"][0]["place"] == {"cells": "Ships!D5"}
