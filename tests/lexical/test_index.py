from __future__ import annotations

import ast
import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import bm25s
import numpy as np
import pytest

from quarry.search.errors import IndexDamaged, LibraryLocked, LibraryReadOnly, StorageFull
from quarry.search.evaluations.rankings import load_collection, score
from quarry.search.language import analysis
from quarry.search.lexical import files as lexical_files
from quarry.search.lexical import index as lexical
from quarry.search.lexical import rows as lexical_rows
from quarry.search.lexical import sums as lexical_sums
from quarry.search.lexical.index import LexicalReader, LexicalView
from quarry.search.lexical.rows import LexicalRow, LexicalTail
from quarry.search.lexical.writer import LexicalWriter
from tests.folders import ROOT
from tests.measuring_data import DATA

WORDS = [f"w{chr(97 + i // 26)}{chr(97 + i % 26)}k" for i in range(400)]


def corpus(count: int, seed: int = 0) -> list[LexicalRow]:
    """Rows of words that are as unevenly frequent as words are."""
    choose = random.Random(seed)
    weights = [1 / (i + 1) for i in range(len(WORDS))]
    return [LexicalRow(i + 1, " ".join(choose.choices(WORDS, weights, k=choose.randint(5, 60)))) for i in range(count)]


def queries(count: int, seed: int = 1) -> list[str]:
    choose = random.Random(seed)
    return [" ".join(choose.sample(WORDS, choose.randint(1, 8))) for _ in range(count)]


def build(directory: Path, rows: Sequence[LexicalRow], generation: int = 1) -> LexicalView:
    with LexicalWriter(directory) as writer:
        writer.add(rows)
        writer.commit(generation)
    return LexicalReader(directory).view()


def ids(view: LexicalView, query: str, k: int = 10, **rest: object) -> list[int]:
    return view.search(query, k, **rest).ids.tolist()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LexicalView]:
    directory = tmp_path_factory.mktemp("lexical")
    rows = corpus(6_000)
    with LexicalWriter(directory) as writer:  # several segments
        for start in range(0, len(rows), 1_500):
            writer.add(rows[start : start + 1_500])
            writer.commit(start)
    yield LexicalReader(directory).view()


def test_words_titles_and_paths_are_found(tmp_path: Path) -> None:
    view = build(
        tmp_path,
        [
            LexicalRow(1, "Stars form in clouds.", title="Astronomy", path="/srv/archive/sky/stars.md#row=3"),
            LexicalRow(2, "서울에서는 김치를 담근다", title="음식", path="upload:4711"),
            LexicalRow(3, "The Who are a band; to be or not to be", path="music/rock.txt"),
        ],
    )
    assert ids(view, "how do stars form") == [1]
    assert ids(view, "astronomy") == [1]
    assert ids(view, "sky") == [1]
    assert ids(view, "archive") == ids(view, "4711") == []
    assert ids(view, "서울") == [2]
    assert ids(view, "to be or not to be") == [3]
    assert ids(view, "the who") == [3]
    assert ids(view, "nothing") == ids(view, "") == ids(view, "?!") == []


def test_query_syntax_is_text(tmp_path: Path) -> None:
    view = build(tmp_path, [LexicalRow(1, "alpha beta")])
    for query in ('alpha AND "', "body:alpha", "alpha*", "(alpha", "alpha^9 -beta", "id:1 alpha", "\x00alpha\ud800"):
        assert ids(view, query) == [1], query


def test_scores_are_those_of_the_reference(big: LexicalView) -> None:
    rows = corpus(6_000)
    reference = bm25s.BM25(k1=lexical_rows.K1, b=lexical_rows.B, method="lucene")
    reference.index([row.terms() for row in rows], show_progress=False)
    same = 0
    for query in queries(40):
        expected, scores = reference.retrieve([analysis.query_terms(query)], k=100, show_progress=False)
        found = big.search(query, 100)
        positive = scores[0] > 0
        # Lucene leaves out the constant k1 + 1. Lengths are kept in one byte, so scores agree to some per cent.
        ours = found.scores[: positive.sum()] / (lexical_rows.K1 + 1)
        np.testing.assert_allclose(ours, scores[0][positive][: len(ours)], rtol=0.03)
        same += len(set((expected[0][positive][:10] + 1).tolist()) & set(found.ids[:10].tolist()))
    assert same >= 0.93 * 400


