from __future__ import annotations

import numpy as np
import pytest

from search import fusion
from search.fusion import Fused, Scores, extend, hybrid, pool, singled_out, smooth
from search.types import Candidates, Ids, Vectors

DIMENSION = 32


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

    def vectors_for(self, ids: Ids) -> Vectors:
        return self.vectors[ids - 1]

    def scores_for(self, ids: Ids) -> Scores:
        self.asked += ids.tolist()
        return self.words[ids - 1]

    def fuse(self, k: int = fusion.DEPTH, weight: float = 1e9, dense_weight: float = 0.5) -> Fused:
        return hybrid(
            self.query,
            self.dense(k),
            self.lexical(k),
            self.vectors_for,
            self.scores_for,
            weight=weight,
            dense_weight=dense_weight,
        )


def test_the_pool_has_exact_scores_of_both_retrievers() -> None:
    world = World()
    fused = world.fuse()
    assert sorted(fused.ids.tolist()) == pool(world.dense(100), world.lexical(100)).tolist()
    np.testing.assert_allclose(fused.semantic, world.vectors_for(fused.ids) @ world.query, atol=1e-6)
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
    assert (count + 1 - turned.fuse().ids[:20]).tolist() == fused.ids[:20].tolist()


def test_without_neighbours_it_is_the_convex_combination(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fusion, "SMOOTHING", 0.0)
    world = World()
    fused = world.fuse()
    dense, lexical = world.dense(100).scores, world.lexical(100).scores
    scaled = [
        np.maximum((raw - head[-1]) / (head[0] - head[-1]), fusion.LOWEST)
        for raw, head in ((fused.semantic, dense), (fused.lexical, lexical))
    ]
    np.testing.assert_allclose(fused.own, (scaled[0] + scaled[1]) / 2, atol=1e-5)
    np.testing.assert_allclose(fused.scores, fused.own, atol=1e-5)


def test_a_passage_is_raised_by_relevant_neighbours() -> None:
    towards = np.eye(8, dtype=np.float32)
    vectors = np.stack([towards[0]] * 5 + [towards[1]] * 5)
    scores = np.array([1, 1, 1, 1, 0.5, 0.6, 0, 0, 0, 0])
    smoothed = smooth(scores, vectors)
    assert scores[5] > scores[4]
    assert smoothed[4] > smoothed[5]
    np.testing.assert_allclose(smoothed[4], 0.6 * 0.5 + 0.4 * 1)
    alone = smooth(np.array([1.0, 0.2, 0.3]), towards[:3])
    np.testing.assert_allclose(alone, [1.0, 0.2, 0.3])
    assert smooth(np.array([0.7]), towards[:1]).tolist() == [0.7]


def test_only_the_nearest_neighbours_count() -> None:
    random = np.random.default_rng(4)
    vectors = random.normal(size=(60, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = random.random(60)
    smoothed = smooth(scores, vectors)
    for i in range(60):
        near = np.maximum(vectors @ vectors[i], 0)
        near[i] = 0
        nearest = np.argsort(-near)[: fusion.NEIGHBOURS]
        expected = 0.6 * scores[i] + 0.4 * np.average(scores[nearest], weights=near[nearest] ** 4)
        assert smoothed[i] == pytest.approx(expected, abs=1e-5)


def test_a_passage_that_words_single_out_comes_first() -> None:
    for seed in range(20):
        world = World(seed=seed)
        world.words *= 0.3
        worst = int(np.argmin(world.vectors @ world.query))
        world.words[worst] = 20
        assert world.fuse(weight=25).ids[0] == worst + 1
    two = World()
    two.words *= 0.3
    two.words[[3, 5]] = [20, 22]
    assert two.fuse(weight=25).ids[:2].tolist() == [6, 4]


@pytest.mark.parametrize(
    ("scores", "weight", "expected"),
    [
        ([9, 4, 4, 4, 4], 12, [True, False, False, False, False]),
        ([9, 8, 7, 3, 3], 12, [True, True, True, False, False]),
        ([9, 8, 7, 6, 1], 12, [False] * 5),  # more than a few
        ([9, 5, 5, 5, 5], 12, [False] * 5),  # not far enough above the rest
        ([9, 4, 4, 4, 4], 20, [False] * 5),  # too little of the query
        ([9, 9], 12, [True, True]),
        ([0, 0, 0], 0, [False] * 3),
        ([], 5, []),
    ],
)
def test_few_are_singled_out(scores: list[float], weight: float, expected: list[bool]) -> None:
    assert singled_out(np.array(scores, np.float32), weight).tolist() == expected


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
    only = hybrid(world.query, empty, World().lexical(10), world.vectors_for, world.scores_for, weight=1e9)
    assert only.ids[0] == World().lexical(1).ids[0]
    nothing = hybrid(world.query, empty, empty, world.vectors_for, world.scores_for, weight=0)
    assert len(nothing.candidates) == 0


@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_small_libraries_are_ranked(count: int) -> None:
    fused = World(count).fuse()
    assert sorted(fused.ids.tolist()) == list(range(1, count + 1))
    assert np.isfinite(fused.scores).all()


def test_equal_evidence_goes_to_the_smaller_id() -> None:
    world = World(6)
    world.vectors[:] = world.query
    world.words[:] = 3
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
    whole = extend(fused, world.dense(400), world.lexical(400))
    assert len(whole) == 400
    assert len(set(whole.ids.tolist())) == 400
    assert whole.ids[: len(fused.ids)].tolist() == fused.ids.tolist()
    assert (np.diff(whole.scores) <= 0).all()
    assert len(extend(fused, world.dense(100), world.lexical(100))) == len(fused.ids)
    blind = extend(world.fuse(dense_weight=0), world.dense(400), world.lexical(400), dense_weight=0)
    assert blind.ids.tolist() == world.lexical(400).ids.tolist()
    assert len(extend(world.fuse(dense_weight=0), Candidates.empty(), Candidates.empty())) == 100
