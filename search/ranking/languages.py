"""Which passages are in another language than the query: they can't hold its words, and words say nothing of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quarry.search.language.function_words import ENGLISH, languages_of
from quarry.search.language.scripts import Scripts, knows, scripts_in
from quarry.search.stores import hit_rows
from quarry.search.stores.catalog import Snapshot
from quarry.search.types import Ids
from quarry.search.views import SpaceView

_JAPANESE = ("Kana", "Han")
_LATIN = 0.5  # of a passage's letters, from which it is in Latin script
_OTHER = 0.2  # and in another one: names and terms in Latin letters stand within texts in any, and hardly the reverse


@dataclass(frozen=True, slots=True)
class PassageLanguages:
    """Tells the language of passages from that of a query; None of a library that has one script."""

    snapshot: Snapshot
    text: str

    def are_others(self, ids: Ids) -> NDArray[np.bool_]:
        """Return (n,), whether passages are in another script or, as far as both are known, another language."""
        script = next(iter(scripts_in(self.text)), "")
        if not script:
            return np.zeros(len(ids), np.bool_)
        own, is_latin = Scripts(_JAPANESE if script == "Kana" else (script,)), script == "Latin"
        least, told = (_LATIN, languages_of(self.text)) if is_latin else (_OTHER, frozenset())
        written = hit_rows.written(self.snapshot.connection, ids.tolist())
        found = []
        for id in ids.tolist():
            begins, language = written.get(id, ("", None))
            found.append(knows(own, begins) < least or bool(told and (language or ENGLISH) not in told))
        return np.array(found, np.bool_)


def languages(snapshot: Snapshot, text: str, spaces: Sequence[SpaceView]) -> PassageLanguages | None:
    """Return what tells languages, where the models of some spaces know several scripts."""
    return PassageLanguages(snapshot, text) if any(len(space.scripts) != 1 for space in spaces) else None
