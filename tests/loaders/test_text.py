import codecs
import os
from dataclasses import replace
from pathlib import Path

import pytest

from quarry.indexer.formats import FORMATS, supported
from quarry.indexer.loaders.base import LoadOptions
from quarry.indexer.loaders.decoding import clean, decode, reading
from quarry.indexer.loaders.loading import load
from quarry.search.errors import FileMalformed, FileUnreadable, UnsupportedType
from quarry.search.types import Heading, Parsed
from quarry.search.values.places import Place


def read(folder: Path, name: str, data: bytes, options: LoadOptions | None = None) -> list[Parsed]:
    path = folder / name
    path.write_bytes(data)
    return list(load(path, options))


@pytest.mark.parametrize(
    ("name", "type", "language"),
    [
        ("a.txt", "text/plain", None),
        ("A.PY", "text/x-python", "python"),
        ("a.cpp", "text/x-c++", "c++"),
        ("a.yaml", "text/x-yaml", "yaml"),
        ("README", "text/plain", None),
        ("Makefile", "text/plain", None),
        ("README.Debian", "text/plain", None),
        ("changelog.Debian.amd64", "text/plain", None),
        ("syslog.1", "text/plain", None),
    ],
)
def test_text_and_code_are_read_as_they_are(tmp_path: Path, name: str, type: str, language: str | None) -> None:
    (parsed,) = read(tmp_path, name, b"  def f():\r\n\treturn 1\r\n\n")
    metadata = {"language": language} if language else {}
    text = "def f():\n\treturn 1"
    assert replace(parsed, headings=()) == Parsed(text, type, metadata=metadata, place=Place(lines=(1, 2)))
    assert supported(Path(name))


def test_the_suffix_table_has_at_least_sixty_languages() -> None:
    assert len({form.language for form in FORMATS.values()} - {""}) >= 60


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.pdf", "a.csv", "a.json", "a.jsonl", "README"])
@pytest.mark.parametrize("data", [b"", b" \n\t "])
def test_an_empty_file_has_no_documents(tmp_path: Path, name: str, data: bytes) -> None:
    if name == "a.pdf" and data:
        pytest.skip("white space is no PDF")
    assert read(tmp_path, name, data) == []


@pytest.mark.parametrize("name", ["a.xyz", "a.pages", "a.key", "a.dwg"])
def test_an_unknown_suffix_is_unsupported(tmp_path: Path, name: str) -> None:
    assert not supported(Path(name))
    with pytest.raises(UnsupportedType, match=name[1:]):
        read(tmp_path, name, b"text")


@pytest.mark.fault("17")
@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        b"PK\x03\x04" + bytes(100),
        bytes(range(256)) * 20,
        b"\x00\x01\x02\x03" * 5000,
        b"\x7fELF" + bytes(1000),
        b"\0" * 5000,
    ],
    ids=["png", "zip", "every byte", "counting", "program", "zeros"],
)
def test_binary_content_is_reported_under_a_text_name_and_skipped_without_a_suffix(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(FileMalformed, match="suffix of its own type"):
        read(tmp_path, "a.txt", data)
    with pytest.raises(UnsupportedType):
        read(tmp_path, "program", data)


def test_what_a_wrong_suffix_hides_is_read_as_what_it_is(tmp_path: Path) -> None:
    (parsed,) = read(tmp_path, "page.txt", b"<!-- x --><!DOCTYPE html><title>T</title><p>words")
    assert (parsed.type, parsed.title, parsed.text) == ("text/html", "T", "words")
    with pytest.raises(FileMalformed, match="no PDF"):
        read(tmp_path, "a.pdf", b"just words")


KOREAN = "한국어 문장이 여기에 있습니다. 서울은 대한민국의 수도이다. 한강이 도시를 가로질러 흐른다.\n" * 3
RUSSIAN = "Москва является столицей России. Она стоит на реке Москве, и в ней живут миллионы людей.\n" * 3
GERMAN = "Über den Dächern von Köln läuten schöne Glocken, während Gäste größere Brötchen genießen.\n" * 3
JAPANESE = "東京は日本の首都であり、世界でも有数の大都市です。多くの人々がここで暮らしています。\n" * 3


@pytest.mark.fault("17")
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (KOREAN, "utf-8"),
        (KOREAN, "utf-8-sig"),
        (KOREAN, "utf-16"),
        (KOREAN, "utf-32"),
        (GERMAN, "utf-16-le"),
        (GERMAN, "utf-16-be"),
        (KOREAN, "cp949"),
        (JAPANESE, "cp932"),
        (JAPANESE, "euc-jp"),
        (JAPANESE, "iso-2022-jp"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (GERMAN, "cp1252"),
        ("“smart” – €", "cp1252"),
        ("Ünïcödé café £5", "latin-1"),
    ],
)
def test_encodings_are_told_apart(tmp_path: Path, text: str, encoding: str) -> None:
    data = text.encode(encoding)
    assert clean(decode(data)) == text.strip()
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    with path.open("rb") as stream:
        with reading(stream) as lines:
            assert clean(lines.read()) == text.strip()
        assert not stream.closed


