"""What every vector engine must do, to be run on any of them: against exact answers in float64, on real libraries.

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_my_engine(check, tmp_path):
        with closing(Trial(tmp_path, MyEngine)) as trial:
            check(trial)

A check raises `AssertionError`, and needs no framework. Each takes a trial of its own, and seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from quarry.search.engines.trial import DIMENSION, Trial, unit_vectors
from quarry.search.fields.filters import Allowed
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.rows import documents
from quarry.search.types import Candidates, Ids, Vectors

TOLERANCE = 1e-5  # of a score; what float32 may make of a sum of 32 products
RECALL = 0.95  # of the ten nearest, on average, where a filter leaves few


Check = Callable[[Trial], None]


def exact(ids: Ids, vectors: Vectors, query: Vectors, k: int) -> Candidates:
    """The definition, in float64: float16 values times the query, best first, ties by smaller id."""
    scores = (vectors.astype(np.float16).astype(np.float64) @ query.astype(np.float64)).astype(np.float32)
    order = np.lexsort((ids, -scores))[:k]
    return Candidates(ids[order], scores[order])


def among(ids: Ids, allowed: Allowed) -> NDArray[np.bool_]:
    """Return an (n,) mask of the ids that are allowed."""
    return np.ones(len(ids), bool) if allowed.ids is None else np.isin(ids, allowed.ids)


def same(found: Candidates, expected: Candidates) -> None:
    """Require the same ids with the same scores, but where rounding can change the order."""
    require(found.ids.dtype == np.int64 and found.scores.dtype == np.float32, "ids are int64, scores float32")
    np.testing.assert_allclose(found.scores, expected.scores, atol=TOLERANCE)
    differing = found.ids != expected.ids
    np.testing.assert_array_less(np.abs(found.scores[differing] - expected.scores[differing]), TOLERANCE)
    require(len(np.unique(found.ids)) == len(found.ids), "no id is found twice")


def require(holds: bool, what: str) -> None:
    """Raise where something does not hold."""
    if not holds:
        raise AssertionError(what)


def finds_the_exact_answers(trial: Trial) -> None:
    """Whatever it has taken in so far, and however many are asked for."""
    vectors = unit_vectors(3_000)
    ids = []
    for start in range(0, 3_000, 1_000):
        ids.append(trial.add(vectors[start : start + 1_000]))
        if start:
            trial.engine.catch_up()
    view = trial.view()
    require(view.count == 3_000, f"there are 3,000 vectors, not {view.count}")
    for query in unit_vectors(10, seed=1):
        for k in (1, 10, 200, 5_000):
            same(view.search(query, k), exact(np.concatenate(ids), vectors, query, k))


def filters_never_starve(trial: Trial) -> None:
    """Few or many, near to the query or far from it: as many come back as were asked for, and the right ones."""
    query = unit_vectors(1, seed=2)[0]
    vectors = unit_vectors(4_000)
    vectors = vectors[np.argsort(-(vectors @ query))]  # the nearest first
    shuffled = np.random.default_rng(3).permutation(400).tolist()
    names = [f"d{at}" for at in range(400)]
    trial.put(
        {name: vectors[10 * at : 10 * at + 10] for at, name in enumerate(names)},
        {name: {"nearest": at, "farthest": 399 - at, "any": shuffled[at]} for at, name in enumerate(names)},
    )
    trial.engine.catch_up()
    view, ids = trial.view(), trial.ids({"nearest": {"$gte": 0}})
    recalled = []
    for field in ("nearest", "farthest", "any"):
        for documents_ in (400, 200, 80, 40, 4, 1):
            allowed = trial.allowed({field: {"$lt": documents_}})
            kept = among(ids, allowed)
            for asked in (query, *unit_vectors(3, seed=4)):
                found, expected = view.search(asked, 10, allowed), exact(ids[kept], vectors[kept], asked, 10)
                require(len(found) == len(expected), f"{len(expected)} of {field} are found, not {len(found)}")
                require(bool(among(found.ids, allowed).all()), f"nothing but {field} is found")
                recalled.append((found.scores >= expected.scores[-1] - TOLERANCE).mean())
    require(float(np.mean(recalled)) >= RECALL, f"filters find {np.mean(recalled):.3f} of the ten nearest")


def filters_may_allow_nothing(trial: Trial) -> None:
    """Or what there is not, or be ids that no filter stands for."""
    ids, query = trial.add(unit_vectors(5)), unit_vectors(5)[0]
    view = trial.view()
    for nothing in (trial.allowed({"id": "none"}), Allowed(np.array([ids[0] - 1, ids[-1] + 1, 2**62]))):
        require(len(view.search(query, 10, nothing)) == 0, "nothing is found where nothing is allowed")
    one = Allowed(np.array([-5, ids[2], 2**62]))
    require(view.search(query, 10, one).ids.tolist() == [ids[2]], "what is allowed is found beside what there is not")
    for k, count in ((0, 0), (-1, 0), (10**9, 5)):
        require(len(view.search(query, k)) == count, f"{count} are found where {k} are asked for")


def what_is_deleted_is_not_found(trial: Trial) -> None:
    """Taken in or not, within a filter or without."""
    vectors, names = unit_vectors(600), [f"d{at}" for at in range(600)]
    one_each = {name: vectors[at : at + 1] for at, name in enumerate(names)}
    trial.put(dict(list(one_each.items())[:300]))
    trial.engine.catch_up()
    trial.put(dict(list(one_each.items())[300:]))
    owners = {name: int(trial.ids({"id": name})[0]) for name in names}
    trial.view()
    trial.delete(names[::4])
    kept = np.array([at for at in range(600) if at % 4])
    ids = np.array([owners[names[at]] for at in kept])
    allowed = trial.allowed({"id": {"$in": names[:200]}})
    for engine in (trial.engine, trial.opened()):
        view = trial.view(engine)
        require(view.count == 450, f"450 vectors are left, not {view.count}")
        for query in vectors[:8]:
            same(view.search(query, 50), exact(ids, vectors[kept], query, 50))
            both = among(ids, allowed)
            same(view.search(query, 50, allowed), exact(ids[both], vectors[kept][both], query, 50))
        require(not view.vectors(np.array([owners[names[0]]])).any(), "what is deleted has no vector")
    trial.delete(names)
    view = trial.view()
    require(view.count == 0 and len(view.search(vectors[0], 10)) == 0, "nothing is left when all is deleted")


def what_is_replaced_is_found_as_it_is(trial: Trial) -> None:
    """A document that changes, or comes back: its passages have new ids, and its vectors may be old ones."""
    before, after = unit_vectors(60), unit_vectors(60, seed=7)
    trial.put({f"d{at}": before[20 * at : 20 * at + 20] for at in range(3)})
    trial.engine.catch_up()
    old = trial.ids({"id": "d1"})
    trial.put({"d1": after[20:40]})
    trial.engine.catch_up()
    trial.delete(["d2"])
    trial.put({"d2": before[40:]})
    ids = np.concatenate([trial.ids({"id": f"d{at}"}) for at in range(3)])
    vectors = np.concatenate([before[:20], after[20:40], before[40:]])
    view = trial.view()
    require(view.count == 60, f"there are 60 vectors, not {view.count}")
    for query in (before[30], after[30], before[50]):
        found = view.search(query, 60)
        require(not np.isin(found.ids, old).any(), "what was replaced is not found")
        by_id = np.argsort(ids)
        same(found, exact(ids[by_id], vectors[by_id], query, 60))


def ties_go_to_the_smaller_id(trial: Trial) -> None:
    """Many passages with the same vector, in one commit and over several."""
    vectors = np.repeat(unit_vectors(3), 40, axis=0)[np.random.default_rng(5).permutation(120)]
    first = trial.add(vectors[:70])
    trial.engine.catch_up()
    ids = np.concatenate([first, trial.add(vectors[70:])])
    view, query = trial.view(), vectors[0]
    for k in (1, 10, 39, 40, 41, 120):
        np.testing.assert_array_equal(view.search(query, k).ids, exact(ids, vectors, query, k).ids)
    found = view.search(query, 15, Allowed(ids[20:100]))
    np.testing.assert_array_equal(found.ids, exact(ids[20:100], vectors[20:100], query, 15).ids)


def different_vectors_of_one_score_tie_by_id(trial: Trial) -> None:
    """Also where there are more of them than were asked for."""
    vectors = np.eye(DIMENSION, dtype=np.float32)[np.arange(300) % (DIMENSION - 1) + 1]
    vectors[::2] *= -1  # 62 different ones, all with a score of zero but the last
    vectors[299] = np.eye(DIMENSION, dtype=np.float32)[0]
    ids = trial.add(vectors)
    trial.engine.catch_up()
    found = trial.view().search(np.eye(DIMENSION, dtype=np.float32)[0], 5)
    np.testing.assert_array_equal(found.ids, [ids[299], *ids[:4]])


def what_can_be_no_query_is_refused(trial: Trial) -> None:
    """Of another dimension, or not finite."""
    trial.add(unit_vectors(3))
    view = trial.view()
    for bad in (np.nan, np.inf, -np.inf):
        query = unit_vectors(1)[0]
        query[3] = bad
        refused(lambda query=query: view.search(query, 3), "a query that is not finite")  # type: ignore[misc]
    refused(lambda: view.search(unit_vectors(1)[0][:-1], 3), "a query of another dimension")


def refused(search: Callable[[], object], what: str) -> None:
    """Require a `ValueError`."""
    try:
        search()
    except ValueError:
        return
    raise AssertionError(f"{what} is refused")


def vectors_are_returned_by_id(trial: Trial) -> None:
    """In the order that is asked for; what there is not is zeros."""
    vectors = unit_vectors(50)
    first = trial.add(vectors[:30])
    trial.engine.catch_up()
    ids = np.concatenate([first, trial.add(vectors[30:])])
    order = np.random.default_rng(6).permutation(50)
    view = trial.view()
    np.testing.assert_array_equal(view.vectors(ids[order]), vectors[order].astype(np.float16).astype(np.float32))
    mixed = view.vectors(np.array([-1, ids[7], 2**62]))
    np.testing.assert_array_equal(mixed, [np.zeros(DIMENSION), vectors[7].astype(np.float16), np.zeros(DIMENSION)])
    require(view.vectors(ids[:0]).shape == (0, DIMENSION), "no ids have no vectors")


def a_sample_is_of_what_is_there(trial: Trial) -> None:
    """As large as was asked for, or all there is."""
    vectors = unit_vectors(900)
    trial.put({"kept": vectors[:800], "deleted": vectors[800:]})
    trial.engine.catch_up()
    trial.delete(["deleted"])
    require(trial.count() == trial.count(trial.engine) == 800, "what is deleted is not counted")
    view, known = trial.view(), {vector.tobytes() for vector in vectors[:800].astype(np.float16)}
    for about in (10, 100, 799, 5_000):
        sample = view.sample(about)
        least = min(about, 800) * 0.8
        require(least <= len(sample) <= 2 * about, f"a sample of about {about} has {len(sample)}")
        require({one.tobytes() for one in sample.astype(np.float16)} <= known, "a sample is of what is there")


def nothing_is_there_at_first(trial: Trial) -> None:
    """An empty space is no special case."""
    view = trial.view()
    require((view.count, view.tail, view.notes) == (0, 0, ()), "an empty space is empty, and nothing is wrong")
    require(trial.count() == 0, "it is counted as empty")
    require(len(view.search(unit_vectors(1)[0], 10)) == 0, "nothing is found in it")
    require(view.sample(10).shape == (0, DIMENSION), "a sample of nothing is nothing")
    require(view.vectors(np.array([1, 2])).shape == (2, DIMENSION), "what there is not is zeros")
    trial.engine.catch_up()
    trial.engine.compact()
    require(not trial.engine.verify(), "nothing is wrong with nothing")


def a_view_is_of_one_generation(trial: Trial) -> None:
    """It stays as it is; who sees an older generation gets that one, and other processes see the same."""
    first, second = unit_vectors(50), unit_vectors(50, seed=3)
    ids = trial.add(first)
    before, query = trial.view(), second[0]
    expected = exact(ids, first, query, 100)
    with closing(Catalog(trial.catalog.directory)) as other, other.snapshot() as old:
        both = np.concatenate([ids, trial.add(second)])
        trial.engine.catch_up()
        after = trial.view()
        same(trial.engine.view(old).search(query, 100), expected)
    same(before.search(query, 100), expected)
    same(after.search(query, 100), exact(both, np.concatenate([first, second]), query, 100))
    same(trial.view(trial.opened()).search(query, 100), after.search(query, 100))
    require((before.count, after.count) == (50, 100), "a view counts its own generation")


def a_compaction_changes_no_answer(trial: Trial) -> None:
    """It says how far it has come, and what was deleted before need not be known any more."""
    vectors = unit_vectors(400)
    trial.put({f"d{at}": vectors[100 * at : 100 * at + 100] for at in range(4)})
    trial.engine.catch_up()
    trial.delete(["d1"])
    before = [trial.view().search(query, 50) for query in vectors[::40]]
    with trial.catalog.snapshot() as snapshot:
        newest = snapshot.generation
    followed = trial.engine.compact()
    require(followed == newest, "a compaction follows the newest generation")
    with trial.catalog.transaction(bump=False) as connection:
        documents.drop_orphans(connection, followed)
    for engine in (trial.engine, trial.opened()):
        view = trial.view(engine)
        require(view.count == 300, f"there are 300 vectors, not {view.count}")
        for query, expected in zip(vectors[::40], before, strict=True):
            same(view.search(query, 50), expected)
    require(not trial.engine.verify(), "nothing is wrong after a compaction")


def damage_costs_no_answer(trial: Trial) -> None:
    """It is noted, searches go on from the catalog, `verify` names it, and `repair` mends it."""
    if trial.damage is None:
        return
    vectors = unit_vectors(500)
    ids = trial.add(vectors)
    trial.engine.compact()
    require(not trial.engine.verify(), "nothing is wrong at first")
    trial.damage(trial.engine)
    damaged = trial.opened()
    view = trial.view(damaged)
    require(len(view.notes) > 0, "damage is noted")
    for query in vectors[:5]:
        same(view.search(query, 20), exact(ids, vectors, query, 20))
    require(len(damaged.verify()) > 0, "damage is found")
    require(len(damaged.repair()) > 0, "what was damaged is told")
    for engine in (damaged, trial.opened()):
        require(not engine.verify(), "nothing is wrong after a repair")
        require(trial.view(engine).notes == (), "nothing is noted after a repair")
        same(trial.view(engine).search(vectors[0], 20), exact(ids, vectors, vectors[0], 20))


def many_threads_search_at_once(trial: Trial) -> None:
    """And get what one does."""
    vectors = unit_vectors(1_000)
    ids = trial.add(vectors)
    trial.engine.catch_up()
    view, queries = trial.view(), unit_vectors(64, seed=8)
    with ThreadPoolExecutor(4) as pool:
        for query, found in zip(queries, pool.map(lambda query: view.search(query, 20), queries), strict=True):
            same(found, exact(ids, vectors, query, 20))


CHECKS: tuple[Check, ...] = (
    nothing_is_there_at_first,
    finds_the_exact_answers,
    filters_never_starve,
    filters_may_allow_nothing,
    what_is_deleted_is_not_found,
    what_is_replaced_is_found_as_it_is,
    ties_go_to_the_smaller_id,
    different_vectors_of_one_score_tie_by_id,
    what_can_be_no_query_is_refused,
    vectors_are_returned_by_id,
    a_sample_is_of_what_is_there,
    a_view_is_of_one_generation,
    a_compaction_changes_no_answer,
    damage_costs_no_answer,
    many_threads_search_at_once,
)
