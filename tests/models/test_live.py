"""Models that are handed to a library, in place of those of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarry.api import Library, Text
from quarry.search.errors import ModelMismatch, ModelMissing
from quarry.search.models.fake import (
    FakeCrossEncoder,
    FakeImageEncoder,
    FakeModels,
    FakeReader,
    FakeTextEncoder,
    FakeWriter,
)
from quarry.search.models.live import GivenModels, LiveModels, NamedModels

NOTES = [
    Text("The canal opened on 15 August 1914.", id="canal"),
    Text("Bread rises because yeast makes gas.", id="bread"),
]


def test_a_library_embeds_and_reads_by_what_it_is_given(tmp_path: Path) -> None:
    encoder, reader = FakeTextEncoder(name="given"), FakeReader({"15 August 1914": 6.0})
    models = GivenModels(text=encoder, reader=reader, cross_encoder=FakeCrossEncoder())
    with Library(tmp_path, models=models) as library:
        library.add(NOTES)
        response = library.search("when was the canal opened", answer=True)
        assert library.searcher.encoder() is encoder
        assert [answer.text for answer in response.answers] == ["15 August 1914"]
        assert not response.degraded
        reranked = library.search("yeast makes gas", rerank="cross-encoder")
        assert reranked.hits[0].document.id == "bread"
    assert encoder.embedded and reader.asked


def test_what_is_given_writes(tmp_path: Path) -> None:
    summarizer, generator = (FakeWriter(lambda _: "So it is [1].", name=name) for name in ("short", "long"))
    models = GivenModels(text=FakeTextEncoder(), summarizer=summarizer, generator=generator)
    with Library(tmp_path, models=models) as library:
        library.add(NOTES)
        summary = library.search("canal", summarize=True).summary
        assert summary is not None and summary.model == "short"
        assert library.searcher.models.generator() is generator


def test_what_is_given_counts_as_named(tmp_path: Path) -> None:
    with Library(tmp_path, models=FakeModels()) as library:
        library.add(NOTES)
    models = GivenModels(text=FakeTextEncoder(name="another"))
    with Library(tmp_path, models=models) as library, pytest.raises(ModelMismatch, match="another"):
        library.search("canal")


@pytest.mark.parametrize("models", [NamedModels(), GivenModels(text=FakeTextEncoder()), FakeModels()])
def test_other_names_are_looked_for_as_ever(models: LiveModels) -> None:
    if isinstance(models, FakeModels):
        assert models.text("no/such").card.name == "no/such"
        return
    with pytest.raises(ModelMissing, match="no/such"):
        models.text("no/such")


def test_a_given_image_model_has_its_own_name() -> None:
    encoder = FakeImageEncoder(name="pictures")
    models = GivenModels(image=encoder)
    assert models.names == {"image_model": "pictures"}
    assert models.image("pictures") is encoder
