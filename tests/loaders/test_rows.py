import json
from pathlib import Path

import pytest

from quarry.indexer.loaders.base import LoadOptions
from quarry.indexer.loaders.loading import load
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed
from quarry.search.values.places import Place
from tests.measuring_data import FILES, needs_data


def read(folder: Path, name: str, text: str | bytes, options: LoadOptions | None = None) -> list[Parsed]:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(load(path, options))


def test_a_row_without_a_text_field_is_lines_of_fields(tmp_path: Path) -> None:
    (parsed,) = read(tmp_path, "a.csv", "Mountain,Height,Code,Note\nEverest,8849,08123,\n")
    assert parsed == Parsed(
        "Mountain: Everest\nHeight: 8849\nCode: 08123",
        "text/csv",
        key="row=1",
        metadata={"Mountain": "Everest", "Height": 8849, "Code": "08123"},
        place=Place(rows=(1, 1)),
    )


def test_known_fields_become_title_text_and_id(tmp_path: Path) -> None:
    rows = read(tmp_path, "a.csv", "id,Title,Text,score\nx1,One,words here,0.5\n,Two,,2\n", None)
    assert [(row.key, row.title, row.text, dict(row.metadata)) for row in rows] == [
        ("id=x1", "One", "words here", {"id": "x1", "Title": "One", "score": 0.5}),
        ("row=2", "Two", "Title: Two\nscore: 2", {"Title": "Two", "score": 2}),
    ]


def test_a_field_mapping_is_followed(tmp_path: Path) -> None:
    options = LoadOptions(text_fields=("q", "a"), title_field="topic", id_field="ref")
    (row,) = read(tmp_path, "a.csv", "ref,topic,q,a,text\n7,Sea,Why?,Because.,other\n", options)
    assert (row.key, row.title, row.text) == ("id=7", "Sea", "Why?\n\nBecause.")
    assert row.metadata == {"ref": 7, "topic": "Sea", "text": "other"}
    (row,) = read(tmp_path, "b.csv", "id,body\n1,words\n", options)  # a file without those fields
    assert (row.key, row.text) == ("id=1", "words")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "name\tage\nAda, Countess\t36\n"),
        ("a.csv", "name;age\nAda, Countess;36\n"),
        ("a.csv", "name|age\nAda, Countess|36\n"),
        ("a.csv", 'name, age\r\n"Ada, Countess", 36\r\n'),
    ],
)
def test_delimiters_are_told_apart(tmp_path: Path, name: str, text: str) -> None:
    (row,) = read(tmp_path, name, text)
    assert row.metadata == {"name": "Ada, Countess", "age": 36}


def test_rows_are_counted_without_header_and_blank_lines(tmp_path: Path) -> None:
    rows = read(tmp_path, "a.csv", "country,1990,2000\n\nNorway,4.2,4.5\n , \nPeru,21.6,26.5,extra\n")
    assert [row.key for row in rows] == ["row=1", "row=2"]
    assert rows[1].metadata == {"country": "Peru", "1990": 21.6, "2000": 26.5, "column 4": "extra"}


def test_a_table_without_a_header_keeps_its_first_row(tmp_path: Path) -> None:
    rows = read(tmp_path, "a.csv", "Ada,36\nAlan,41\n")
    assert [dict(row.metadata) for row in rows] == [
        {"column 1": "Ada", "column 2": 36},
        {"column 1": "Alan", "column 2": 41},
    ]
    rows = read(tmp_path, "b.csv", "2024-01-05,Coffee\n2024-01-06,Tea\n")
    assert [row.metadata["column 2"] for row in rows] == ["Coffee", "Tea"]


CODES = [
    "1e999",
    "NaN",
    "inf",
    "1,5",
    "+",
    "0x10",
    "0o17",
    "1_000",
    "٣",
    "12E3",
    "3.10",
    "19.90",
    "+4930123456",
    "0123",
    "007",
    "-0",
    "1.",
    ".5",
    "1,000",
    "5e-3",
]


