"""Questions about tables, by tiny TAPAS models saved to disk: cells that are chosen, and what they come to."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner

from quarry.api.cli import cli
from quarry.search.errors import InvalidRequest, ModelMissing
from quarry.search.models import extra
from quarry.search.models.auto import original, serving, source
from quarry.search.models.fake import FakeModels
from quarry.search.tasks import table_question_answering as tqa
from quarry.search.tasks.table_question_answering import AskedTable, TableReader, table_of
from quarry.search.values.places import Place
from tests.search.table_models import save

SHOPS = "name,price,city\nchair,10,Seoul\ntable,20,Busan\nlamp,,Jeju\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of models that choose 10 and 20, by what they do with them."""
    folder = tmp_path_factory.mktemp("tapas")
    return {kind: save(folder / kind, ["10", "20"], kind) for kind in ("NONE", "SUM", "AVERAGE", "COUNT")}


def opened(folder: Path) -> TableReader:
    return TableReader(serving.serve(source.resolve(str(folder), tqa.TASK), tqa.TASK))


def table(*rows: tuple[str, ...]) -> AskedTable:
    names = ("name", "price", "city")
    return table_of(
        [(dict(zip(names, row, strict=True)), Place(cells=f"Shops!A{n}:C{n}")) for n, row in enumerate(rows, 2)]
    )


ROWS = table(("chair", "10", "Seoul"), ("table", "20", "Busan"), ("lamp", "", "Jeju"))


@pytest.mark.parametrize(("kind", "texts"), [("NONE", ["10", "20"]), ("SUM", ["30 (sum of 10, 20)"] * 2),
                                             ("AVERAGE", ["15 (average of 10, 20)"] * 2),
                                             ("COUNT", ["2 (count of 10, 20)"] * 2)])  # fmt: skip
def test_cells_are_chosen_and_what_they_come_to_is_told(models: dict[str, Path], kind: str, texts: list[str]) -> None:
    found = opened(models[kind]).answer("how much?", ROWS)
    assert [one.text for one in found.answers] == texts
    assert [one.place and one.place.cells for one in found.answers] == ["Shops!B2", "Shops!B3"]
    assert all(0.8 < one.confidence < 1 for one in found.answers) and (found.looked_at, found.of) == (3, 3)


@pytest.mark.parametrize("kind", ["NONE", "AVERAGE"])
def test_where_nothing_is_chosen_there_is_no_answer(tmp_path: Path, kind: str) -> None:
    assert opened(save(tmp_path / "nothing", ["nowhere"], kind)).answer("how much?", ROWS).answers == ()


def test_a_sum_of_what_is_no_number_is_none(tmp_path: Path) -> None:
    reader = opened(save(tmp_path / "model", ["ten", "10", "1", ",", "5", "234"], "SUM"))
    for cells, text in {
        ("10", "ten"): "sum of 10, ten",
        ("10", "1,5"): "sum of 10, 1,5",  # it may be a point
        ("10", "1,234"): "1,244 (sum of 10, 1,234)",
    }.items():
        (first, _) = reader.answer("how much?", table(("a", cells[0], "x"), ("b", cells[1], "y"))).answers
        assert first.text == text


def test_a_long_table_is_cut_to_the_rows_that_share_most_words(models: dict[str, Path], tmp_path: Path) -> None:
    rows = [(f"shop{n}", "20" if n == 700 else "1", "x") for n in range(1_000)]
    found = opened(models["NONE"]).answer("shop700?", table(*rows))
    assert [one.place and one.place.cells for one in found.answers] == ["Shops!B702"] and found.looked_at < 20
    few = opened(save(tmp_path / "few", ["x"], rows=4))  # as many rows as it tells apart
    assert len(few.answer("?", table_of([({"a": "x"}, Place(rows=(n, n))) for n in range(30)])).answers) == 3


def test_odd_tables(models: dict[str, Path]) -> None:
    reader = opened(models["NONE"])
    odd = [
        "",
        " ",
        "\ud800",
        "1e999",
        "-----",
        "99/99/9999",
        "0000-00-00",
        "1,2,3",
        "한국어 칸",
        "nan",
        "\u0000",
        "9" * 9,
    ]
    for cell in odd:
        rows = table((cell, cell, "a"), ("b", "20", "c"))
        assert reader.answer(cell or "?", rows).answers[-1].text == "20", cell
    assert reader.answer("?", table(("-" * 900, "1" * 400, "x"))).answers == ()  # of which there is no room for all
    assert reader.answer("?", table_of([({"": "20"}, Place(rows=(1, 1)))])).answers[0].text == "20"
    with pytest.raises(InvalidRequest, match="The question has"):
        reader.answer("why " * 100, ROWS)
    with pytest.raises(InvalidRequest, match=r"40 columns; .* takes 31"):
        reader.answer("?", table_of([({str(n): "1" for n in range(40)}, Place(rows=(1, 1)))]))
    with pytest.raises(InvalidRequest, match="names of the table's 20 columns take"):
        reader.answer("?", table_of([({f"long-name-{n}": "1" for n in range(20)}, Place(rows=(1, 1)))]))


def test_it_is_asked_from_the_command_line(models: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "shops.csv").write_text(SHOPS)
    where = ["--library", str(tmp_path / "library")]
    assert CliRunner().invoke(cli, ["index", str(tmp_path / "shops.csv"), *where], obj=FakeModels()).exit_code == 0
    ask = ["ask", "how much is all?", *where, "--document", str(tmp_path / "shops.csv")]
    run = CliRunner().invoke(cli, [*ask, "--table-reader", str(models["SUM"])], obj=FakeModels())
    assert "30 (sum of 10, 20)" in run.stdout and "row 1" in run.stdout, run.output


def test_what_a_tokenizer_needs_is_named_with_its_command(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.tapas import tokenization_tapas
    from transformers.utils.import_utils import SENTENCEPIECE_IMPORT_ERROR

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        monkeypatch.setattr(tokenization_tapas, "is_pandas_available", lambda: False)
    card = source.resolve(str(models["NONE"]), tqa.TASK)
    with pytest.raises(ModelMissing, match="needs pandas, which is not installed: `pip install pandas`"):
        original.load(card, tqa.TASK)
    told = str(extra.lacking("a", ImportError(SENTENCEPIECE_IMPORT_ERROR.format("MarianTokenizer"))))
    assert told == "the model 'a' needs sentencepiece, which is not installed: `pip install 'quarry-search[models]'`."
    assert "can't load a: no such" in str(extra.lacking("a", ImportError("no such")))
