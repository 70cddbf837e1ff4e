from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from quarry.api import Library
from quarry.search.answers.evidence import Asked, Evidence, Features, odds
from quarry.search.answers.reranking import RERANKED, by_cross_encoder, by_reader
from quarry.search.errors import InvalidRequest
from quarry.search.models.fake import FakeReader
from quarry.search.models.pair.embedded import CARD
from quarry.search.queries.query import Response
from quarry.search.types import Rerank
from tests.answers.scripted import hit
from tests.pair_models import save_cross_encoder

QUESTION = "when was the Panama Canal opened"
ASKED = Asked(QUESTION)
EVIDENCE = Evidence(0.0, 1.0, 1.0)


class ScriptedScorer:
    """A cross-encoder that knows the score of every text."""

    def __init__(self, scores: dict[str, float]) -> None:
        self.card = replace(CARD, name="scripted")
        self._scores = scores

    def score(self, query: str, passages: Sequence[str]) -> NDArray[np.float32]:
        return np.asarray([self._scores[passage] for passage in passages], np.float32)


# --- orders ---------------------------------------------------------------------------------------------------------


def test_a_passage_that_answers_comes_before_one_about_it() -> None:
    hits = [
        hit("about it", "1", relevance=0.9),
        hit("answers it", "2", relevance=0.8),
        hit("neither", "3", relevance=0.7),
    ]
    reader = FakeReader({"answers": 4.0, "about": -4.0, "neither": -8.0})
    readings = dict(zip("123", reader.read(QUESTION, [one.text for one in hits]), strict=True))
    found = by_reader(ASKED, hits, readings, EVIDENCE)
    assert [one.id for one in found] == ["2", "1", "3"]
    assert [one.relevance for one in found] == [
        EVIDENCE.confidence(Features(4.0, odds(0.8))),
        EVIDENCE.confidence(Features(-4.0, odds(0.9))),
        EVIDENCE.confidence(Features(-8.0, odds(0.7))),
    ]


def test_what_could_not_be_read_counts_as_the_least_that_was() -> None:
    hits = [hit("읽을 수 없다", "1", relevance=0.7), hit("short", "2", relevance=0.6), hit("", "3", relevance=0.9)]
    readings = dict(zip("2", FakeReader({"short": 1.0}).read(QUESTION, ["short"]), strict=True))
    assert [one.id for one in by_reader(ASKED, hits, readings, EVIDENCE)] == ["3", "1", "2"]
    assert [one.id for one in by_reader(ASKED, hits, {}, EVIDENCE)] == ["3", "1", "2"]
    assert by_reader(ASKED, [], {}, EVIDENCE) == []


def test_a_cross_encoder_alone_decides_on_what_has_text() -> None:
    hits = [hit("low", "1", relevance=0.9), hit("", "2", relevance=0.4), hit("high", "3", relevance=0.1)]
    found = by_cross_encoder(QUESTION, hits, ScriptedScorer({"low": -1e6, "high": 2.0}))
    assert [one.id for one in found] == ["3", "2", "1"]
    assert found[0].relevance == pytest.approx(1 / (1 + np.exp(-2)))
    assert found[1].relevance == 0.4
    assert 0 <= found[2].relevance < 1e-9


def test_equal_scores_keep_their_order_and_what_is_explained_tells_the_old_one() -> None:
    hits = [replace(hit(str(n), str(n)), explanation={"relevance": 0.5}) for n in range(3)]
    found = by_cross_encoder(QUESTION, hits, ScriptedScorer({"0": 1.0, "1": 2.0, "2": 1.0}))
    assert [one.id for one in found] == ["1", "0", "2"]
    assert found[0].explanation == {"relevance": 0.5, "cross_encoder": {"rank_before": 2, "score": 2.0}}


# --- searches of the sample -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library(sample_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """The sample, with a cross-encoder that knows nothing."""
    folder = save_cross_encoder(tmp_path_factory.mktemp("cross-encoder"), "Identity")
    with Library(sample_library, cross_encoder=str(folder)) as opened:
        yield opened


def shown(response: Response) -> list[tuple[str, float]]:
    return [(hit.id, hit.relevance) for hit in response.hits]


