"""Messages: decoded headers, new words before quoted ones, attachments as documents of their own."""

import random
from pathlib import Path

import pytest

from quarry.indexer.loaders.loading import load
from quarry.indexer.loaders.office.rtf_compressed import inflated
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed
from tests import mail_files as made

TOLD = {
    "subject": "한국 Tides of the harbour",
    "author": "아서 Ada",
    "from": "아서 Ada <ada@example.org>",
    "date": "2024-05-31T10:20:30+09:00",
    "to": ["Bo <bo@example.org>", "Lee, Cy <cy@example.org>"],
    "cc": ["Dé <de@example.org>"],
    "attachments": ["levels.csv", "Forwarded.eml"],
}


def read(folder: Path, name: str, data: bytes) -> list[Parsed]:
    path = folder / name
    path.write_bytes(data)
    return list(load(path))


def test_a_message_and_its_attachments(tmp_path: Path) -> None:
    message, row, inner = read(tmp_path, "a.eml", made.MESSAGE)
    assert message.text == (
        "High water is at nine.\n\nAm 30. Mai schrieb Bo:\n> When is high water?\n> Bo\n\n-- \nAda Byron"
    )
    assert (message.key, message.title, dict(message.metadata)) == ("", TOLD["subject"], TOLD)
    assert (row.key, row.text, row.type) == ("levels.csv#row=1", "port: Busan\nlevel: 3", "text/csv")
    assert (inner.key, inner.title, inner.text) == ("Forwarded.eml", "Forwarded", "Inner words.")
    for name in ("1717118430.M1P2.host:2,S", "1717118430.1_2.mail.example.net"):
        assert read(tmp_path, name, made.MESSAGE)[0] == message


def test_bodies_of_all_sorts(tmp_path: Path) -> None:
    (html,) = read(tmp_path, "html.eml", made.HTML)
    assert (html.text, html.title) == ("항구\n\nLow water.", "Only HTML")
    for name, body, expected in [
        ("charset", b"Content-Type: text/plain; charset=x-none\n\nBl\xc3\xa4ue", "Bläue"),
        ("raw", "Subject: Größe\n\nWords.".encode(), "Words."),
        ("latin", "Subject: Größe\n\nWörter.".encode("latin-1"), "Wörter."),
        ("base64", b"Content-Transfer-Encoding: base64\n\nV29yZHM=!!", "Words"),
        ("flowed", b"Content-Type: text/plain; format=flowed\n\nOne \ntwo.\n-- \nMe", "One two.\n\n-- \nMe"),
        ("multipart", b"Content-Type: multipart/mixed\n\nWords without bounds.", "Words without bounds."),
        ("unended", b'Content-Type: multipart/mixed; boundary="b"\n\n--b\n\nWords.', "Words."),
        ("header", b"Subject: =?utf-8?b?!!?= x\nFrom: <<,\nDate: never\nTo: (((\n\nWords.", "Words."),
        ("above", b"Subject: x\n\nNew.\n--\nMe\n> old", "New.\n--\nMe\n\n> old"),
    ]:
        (parsed,) = read(tmp_path, f"{name}.eml", b"X: y\n" + body)
        assert parsed.text == expected, name


def test_what_can_not_be_read_of_a_message_is_told_beside_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "a.eml"
    path.write_bytes(made.MESSAGE.replace(b"levels.csv", b"levels.pdf"))
    items = load(path)
    assert next(items).title == TOLD["subject"]
    with pytest.raises(FileMalformed, match=r"1 of its 1 attachments could not be read \(levels.pdf: it is no PDF"):
        list(items)
    with pytest.raises(FileMalformed, match="header is missing"):
        read(tmp_path, "b.eml", b"\0\1\2 no header")


def test_messages_of_a_mailbox_are_named_by_their_ids(tmp_path: Path) -> None:
    second = made.HTML.replace(b"Low water", b"\nFrom here")
    found = read(tmp_path, "Inbox", made.mbox(made.MESSAGE, second, made.MESSAGE))
    one = "id=<one@example.org>"
    keys = [one, f"{one}#levels.csv#row=1", f"{one}#Forwarded.eml", "message=2"]
    assert [parsed.key for parsed in found] == [*keys, *(key.replace(one, "message=3") for key in keys[:3])]
    assert found[3].text == "항구\n\nFrom here."


def test_messages_of_outlook(tmp_path: Path) -> None:
    message, row, inner = read(tmp_path, "a.msg", made.outlook())
    assert (message.title, message.text) == (made.WORDS, "High water is at nine.")
    assert dict(message.metadata) == {
        "subject": made.WORDS,
        "author": "Ada Byron",
        "from": "Ada Byron <ada@example.org>",
        "date": "2024-05-31T01:20:30+00:00",
        "to": ["Bo", "Cy"],
        "attachments": ["levels.csv", "Forwarded.msg"],
    }
    assert (row.key, row.text) == ("levels.csv#row=1", "port: Busan\nlevel: 3")
    assert (inner.key, inner.title, inner.text) == ("Forwarded.msg", "Forwarded", "Inner words.")
    html = {"__substg1.0_10130102": b"<p>High <b>water</b>.</p>".ljust(4096)}
    assert read(tmp_path, "b.msg", made.outlook(html))[0].text == "High water."
    packed = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    assert read(tmp_path, "c.msg", made.outlook({"__substg1.0_10090102": packed}))[0].text == "hello world"
    assert inflated(packed) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"  # MS-OXRTFCP 3.1.1
    rng = random.Random(1)
    for _ in range(200):
        inflated(packed[:8] + b"LZFu" + rng.randbytes(60))
