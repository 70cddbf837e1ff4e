"""A library against a model of one: a dictionary of texts, and exact search by NumPy in double precision.

Hypothesis chooses what is done and in which order. It does not shorten what fails, which takes minutes: what is said
of a failure are all of its steps.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from numpy.typing import NDArray

from quarry.api.library import Library, Text
from quarry.search.engines.faiss import segment_writer
from quarry.search.errors import NotFound
from quarry.search.models.fake import FakeModels
from quarry.search.queries.query import Response
from quarry.search.stores.catalog import active_space
from quarry.search.stores.rows.passages import passages_of
from quarry.search.types import Hit
from tests.torture.oracle import check_sound
from tests.torture.tally import Tally

WORDS = ["otter", "heron", "river", "stone", "winter", "harbour", "lantern", "engine"]
NAMES = st.sampled_from([f"d{number}" for number in range(12)])
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
YEARS = st.integers(2000, 2003)
EXAMPLES = 3  # sequences that are tried before the clock is looked at


class Model(RuleBasedStateMachine):
    """Does to a library what it does to a dictionary."""

    models = FakeModels()
    place = Path()

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.directory = Path(tempfile.mkdtemp(dir=self.place)) / "library"
        self.library = Library(self.directory, models=self.models)
        self.held: dict[str, tuple[str, int]] = {}  # text and year by id
        self.trash: dict[str, tuple[str, int]] = {}

    @initialize(text=TEXTS, year=YEARS)
    def begin(self, text: str, year: int) -> None:
        self.add({"d0": (text, year)})

    @rule(new=st.dictionaries(NAMES, st.tuples(TEXTS, YEARS), min_size=1, max_size=5))
    def add(self, new: dict[str, tuple[str, int]]) -> None:
        self.library.add([Text(text, id=id, uri=id, metadata={"year": year}) for id, (text, year) in new.items()])
        self.held |= new

    @rule(names=st.sets(NAMES, min_size=1, max_size=3))
    def delete(self, names: set[str]) -> None:
        if missing := names - self.held.keys():
            with pytest.raises(NotFound):
                self.library.delete(sorted(names))
            assert missing
            return
        assert self.library.delete(sorted(names)) == len(names)
        self.trash |= {name: self.held.pop(name) for name in names}

    @precondition(lambda self: self.trash.keys() - self.held.keys())
    @rule(data=st.data())
    def undelete(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.trash.keys() - self.held.keys())))
        assert self.library.undelete([name]) == [name]
        self.held[name] = self.trash.pop(name)

    @rule()
    def compact(self) -> None:
        self.library.compact()
        for name in sorted(self.trash):
            if name not in self.held:
                with pytest.raises(NotFound):
                    self.library.undelete([name])
        self.trash = {}

    @rule(model=st.sampled_from(["default", "turned", "short@4"]))
    def reembed(self, model: str) -> None:
        self.library.reembed(model)

    @rule()
    def reopen(self) -> None:
        self.library.close()
        self.library = Library(self.directory, models=self.models)

    @rule()
    def rebuild(self) -> None:
        """What is derived is deleted, and comes back."""
        self.library.close()
        for derived in ("lexical", "segments"):
            shutil.rmtree(self.directory / derived, ignore_errors=True)
        self.library = Library(self.directory, models=self.models)
        self.library.doctor(repair=True)

    @rule(words=st.sets(st.sampled_from(WORDS), min_size=1, max_size=3), year=st.none() | YEARS)
    def search_by_words(self, words: set[str], year: int | None) -> None:
        response = self.library.search(" ".join(sorted(words)), mode="lexical", limit=100, filter=within(year))
        self._is_whole(response, year)
        expected = {id for id, (text, when) in self.held.items() if words & set(text.split()) and year in (None, when)}
        found = {place for hit in response.hits for place in places(hit)}
        assert found == expected, f"{sorted(words)} in {year}: found {sorted(found)}, not {sorted(expected)}"

    @rule(query=TEXTS, year=st.none() | YEARS)
    def search_by_meaning(self, query: str, year: int | None) -> None:
        """Scores are those of exact search, best first; of equal ones any may stand."""
        response = self.library.search(query, mode="semantic", limit=100, filter=within(year))
        self._is_whole(response, year)
        expected = np.sort(self._scores(query, year))[::-1]
        found = np.asarray([hit.score for hit in response.hits], np.float64)
        assert len(found) == len(expected), f"{len(found)} hits, not {len(expected)}"
        np.testing.assert_allclose(np.sort(found)[::-1], expected, atol=2e-3)

    def _is_whole(self, response: Response, year: int | None) -> None:
        """Nothing is said to be missing; but that no document has such a year, where none has."""
        assert not response.degraded or year not in {when for _, when in self.held.values()}, response.degraded

    def _scores(self, query: str, year: int | None) -> NDArray[np.float64]:
        """Score each distinct passage in double precision, from its own text."""
        with self.library.catalog().snapshot() as snapshot:
            space = active_space(snapshot.connection, "text")
            assert space is not None
            encoder = self.models.text(space.model)
            rows = snapshot.connection.execute("SELECT id, public_id FROM documents").fetchall()
            passages = {
                passage.text
                for row, id in rows
                if year in (None, self.held[id][1])
                for passage in passages_of(snapshot.connection, row)
            }
        if not passages:
            return np.empty(0)
        vectors = encoder.encode_documents(sorted(passages)).astype(np.float64)
        scores: NDArray[np.float64] = vectors @ encoder.encode_queries([query])[0].astype(np.float64)
        return scores

    @invariant()
    def the_same_documents(self) -> None:
        listed, total = self.library.documents(limit=100)
        assert total == len(listed) == len(self.held)
        assert {one.id: (self.library.text(one.id), one.metadata["year"]) for one in listed} == self.held

    def teardown(self) -> None:
        check_sound(self.library)
        self.library.close()
        shutil.rmtree(self.directory.parent)


def within(year: int | None) -> dict[str, Any] | None:
    return None if year is None else {"year": year}


def places(hit: Hit) -> list[str]:
    return [hit.document.id, *(one.document.id for one in hit.also)]


def run(tally: Tally, place: Path, models: FakeModels, *, steps: int = 20) -> None:
    """Try sequences of steps until the time is over; derived files are kept small, so that there are many."""
    before = segment_writer.FLUSH_FROM, segment_writer.SegmentWriter.flush.__defaults__
    segment_writer.FLUSH_FROM, segment_writer.SegmentWriter.flush.__defaults__ = 6, (6,)
    Model.models, Model.place = models, place
    chosen = settings(
        max_examples=EXAMPLES, stateful_step_count=steps, deadline=None, database=None, print_blob=True,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    seed = tally.seed
    try:
        while tally.goes_on:
            with tally.trying(f"--seed {seed} of Hypothesis"):
                tally.tried += EXAMPLES - 1
                machine = type("Model", (Model,), {"_hypothesis_internal_use_seed": seed})
                run_state_machine_as_test(machine, settings=chosen)  # type: ignore[no-untyped-call]
            seed += 1
    finally:
        segment_writer.FLUSH_FROM, segment_writer.SegmentWriter.flush.__defaults__ = before
