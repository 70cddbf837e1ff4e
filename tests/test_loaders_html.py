from pathlib import Path

import pytest

from indexer.loaders.base import load
from search.types import Parsed


def read(folder: Path, markup: str | bytes) -> Parsed:
    path = folder / "a.html"
    path.write_bytes(markup if isinstance(markup, bytes) else markup.encode())
    (parsed,) = load(path)
    return parsed


PAGE = """<!DOCTYPE html>
<html lang="en"><head><title>The  title
 &amp; more</title><meta name="description" content="What it says"><meta name=author content="Ada">
<meta property="article:published_time" content="2024-05-06"><style>p {}</style></head>
<body>
<header><h1>Site name</h1></header><nav><a href=/>Home</a></nav>
<main>
  <h1>Main <em>heading</em><a class="headerlink" href="#x">¶</a></h1>
  <p>First <b>bold</b>, in<i>line</i> text.<br>Next line.</p>
  <script>var x = "no";</script><div hidden>hidden</div><div style="display: none">unseen</div>
  <ul><li>one<li>two</ul>
  <table><tr><th>Name<th>Height<tr><td>Everest<td>8,849 m</table>
  <pre>keep
  this</pre>
  <h2>Part</h2><p>Last&nbsp;words&#0;&#xD800;.
  <aside>An aside.</aside>
</main>
<footer>All rights reserved</footer></body></html>"""


def test_main_text_title_headings_and_metadata(tmp_path: Path) -> None:
    parsed = read(tmp_path, PAGE)
    assert parsed.title == "The title & more"
    assert parsed.metadata == {"description": "What it says", "author": "Ada", "date": "2024-05-06", "lang": "en"}
    assert parsed.text == (
        "Main heading\n\nFirst bold, inline text.\nNext line.\n\none\ntwo\n\nName | Height\nEverest | 8,849 m\n\n"
        "keep\n  this\n\nPart\n\nLast\xa0words\ufffd\ufffd.\n\nAn aside."
    )
    assert [(heading.level, heading.text) for heading in parsed.headings] == [(1, "Main heading"), (2, "Part")]
    for heading in parsed.headings:
        assert parsed.text.startswith(heading.text, heading.start)


def test_a_page_without_main_loses_its_furniture(tmp_path: Path) -> None:
    menu = "<ul>" + "".join(f"<li><a href='{i}'>Menu {i}</a>" for i in range(6)) + "</ul>"
    body = f"<header>Top</header>{menu}<div>Real text that <a href='x'>links</a> somewhere.</div><footer>End</footer>"
    assert read(tmp_path, f"<body>{body}").text == "Real text that links somewhere."


def test_a_page_of_nothing_but_links_keeps_them(tmp_path: Path) -> None:
    menu = "<ul>" + "".join(f"<li><a href='{i}'>Entry {i}</a>" for i in range(6)) + "</ul>"
    assert "Entry 5" in read(tmp_path, f"<body>{menu}</body>").text
    assert "Entry 5" in read(tmp_path, f"<body><main>{menu}{menu}</main></body>").text


def test_a_small_main_does_not_hide_a_large_body(tmp_path: Path) -> None:
    assert "the real text" in read(tmp_path, f"<main>Loading</main><div>{'Here is the real text. ' * 20}</div>").text


def test_an_unclosed_title_swallows_nothing(tmp_path: Path) -> None:
    parsed = read(
        tmp_path, "<html><head><title>Broken<body><p>one<p>two<table><tr><td>cell<script>if(a<b){}</script>tail"
    )
    assert parsed.title == "Broken"
    assert parsed.text.split() == ["one", "two", "celltail"]


def test_without_a_title_the_first_heading_is_it(tmp_path: Path) -> None:
    assert read(tmp_path, "<h2>Two</h2><h1>One</h1><p>words").title == "One"
    assert read(tmp_path, '<meta property="og:title" content="Open graph"><p>words').title == "Open graph"


@pytest.mark.parametrize(
    ("declaration", "encoding"),
    [('<meta charset="euc-kr">', "cp949"), ("<meta http-equiv=x content='text/html; charset=koi8-r'>", "koi8-r")],
)
def test_the_declared_encoding_is_followed(tmp_path: Path, declaration: str, encoding: str) -> None:
    words = "짧다" if encoding == "cp949" else "мир"
    assert read(tmp_path, f"{declaration}<p>{words}".encode(encoding)).text == words


def test_deep_nesting_is_walked_without_recursion(tmp_path: Path) -> None:
    assert read(tmp_path, "<div>" * 5_000 + "deep").text == "deep"
    assert read(tmp_path, "<b>" * 200 + "<p>x" * 50).text.count("x") == 50