@pytest.mark.filterwarnings("ignore")  # of torch and transformers, while the cross-encoder is exported
@pytest.mark.parametrize("rerank", ["reader", "cross-encoder"])
def test_pages_make_up_the_whole(library: Library, rerank: Rerank) -> None:
    plain = library.search(QUESTION, limit=RERANKED + 10)
    whole = library.search(QUESTION, limit=RERANKED + 10, rerank=rerank)
    pages = [library.search(QUESTION, rerank=rerank, limit=7, offset=offset) for offset in range(0, RERANKED + 10, 7)]
    assert [one for page in pages for one in shown(page)][: RERANKED + 10] == shown(whole)
    assert shown(library.search(QUESTION, rerank=rerank, limit=3)) == shown(whole)[:3]
    assert {hit.id for hit in whole.hits[:RERANKED]} == {hit.id for hit in plain.hits[:RERANKED]}
    assert [hit.id for hit in whole.hits[RERANKED:]] == [hit.id for hit in plain.hits[RERANKED:]]
    relevance = [hit.relevance for hit in whole.hits]
    assert relevance == sorted(relevance, reverse=True)
    assert [hit.id for hit in whole.hits] != [hit.id for hit in plain.hits]
    assert {hit.id: hit.score for hit in whole.hits} == {hit.id: hit.score for hit in plain.hits}


@pytest.mark.parametrize("rerank", ["reader", "cross-encoder"])
def test_what_is_less_relevant_afterwards_is_left_out(library: Library, rerank: Rerank) -> None:
    whole = library.search(QUESTION, limit=RERANKED, rerank=rerank)
    bound = whole.hits[4].relevance
    some = library.search(QUESTION, limit=RERANKED, rerank=rerank, min_relevance=bound)
    assert shown(some) == [one for one in shown(whole) if one[1] >= bound]
    page = library.search(QUESTION, limit=3, offset=3, rerank=rerank, min_relevance=bound, answer=True, summarize=True)
    assert shown(page) == shown(some)[3:6]
    kept = {hit.id for hit in some.hits}
    assert {answer.hit.id for answer in page.answers} <= kept
    assert page.summary is not None
    assert {hit.id for sentence in page.summary.sentences for hit, *_ in sentence.sources} <= kept


def test_the_reader_puts_what_answers_first(library: Library) -> None:
    best = library.search(QUESTION, rerank="reader", limit=1, answer=True)
    assert best.hits[0].document.title == "panama-canal"
    assert best.hits[0].id in {answer.hit.id for answer in best.answers}


@pytest.mark.parametrize(("rerank", "name"), [("reader", "reader"), ("cross-encoder", "cross_encoder")])
def test_explanations_tell_the_rank_before(library: Library, rerank: Rerank, name: str) -> None:
    plain = [hit.id for hit in library.search(QUESTION, limit=RERANKED).hits]
    for found in library.search(QUESTION, limit=5, rerank=rerank, explain=True).hits:
        assert found.explanation is not None
        told: dict[str, Any] = found.explanation[name]
        assert plain[told["rank_before"] - 1] == found.id
        assert isinstance(told["score"], float)


def test_a_korean_query_is_reranked_by_what_a_reader_finds(library: Library) -> None:
    response = library.search("훈민정음은 언제 반포되었는가", rerank="reader", limit=3)
    assert "한글" in response.hits[0].document.title
    assert not any("found by words only" in note for note in response.degraded)


def test_what_can_not_rerank_is_refused_in_words(sample_library: Path, library: Library) -> None:
    with Library(sample_library) as without, pytest.raises(InvalidRequest, match="--cross-encoder or QUARRY_CROSS_ENC"):
        without.search(QUESTION, rerank="cross-encoder")
    with pytest.raises(InvalidRequest, match="it can be reader or cross-encoder"):
        library.search(QUESTION, rerank="magic")  # type: ignore[arg-type]
    for rerank in ("reader", "cross-encoder"):
        with pytest.raises(InvalidRequest, match="too long"):
            library.search("why " * 600, rerank=rerank)  # type: ignore[arg-type]
    nothing = library.search(QUESTION, rerank="cross-encoder", filter={"path": "/nowhere"}, answer=True, summarize=True)
    assert (nothing.hits, nothing.answers, nothing.summary) == ([], (), None)


def test_what_has_no_model_is_named_and_costs_no_hits(sample_library: Path) -> None:
    with Library(sample_library, reader="no/reader", summarizer="no/summarizer", prepare=False) as without:
        found = without.search(QUESTION, answer=True, summarize=True)
    assert (len(found.hits), found.answers, found.summary) == (10, (), None)
    assert not found.query.answer  # nobody can say that there is none
    unread, unsaid = found.degraded
    assert "no/reader" in unread and unread.endswith("Answers were not looked for.")
    assert "no/summarizer" in unsaid and unsaid.endswith("There is no summary.")