@pytest.mark.parametrize("cell", [*CODES, "9" * 20, "0.1234567890123456789"])
def test_what_would_not_print_as_it_is_written_stays_text_with_its_column(tmp_path: Path, cell: str) -> None:
    first, second = read(tmp_path, "a.csv", f'name,value,count\nAda,"{cell}",-3\nAlan,2.5,12\n')
    assert first.metadata == {"name": "Ada", "value": cell, "count": -3}
    assert second.metadata == {"name": "Alan", "value": "2.5", "count": 12}  # as the column is no column of numbers
    assert first.text == f"name: Ada\nvalue: {cell}\ncount: -3"


def test_a_code_far_below_makes_its_column_text(tmp_path: Path) -> None:
    rows = read(tmp_path, "a.csv", "part,size\n" + "7,1\n" * 5_000 + "A8,1\n")
    assert {type(row.metadata["part"]) for row in rows} == {str} and {type(row.metadata["size"]) for row in rows} == {
        int
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "sep=;\r\nname;price\r\nApple;1,50\r\n"),
        ("a.csv", '"sep=;"\nname;price\nApple;1,50\n'),
        ("a.csv", "\ufeffSEP=|\nname|price\nApple|1,50\n"),
        ("a.csv", "sep=\t\nname\tprice\nApple\t1,50\n"),
        ("a.csv", 'sep=,\nname,price\nApple,"1,50"\n'),
        ("a.tsv", "sep=^\nname^price\nApple^1,50\n"),
    ],
)
def test_the_line_that_tells_the_delimiter_is_no_row(tmp_path: Path, name: str, text: str) -> None:
    (row,) = read(tmp_path, name, text)
    assert (row.key, row.metadata) == ("row=1", {"name": "Apple", "price": "1,50"})


@pytest.mark.parametrize(
    ("above", "said"),
    [
        ("Monthly report, 2023\n\n", "Monthly report, 2023"),
        ("Monthly report,,,\n,,,\n", "Monthly report"),
        ("Account:,12345,,\nPeriod:,2024,,\n\n", "Account:, 12345\nPeriod:, 2024"),
        ("Account:,12345\nPeriod:,2024\nOwner:,Ada,Hut\n", "Account:, 12345\nPeriod:, 2024\nOwner:, Ada, Hut"),
        ("Account:,12345,x,\nPeriod:,2024,,\n", "Account:, 12345, x\nPeriod:, 2024"),
        ("# source: a, b, c, d\n# in metres\n", "# source: a, b, c, d\n# in metres"),
        ("", None),
    ],
)
@pytest.mark.parametrize("header", ["name,height,code,count", "#name,height,code,count"])
def test_what_stands_above_a_table_is_a_document_of_its_own(
    tmp_path: Path, above: str, said: str | None, header: str
) -> None:
    found = read(tmp_path, "a.csv", f"{above}{header}\nEverest,8849,E1,1\nK2,8611,E2,2\n")
    assert [row.text for row in found if row.key == "preamble"] == ([said] if said else [])
    assert [dict(row.metadata) for row in found if row.key != "preamble"] == [
        {"name": "Everest", "height": 8849, "code": "E1", "count": 1},
        {"name": "K2", "height": 8611, "code": "E2", "count": 2},
    ]


