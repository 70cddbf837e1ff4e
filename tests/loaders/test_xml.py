from pathlib import Path

import pytest

from quarry.indexer.loaders.loading import load
from quarry.search.types import Parsed


def read(folder: Path, text: str | bytes, name: str = "a.xml") -> list[Parsed]:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(load(path))


RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel><title>River news</title><description>About rivers</description>
<item><title>Otters &amp; eels</title><link>http://x/1</link><guid>n1</guid><dc:creator>Ada</dc:creator>
<pubDate>Mon, 06 Sep 2021 10:00:00 +0200</pubDate><category>a</category><category>b</category>
<description><![CDATA[<p>Otters <b>swim</b> &amp; eat.</p><p>Second</p>]]></description></item>
<item><title>Two&nbsp;things</title><description>&lt;p&gt;In short &amp;eacute;&lt;/p&gt;</description>
<content:encoded><![CDATA[<div>In full</div>]]></content:encoded></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>F</title><entry>
<title type="html">A &lt;b&gt;bold&lt;/b&gt; title</title><id>urn:1</id><published>2021-01-02T03:04:05Z</published>
<updated>2022-01-01T00:00:00Z</updated><link href="http://x/1"/><author><name>Ada</name><uri>u</uri></author>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Words <em>within</em></p></div></content>
</entry></feed>"""


@pytest.mark.parametrize("name", ["a.xml", "a.rss"])
def test_an_item_of_a_feed_is_a_document(tmp_path: Path, name: str) -> None:
    first, second = read(tmp_path, RSS, name)
    assert (first.key, first.title, first.text) == ("id=n1", "Otters & eels", "Otters swim & eat.\n\nSecond")
    assert first.metadata == {
        "id": "n1",
        "title": "Otters & eels",
        "link": "http://x/1",
        "author": "Ada",
        "date": "2021-09-06T10:00:00+02:00",
        "category": ["a", "b"],
        "feed": "River news",
    }
    assert (second.key, second.title, second.text) == ("row=2", "Two things", "In full")


def test_an_entry_of_atom_is_a_document(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, ATOM, "a.atom")
    assert (entry.key, entry.title, entry.text) == ("id=urn:1", "A bold title", "Words within")
    assert entry.metadata == {
        "id": "urn:1",
        "title": "A bold title",
        "date": "2021-01-02T03:04:05Z",
        "link": "http://x/1",
        "author": "Ada",
        "feed": "F",
    }


@pytest.mark.parametrize(
    ("markup", "title", "text"),
    [
        (
            "<catalog><book id='b1'><author>Ralls</author><price>44.95</price></book><book id='b2'>"
            "<author>Corets</author></book></catalog>",
            "",
            "id: b1\nauthor: Ralls\nprice: 44.95\n\nid: b2\nauthor: Corets",
        ),
        (
            "<article xmlns='http://docbook.org/ns/docbook'><info><title>Eels</title></info><section xml:id='x'>"
            "<title>Life</title><para>Eels <emph>swim</emph>\n far.</para><para>More.</para></section></article>",
            "Eels",
            "Eels\n\nLife\n\nEels swim far.\n\nMore.",
        ),
        (
            "<resources><string name='app'>Quarry</string><item value='x' on='true'/></resources>",
            "",
            "app: Quarry\nitem value: x; on: true",
        ),
        ("<a><!-- no --><?no pi?><t><![CDATA[1 < 2 & <b>]]></t></a>", "", "t: 1 < 2 & <b>"),
        ("<!DOCTYPE p [<!ENTITY own 'Own'>]><p>&own; &eacute;&#8364; &unknown;</p>", "", "Own é€ &unknown;"),
        ("<p>broken & <b>not</i> closed<q>", "", "broken & not closed"),
        ("<x>café</x>", "", "x: café"),
    ],
)
def test_xml_is_text_without_tags(tmp_path: Path, markup: str, title: str, text: str) -> None:
    (parsed,) = read(tmp_path, markup)
    assert (parsed.type, parsed.title, parsed.text) == ("text/x-xml", title, text)


def test_the_encoding_that_xml_declares_is_followed(tmp_path: Path) -> None:
    (parsed,) = read(tmp_path, "<?xml version='1.0' encoding='koi8-r'?><p>мир</p>".encode("koi8-r"))
    assert parsed.text == "мир"
    (parsed,) = read(tmp_path, "<?xml version='1.0' encoding='utf-16'?><p>мир</p>".encode("utf-16"))
    assert parsed.text == "мир"


def test_nothing_is_fetched_and_nothing_explodes(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret words")
    outside = f"<!DOCTYPE p [<!ENTITY e SYSTEM 'file://{tmp_path}/secret'>]><p>words &e;</p>"
    assert "secret" not in read(tmp_path, outside)[0].text
    entities = "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * 10}'>" for n in range(1, 12))
    bomb = f"<!DOCTYPE p [<!ENTITY e0 'ha'>{entities}]><p>words &e11;</p>"
    assert len(read(tmp_path, bomb)[0].text) < 10_000
    assert read(tmp_path, "<a>" * 50_000 + "deep")[0].text == "deep"
    assert read(tmp_path, "<a>" * 50_000 + "deep" + "</a>" * 50_000)[0].text.endswith("deep")
