"""What pictures show is a field, from the pass that embeds them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quarry.api import Library
from quarry.indexer.enrichments.tags import Tags
from quarry.search.models.fake import FakeImageEncoder
from quarry.search.models.image.embedded import CARD
from quarry.search.models.image.serving import OnnxImageEncoder
from quarry.search.models.image.tags import KINDS, MOST, SURE, names, tags
from quarry.search.models.live import NamedModels


def test_photos_are_found_by_what_they_show(picture_library: Path) -> None:
    with Library(picture_library) as library:
        documents, total = library.documents(filter={"tags": "cat"})
        assert total == 1 and documents[0].uri.endswith("chelsea.png")
        facet = library.search("a cat", kinds=("image",), facets=["tags"], min_relevance=0).facets["tags"]
        assert ("cat", 1) in facet.values
        assert all("tags" not in one.enriched for one in library.documents(filter={"kind": "text"})[0])


def test_one_pass_gives_both() -> None:
    encoder: Any = NamedModels().image(CARD.name)
    assert isinstance(encoder, OnnxImageEncoder)
    rng = np.random.default_rng(0)
    pixels = [rng.integers(0, 256, (224, 224, 3), np.uint8) for _ in range(3)]
    before = encoder.encode_pictures(pixels)
    runs, session = [], encoder._tower()

    class Counted:
        def run(self, *args: Any) -> Any:
            runs.append(1)
            return session.run(*args)

    encoder._visual = Counted()
    shares = encoder.class_shares(pixels)
    assert shares is not None and shares.shape == (3, 1000)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-4)
    np.testing.assert_array_equal(encoder.encode_pictures(pixels), before)
    assert len(runs) == 3  # and a vector is given once: what is asked for again is embedded again
    np.testing.assert_array_equal(encoder.encode_pictures(pixels[:1]), before[:1])
    assert len(runs) == 4


def test_another_image_model_has_no_tags() -> None:
    encoder = FakeImageEncoder(size=224)
    pixels = np.zeros((224, 224, 3), np.uint8)
    assert [one and one.fields for one in Tags(lambda: encoder).enrich([pixels])] == [{}]


def test_kinds_add_up_what_is_too_fine() -> None:
    shares = np.zeros(1000, np.float32)
    shares[[151, 200, 250]] = 0.3  # three breeds
    assert tags(shares) == {"dog": pytest.approx(0.9)}
    shares[:] = 0
    shares[340] = SURE
    assert list(tags(shares)) == [names()[340]] == ["zebra"]
    assert tags(np.full(1000, 1e-3, np.float32)) == {}
    assert len(names()) == 1000 and all(name == name.strip() and name for name in names())
    every = [place for places in KINDS.values() for place in places]
    assert len(set(every)) == len(every) and len(tags(np.full(1000, SURE, np.float32))) == MOST
