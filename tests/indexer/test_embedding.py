from __future__ import annotations

import numpy as np
import pytest

from quarry.indexer.embedding import checked as embedding
from quarry.indexer.prepared import content_digest, prepare, restore
from quarry.search.errors import FileMalformed, ModelDamaged, ModelError
from quarry.search.media.text import MEDIUM as TEXTS
from quarry.search.models import embedded_texts
from quarry.search.models.fake import FakeTextEncoder
from quarry.search.types import Chunk, Document, Heading, Parsed, Vectors

PROSE = " ".join(f"Sentence number {n} tells of rivers, glass and 서울의 역사." for n in range(80))


class Bytes(FakeTextEncoder):
    """Makes a token of each byte, as the worst of tokenizers."""

    def token_offsets(self, text: str) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        spans = [(at, at + 1) for at, sign in enumerate(text) for _ in sign.encode() if not sign.isspace()]
        return np.asarray(spans, np.int64).reshape(-1, 2)


@pytest.mark.parametrize(
    "encoder", [FakeTextEncoder(8, max_tokens=n) for n in (1, 3, 16, 254)] + [Bytes(8, max_tokens=60)]
)
@pytest.mark.parametrize("title", ["", "Short", "한국의 역사와 문화에 대한 아주 긴 제목 " * 20])
def test_nothing_that_is_embedded_is_truncated(encoder: FakeTextEncoder, title: str) -> None:
    parsed = Parsed(PROSE, "text/plain", title=title)
    prepared = prepare(parsed, encoder, uri="u", title="t", metadata={}, modified=None)
    assert max(len(encoder.token_offsets(text)) for text in prepared.texts.values()) <= encoder.max_tokens
    covered = "".join(chunk.text for chunk in prepared.document.chunks)
    assert "".join(covered.split()) == "".join(PROSE.split())


def test_the_title_stands_before_each_passage_but_not_twice() -> None:
    encoder = FakeTextEncoder(8)
    context = embedded_texts.context("  A  title\n", encoder)
    assert context == "A title"
    assert embedded_texts.embedded_text(context, Chunk(0, 0, 5, "Text.")) == "A title\nText."
    assert embedded_texts.embedded_text(context, Chunk(0, 0, 13, "A title, too.")) == "A title, too."
    assert len(encoder.token_offsets(embedded_texts.context("word " * 99, encoder))) == embedded_texts.CONTEXT_TOKENS


@pytest.mark.fault("29")
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, 0.5])
def test_a_bad_vector_is_told_apart_from_its_neighbours(value: float) -> None:
    """Row 29."""
    texts = [f"text {n}" for n in range(9)]
    encoder = FakeTextEncoder(8, broken={texts[0]: value, texts[7]: value})
    vectors, bad = embedding.embed(TEXTS, encoder, texts)
    assert set(bad) == {0, 7} and "no usable vector" in bad[7]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [0, 1, 1, 1, 1, 1, 1, 0, 1], rtol=1e-5)


def test_a_text_that_the_encoder_refuses_is_told_apart() -> None:
    class Refusing(FakeTextEncoder):
        def encode_documents(self, texts: object) -> Vectors:
            if "bad" in list(texts):  # type: ignore[call-overload]
                raise ModelError("no token")
            return super().encode_documents(texts)  # type: ignore[arg-type]

    texts = ["a", "bad", "b", "c", "bad", "d"]
    vectors, bad = embedding.embed(TEXTS, Refusing(8), texts)
    assert set(bad) == {1, 4}
    np.testing.assert_array_equal(vectors[[0, 2, 3, 5]], FakeTextEncoder(8).encode_documents(["a", "b", "c", "d"]))


def test_a_model_that_is_damaged_spoils_no_file() -> None:
    class Damaged(FakeTextEncoder):
        def encode_documents(self, texts: object) -> Vectors:
            raise ModelDamaged("the file is not what it was")

    with pytest.raises(ModelDamaged):
        embedding.embed(TEXTS, Damaged(8), ["a", "b"])