def test_the_share_of_words_is_by_their_rarity_alone(big: LexicalView) -> None:
    some = np.arange(1, 400, dtype=np.int64)
    words = {row.id: set(row.terms()) for row in corpus(6_000)}
    for query in queries(20):
        asked = analysis.query_terms(query)
        idf = {term: big.weight(term) for term in asked}
        expected = [sum(idf[term] for term in asked if term in words[id]) / big.weight(query) for id in some.tolist()]
        np.testing.assert_allclose(big.held_by(query, some), expected, atol=1e-4)


def test_repeating_a_word_or_being_short_gives_no_greater_share(tmp_path: Path) -> None:
    texts = [
        "ferry timetable " * 9,
        "the ferry and the timetable of the long winter on the island",
        "ferry",
        "island",
        "x",
    ]
    rows = [LexicalRow(i, text) for i, text in enumerate(texts, 1)]
    every = np.array([1, 2, 3, 4, 5], np.int64)
    view = build(tmp_path / "all", rows)
    shares = view.held_by("ferry timetable", every)
    assert shares[:2].tolist() == [1, 1]
    assert 0.3 < shares[2] < 0.6
    assert shares[3:].tolist() == [0, 0]
    # Rows that are not yet in the index hold what they would hold in it.
    tailed = build(tmp_path / "some", rows[:2]).held_by("ferry timetable", every, LexicalTail(rows[2:]))
    np.testing.assert_allclose(tailed, shares, atol=1e-3)
    assert view.held_by("zeppelin", every).tolist() == [0] * 5


@pytest.mark.parametrize("name", ["cranfield", "medline", "cacm"])
def test_judged_queries_fare_as_with_the_reference(name: str, tmp_path: Path) -> None:
    folder = DATA / "retrieval" / name
    if not folder.is_dir():
        pytest.skip("QUARRY_TEST_DATA has no judged collections")
    collection = load_collection(folder)
    documents = list(collection.documents())
    rows = [LexicalRow(i, document.text, document.title) for i, document in enumerate(documents)]
    view = build(tmp_path, rows)
    reference = bm25s.BM25(k1=lexical_rows.K1, b=lexical_rows.B, method="lucene")
    reference.index([row.terms() for row in rows], show_progress=False)
    ours, theirs, same = {}, {}, []
    for query, text in collection.queries.items():
        found = view.search(text, 100)
        places, scores = reference.retrieve([analysis.query_terms(text)], k=100, show_progress=False)
        ours[query] = [(documents[i].id, score) for i, score in zip(found.ids, found.scores, strict=True)]
        theirs[query] = [(documents[i].id, score) for i, score in zip(places[0], scores[0], strict=True) if score > 0]
        same.append(len(set(found.ids[:10].tolist()) & set(places[0][:10].tolist())) / 10)
    means = [score(collection.judgements, run)["ndcg@10"].mean() for run in (ours, theirs)]
    assert abs(means[0] - means[1]) < 0.01
    assert np.mean(same) > 0.93


def test_ties_go_to_the_smaller_id_also_at_the_edge(tmp_path: Path) -> None:
    rows = [LexicalRow(id_, "same words here") for id_ in range(1, 301)]
    random.Random(3).shuffle(rows)
    with LexicalWriter(tmp_path) as writer:
        for start in range(0, 300, 60):
            writer.add(rows[start : start + 60])
            writer.commit(start)
    view = LexicalReader(tmp_path).view()
    for k in (1, 7, 100, 300, 500):
        assert ids(view, "words", k) == list(range(1, min(k, 300) + 1))


