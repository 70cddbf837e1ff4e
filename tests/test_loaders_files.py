"""Every file of a collection of real and odd ones, where there is one."""

import codecs
import os
import re
from pathlib import Path

import pytest

from quarry.indexer.formats import supported
from quarry.indexer.loaders.decoding import clean, decode
from quarry.indexer.loaders.sandbox import Sandbox
from quarry.search.errors import FileMalformed, LoadError, UnsupportedType

FOLDER = Path(os.environ.get("QUARRY_TEST_DATA", ""), "loader_files")
pytestmark = pytest.mark.skipif("QUARRY_TEST_DATA" not in os.environ, reason="QUARRY_TEST_DATA names no folder")


@pytest.mark.fault("17")
def test_every_file_gives_documents_or_a_named_error() -> None:
    files = sorted(path for path in FOLDER.rglob("*") if path.is_file())
    assert len(files) >= 532
    failed: dict[str, LoadError] = {}
    documents = 0
    with Sandbox(timeout=10) as sandbox:
        for path in files:
            try:
                for parsed in sandbox.load(path):
                    documents += 1
                    assert parsed.text == parsed.text.strip()
                    assert parsed.text or parsed.picture
                    parsed.text.encode()
            except UnsupportedType:
                assert not supported(path)
            except LoadError as error:
                failed[str(path.relative_to(FOLDER))] = error
    assert documents >= 900
    assert all(isinstance(error, FileMalformed) for error in failed.values())
    assert not any("parser failed" in str(error) or "crashed" in str(error) for error in failed.values()), failed
    assert len(failed) <= 48, failed


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
    for path in sorted((FOLDER / "text_encodings").rglob("*.*")):
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