@pytest.mark.parametrize(
    ("name", "text", "notes"),
    [
        (
            "a.tsv",
            'name\tnote\nAda\t"Hello" she said\nBob\t5" pipe\nCy\t"unclosed\n',
            ['"Hello" she said', '5" pipe', '"unclosed'],
        ),
        (
            "a.tsv",
            'name\tnote\nAda\t"a ""b"" c"\nBob\t"two\nlines"\nCy\t"tab\there"\n',
            ['a "b" c', "two\nlines", "tab\there"],
        ),
        ("a.csv", 'name,note\nAda,"a ""b"" c"\nBob,"two\nlines"\nCy,"x, y"\n', ['a "b" c', "two\nlines", "x, y"]),
        ("a.csv", 'name,note\nAda,"one\ntwo, three"\nBob,"a ""b"""\n', ["one\ntwo, three", 'a "b"']),
        ("a.csv", 'name;note\nAda;"one\ntwo; three\nfour; five"\n', ["one\ntwo; three\nfour; five"]),
        ("a.tsv", 'name\tnote\nAda\t"one\ntwo\tthree"\n', ["one\ntwo\tthree"]),
        ("a.csv", 'name,note\nAda,5" pipe\nBob," unclosed\nCy,more\n', ['5" pipe', '" unclosed', "more"]),
    ],
)
def test_quotation_marks_enclose_a_cell_or_are_part_of_it(
    tmp_path: Path, name: str, text: str, notes: list[str]
) -> None:
    assert [row.metadata["note"] for row in read(tmp_path, name, text)] == notes


@pytest.mark.parametrize("header", ["Country,1/22/20,1/23/20", "Country,1,2", "Country,2019,2020"])
def test_names_of_columns_may_be_dates_or_numbers(tmp_path: Path, header: str) -> None:
    (row,) = read(tmp_path, "a.csv", f"{header}\nPeru,0,5\n")
    assert dict(row.metadata) == dict(zip(header.split(","), ["Peru", 0, 5], strict=True))


def test_a_list_of_one_column_may_hold_commas(tmp_path: Path) -> None:
    assert [row.text for row in read(tmp_path, "a.csv", "text\nhello, world\nplain\nsun, moon, stars\n")] == [
        "hello, world",
        "plain",
        "sun, moon, stars",
    ]


def test_equal_and_missing_names_are_told_apart(tmp_path: Path) -> None:
    (row,) = read(tmp_path, "a.csv", "a,a,b,\n1,2,3,4\n")
    assert row.metadata == {"a": 1, "a 2": 2, "b": 3, "column 4": 4}


def test_a_column_may_have_no_name(tmp_path: Path) -> None:
    ann, bob = read(tmp_path, "a.csv", "name,,city,\nAnn,x,Bern,\nBob,y,Rome,z\n")
    assert ann.metadata == {"name": "Ann", "column 2": "x", "city": "Bern"}
    assert bob.metadata == {"name": "Bob", "column 2": "y", "city": "Rome", "column 4": "z"}


def test_repeated_ids_fall_back_to_row_numbers(tmp_path: Path) -> None:
    rows = read(tmp_path, "a.csv", "id,text\na,one\na,two\nb,three\n")
    assert [row.key for row in rows] == ["id=a", "row=2", "id=b"]


def test_nul_and_unbalanced_quotes_lose_no_words(tmp_path: Path) -> None:
    rows = read(tmp_path, "a.csv", 'a,b\nwo\0rd,2\n"never closed,7\nmore,8\n')
    assert rows[0].metadata == {"a": "word", "b": 2}
    assert [row.metadata["a"] for row in rows[1:]] == ['"never closed', "more"]


def test_a_cell_of_ten_megabytes_is_text_and_no_metadata(tmp_path: Path) -> None:
    (row,) = read(tmp_path, "a.csv", "name,note\nAda," + "x" * 10_000_000 + "\n")
    assert len(row.text) > 10_000_000 and row.metadata == {"name": "Ada"}
    (row,) = read(tmp_path, "a.csv", "text,note\nAda," + "y" * 2_000 + "\n")
    assert row.text == "Ada\n\nnote: " + "y" * 2_000


