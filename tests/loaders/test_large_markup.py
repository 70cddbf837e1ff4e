"""Markup of any length: HTML, XML and Markdown in pieces that say what the whole would, in memory that is bounded."""

from __future__ import annotations

import io
import random
import re
from pathlib import Path

import pytest

from quarry.indexer.loaders import dividing
from quarry.indexer.loaders.loading import load
from quarry.indexer.loaders.texts import markdown
from quarry.indexer.loaders.web import html, large_html, xml, xml_tree
from quarry.search.types import Heading, Parsed

PAGE = (
    "<!doctype html><html lang=en><head><title>Tides</title><meta name=author content=Ada></head><body><main>"
    "<h1>Tides</h1>"
    + "".join(
        f"<h2>Part {n}</h2><p>The gauge {n} is read <b>every hour</b>.</p><script>if (a<b) '<p>no</p>'</script>"
        f"<!-- <h2>none</h2> --><table><tr><th>Ship<th>Port<tr><td>Aurora {n}<td>Busan</table>"
        f"<ul><li>one {n}</li><li>two</li></ul><div hidden class=popup>Cookies {n}</div>\n"
        for n in range(60)
    )
    + "</main></body></html>"
)


def words(parts: list[Parsed]) -> list[str]:
    return " ".join(part.text for part in parts).split()


def test_a_large_page_says_what_a_small_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.html"
    path.write_text(PAGE)
    (whole,) = load(path)
    monkeypatch.setattr(html, "_MOST_TAGS", 0)
    monkeypatch.setattr(large_html, "PIECE", 900)
    parts = list(load(path))
    assert len(parts) > 10 and words(parts) == words([whole])
    assert {(part.title, part.metadata["author"]) for part in parts} == {("Tides", "Ada")}
    assert [part.key for part in parts[:2]] == ["part=1", "part=2"]
    for part in parts[1:]:
        assert part.headings[0] == Heading(0, 1, "Tides")
        assert all(part.text[each.start :].startswith(each.text) for each in part.headings if each.start)
    path.write_bytes(
        PAGE.replace("Aurora", "오로라").replace("<title>", "<meta charset=euc-kr><title>").encode("cp949")
    )
    assert "오로라" in next(load(path)).text


@pytest.mark.fault("18")
def test_no_piece_of_markup_is_longer_than_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_html, "PIECE", 300)
    monkeypatch.setattr(large_html, "_LONGEST_TAG", 900)
    some = ["<b>", "<p>word ", "</p>", "<div class='a'>", "</div>", "<table><tr><td>", "</table>", "<!--", "-->",
            "<script>", "</script>", "<img alt='" + "x" * 500 + "'>", "<img alt='" + "y" * 2_000, "a < b ", "w" * 700,
            "<", ">", "</nav>", "<!doctype", "<ul><li>", "İ", "\0"]  # fmt: skip
    for seed in range(300):
        rng = random.Random(seed)
        markup = "".join(rng.choices(some, k=rng.randrange(200)))
        given = list(large_html.pieces(io.StringIO(markup)))
        assert max(map(len, given), default=0) <= 300 + 900 + 300 + 200 * 60, seed
    plain = "<div><p>" + "</p><p>".join(f"word{n}" for n in range(500)) + "</p></div>"
    pieces = list(large_html.pieces(io.StringIO(plain)))
    assert all(piece.startswith("<div>") for piece in pieces)
    assert re.findall(r"word\d+", "".join(pieces)) == [f"word{n}" for n in range(500)]
    for hostile in (
        "<div>" * 5_000,
        "<script>" + "x" * 5_000,
        "<!--" + "-" * 5_000,
        "<a" + " b" * 5_000,
        "<p " * 2_000,
    ):
        assert max(map(len, large_html.pieces(io.StringIO(hostile))), default=0) <= 300 + 900 + 5 * 200


RECORDS = "".join(
    f"<ship id='s{n}'><name>Aurora {n}</name><port>Busan</port><p>It sails.</p></ship>" for n in range(90)
)


def test_large_xml_says_what_small_xml_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, feed = tmp_path / "a.xml", tmp_path / "a.rss"
    path.write_text(f"<?xml version='1.0'?><fleet><title>Ships</title>{RECORDS}</fleet>")
    items = "".join(
        f"<item><title>News {n}</title><description>Ship {n} sails.</description></item>" for n in range(90)
    )
    feed.write_text(f"<rss><channel><title>Harbour</title>{items}</channel></rss>")
    (whole,), news = load(path), list(load(feed))
    for module, name, value in ((xml, "LONGEST", 100), (xml, "_BLOCK", 333), (xml_tree, "PIECE", 500)):
        monkeypatch.setattr(module, name, value)
    parts = list(load(path))
    assert len(parts) > 3 and words(parts) == words([whole]) and parts[-1].title == "Ships"
    assert list(load(feed)) == news and news[0].metadata["feed"] == "Harbour"

    monkeypatch.setattr(dividing, "PIECE", 400)
    path.write_text(f"<fleet>{RECORDS}<ship>The last</port><b>one is torn</b>" + "<i>and goes on</i> " * 90)
    torn = words(list(load(path)))
    assert torn[: len(words([whole])) - 1] == words([whole])[1:] and torn.count("goes") == 90
    path.write_text("<a>" * 20_000 + "deep")
    assert words(list(load(path))) == ["deep"]
    path.write_text("<a>" + "long " * 2_000 + "</a>")
    assert len(found := list(load(path))) > 2 and words(found).count("long") + words(found).count("a:") > 1_990
    path.write_text('<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;">]><a>' + "&c; &nbsp;" * 300 + "</a>")
    assert len("".join(words(list(load(path))))) < 10_000


def test_more_elements_than_a_tree_may_have_are_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.xml"
    path.write_text(f"<fleet>{RECORDS}</fleet>")
    (whole,) = load(path)
    monkeypatch.setattr(xml_tree, "_MOST", 50)
    parts = list(load(path))
    assert len(parts) > 5 and words(parts) == words([whole])


def test_large_markdown_says_what_a_small_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.md"
    section = "## Part {n}\n\nThe gauge is read.\n\n```\n# no heading {n}\n\n# nor this\n```\n\n"
    path.write_text(
        "---\ntitle: Tides\nauthor: Ada\n---\n# Tides\n\n" + "".join(section.replace("{n}", str(n)) for n in range(60))
    )
    (whole,) = load(path)
    monkeypatch.setattr(markdown, "LONGEST", 1_000)
    monkeypatch.setattr(dividing, "PIECE", 400)
    parts = list(load(path))
    assert len(parts) > 5 and words(parts) == words([whole])
    assert {(part.title, part.metadata["author"]) for part in parts} == {("Tides", "Ada")}
    found = [each.text for part in parts for each in part.headings if each.start or part is parts[0]]
    assert not any("no" in each for each in found)
    lines = path.read_text().split("\n")
    for part in parts:
        assert part.place is not None and part.place.lines is not None
        assert lines[part.place.lines[0] - 1] == part.text.split("\n")[0]
