"""Every file of a collection of real and odd ones, where there is one."""

import codecs
import re

import pytest

from quarry.indexer.formats import supported
from quarry.indexer.loaders.decoding import clean, decode
from quarry.indexer.loaders.loading import load
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.search.errors import FileMalformed, LoadError, UnsupportedType
from tests.measuring_data import FILES, needs_data

pytestmark = needs_data


@pytest.mark.fault("17")
def test_every_file_gives_documents_or_a_named_error() -> None:
    files = sorted(path for path in FILES.rglob("*") if path.is_file())
    assert len(files) >= 532
    failed: dict[str, LoadError] = {}
    documents = 0
    with Sandbox(timeout=10) as sandbox:
        for path in files:
            try:
                for parsed in sandbox.load(path):
                    documents += 1
                    assert parsed.text == parsed.text.strip()
                    assert parsed.text or parsed.picture or parsed.scan
                    parsed.text.encode()
            except UnsupportedType:
                assert not supported(path)
            except LoadError as error:
                failed[str(path.relative_to(FILES))] = error
    assert documents >= 900
    assert all(isinstance(error, FileMalformed) for error in failed.values())
    assert not any("parser failed" in str(error) or "crashed" in str(error) for error in failed.values()), failed
    assert len(failed) <= 48, failed


KNOWN = {  # of files whose words are told where they come from, in microsoft/markitdown's tests
    "test.docx": ("314b0a30-5b04-470b-b9f7-eed2c2bec74a", "49e168b7-d2ae-407f-a055-2167576f39a1", "# Abstract"),
    "test_with_comment.docx": ("314b0a30-5b04-470b-b9f7-eed2c2bec74a", "This is a test comment. 12df-321a"),
    "equations.docx": ("m=1", "sin", "2.2×10^(-4)"),
    "test.pptx": ("2cdda5c8-e50e-4db4-b5f0-9722a649f455", "04191ea8-5c73-4215-a1d3-1cfb43aaaf12",
                  "44bf7d06-5e7a-4a40-a2e1-a2e42ef28c8a", "1b92870d-e3b5-4e65-8153-919f4ff45592",
                  "a3f6004b-6f4f-4ea8-bee3-3741f4dc385f", "2003"),
    "test.xlsx": ("Alpha", "09060124-b5e7-4717-9d07-3c046eb", "6ff4173b-42a5-4784-9b19-f49caff4d93d"),
    "test.xls": ("09060124-b5e7-4717-9d07-3c046eb", "6ff4173b-42a5-4784-9b19-f49caff4d93d"),
    "test.epub": ("Chapter 1: Test Content", "A bullet point", "This is a blockquote for testing"),
    "test_outlook_msg.msg": ("This is the body of the test email message", "test.sender@example.com"),
    "test_notebook.ipynb": ("# Test Notebook", 'print("markitdown")', "Code Cell Below"),
    "test.json": ("5b64c88c-b3c3-4510-bcb8-da0b200602d8", "9700dc99-6685-40b4-9a3a-5e406dcb37f3"),
    "test.rtf": ("This is a Sample RTF File", "correctly convert RTF files"),
}  # fmt: skip


def test_what_office_files_hold_is_found_in_them() -> None:
    for name, words in KNOWN.items():
        found = list(load(FILES / "office" / name))
        text = "\n".join(
            f"{one.key} {one.text} {one.metadata} " + "\n".join(f"# {each.text}" for each in one.headings)
            for one in found
        )
        assert not [word for word in words if word not in text], name


SUPERSETS = {"SHIFT_JIS": "cp932", "TIS-620": "cp874"}  # what those names mean on the web


def codec_of(folder: str) -> str:
    name = SUPERSETS.get(folder, folder)
    while name:
        try:
            return codecs.lookup(name).name
        except LookupError:
            name = name.rpartition("-")[0]
    return ""


@pytest.mark.fault("17")
@pytest.mark.parametrize("declared", [False, True])
def test_encodings_are_told_apart(declared: bool) -> None:
    wrong, count = [], 0
    for path in sorted((FILES / "text_encodings").rglob("*.*")):
        codec = codec_of(path.parent.name)
        if not codec or not path.is_file():
            continue  # EUC-TW, which Python does not know
        data = path.read_bytes()
        named = re.search(rb"(?:charset|encoding)\s*=\s*[\"']?([\w-]+)", data[:1024]) if declared else None
        count += 1
        try:
            found = clean(decode(data, named[1].decode() if named else ""))
        except FileMalformed as error:
            found = str(error)
        if found != clean(data.decode(codec, "replace")):
            wrong.append(str(path))
    assert count >= 87
    assert len(wrong) <= 0.02 * count, wrong
