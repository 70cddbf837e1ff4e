import json
import os
from pathlib import Path

import pytest

from indexer.loaders.base import LoadOptions, load
from search.errors import FileMalformed
from search.types import Parsed


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
    )


def test_known_fields_become_title_text_and_id(tmp_path: Path) -> None:
    rows = read(tmp_path, "a.csv", "id,Title,Text,score\nx1,One,words here,0.5\n,Two,,2\n", None)
    assert [(row.key, row.title, row.text, dict(row.metadata)) for row in rows] == [
        ("id=x1", "One", "words here", {"score": 0.5}),
        ("row=2", "Two", "Title: Two\nscore: 2", {"Title": "Two", "score": 2}),
    ]


def test_a_field_mapping_is_followed(tmp_path: Path) -> None:
    options = LoadOptions(text_fields=("q", "a"), title_field="topic", id_field="ref")
    (row,) = read(tmp_path, "a.csv", "ref,topic,q,a,text\n7,Sea,Why?,Because.,other\n", options)
    assert (row.key, row.title, row.text) == ("id=7", "Sea", "Why?\n\nBecause.")
    assert row.metadata == {"text": "other"}
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


@pytest.mark.parametrize("cell", ["1e999", "NaN", "inf", "9" * 30, "1,5", "+", "0x10", "1_000", "٣"])
def test_what_is_no_plain_number_stays_a_string(tmp_path: Path, cell: str) -> None:
    (row,) = read(tmp_path, "a.csv", f'name,value\nAda,"{cell}"\n')
    assert row.metadata["value"] == cell


def test_repeated_ids_fall_back_to_row_numbers(tmp_path: Path) -> None:
    rows = read(tmp_path, "a.csv", "id,text\na,one\na,two\nb,three\n")
    assert [row.key for row in rows] == ["id=a", "row=2", "id=b"]


def test_nul_and_unbalanced_quotes_lose_no_words(tmp_path: Path) -> None:
    rows = read(tmp_path, "a.csv", 'a,b\nwo\0rd,2\n"never closed,7\nmore,8\n')
    assert rows[0].metadata == {"a": "word", "b": 2}
    assert len(rows) == 2 and "never closed" in rows[1].text and "more" in rows[1].text


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
    assert row.metadata == {"key": "v", "n": "NaN", "i": "inf", "big": "99999999999999999999"}
    json.dumps(dict(row.metadata), allow_nan=False).encode()


SPECTRUM = Path(os.environ.get("QUARRY_TEST_DATA", ""), "loader_files/csv/spectrum")


@pytest.mark.skipif("QUARRY_TEST_DATA" not in os.environ, reason="QUARRY_TEST_DATA names no folder")
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
