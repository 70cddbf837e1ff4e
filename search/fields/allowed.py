"""What the filters of queries come to, kept for the next query: ids of chunks, and notes."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from quarry.search.errors import InvalidFilter
from quarry.search.fields.filters import EVERYTHING, MAX_DEPTH, Allowed, allowed_by
from quarry.search.fields.held import Field, fields
from quarry.search.fields.notes import notes, unknown_fields
from quarry.search.requests import deadline
from quarry.search.stores.catalog import Snapshot
from quarry.search.values.notes import Note


class Filters:
    """What filters come to, each for one generation; the last few answers are kept."""

    _KEPT = 16
    _LONG = 2_000  # characters of a filter that takes a while to compile
    _AT_ONCE = 2  # of those: more would keep the interpreter from everybody else

    def __init__(self) -> None:
        self._answers: dict[tuple[str, int], Allowed] = {}
        self._notes: dict[tuple[str, int], tuple[Note, ...]] = {}
        self._fields: tuple[int, list[Field]] = (-1, [])
        self._listing = threading.Lock()
        self._long = threading.BoundedSemaphore(self._AT_ONCE)

    def allowed(self, snapshot: Snapshot, filter: Mapping[str, Any] | None) -> Allowed:
        """Return the chunks that a filter allows."""
        if filter is None or filter == {}:
            return EVERYTHING
        key = (_written(filter), snapshot.generation)
        answers = self._answers
        if key not in answers:
            with self._turn(key[0]):
                allowed = allowed_by(snapshot.connection, filter)
            self._answers = dict(list(answers.items())[-self._KEPT + 1 :]) | {key: allowed}
            return allowed
        return answers[key]

    def notes(self, snapshot: Snapshot, filter: Mapping[str, Any] | None) -> tuple[Note, ...]:
        """Say what a filter may have been meant as, where it can't be meant as it is; see `search.fields.notes`."""
        ids = self.allowed(snapshot, filter).ids
        if filter is None or ids is None:
            return ()
        key = (_written(filter), snapshot.generation)
        known = self._notes
        if key not in known:
            with self._turn(key[0]):
                said = notes(snapshot.connection, filter, lambda: self.fields(snapshot), nothing=not len(ids))
            self._notes = dict(list(known.items())[-self._KEPT + 1 :]) | {key: said}
            return said
        return known[key]

    def unknown(self, snapshot: Snapshot, names: Sequence[str]) -> tuple[Note, ...]:
        """Say which of some fields no document has."""
        return unknown_fields(snapshot.connection, names, lambda: self.fields(snapshot)) if names else ()

    def _turn(self, said: str) -> AbstractContextManager[None]:
        """Wait for one's turn to work on a filter, if it is a long one."""
        return deadline.holding(self._long) if len(said) > self._LONG else nullcontext()

    def fields(self, snapshot: Snapshot) -> list[Field]:
        """Return the fields of the library."""
        with deadline.holding(self._listing):  # it is the same for all who ask at once
            known = self._fields
            if known[0] != snapshot.generation:
                known = self._fields = (snapshot.generation, fields(snapshot.connection))
            return known[1]


def _written(filter: Mapping[str, Any]) -> str:
    try:
        return repr(filter)
    except RecursionError:
        raise InvalidFilter(f"is nested deeper than {MAX_DEPTH} levels.", "filter") from None