@pytest.mark.parametrize("share", [0.0005, 0.01, 0.1, 0.5, 0.95])
@pytest.mark.parametrize("kind", ["random", "best", "worst"])
def test_a_filter_gives_exactly_what_filtering_everything_gives(
    big: LexicalView, share: float, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for few, far in ((1_000, 8_000), (5, 300), (5, 10**9)):  # every way of restricting
        monkeypatch.setattr(lexical, "FEW_ALLOWED", few)
        monkeypatch.setattr(lexical, "FAR_DOWN", far)
        for query in queries(4, seed=7):
            everything = big.search(query, 10_000)
            size = max(2, int(share * big.count))
            if kind == "random":
                allowed = np.random.default_rng(5).choice(big.count, size, replace=False) + 1
            else:
                matching = everything.ids[:size] if kind == "best" else everything.ids[-size:]
                allowed = np.append(matching, big.count + 99)
            allowed = np.unique(allowed).astype(np.int64)
            kept = np.isin(everything.ids, allowed)
            found = big.search(query, 25, allowed)
            assert found.ids.tolist() == everything.ids[kept][:25].tolist()
            np.testing.assert_allclose(found.scores, everything.scores[kept][:25], atol=2e-4)
    assert len(big.search("wa", 5, np.empty(0, np.int64))) == 0


def test_scores_for_are_those_of_the_search(big: LexicalView) -> None:
    query = queries(1, seed=9)[0]
    found = big.search(query, 300)
    some = np.random.default_rng(0).choice(big.count, 200, replace=False).astype(np.int64) + 1
    scores = big.scores_for(query, some)
    by_id = dict(zip(big.search(query, 10_000).ids.tolist(), big.search(query, 10_000).scores.tolist(), strict=True))
    np.testing.assert_allclose(scores, [by_id.get(id_, 0.0) for id_ in some.tolist()], atol=2e-4)
    np.testing.assert_allclose(big.scores_for(query, found.ids), found.scores, atol=2e-4)
    assert big.scores_for(query, np.empty(0, np.int64)).shape == (0,)


def test_rows_are_replaced_and_deleted(tmp_path: Path) -> None:
    with LexicalWriter(tmp_path) as writer:
        writer.add([LexicalRow(1, "old words"), LexicalRow(2, "other words")])
        writer.commit(1)
        writer.add([LexicalRow(1, "new words"), LexicalRow(1, "newest words")])
        writer.delete([2, 77])
        writer.commit(2)
    view = LexicalReader(tmp_path).view()
    assert view.generation == 2
    assert view.count == 1
    assert ids(view, "old new other") == []
    assert ids(view, "newest words") == [1]


def test_what_is_not_committed_is_dropped(tmp_path: Path) -> None:
    build(tmp_path, [LexicalRow(1, "kept")], generation=4)
    with LexicalWriter(tmp_path) as writer:
        assert writer.generation == 4
        writer.add([LexicalRow(2, "dropped")])
    view = LexicalReader(tmp_path).view()
    assert (view.generation, ids(view, "kept dropped")) == (4, [1])


def test_a_reader_follows_commits_and_views_stay_as_they_are(tmp_path: Path) -> None:
    build(tmp_path, [LexicalRow(1, "word")])
    reader = LexicalReader(tmp_path)
    first = reader.view()
    assert reader.view() is first
    build(tmp_path, [LexicalRow(2, "word")], generation=2)
    second = reader.view()
    assert (first.generation, ids(first, "word")) == (1, [1])
    assert (second.generation, ids(second, "word")) == (2, [1, 2])


def test_a_rebuild_takes_over_at_its_first_commit(tmp_path: Path) -> None:
    build(tmp_path, [LexicalRow(1, "old")], generation=5)
    reader = LexicalReader(tmp_path)
    old = reader.view()
    with LexicalWriter(tmp_path, rebuild=True) as writer:
        assert writer.generation == -1
        writer.add([LexicalRow(9, "new")])
        assert reader.view() is old
        writer.commit(6)
        assert ids(reader.view(), "old new") == [9]
        assert ids(old, "old new") == [1]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["index-2"]


@pytest.mark.fault("2")
@pytest.mark.parametrize("moment", ["before the mark", "before tantivy", "between", "after"])
def test_a_crash_around_a_commit_is_mended_by_replaying(tmp_path: Path, moment: str) -> None:
    build(tmp_path, [LexicalRow(1, "first word"), LexicalRow(2, "second word")])
    program = f"""
import os, sys
from pathlib import Path
from quarry.search.lexical import files as lexical_files
from quarry.search.lexical.rows import LexicalRow
from quarry.search.lexical.writer import LexicalWriter
writer = LexicalWriter(Path({str(tmp_path)!r}))
writer.add([LexicalRow(2, "changed word"), LexicalRow(3, "third word")])
writer.delete([1])
moment = {moment!r}
write, passed = lexical_files.State.write, []
def die_at(now):
    if now == moment:
        os._exit(9)
def dying(state, *arguments, **options):
    die_at("between" if passed else "before the mark")
    write(state, *arguments, **options)
    passed.append(state)
    die_at("before tantivy")
lexical_files.State.write = dying
writer.commit(2)
os._exit(9)
"""
    done = subprocess.run([sys.executable, "-c", program], timeout=60, cwd=ROOT)
    assert done.returncode == 9
    assert LexicalReader(tmp_path).view().generation == (2 if moment == "after" else 1)
    with LexicalWriter(tmp_path) as writer:
        writer.delete([1])
        writer.add([LexicalRow(2, "changed word"), LexicalRow(3, "third word")])
        writer.commit(2)
    view = LexicalReader(tmp_path).view()
    assert (view.count, sorted(ids(view, "word"))) == (2, [2, 3])
    assert lexical_sums.verify(tmp_path) == []


def test_a_tail_is_found_and_hides_what_it_replaces(tmp_path: Path) -> None:
    rows = corpus(500)
    view = build(tmp_path / "part", rows[:450])
    changed = [LexicalRow(7, "waak newer"), *rows[450:]]
    tail = LexicalTail(changed, deleted=[1, 2, 3])
    assert ids(view, "newer", tail=tail) == [7]
    assert len(tail) == 51
    whole = build(tmp_path / "whole", [row for row in rows[3:] if row.id != 7] + [changed[0]])
    for query in queries(20, seed=11):
        mixed, expected = view.search(query, 50, tail=tail), whole.search(query, 50)
        assert not set(mixed.ids.tolist()) & {1, 2, 3}
        assert len(set(mixed.ids.tolist()) & set(expected.ids.tolist())) >= 0.9 * len(expected)
        np.testing.assert_allclose(mixed.scores, expected.scores, rtol=0.15)
    allowed = np.array([460, 470, 480], np.int64)
    assert set(ids(view, " ".join(WORDS[:30]), allowed=allowed, tail=tail)) <= {460, 470, 480}


def test_a_tail_over_an_empty_index_scores_as_the_index_would(tmp_path: Path) -> None:
    rows = corpus(300)
    empty, full = build(tmp_path / "empty", []), build(tmp_path / "full", rows)
    tail = LexicalTail(rows)
    for query in queries(20, seed=13):
        ours, theirs = empty.search(query, 40, tail=tail), full.search(query, 40)
        assert ours.ids.tolist() == theirs.ids.tolist()
        np.testing.assert_allclose(ours.scores, theirs.scores, atol=2e-3)
        np.testing.assert_allclose(empty.weight(query, tail), full.weight(query), rtol=1e-6)


SPELT = ["Wi-Fi", "wifi", "wi fi", "HER-102", "her 102", "102", "10kg", "10 kg", "café", "cafe", "C++", "C", "AT&T"]


@pytest.mark.parametrize("seed", range(3))
def test_a_tail_scores_spellings_and_fields_as_the_index_does(tmp_path: Path, seed: int) -> None:
    choose = random.Random(seed)

    def value() -> object:
        return choose.choice([choose.choice(SPELT), choose.sample(SPELT, 2), 102, True])

    rows = [
        LexicalRow(
            id,
            " ".join(choose.choices(SPELT, k=choose.randint(0, 6))),
            fields={name: value() for name in choose.sample(["key", "author", "tags"], choose.randint(0, 3))},
            first=choose.random() < 0.6,
        )
        for id in range(1, 13)
    ]
    empty, full, tail = build(tmp_path / "empty", []), build(tmp_path / "full", rows), LexicalTail(rows)
    for query in [*SPELT, *(" ".join(choose.sample(SPELT, 2)) for _ in range(30))]:
        ours, theirs = empty.search(query, 20, tail=tail), full.search(query, 20)
        assert set(ours.ids.tolist()) == set(theirs.ids.tolist()), query
        one, other = ours.scores[np.argsort(ours.ids)], theirs.scores[np.argsort(theirs.ids)]
        np.testing.assert_allclose(one, other, atol=2e-3, err_msg=query)
        np.testing.assert_allclose(empty.weight(query, tail), full.weight(query), rtol=1e-6)
        some = np.array([2, 5, 11], np.int64)
        np.testing.assert_allclose(full.scores_for(query, some), empty.scores_for(query, some, tail), atol=2e-3)


def test_fields_neither_lengthen_a_text_nor_lift_it(tmp_path: Path) -> None:
    plain = [LexicalRow(id, "the lamp of the harbour") for id in (1, 2)]
    many = {f"f{n}": f"value number {n} of many" for n in range(60)}
    view = build(tmp_path, [*plain, LexicalRow(3, "the lamp of the harbour", fields=many), LexicalRow(4, "rain")])
    assert view.search("lamp harbour", 10).scores.tolist() == [view.search("lamp harbour", 10).scores[0]] * 3
    assert ids(view, "number 59") == [3]


def test_a_whole_value_comes_before_a_text_that_mentions_it(tmp_path: Path) -> None:
    rows = [LexicalRow(id, "see HER-102, HER-102") for id in range(1, 9)]
    view = build(tmp_path, [*rows, LexicalRow(9, "the door is stuck", fields={"key": "HER-102", "tags": ["see"]})])
    found = view.search("her-102", 10)
    assert found.ids[0] == 9
    assert found.scores[0] > 2 * found.scores[1]
    assert ids(view, "see HER-102")[0] != 9
    tagged = [LexicalRow(id, "a lamp", fields={"tags": ["python"]}) for id in range(1, 21)]
    common = build(tmp_path / "common", [*tagged, LexicalRow(21, "python, python and python in this text")])
    assert ids(common, "python")[0] == 21  # many have the value: it singles nothing out


def test_a_field_that_all_documents_have_takes_nothing_from_their_texts(tmp_path: Path) -> None:
    bodies = ["an apollo lands", "a lander", *(f"day {n} of rain" for n in range(20))]
    bare = build(tmp_path / "bare", [LexicalRow(id, body) for id, body in enumerate(bodies, start=1)])
    fields = {"project": "apollo"}
    all_have = build(tmp_path / "all", [LexicalRow(id, body, fields=fields) for id, body in enumerate(bodies, start=1)])
    assert all_have.search("apollo", 1).scores == bare.search("apollo", 1).scores
    assert all_have.search("apollo", 30).scores[1] < 0.05


def test_spellings_meet_and_the_exact_one_comes_first(tmp_path: Path) -> None:
    bodies = ["the wifi here", "the Wi-Fi here", "the wi fi here", "10kg of it", "10 kg of it", "the 10 of us"]
    bodies += ["data base", "HER-102 is open", "HER-101 is open", "item 102 is open"]
    bodies += ["C is old", "C++ is old", "C# is old", "database"]
    view = build(tmp_path, [LexicalRow(id, body) for id, body in enumerate(bodies, start=1)])
    for query in ("wifi", "Wi-Fi", "wi fi"):
        assert set(ids(view, query)) == {1, 2, 3}, query
    for query in ("10kg", "10 kg"):
        assert set(ids(view, query)[:2]) == {4, 5}, query
    assert set(ids(view, "10kg")) == {4, 5}
    assert set(ids(view, "data base")) == {7, 14}
    assert [ids(view, query)[0] for query in ("HER-102", "C", "C++", "C#")] == [8, 11, 12, 13]
    assert ids(view, "HER-999") == []
    for id, query in ((1, "wifi"), (14, "data base")):
        found = view.search(query, 10)
        assert found.scores[found.ids.tolist().index(id)] >= 0.8 * view.weight(query)


def test_long_queries_keep_the_terms_that_tell(big: LexicalView) -> None:
    query = " ".join(WORDS * 3)[:10_000]
    assert len(big.search(query, 10)) == 10
    kept = [
        term for word in big._selective(analysis.query_words(query)) for spelling in word for term in spelling.terms
    ]
    assert len(kept) == lexical.MAX_QUERY_WORDS
    assert analysis.terms(WORDS[0])[0] not in kept  # the commonest
    assert len(big.search("waak " * 2_000, 10)) == 10


def test_threads_share_a_view(big: LexicalView) -> None:
    wanted = queries(20)
    expected = [ids(big, query) for query in wanted]
    wrong: list[str] = []

    def work() -> None:
        for query, right in zip(wanted, expected, strict=True):
            if ids(big, query) != right:
                wrong.append(query)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_readers_are_not_disturbed_by_commits(tmp_path: Path) -> None:
    build(tmp_path, [LexicalRow(1, "word")])
    reader, stop, errors, seen = LexicalReader(tmp_path), threading.Event(), [], []

    def work() -> None:
        while not stop.is_set():
            try:
                view = reader.view()
                seen.append((view.generation, len(view.search("word", 1_000))))
            except Exception as error:  # whatever it is, it is the finding
                errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for generation in range(2, 14):
        with LexicalWriter(tmp_path, rebuild=generation % 5 == 0) as writer:
            first = 1 if generation % 5 == 0 else generation
            writer.add(LexicalRow(id_, "word") for id_ in range(first, generation + 1))
            writer.commit(generation)
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors
    assert all(count >= generation for generation, count in seen)


def files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file() and not path.name.startswith(".")]