SHORT = {
    "cp1252": "25 °C|10 × 2 mm|€ 40|It’s late – go.|§ 4, 10 ½ inch|café|“so” he said|• one|5 µm|100 m² of land|Größe 38"
    "|El Niño|¿Qué?|São Paulo|Malmö|garçon|Ærø|l’été à la mer|Übung macht den Meister|œuvre complète|coração"
    "|smörgåsbord|«oui»|„so“ 10 ‚A.‘|Hawai‘i|—“so”|£5|Acme™|Wait…|±3|±3|naïveté|Thérèse"
    "|crème brûlée|Molière|hè|Citroën 2CV|Íslensk orð og þýð|ÄÖÜ|30 %–40 %|déjà vu|Encyclopædia|Château|für\tund",
    "cp1250": "Zażółć gęślą jaźń|Łódź|Wałęsa|Dvořák|Příliš žluťoučký kůň|Václav Havel byl český|Győr|Bolesław Prus|kość"
    "|mąka|árvíztűrő tükörfúrógép|Poznań|większość|Timişoara|Nový Jičín|čtyři|načíst|nebezpečí|Čapek|čaj"
    "|/* načte soubor */|Ştefan|Žďár|// počet řádků|# liczba wątków",
    "iso8859-2": "Příliš žluťoučký kůň|Zażółć gęślą jaźń",
    "cp1253": "Ελλάδα|Αγορά: γάλα, ψωμί|Καλημέρα κόσμε",
    "cp1255": "שלום|שלום עולם|רשימת קניות: חלב, לחם, ביצים",
    "cp1251": "Нет|Москва|Привет, мир|# список файлов",
    "koi8-r": "Москва|Война и мир",
    "cp949": "한국어|서울|# 설정 파일|가격 5000원|회의록",
    "cp932": "名前,年\n田中,2020|東京|こんにちは|カタカナ|会議メモ",
    "euc-jp": "牛乳を買う|メモ：予算",
    "gb18030": "北京|City: 北京|中文|北京市海淀区|会议记录|说明|价格 100 元",
    "big5": "台北市|會議記錄|測試檔案",
    "mac-roman": "café|Müller und Söhne",
    "iso8859-15": "5 € für Bœuf",
    "cp850": "Müller",
    "cp1254": "Türkçe ağaç|İzmir ve Ankara|Şişli|Kadıköy|Doğu Karadeniz bölgesi",
    "utf-16-le": "hello|서울은|Москва|Größe|a\nb",
    "utf-16-be": "hello|서울은|Москва|Größe|a\nb",
}


@pytest.mark.fault("17")
@pytest.mark.parametrize(
    ("encoding", "text"), [(encoding, text) for encoding, texts in SHORT.items() for text in texts.split("|")]
)
def test_short_texts_are_read(tmp_path: Path, encoding: str, text: str) -> None:
    assert decode(text.encode(encoding)) == text


def test_a_comment_in_code_tells_its_encoding(tmp_path: Path) -> None:
    code = "int main() { return 0; }\n" * 400
    for text in ("// spočítá počet řádků\n", "/* liczba wątków */\n", "// gültige Länge, z. B. 5 µm\n"):
        encoding = "cp1252" if "ü" in text else "cp1250"
        (parsed,) = read(tmp_path, "a.c", (code + text + code).encode(encoding))
        assert text.strip() in parsed.text


@pytest.mark.fault("17")
@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"caf\xc3\xa9, 25 \xb0C", "café, 25 °C"),
        ("naïve “words” – ".encode() + b"caf\xe9", "naïve “words” – café"),
        (KOREAN.encode() + b" \xff\xfe end", KOREAN + " \ufffd\ufffd end"),
        ("Spaß” für".encode("cp1252"), "Spaß” für"),
        ("5 € or ".encode() + b"caf\xe9", "5 € or café"),
        ("a 🎉 at the ".encode() + b"caf\xe9", "a 🎉 at the café"),
    ],
)
def test_single_bytes_that_are_no_utf8_cost_nothing_else(tmp_path: Path, data: bytes, text: str) -> None:
    assert decode(data) == text
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    with path.open("rb") as stream, reading(stream) as lines:
        assert lines.read() == text


