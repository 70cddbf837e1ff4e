from __future__ import annotations

import numpy as np
import pytest

from quarry.search.ranking import fusion
from quarry.search.ranking.fusion import Fused, Scale, Scores, extend, hybrid, pool, singled_out, smooth
from quarry.search.relevance import Null
from quarry.search.types import Candidates, Ids, Vectors

DIMENSION = 32
NULL = Null(0.0, 0.066)
WEIGHT = 20.0
SCALE, BLIND = Scale(NULL, WEIGHT), Scale(NULL, WEIGHT, 0.0)


class World:
    """Passages with vectors and word scores, and the two retrievers over them."""

    def __init__(self, count: int = 400, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        centres = random.normal(size=(12, DIMENSION))
        vectors = centres[random.integers(0, 12, count)] + random.normal(size=(count, DIMENSION))
        self.vectors = np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
        query = centres[0] + 0.5 * random.normal(size=DIMENSION)
        self.query = np.asarray(query / np.linalg.norm(query), np.float32)
        self.words = np.where(random.random(count) < 0.6, random.gamma(2.0, 2.0, count), 0).astype(np.float32)
        self.held = np.minimum(self.words / WEIGHT, 1).astype(np.float32)
        self.asked: list[int] = []

    def dense(self, k: int) -> Candidates:
        return self._best(self.vectors @ self.query, k, lowest=-2)

    def lexical(self, k: int) -> Candidates:
        return self._best(self.words, k, lowest=0)

    @staticmethod
    def _best(scores: Scores, k: int, lowest: float) -> Candidates:
        order = np.lexsort((np.arange(len(scores)), -scores))[:k]
        order = order[scores[order] > lowest]
        return Candidates(order.astype(np.int64) + 1, scores[order])

    def stored(self, ids: Ids) -> Vectors:
        return self.vectors[ids - 1]

    def scores(self, stored: Vectors) -> Scores:
        return stored @ self.query

    def scores_for(self, ids: Ids) -> Scores:
        self.asked += ids.tolist()
        return self.words[ids - 1]

    def held_by(self, ids: Ids) -> Scores:
        return self.held[ids - 1]

    def fuse(self, k: int = fusion.DEPTH, dense_weight: float = fusion.DENSE_WEIGHT) -> Fused:
        return hybrid(self.dense(k), self.lexical(k), self, self, Scale(NULL, WEIGHT, dense_weight))


def test_the_pool_has_exact_scores_of_both_retrievers() -> None:
    world = World()
    fused = world.fuse()
    assert sorted(fused.ids.tolist()) == pool(world.dense(100), world.lexical(100)).tolist()
    np.testing.assert_allclose(fused.semantic, world.stored(fused.ids) @ world.query, atol=1e-6)
    np.testing.assert_allclose(fused.lexical, world.words[fused.ids - 1])
    assert set(world.asked) == set(fused.ids.tolist()) - set(world.lexical(100).ids.tolist())
    assert (np.diff(fused.scores) <= 0).all()


def test_the_ranking_does_not_depend_on_how_deep_the_lists_are() -> None:
    world = World()
    for depth in (150, 400):
        deeper = world.fuse(depth)
        assert deeper.ids.tolist() == world.fuse().ids.tolist()
        np.testing.assert_array_equal(deeper.scores, world.fuse().scores)


def test_the_ranking_does_not_depend_on_the_order_of_ids() -> None:
    world = World()
    fused, count = world.fuse(), len(world.words)
    turned = World()
    turned.vectors, turned.words = world.vectors[::-1].copy(), world.words[::-1].copy()
    turned.held = world.held[::-1].copy()
    assert (count + 1 - turned.fuse().ids[:20]).tolist() == fused.ids[:20].tolist()


def test_without_neighbours_it_is_the_evidence_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fusion, "smooth", lambda own, vectors: own)
    world = World()
    fused = world.fuse()
    distance = fused.semantic / 0.066 / fusion.FAR
    words = (fused.lexical / np.sqrt(world.words.max() * WEIGHT) + fused.held) / 2
    np.testing.assert_allclose(fused.own, (distance + words) / 2, atol=1e-5)
    np.testing.assert_allclose(fused.scores, fused.own, atol=1e-5)


