from pathlib import Path

import pytest

from quarry.indexer.loaders.loading import load
from quarry.search.types import Parsed


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


WORDS = "The Gorston branch is closed for rebuilding until spring, when it opens again with a new hall."
MENU = "".join(f"<li><a href='/{n}'>Entry {n}</a></li>" for n in range(6))


@pytest.mark.parametrize(
    "markup",
    [
        f"<a href='#c'>Skip to content</a><form id=aspnetForm><div id=c><h1>Hours</h1><p>{WORDS}</p></div></form>",
        f"<form><table><tr><td>Hours<td>{WORDS}</table></form>",
        f"<header><h1>Hours</h1><p>{WORDS}</p><nav>{MENU}</nav></header><div>More</div>",
        f"<header><h1>Hours</h1></header><main><p>{WORDS}</p></main>",
        f"<div class=hero><h1>Hours</h1><p>Lead</p></div><main><p>{WORDS}</p></main>",
        f"<section><header><h2>Hours</h2></header><p>{WORDS}</p><footer>By Ada</footer></section>",
        f"<h2><button aria-expanded=false>Hours</button></h2><div hidden='until-found'>{WORDS}</div>",
        f"<h2><button>Hours</button></h2><div style='display:none'><p>{WORDS}</p></div>",
        f"<button data-bs-toggle=collapse data-bs-target='#a'>Hours</button><div id=a aria-hidden=true>{WORDS}</div>",
        f"<button class=accordion>Hours</button><div class=panel style='DISPLAY: NONE'><p>{WORDS}</p></div>",
        f"<details><summary>Hours</summary><p>{WORDS}</p></details>",
        f"<ul role=tablist><li><a role=tab href='#a'>Hours</a></ul><div id=a role=tabpanel hidden>{WORDS}</div>",
        f"<p>Hours<span id=more style='display:none'> {WORDS}</span></p><button onclick=x()>Read more</button>",
        f"<dl><dt>Hours<dd hidden>{WORDS}</dl>",
        f"<div style='visibility:hidden'><h1>Hours</h1><p>{WORDS}</p></div>",
        f"<div id=root></div><noscript><p>Hours</p><p>{WORDS}</p></noscript>",
        f"<x-a><template shadowrootmode=open><p>Hours</p><p>{WORDS}</p></template></x-a><template>no</template>",
        f"<h1>Hours</h1><div class=cookie-recipes><h1>Cookies</h1><p>{WORDS}</p></div>",
        f"<article><h2>Hours</h2><p>{WORDS * 2}</p></article><article><h2>B</h2><p>{WORDS}</p></article><h2>B</h2>",
    ],
)
def test_content_that_is_wrapped_or_hidden_is_read(tmp_path: Path, markup: str) -> None:
    text = read(tmp_path, f"<!DOCTYPE html><title>T</title>{markup}").text
    assert WORDS in text and ("Hours" in text or "B" in text)
    assert "Entry" not in text and "Skip" not in text


@pytest.mark.parametrize(
    "markup",
    [
        "<div class='cookie-banner'><p>Lost words: we use cookies to improve what you see on this site.</p></div>",
        "<div id=gdpr style='display:none'><p>Lost words: we use cookies to improve what you see here.</p></div>",
        "<div class=modal aria-hidden=true><p>Lost words: sign up for our letter today and get ten percent.</p></div>",
        "<div role=dialog><p>Lost words: sign up for our letter today and get ten percent off all of it.</p></div>",
        "<div hidden>Lost words</div><p hidden class=error>Lost words: enter a valid name of at least nine letters</p>",
        "<i aria-hidden=true>Lost</i><button aria-expanded=false aria-controls=m>Lost</button><nav id=m hidden>x</nav>",
        "<form action=search><label>Lost</label><input><button>Lost</button></form>",
        "<form><h3>Lost letter</h3><p>Get our best stories each week.</p><input><button>Subscribe</button></form>",
        "<header><a href='/'>Lost</a></header><footer>Lost</footer><aside><h3>Lost</h3></aside><nav>Lost</nav>",
        f"<div class=sidebar><h3>x</h3><ul>{MENU.replace('Entry', 'Lost')}</ul></div>",
        "<ul><li><a href='#a'>Lost</a><li><a href='#b'>Lost</a><li><a href='#c'>Lost</a><li><a href='#d'>Lost</a></ul>",
        "<h2>Part <button>Lost</button></h2>",
        "<noscript>Lost words: enable JavaScript</noscript><template>Lost</template>",
    ],
)
@pytest.mark.parametrize("place", ["before", "after"])
def test_what_is_no_content_stays_out(tmp_path: Path, markup: str, place: str) -> None:
    content = f"<h1>Hours</h1><p>{WORDS}</p><p>{WORDS}</p>"
    text = read(tmp_path, f"<title>T</title><body>{markup}{content}" if place == "before" else content + markup).text
    assert text.count(WORDS) == 2 and "Lost" not in text and "letter" not in text


@pytest.mark.parametrize(
    "markup",
    [
        f"<h1>Recipes</h1><p>All of them.</p><ul>{MENU}</ul>",
        f"<main><h1>Recipes</h1><p>{WORDS * 5}</p><ul>{MENU}</ul></main>",
        f"<main><p>{WORDS * 5}</p><h2>Recipes</h2><ol>{MENU}</ol></main>",
        f"<ul>{MENU}</ul>",
        f"<div class=menu><ul>{MENU}</ul></div>",
        f"<nav><ul>{MENU}</ul></nav>",
        f"<div role=navigation><ol>{MENU}</ol></div>",
    ],
)
def test_a_list_of_links_is_content_where_the_page_is_about_it(tmp_path: Path, markup: str) -> None:
    assert "Entry 0\nEntry 1" in read(tmp_path, f"<title>T</title><body>{markup}").text