def test_a_declared_encoding_counts_where_the_bytes_agree(tmp_path: Path) -> None:
    (parsed,) = read(tmp_path, "a.py", b"# -*- coding: koi8-r -*-\nx = '" + "мир".encode("koi8-r") + b"'")
    assert "мир" in parsed.text
    (parsed,) = read(tmp_path, "a.py", b"# coding: latin-1\nx = '" + "мир".encode() + b"'")
    assert "мир" in parsed.text


def test_mostly_valid_utf8_stays_utf8(tmp_path: Path) -> None:
    (parsed,) = read(tmp_path, "a.txt", KOREAN.encode() + b"\xff\xfe broken \xed\xa0\x80 end")
    assert parsed.text.startswith(KOREAN.strip()) and "broken" in parsed.text
    assert not any("\ud800" <= character <= "\udfff" for character in parsed.text)


def test_a_long_ascii_beginning_does_not_decide_the_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"plain words\n" * 200_000 + KOREAN.encode("cp949"))
    with path.open("rb") as stream, reading(stream) as lines:
        assert lines.read().endswith(KOREAN)
    assert decode(path.read_bytes()).endswith(KOREAN)


@pytest.mark.fault("17")
def test_nul_and_control_characters_are_removed(tmp_path: Path) -> None:
    (parsed,) = read(tmp_path, "a.txt", b"abc\0def\0\0ghi\x07\x1b[0m\x0ctab\there" + b" and more words" * 9)
    assert parsed.text == "abcdefghi[0m\ntab\there" + " and more words" * 9
    assert clean("a\u2028b\x85c\ud800\ufeff\x9f") == "a\nb\nc"


def test_ansi_colours_do_not_hide_utf8() -> None:
    assert decode(b"\x1b[31m" + KOREAN.encode() + b"\x1b(B") == f"\x1b[31m{KOREAN}\x1b(B"


@pytest.mark.parametrize("bom", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF32_BE])
def test_a_mark_and_nothing_else_is_empty(tmp_path: Path, bom: bytes) -> None:
    assert read(tmp_path, "a.txt", bom) == []


@pytest.mark.fault("18")
def test_a_file_over_the_limit_is_refused_by_its_size_alone(tmp_path: Path) -> None:
    path = tmp_path / "huge.vcf"
    path.touch()
    os.truncate(path, 2**30)  # a sparse gigabyte
    with pytest.raises(FileMalformed, match="larger than 256 MiB"):
        list(load(path))
    assert [parsed.text for parsed in read(tmp_path, "a.txt", b"12345", LoadOptions(max_bytes=5))] == ["12345"]
    with pytest.raises(FileMalformed, match="larger than"):
        read(tmp_path, "a.txt", b"123456", LoadOptions(max_bytes=5))


@pytest.mark.fault("15")
def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "real.txt").write_text("words")
    (tmp_path / "link.txt").symlink_to("real.txt")
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    for name in ("pipe.txt", "folder.txt", "link.txt", "loop.txt", "missing.txt"):
        with pytest.raises(FileUnreadable):
            list(load(tmp_path / name))
    with pytest.raises(FileUnreadable, match="device"):
        list(load(Path("/dev/zero")))


@pytest.mark.fault("14")
def test_a_file_that_changes_while_it_is_read_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name\none\ntwo\n")
    rows = load(path)
    next(rows)
    path.write_text("name\none\ntwo\nthree\n")
    with pytest.raises(FileUnreadable, match="changed while it was read"):
        list(rows)


def test_a_name_that_is_no_utf8_is_opened(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff\xfe.txt")
    path.write_text("words")
    assert [parsed.text for parsed in load(path)] == ["words"]


RST = """\
=====
Title
=====

Words.

Part one
--------

More::

    code

Deep
~~~~
Part two
--------
"""


def test_restructured_text_has_headings(tmp_path: Path) -> None:
    (parsed,) = read(tmp_path, "a.rst", RST.encode())
    assert parsed.title == "Title"
    assert parsed.headings == (
        Heading(0, 1, "Title"),
        Heading(RST.index("Part one"), 2, "Part one"),
        Heading(RST.index("Deep"), 3, "Deep"),
        Heading(RST.index("Part two"), 2, "Part two"),
    )