def test_what_a_passage_scores_does_not_depend_on_how_others_do() -> None:
    """A retriever whose list is flat must not be stretched until it is as loud as one with a clear winner."""
    world = World()
    world.vectors[:] = world.vectors @ np.outer(world.query, world.query) * 0.01 + world.vectors * 0.0
    world.vectors[:, 0] += 1  # all alike to the query, but for a hundredth
    world.vectors /= np.linalg.norm(world.vectors, axis=1, keepdims=True)
    assert np.ptp(world.vectors @ world.query) < 0.03
    assert world.fuse().ids[0] == world.lexical(1).ids[0]


@pytest.mark.parametrize(("said", "first"), [([0.6, 0.5, 0.6], "other"), ([0.0, 0.0, 0.0], "own")])
def test_words_that_a_passage_in_another_language_can_not_hold_do_not_speak_against_it(
    said: list[float], first: str
) -> None:
    """It is given what words give those that could hold them: nothing where they have nothing to say."""
    cosines = np.array([0.5, 0.2, 0.2, 0.45], np.float32)  # the last one is in another language
    held = np.array([0.0, *said], np.float32)[[0, 1, 2, 0]] if first == "own" else np.array([*said, 0], np.float32)
    cosines = cosines if first == "own" else np.array([0.2, 0.2, 0.2, 0.45], np.float32)
    own = SCALE.own(cosines, held * WEIGHT, held, WEIGHT, np.array([False, False, False, True]))
    assert int(np.argmax(own)) == (3 if first == "other" else 0)
    alone = SCALE.own(cosines, held * WEIGHT, held, WEIGHT, np.ones(4, np.bool_))
    assert alone[3] == pytest.approx(float(SCALE.meaning(cosines)[3]))


