from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.search.files.globs import lies_at

ROOT = "/home/me/notes"
FILE = "/home/me/notes/2024/Trip to Zoë.md"
ROW = "/home/me/notes/tables/prices.csv#id=7"
MEMBER = "/home/me/notes/box.zip#a/mail.eml#levels.csv#row=1"
SHEET = "/home/me/notes/x.xlsx#One two!row=3"
HERE = [
    (FILE, FILE), (FILE, "/home/me/notes"), (FILE, "/home"), (FILE, "/"), (FILE, "notes"), (FILE, "notes/2024"),
    (FILE, "2024"), (FILE, "2024/"), (FILE, "Trip to Zoë.md"), (FILE, "2024/trip to zoë.MD"), (FILE, "*.md"),
    (FILE, "2024/*.md"), (FILE, "notes/*/*.md"), (FILE, "notes/**/*.md"), (FILE, "**/*.md"), (FILE, "**"), (FILE, "*"),
    (FILE, "notes/**"), (FILE, "/home/**/Trip*"), (FILE, "20[12]4"), (FILE, "202?"), (FILE, "./2024"), (FILE, "n*s"),
    (FILE, unicodedata.normalize("NFD", "Trip to Zoë.md")), (ROW, "prices.csv"), (ROW, "*.csv"), (ROW, "tables/"),
    (ROW, ROW.partition("#")[0]), ("quarry:1f/notes.md", "*.md"), ("https://a.org/b/c.html", "b"),
    (MEMBER, "box.zip"), (MEMBER, "box.zip/a"), (MEMBER, "*.csv"), (MEMBER, "/home/me/notes/box.zip"),
    (SHEET, "x.xlsx"),
    ("/home/me/notes/[draft] a*.md", "[draft] a*.md"), ("/home/me/notes/C#.md", "C#.md"),
]  # fmt: skip
ELSEWHERE = [
    (FILE, "home"), (FILE, "me/notes"), (FILE, "otes"), (FILE, "note"), (FILE, "*.txt"), (FILE, "notes/*.md"),
    (FILE, "/notes"), (FILE, "Trip to Zoë.md/"), (FILE, "/home/me/*.md"), (FILE, "2024/notes"), (FILE, ""), (FILE, "."),
    (FILE, "*.md/**"), (FILE, ".md"), (FILE, "202[0-3]"), (ROW, "row=7"), (ROW, "prices"), (ROW, "prices.csv/"),
    ("/home/me/notes/C#.md", "C"),
]  # fmt: skip


@pytest.mark.parametrize(("uri", "pattern"), HERE)
def test_lies_there(uri: str, pattern: str) -> None:
    assert lies_at(uri, pattern, ROOT)
    assert lies_at(unicodedata.normalize("NFD", uri), pattern, ROOT)


@pytest.mark.parametrize(("uri", "pattern"), ELSEWHERE)
def test_lies_elsewhere(uri: str, pattern: str) -> None:
    assert not lies_at(uri, pattern, ROOT)


def test_a_root_that_is_a_file_has_its_own_name() -> None:
    assert lies_at("/home/me/a.md", "a.md", "/home/me/a.md")
    assert not lies_at("/home/me/a.md", "me", "/home/me/a.md")


@given(st.text("ab*?[]!-/.", max_size=40), st.text("ab/", max_size=200))
def test_any_pattern_is_taken(pattern: str, uri: str) -> None:
    assert lies_at(uri, pattern) in (True, False)


def test_no_pattern_takes_long() -> None:
    """A matcher that goes back would not end: there are more ways than atoms."""
    assert not lies_at("/" + "a" * 200 + "/a" * 200, "**/*a*a*a*a*a*a*a*a*a*a*a*b/" * 5 + "**/a/" * 50 + "b")