def test_json_array_object_and_other_values(tmp_path: Path) -> None:
    rows = read(tmp_path, "a.json", json.dumps([{"_id": 5, "text": "one"}, {"name": "two", "deep": {"x": [1, 2]}}]))
    assert [(row.key, row.text) for row in rows] == [("id=5", "one"), ("row=2", "name: two\ndeep.x: 1, 2")]
    assert rows[1].title == "two" and rows[1].metadata == {"name": "two", "deep.x": [1, 2]}
    (one,) = read(tmp_path, "a.json", '{"title": "T", "body": "B", "list": [{"a": 1}]}')
    assert (one.key, one.title, one.text) == ("", "T", "B")
    (other,) = read(tmp_path, "a.json", '["a", 1]')
    assert json.loads(other.text) == ["a", 1] and other.key == ""
    assert read(tmp_path, "a.json", "[]") == []


def test_json_lines_are_rows_and_one_bad_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"text": "one", "_id": "d1"}\n\n{"text": "tw\n"a plain string"\n{"title": "only a title", "text": ""}\n'
    )
    found = []
    with pytest.raises(FileMalformed, match=r"1 of its 4 rows .*row 2"):
        for parsed in load(path):
            found.append((parsed.key, parsed.title, parsed.text))
    assert found == [
        ("id=d1", "", "one"),
        ("row=3", "", "a plain string"),
        ("row=4", "only a title", "title: only a title"),
    ]


@pytest.mark.parametrize("number", ["3.10", "1.0", "12E3", "12345678901234567890", "0.1234567890123456789", "-7"])
def test_numbers_of_json_are_shown_as_they_are_written(tmp_path: Path, number: str) -> None:
    (row,) = read(tmp_path, "a.jsonl", f'{{"release": {number}, "code": "{number}"}}')
    assert row.text == f"release: {number}\ncode: {number}"
    assert row.metadata["code"] == number
    assert float(row.metadata["release"]) == float(number)


def test_json_lines_under_the_name_of_json(tmp_path: Path) -> None:
    assert [row.text for row in read(tmp_path, "a.json", '{"text": "one"}\n{"text": "two"}\n')] == ["one", "two"]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000, '{"a": }'])
def test_deep_nesting_and_broken_json_are_reported(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(FileMalformed):
        read(tmp_path, name, text)


def test_no_surrogate_nan_or_huge_number_comes_out(tmp_path: Path) -> None:
    text = (
        '{"text": "a\\ud800b", "k\\udfffey": "v\\udc00", "n": NaN, "i": 1e999, "big": 99999999999999999999, "x": null}'
    )
    (row,) = read(tmp_path, "a.jsonl", text)
    assert row.text == "ab"
    assert row.metadata == {"key": "v", "n": "NaN", "i": "1e999", "big": "99999999999999999999"}
    json.dumps(dict(row.metadata), allow_nan=False).encode()


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_number_of_thousands_of_digits_costs_itself(tmp_path: Path, name: str) -> None:
    (row,) = read(tmp_path, name, f'{{"text": "words", "n": {"9" * 5_000}, "m": -{"1" * 41}, "year": 2021}}')
    assert row.text == f"words\n\nn: {'9' * 5_000}"
    assert (row.metadata["year"], row.metadata["m"]) == (2021, "-" + "1" * 41)


SPECTRUM = FILES / "csv" / "spectrum"


@needs_data
def test_csv_spectrum() -> None:
    files = sorted((SPECTRUM / "csvs").glob("*.csv"))
    assert files
    for path in files:
        expected = json.loads((SPECTRUM / "json" / f"{path.stem}.json").read_text("utf-8", "replace"))
        if isinstance(expected, dict):
            continue  # location_coordinates, whose expectation is of another row
        rows = list(load(path))
        assert len(rows) == len(expected), path.name
        for row, want in zip(rows, expected, strict=True):
            kept = {name: value.replace("\r\n", "\n").strip() for name, value in want.items() if value}
            assert {name: str(value) for name, value in row.metadata.items()} == kept, path.name
            assert all(value in row.text for value in kept.values())