# Searches by a reader of its own after every flip and cut, and says what came of it: in a process that may die of it.
FLIPS = """
import sys
from collections import Counter
from pathlib import Path
from quarry.search.errors import IndexDamaged
from quarry.search.lexical import index as lexical
from quarry.search.lexical import sums as lexical_sums
from tests.stores.harm import flips
lexical._RETRY_S = 0
directory = Path(sys.argv[1])
def answer():
    view = lexical.LexicalReader(directory).view()
    found = [view.search(query, 50) for query in ("waak wabk", "wzzk")]
    return [(one.ids.tolist(), one.scores.tolist()) for one in found]
right, came = answer(), Counter()
for path, harm, data in flips(directory):
    try:
        outcome = "right" if answer() == right else f"wrong: {path} {harm}"
    except IndexDamaged:
        outcome = "refused"
    if outcome == "refused" and not path.name.startswith("."):
        assert lexical_sums.verify(directory), (path, harm)
    came[outcome] += 1
assert answer() == right
print(dict(came))
"""


@pytest.mark.fault("6")
@pytest.mark.parametrize("state", ["at rest", "a writer was killed"])
def test_every_flipped_bit_and_every_cut_is_refused_or_harmless(tmp_path: Path, state: str) -> None:
    """tantivy is let near no file that is not what was written: it would answer wrongly, panic or end the process."""
    rows = corpus(300)
    build(tmp_path, rows[:200])
    with LexicalWriter(tmp_path) as writer:
        writer.delete([7, 8])
        writer.add(rows[200:])
        writer.commit(2)
    now = lexical_files.State.read(tmp_path)
    assert now is not None and now.files is not None and len(now.files) > 10
    if state == "a writer was killed":
        replace(now, files=None).write(tmp_path)
    assert lexical_sums.verify(tmp_path) == []
    done = subprocess.run(
        [sys.executable, "-c", FLIPS, tmp_path],
        timeout=250,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    came = ast.literal_eval(done.stdout.splitlines()[-1])
    wrong = [outcome for outcome in came if outcome.startswith("wrong")]
    assert came["refused"] > 400
    # Without recorded checksums, the list of segments and the state have none: a number in them passes for right.
    assert not [one for one in wrong if state == "at rest" or not one.split()[1].endswith(".json")], wrong


@pytest.mark.fault("6")
@pytest.mark.parametrize("damage", ["truncated", "emptied", "removed", "state", "meta", "all segments removed"])
def test_a_damaged_index_is_refused_and_rebuilt(tmp_path: Path, damage: str) -> None:
    rows = corpus(50)
    build(tmp_path, rows)
    target = next(path for path in files(tmp_path) if path.suffix == ".term")
    if damage == "truncated":
        data = target.read_bytes()
        target.unlink()
        target.write_bytes(data[: len(data) // 2])
    elif damage == "emptied":
        target.unlink()
        target.touch()
    elif damage == "removed":
        target.unlink()
    elif damage == "state":
        (tmp_path / "state.json").write_text("{")
    elif damage == "meta":
        (target.parent / "meta.json").write_text("[]")
    else:
        for path in target.parent.iterdir():
            path.unlink()
    with pytest.raises(IndexDamaged, match="rebuilds it"):
        LexicalReader(tmp_path).view()
    assert lexical_sums.verify(tmp_path)
    with LexicalWriter(tmp_path, rebuild=True) as writer:
        writer.add(rows)
        writer.commit(3)
    assert LexicalReader(tmp_path).view().count == 50
    assert lexical_sums.verify(tmp_path) == []


def test_no_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(IndexDamaged, match="no lexical index"):
        LexicalReader(tmp_path / "none").view()


def test_another_analysis_is_refused(tmp_path: Path) -> None:
    build(tmp_path, [LexicalRow(1, "word")])
    state = json.loads((tmp_path / "state.json").read_text())
    (tmp_path / "state.json").write_text(json.dumps(state | {"analysis": analysis.VERSION + 1}))
    with pytest.raises(IndexDamaged, match="another version"):
        LexicalReader(tmp_path).view()
    with pytest.raises(IndexDamaged, match="another version"):
        LexicalWriter(tmp_path)


@pytest.mark.fault("4")
def test_an_unwritable_index_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path / "built", [LexicalRow(1, "word")])
    kept = tmp_path / "kept"  # a copy, which no thread of the writer's still locks
    shutil.copytree(tmp_path / "built", kept, ignore=shutil.ignore_patterns("*.lock"))
    before = sorted(path.name for path in kept.rglob("*"))
    # Root may write anywhere, so the answer is given, and that nothing is written is looked at.
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert ids(LexicalReader(kept).view(), "word") == [1]
    assert sorted(path.name for path in kept.rglob("*")) == before


@pytest.mark.fault("3")
def test_a_full_disk_is_named_and_the_old_state_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path, [LexicalRow(1, "word")])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with LexicalWriter(tmp_path) as writer:
        writer.add([LexicalRow(2, "word")])
        with pytest.raises(StorageFull, match="disk is full"):
            writer.commit(2)
    assert LexicalReader(tmp_path).view().generation == 1


def test_two_writers_are_told_apart(tmp_path: Path) -> None:
    with LexicalWriter(tmp_path) as writer:
        writer.add([LexicalRow(1, "word")])
        writer.commit(1)
        with pytest.raises(LibraryLocked, match="another writer"):
            LexicalWriter(tmp_path)


def test_errors_of_the_rows_are_not_the_index_s(tmp_path: Path) -> None:
    def rows() -> Iterator[LexicalRow]:
        yield LexicalRow(1, "word")
        raise ValueError("from elsewhere")

    with pytest.raises(ValueError, match="from elsewhere"), LexicalWriter(tmp_path) as writer:
        writer.add(rows())


def test_a_place_that_refuses_writing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(LibraryReadOnly, match="permissions"):
        LexicalWriter(tmp_path / "new")
