"""What finds chunks for a query: in one space, and in several at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from quarry.search.models.text.embedded import CARD as EMBEDDED
from quarry.search.ranking import fusion
from quarry.search.ranking.retrievers import InSpace, Together, together
from quarry.search.relevance import Null
from quarry.search.types import Candidates, Ids, Vectors
from quarry.search.views import SpaceView

NULLS = (Null(0.0, 0.1), Null(0.7, 0.02))


@dataclass(frozen=True)
class Held:
    """The vectors of some chunks, by ascending ids."""

    ids: Ids
    values: Vectors

    def search(self, query: Vectors, k: int, allowed: Ids | None = None) -> Candidates:
        scores = self.values @ query
        order = np.lexsort((self.ids, -scores))[:k]
        return Candidates(self.ids[order], scores[order])

    def vectors(self, ids: Ids) -> Vectors:
        found = np.zeros((len(ids), self.values.shape[1]), np.float32)
        for place, id in enumerate(ids.tolist()):
            found[place] = self.values[self.ids == id].sum(axis=0)
        return found


def units(count: int, dimension: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def member(name: str, ids: Sequence[int], dimension: int, null: Null, known: float = 1.0) -> InSpace:
    """Return what finds chunks whose vectors depend on their id alone."""
    every = units(300, dimension, dimension)
    space = SpaceView(name, "text", None, Held(np.array(ids), every[ids]), null)  # type: ignore[arg-type]
    return InSpace(space, units(1, dimension, 7)[0], null, known)


@pytest.fixture
def both() -> Together:
    """Two spaces of different models: chunks 0 to 199 are in the first one, 100 to 299 in the second one."""
    joined = together([member("other", range(100, 300), 48, NULLS[1], 0.6), member("text", range(200), 32, NULLS[0])])
    assert isinstance(joined, Together)
    return joined


def distances(retriever: InSpace, ids: Ids) -> np.ndarray:
    return retriever.null.distance(retriever.scores(retriever.stored(ids)))


def test_one_space_is_asked_as_it_is() -> None:
    alone = member("text", range(200), 32, NULLS[0])
    assert together([alone]) is alone


def test_scores_of_several_spaces_are_the_mean_of_their_distances_from_chance(both: Together) -> None:
    first, second = both.members
    assert (first.name, second.name) == ("text", "other")  # the one that knows the query best sets the scale
    assert (both.null, both.weight, both.medium) == (NULLS[0], 1.0, "text")
    ids = np.arange(300)
    found = both.null.distance(both.scores(both.stored(ids)))
    np.testing.assert_allclose(found[:100], distances(first, ids[:100]), atol=1e-4)
    np.testing.assert_allclose(found[200:], distances(second, ids[200:]), atol=1e-3)
    shared = ids[100:200]
    mean = (distances(first, shared) + 0.6 * distances(second, shared)) / 1.6
    np.testing.assert_allclose(found[100:200], mean, atol=1e-3)


def test_a_chunk_in_no_space_has_no_score(both: Together) -> None:
    assert both.scores(both.stored(np.array([5_000, 3]))).tolist()[0] == 0


def test_the_best_of_several_spaces_are_found(both: Together) -> None:
    every = np.arange(300)
    scores = both.scores(both.stored(every))
    found = both.nearest(100)
    assert found.ids[:20].tolist() == np.lexsort((every, -scores))[:20].tolist()
    assert (np.diff(found.scores) <= 0).all()
    assert min(found.ids) < 100 and max(found.ids) >= 200


def test_passages_of_several_spaces_are_each_others_neighbours_by_the_mean_of_their_cosines(both: Together) -> None:
    stored = both.stored(np.arange(300))
    near = stored @ stored.T
    np.testing.assert_allclose(np.diag(near), 1, atol=1e-5)
    cosines = [one.stored(np.arange(300)) @ one.stored(np.arange(300)).T for one in both.members]
    assert near[10, 20] == pytest.approx(cosines[0][10, 20], abs=1e-5)
    assert near[110, 120] == pytest.approx((cosines[0][110, 120] + 0.6 * cosines[1][110, 120]) / 1.6, abs=1e-5)
    assert near[10, 250] == 0  # they share no space
    assert fusion.smooth(np.linspace(0, 1, 300), stored).shape == (300,)


@pytest.mark.parametrize(
    ("scripts", "text", "known"),
    [
        (("Latin",), "stars", 1.0),
        (("Latin",), "별", 0.0),
        (("Hangul",), "stars", 0.0),
        (("Hangul",), "별이 a", 2 / 3),
        ((), "별", 1.0),
    ],
)
def test_a_space_counts_for_what_it_knows_of_a_query(scripts: tuple[str, ...], text: str, known: float) -> None:
    class Encoder:
        card = replace(EMBEDDED, dimension=2)
        identity = "two dimensions"

        def encode_queries(self, texts: Sequence[str]) -> Vectors:
            return units(len(texts), 2, 0)

    space = SpaceView("text", "text", Encoder(), None, NULLS[0], scripts=scripts)  # type: ignore[arg-type]
    asked = InSpace.by_words(space, text)
    assert asked.known == pytest.approx(known)
    assert asked.weight == pytest.approx(max(0, 2 * known - 1))
