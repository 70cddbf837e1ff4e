from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quarry.api import Library, Text
from quarry.search.errors import FileMalformed, InvalidRequest, NotFound, UnsupportedType
from quarry.search.models.fake import FakeWriter
from quarry.search.models.live import GivenModels
from tests.folders import SAMPLE

CANAL = SAMPLE / "history" / "panama-canal.txt"


@pytest.fixture(scope="module")
def library(sample_library: Path) -> Iterator[Library]:
    with Library(sample_library) as opened:
        yield opened


def test_a_document_and_its_file_have_one_summary(library: Library) -> None:
    (document,) = library.search("Panama Canal", mode="lexical", limit=1, filter={"path": str(CANAL)}).hits
    by_id, by_path = library.summarize(document.document.id), library.summarize(CANAL)
    assert by_id.text == by_path.text
    assert by_id.model == ""
    text = library.text(document.document.id)
    for sentence in by_id.sentences:
        ((hit, start, end),) = sentence.sources
        assert text[start:end] == sentence.text
        assert hit.document.id == document.document.id
    assert {hit.document.uri for sentence in by_path.sentences for hit, *_ in sentence.sources} == {str(CANAL)}


def test_a_file_of_several_items_is_one_text(library: Library) -> None:
    file = next(SAMPLE.rglob("*.csv"))
    summary = library.summarize(file)
    assert len({sentence.text for sentence in summary.sentences}) == len(summary.sentences) > 1


def test_a_korean_file_is_summarized_in_korean(library: Library) -> None:
    file = SAMPLE / "korean" / "hangul.md"
    text = file.read_text("utf-8")
    assert all(sentence.text in text for sentence in library.summarize(file).sentences)


def test_a_file_is_summarized_without_a_library(tmp_path: Path, library: Library) -> None:
    with Library(tmp_path / "none") as without:
        assert without.summarize(CANAL).text == library.summarize(CANAL).text
        with pytest.raises(NotFound, match=r"There is no file 'nothing of that name'\. There is no library at "):
            without.summarize("nothing of that name")
    assert not (tmp_path / "none").exists()


def test_a_model_is_given_passages_of_whole_sentences_and_its_own_are_tied_to_them(
    sample_library: Path,
) -> None:
    said = "The canal opened on 15 August 1914. Unicorns dug it."
    writer = FakeWriter(lambda _: said)
    with Library(sample_library, models=GivenModels(summarizer=writer)) as library:
        summary = library.summarize(CANAL)
    (prompt,) = writer.asked
    text = CANAL.read_text("utf-8").strip()
    assert " ".join(text.split()) == " ".join(prompt.text.split())
    assert (summary.text, summary.model) == (said, "fake-writer")
    opened, unicorns = summary.sentences
    assert unicorns.sources == ()
    hit, start, end = opened.sources[0]
    assert "15 August 1914" in text[start:end]
    assert text[hit.start : hit.end] == hit.text


@pytest.mark.parametrize("reference", ["nothing", "x" * 5_000, "~nobody-of-this-name/x", "a\0b", "한글"])
def test_what_is_neither_is_not_found(library: Library, reference: str) -> None:
    with pytest.raises(NotFound, match="no document with the id or path"):
        library.summarize(reference)


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [("a.md", b"", InvalidRequest), ("a.md", b" \n\n", InvalidRequest), ("a.exe", b"MZ", UnsupportedType),
     ("a.pdf", b"%PDF-1.7 broken", FileMalformed)],
)  # fmt: skip
def test_what_holds_no_text_is_named(
    library: Library, tmp_path: Path, name: str, content: bytes, error: type[Exception]
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=name):
        library.summarize(tmp_path / name)


def test_a_text_that_was_handed_over_is_summarized(tmp_path: Path) -> None:
    with Library(tmp_path / "library") as library:
        (id,) = library.add([Text(text := "The Moon raises two tides a day. Sailors plan journeys by tides.", "Tides")])
        assert library.summarize(id).text == text