def test_equal_texts_have_one_key() -> None:
    assert embedded_texts.vector_key("a") == embedded_texts.vector_key("a") != embedded_texts.vector_key("b")
    assert len(embedded_texts.vector_key("\ud800")) == 16


def test_what_is_stored_can_be_prepared_again() -> None:
    parsed = Parsed(
        "# A\n\nText.\n\n# B\n\nMore.", "text/markdown", "Title", "", {"n": 1}, None, (0, 5), (Heading(0, 1, "A"),)
    )
    encoder = FakeTextEncoder(8)
    first = prepare(parsed, encoder, uri="u", title="t", metadata={"m": 2}, modified=None).document
    document = Document("id", "u", first.title, first.type, first.metadata)
    restored = restore(document, first.text, first.structure)
    again = prepare(restored, encoder, uri="u", title="t", metadata={}, modified=None).document
    assert again == first
    assert content_digest(first.type, first.text, first.metadata, first.structure) == first.hash


@pytest.mark.parametrize(
    "changed",
    [
        {"text": "x"},
        {"title": "x"},
        {"type": "x"},
        {"metadata": {"a": 2}},
        {"page_starts": (0,)},
        {"headings": (Heading(0, 1, "T"),)},
    ],
)
def test_the_hash_tells_any_change(changed: dict[str, object]) -> None:
    encoder = FakeTextEncoder(8)
    before = {"text": "Text.", "type": "text/plain", "title": "T", "metadata": {"a": 1}}
    left, right = (
        prepare(Parsed(**values), encoder, uri="u", title="t", metadata={}, modified=None).document.hash  # type: ignore[arg-type]
        for values in (before, {**before, **changed})
    )
    assert left != right


@pytest.mark.parametrize("parsed", [Parsed("T.", "t", "\ud800"), Parsed("T.", "t", metadata={"a": float("nan")})])
def test_what_cannot_be_stored_is_the_files_fault(parsed: Parsed) -> None:
    with pytest.raises(FileMalformed, match="can't be stored"):
        prepare(parsed, FakeTextEncoder(8), uri="u", title="t", metadata={}, modified=None)


@pytest.mark.parametrize(
    "encoder", [FakeTextEncoder(8, max_tokens=n) for n in (1, 3, 16, 254)] + [Bytes(8, max_tokens=9)]
)
def test_windows_hold_all_of_a_text_that_is_longer_than_a_model_takes(encoder: FakeTextEncoder) -> None:
    parts = TEXTS.windows(encoder, PROSE)
    assert "".join(parts) == PROSE
    assert max(len(encoder.token_offsets(part)) for part in parts) <= encoder.max_tokens


def test_the_vector_of_a_long_text_is_the_mean_of_its_windows() -> None:
    encoder = FakeTextEncoder(8, max_tokens=16, broken={"Nothing.": float("nan")})
    vectors, bad = embedding.embed_whole(TEXTS, encoder, ["A short one.", PROSE, "Nothing."])
    np.testing.assert_array_equal(vectors[0], encoder.encode_documents(["A short one."])[0])
    mean = encoder.encode_documents(TEXTS.windows(encoder, PROSE)).mean(axis=0)
    np.testing.assert_allclose(vectors[1], mean / np.linalg.norm(mean), rtol=1e-5)
    assert list(bad) == [2] and not vectors[2].any()


@pytest.mark.parametrize("title", ["", "Short", "Row  upon\nrow", "A very long title of many words " * 12, "Sentence"])
def test_the_text_that_was_embedded_is_known_from_its_key(title: str) -> None:
    encoder = FakeTextEncoder(8, max_tokens=64)
    prepared = prepare(
        Parsed(PROSE, "text/plain", title=title), encoder, uri="u", title="t", metadata={}, modified=None
    )
    document = prepared.document
    for chunk, key in zip(document.chunks, document.keys, strict=True):
        assert embedded_texts.stood_for(title, chunk.text, key) == prepared.texts[key]
