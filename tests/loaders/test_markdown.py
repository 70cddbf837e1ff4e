from pathlib import Path

import pytest

from quarry.indexer.loaders.loading import load
from quarry.search.types import Parsed


def read(folder: Path, data: bytes) -> Parsed:
    path = folder / "a.md"
    path.write_bytes(data)
    (parsed,) = load(path)
    return parsed


MARKDOWN = """\
---
title: "The *Title*"
date: 2024-03-05
tags: [sea, ship]
author: {name: Ada, born: 1815}
draft: false
odd: .nan
---

Intro
=====

Some words. # no heading

## Second `code` [link](http://x) ##

```python
# a comment, no heading
---
```

- a list item
---

### Third
"""


def test_markdown_has_headings_and_front_matter(tmp_path: Path) -> None:
    parsed = read(tmp_path, MARKDOWN.encode())
    assert parsed.title == "The *Title*"
    assert parsed.metadata == {
        "date": "2024-03-05",
        "tags": ["sea", "ship"],
        "author.name": "Ada",
        "author.born": 1815,
        "draft": False,
        "odd": ".nan",
    }
    assert [(heading.level, heading.text) for heading in parsed.headings] == [
        (1, "Intro"),
        (2, "Second code link"),
        (3, "Third"),
    ]
    assert parsed.text.startswith("Intro\n=====")
    assert [parsed.text[heading.start :][:3] for heading in parsed.headings] == ["Int", "## ", "###"]


@pytest.mark.parametrize(
    ("front", "fields"),
    [
        (b"+++\nyear = 1999\ndate = 2021-03-03\n[author]\nname = 'Ada'\n+++\n", {"author.name": "Ada"}),
        (b'{\n "year": 1999, "date": "2021-03-03"\n}\n', {}),
        (b"---\nyear: 1999\ndate: 2021-03-03\n...\n", {}),
    ],
    ids=["toml", "json", "yaml"],
)
def test_every_kind_of_front_matter_and_the_first_heading_as_title(
    tmp_path: Path, front: bytes, fields: dict[str, str]
) -> None:
    parsed = read(tmp_path, front + b"# Real *title*\nwords")
    assert (parsed.title, parsed.text) == ("Real title", "# Real *title*\nwords")
    assert parsed.metadata == {"year": 1999, "date": "2021-03-03", **fields}


CORE = {
    "true": True, "False": False, "12": 12, "-3": -3, "1.5": 1.5, "0": 0, '"12"': "12", "'no'": "no", "!x 5": 5,
    "[a, NO, 3]": ["a", "NO", 3], "{b: {c: off}}": None, "|\n  two\n  lines": "two\nlines", "": None, "~": None,
}  # fmt: skip
TEXT = (
    "NO no yes on off y 14:30 1:30:00 0123456 0o17 0x1F 1_000 1.10 19.90 +49301 12E3 1e3 .5 5. .inf .nan -0 2021-03-03 "
    "2021-03-03T10:00:00Z 12345678901234567890 1,000 = <<"
)


@pytest.mark.parametrize(("written", "value"), [*CORE.items(), *((word, word) for word in TEXT.split())])
def test_yaml_has_the_types_of_its_core_schema_where_they_print_as_written(
    tmp_path: Path, written: str, value: object
) -> None:
    parsed = read(tmp_path, f"---\na: {written}\nz: 1\n---\nwords".encode())
    expected = {"a": value, "z": 1} if value is not None else {"z": 1}
    assert parsed.metadata == ({"a.b.c": "off", "z": 1} if "off}" in written else expected)
    assert type(parsed.metadata.get("a")) is type(expected.get("a")) and not parsed.warning


@pytest.mark.parametrize("key", ["on", "NO", "2021", "1.10", "14:30", "a b"])
def test_keys_are_text(tmp_path: Path, key: str) -> None:
    assert read(tmp_path, f"---\n{key}: x\n---\nwords".encode()).metadata == {key: "x"}


@pytest.mark.parametrize(
    "line",
    [
        "title: Kim: a life",
        "author: @ada",
        "tags: [a, b",
        "quote: 'it",
        "note: *bold*",
        "\tkey: after a tab",
        "no field at all",
        "list:\n  - a: b: c\n  - d",
        "%percent: x",
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_line_that_is_no_yaml_costs_itself_and_is_reported(tmp_path: Path, line: str, place: int) -> None:
    lines = ["date: 2021-03-03", "place:\n- Rome\n- Oslo"]
    lines.insert(place, line)
    parsed = read(tmp_path, "\n".join(["---", *lines, "---", "# Head", "words"]).encode())
    assert {"date", "place"} - parsed.metadata.keys() <= {("date", "place")[place - 1]}  # what a tab continues
    assert parsed.text.endswith("# Head\nwords") and line.split("\n")[0].strip() in parsed.text
    assert "no YAML" in parsed.warning and line.strip().split("\n")[0] in parsed.warning


@pytest.mark.parametrize("line", ["author = Ada", 'date = "2021', "= 3", "[broken", "n = 01", "d = 2021-13-45"])
def test_a_line_that_is_no_toml_costs_itself_and_is_reported(tmp_path: Path, line: str) -> None:
    parsed = read(tmp_path, f'+++\ntitle = "T"\n{line}\ntags = ["a", "b"]\n+++\nwords'.encode())
    assert (parsed.title, parsed.metadata["tags"]) == ("T", ["a", "b"])
    assert line in parsed.text and parsed.text.endswith("words")
    assert "line 3, in its front matter, is no TOML" in parsed.warning


def test_aliases_are_not_followed(tmp_path: Path) -> None:
    bomb = "a: &a [x,x,x]\n" + "".join(f"{n}: &{n} [*{n - 1},*{n - 1}]\n" for n in range(1, 40))
    parsed = read(tmp_path, f"---\n{bomb}---\nreal words".encode())
    assert parsed.metadata == {"a": ["x"] * 3} and len(parsed.text) < 2_000 and parsed.warning


@pytest.mark.parametrize(
    ("front", "warning"),
    [
        ("---\n" + "[" * 50_000 + "\n---\n", ""),
        ("---\na: [1\nb: }\n---\n", "no YAML"),
        ("---\n- a list\n---\n", ""),
        ("---\nProse, not fields.\nSome: of it, only.\nMore prose: [.\n---\n", ""),
        ('+++\ntitle = "T\n+++\n', "no TOML"),
        ("{ no json }\n", ""),
    ],
    ids=["nesting", "broken", "list", "prose", "toml", "json"],
)
def test_what_is_no_front_matter_stays_text(tmp_path: Path, front: str, warning: str) -> None:
    parsed = read(tmp_path, f"{front}\nreal words".encode())
    assert parsed.metadata == {} and parsed.text == f"{front}\nreal words"
    assert warning in parsed.warning and bool(warning) == bool(parsed.warning)


def test_a_very_long_line_is_no_heading(tmp_path: Path) -> None:
    parsed = read(tmp_path, b"# " + b" [" * 500_000 + b"\n# Short\n")
    assert [heading.text for heading in parsed.headings] == ["Short"]