def test_a_site_name_above_the_page_is_no_heading_of_it(tmp_path: Path) -> None:
    page = read(tmp_path, f"<title>Winter - Museum</title><header><h1>Museum</h1></header><main><h2>Winter</h2>{WORDS}")
    assert page.text == f"Winter\n\n{WORDS}"
    page = read(
        tmp_path, f"<title>A</title><header><h1><a href='/'>Museum</a></h1></header><main><h2>Winter</h2>{WORDS}"
    )
    assert page.text == f"Winter\n\n{WORDS}"


def test_a_part_that_stands_there_for_phones_again_is_read_once(tmp_path: Path) -> None:
    text = read(tmp_path, f"<h1>A</h1><div>{WORDS}</div><div style='display:none'>{WORDS}</div>").text
    assert text.count(WORDS) == 1


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("10<sup>6</sup> and 10<sup>-3</sup>, 2<sup>n</sup>, x<sup>2</sup>", "10^6 and 10^-3, 2^n, x^2"),
        ("E = mc<sup>2</sup>, 2ab<sup>2</sup> + xy<sup>3</sup>", "E = mc^2, 2ab [2] + xy^3"),
        ("5 m<sup>2</sup>, 3 km<sup>3</sup>", "5 m², 3 km³"),
        ("1<sup>st</sup>, Acme<sup>TM</sup>, H<sub>2</sub>O, 101<sub>2</sub>", "1st, AcmeTM, H2O, 101_2"),
        ("$9<sup>99</sup>", "$9.99"),
        ("river<sup><a href='#n1'>1</a></sup> flows<sup class=reference>[2]</sup>.<sup>*</sup>", "river flows."),
        ("The river<sup>1</sup> flows.<sup>2</sup>", "The river [1] flows. [2]"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<h2>Opening<br>hours</h2>", "Opening hours"),
        ("<dl><dt>Eel<dd>A fish.<dt>Otter<dd>None.</dl>", "Eel\nA fish.\nOtter\nNone."),
        ("<ruby>漢<rt>かん</rt>字<rt>じ</rt></ruby>です", "漢字(かんじ)です"),
        ("<div role=heading aria-level=3>Head</div>words", "Head\n\nwords"),
        ("<table><caption>Heights</caption><tr><td><p>K2</p><td><div>8,611</div> m<td><td><ul><li>a<li>b</ul></table>",
         "Heights\nK2 | 8,611 m | | a, b"),
        ("<h1><img alt='Acme Museum'></h1>words", "Acme Museum\n\nwords"),
        ("Look: <img alt='A heron stands in the reeds'>", "Look: A heron stands in the reeds"),
        ("x<img alt=logo><img alt=IMG_1.jpg><img alt='Big blue icon here'><img alt='' src=a>", "x"),
        ("<figure><img alt='Two otters play'><figcaption>Two otters play</figcaption></figure>", "Two otters play"),
        ("<math><mi>a</mi><annotation>\\alpha</annotation></math><svg><title>no</title></svg>", "a"),
    ],
)  # fmt: skip
def test_what_stands_within_a_line_is_told_apart(tmp_path: Path, markup: str, text: str) -> None:
    assert read(tmp_path, f"<!DOCTYPE html><title>T</title><body>{markup}").text == text


def test_a_page_of_frames_says_what_it_says_without_them(tmp_path: Path) -> None:
    frames = "<frameset cols='20%,80%'><frame src=a.html><noframes><body>Read <a href=b>this</a>.</body></noframes>"
    assert read(tmp_path, f"<html><head><title>T</title></head>{frames}</frameset></html>").text == "Read this."


XHTML = '<?xml version="1.0" encoding="utf-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml"><head>{}</head><body>{}</body></html>'


@pytest.mark.parametrize("name", ["a.xhtml", "a.html", "a.txt", "a.xml"])
@pytest.mark.parametrize(
    ("head", "body", "text"),
    [
        ('<title/><script src="a.js"/><style/>', "<p>Otters <em/>live.</p>", "Otters live."),
        ("<title>T</title>", '<a id="x"/><div class="y" /><p/><textarea/><iframe src="x"/><p>Otters</p>', "Otters"),
        ("<title>T</title>", "<p>1 <![CDATA[< 2 & 3]]></p>", "1 < 2 & 3"),
        ('<script type="text/javascript">//<![CDATA[\nif (a < b) "<p/>";\n//]]></script>', "<p>Otters</p>", "Otters"),
    ],
)
def test_empty_elements_of_xhtml_swallow_nothing(tmp_path: Path, name: str, head: str, body: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(XHTML.format(head, body))
    (parsed,) = load(path)
    assert (parsed.type, parsed.text) == ("text/html", text)


def test_a_script_closed_within_itself_swallows_nothing_in_plain_html(tmp_path: Path) -> None:
    markup = '<head><script src="a.js"/><title/></head><p>Words <a href=http://x.org/>linked</a></p><script>x</script>'
    assert read(tmp_path, markup).text == "Words linked"


def test_entities_and_prefixes_of_xhtml_are_understood(tmp_path: Path) -> None:
    doctype = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "x.dtd" [<!ENTITY prod "Quarry">]>'
    assert read(tmp_path, XHTML.format("", "<p>&prod; &amp; more</p>").replace("<html", f"{doctype}<html")).text == (
        "Quarry & more"
    )
    prefixed = (
        '<?xml version="1.0"?><h:html xmlns:h="http://www.w3.org/1999/xhtml"><h:body><h:p>A</h:p></h:body></h:html>'
    )
    assert read(tmp_path, prefixed).text == "A"