def test_a_passage_is_raised_by_relevant_neighbours() -> None:
    random = np.random.default_rng(1)
    centres = np.eye(12, dtype=np.float32)[:2]
    vectors = np.repeat(centres, 5, axis=0) + 0.1 * random.normal(size=(10, 12)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    own = np.array([0.9, 0.9, 0.9, 0.9, 0.5, 0.6, 0, 0, 0, 0])
    smoothed = smooth(own, vectors)
    assert own[5] > own[4]
    assert smoothed[4] > smoothed[5]
    signs = np.array([[1], [1], [-1]], np.float32)
    alone = smooth(np.array([1.0, 0.2, 0.3]), centres.repeat(2, axis=0)[[0, 2]][[0, 1, 1]] * signs)
    np.testing.assert_allclose(alone, [1.0, 0.2, 0.3])
    assert smooth(np.array([0.7]), centres[:1]).tolist() == [0.7]


def test_only_the_nearest_neighbours_count_and_the_less_the_more_is_known() -> None:
    random = np.random.default_rng(4)
    vectors = random.normal(size=(60, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    own = 1.4 * random.random(60) - 0.1
    smoothed = smooth(own, vectors)
    for i in range(60):
        near = np.maximum(vectors @ vectors[i], 0)
        near[i] = 0
        nearest = np.argsort(-near)[: fusion.NEIGHBOURS]
        around = np.average(own[nearest], weights=near[nearest] ** 4)
        lacks = min(max(1 - own[i], 0), 1)
        assert smoothed[i] == pytest.approx((1 - lacks) * own[i] + lacks * around, abs=1e-5)


def test_what_says_it_all_is_not_moved() -> None:
    vectors = np.stack([np.eye(4)[0], 0.9 * np.eye(4)[0] + 0.43 * np.eye(4)[1]]).astype(np.float32)
    assert smooth(np.array([1.2, 0.1]), vectors)[0] == 1.2


def test_copies_do_not_lift_each_other() -> None:
    """Five copies of a passage, one all but equal, rank as each would alone: below one that has more of its own."""
    random = np.random.default_rng(2)
    vectors = random.normal(size=(8, 64)).astype(np.float32)
    vectors[1:6] = vectors[1]
    vectors[5] += 0.05 * random.normal(size=64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    own = np.array([0.62, 0.6, 0.6, 0.6, 0.6, 0.6, 0.1, 0.1])
    smoothed = smooth(own, vectors)
    single = smooth(own[[0, 1, 6, 7]], vectors[[0, 1, 6, 7]])
    np.testing.assert_allclose(smoothed[1:5], smoothed[1])
    assert abs(smoothed[1] - single[1]) < 0.1
    assert smoothed[0] > smoothed[1:6].max()


def test_the_passage_that_words_single_out_comes_first() -> None:
    for seed in range(20):
        world = World(seed=seed)
        world.held *= 0.3
        worst = int(np.argmin(world.vectors @ world.query))
        world.held[worst] = 0.8
        world.words[worst] = 20
        assert world.fuse().ids[0] == worst + 1
    two = World()
    two.held *= 0.3
    two.held[[3, 5]], two.words[[3, 5]] = [0.8, 0.9], [20, 22]
    assert two.fuse().ids[:2].tolist() == [6, 4]


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ([0.9, 0.4, 0.4, 0.4, 0.4], [True, False, False, False, False]),
        ([0.9, 0.8, 0.7, 0.3, 0.3], [True, True, True, False, False]),
        ([0.9, 0.8, 0.7, 0.6, 0.1], [False] * 5),  # more than a few
        ([0.9, 0.5, 0.5, 0.5, 0.5], [False] * 5),  # not far enough above the rest
        ([0.45, 0.1, 0.1, 0.1, 0.1], [False] * 5),  # too little of the query
        ([0.9, 0.9], [True, True]),
        ([0, 0, 0], [False] * 3),
        ([], []),
    ],
)
def test_few_are_singled_out(held: list[float], expected: list[bool]) -> None:
    assert singled_out(np.array(held, np.float32)).tolist() == expected


def test_what_has_no_vector_is_no_further_than_chance() -> None:
    far_up = Scale(Null(0.75, 0.03), WEIGHT)
    assert far_up.meaning(np.array([0, 0.75, 0.975], np.float32)) == pytest.approx([0, 0, 1], abs=1e-5)


def test_an_unknown_script_is_ranked_by_words_alone() -> None:
    world = World()
    fused = world.fuse(dense_weight=0)
    assert fused.ids.tolist() == world.lexical(100).ids.tolist()
    np.testing.assert_array_equal(fused.candidates.scores, world.lexical(100).scores)
    assert not fused.semantic.any()


def test_one_empty_list_leaves_the_other() -> None:
    world = World()
    world.words[:] = 0
    fused = world.fuse()
    assert sorted(fused.ids.tolist()) == sorted(world.dense(100).ids.tolist())
    assert world.asked == []
    empty = Candidates.empty()
    only = hybrid(empty, World().lexical(10), world, world, SCALE)
    assert only.ids[0] == World().lexical(1).ids[0]
    nothing = hybrid(empty, empty, world, world, SCALE)
    assert len(nothing.candidates) == 0


@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_small_libraries_are_ranked(count: int) -> None:
    fused = World(count).fuse()
    assert sorted(fused.ids.tolist()) == list(range(1, count + 1))
    assert np.isfinite(fused.scores).all()


def test_equal_evidence_goes_to_the_smaller_id() -> None:
    world = World(6)
    world.vectors[:] = world.query
    world.words[:], world.held[:] = 3, 0.15
    assert world.fuse().ids.tolist() == [1, 2, 3, 4, 5, 6]


def test_passages_without_a_vector_are_ranked_by_their_words() -> None:
    world = World()
    best = int(np.argmax(world.words))
    world.vectors[best] = 0
    fused = world.fuse()
    assert np.isfinite(fused.scores).all()
    assert best + 1 in fused.ids[:60].tolist()


def test_deeper_pages_follow_below_and_change_nothing_above() -> None:
    world = World()
    fused = world.fuse()
    whole = extend(fused, world.dense(400), world.lexical(400), SCALE)
    assert len(whole) == 400
    assert len(set(whole.ids.tolist())) == 400
    assert whole.ids[: len(fused.ids)].tolist() == fused.ids.tolist()
    assert (np.diff(whole.scores) <= 0).all()
    assert len(extend(fused, world.dense(100), world.lexical(100), SCALE)) == len(fused.ids)
    blind = extend(world.fuse(dense_weight=0), world.dense(400), world.lexical(400), BLIND)
    assert blind.ids.tolist() == world.lexical(400).ids.tolist()
    assert len(extend(world.fuse(dense_weight=0), Candidates.empty(), Candidates.empty(), BLIND)) == 100
