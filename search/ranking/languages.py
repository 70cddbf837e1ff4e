"""Which passages are in another language than the query: they can't hold its words, and words say nothing of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quarry.search.language.function_words import ENGLISH, languages_of
from quarry.search.language.scripts import Scripts, knows, scripts_in
from quarry.search.relevance import MULTILINGUAL, shared
from quarry.search.stores.catalog import Snapshot
from quarry.search.stores.lookups import hit_rows
from quarry.search.types import Ids
from quarry.search.views import SpaceView

_JAPANESE = ("Kana", "Han")
_OF_SCRIPTS = {"Latin": ENGLISH, "Hangul": "ko", "Kana": "ja", "Han": "zh", "Cyrillic": "ru"}  # if nothing else tells
_EVEN = ("ko", ENGLISH)  # whose texts the multilingual model's vectors have no direction of their own for
_LATIN = 0.5  # of a passage's letters, from which it is in Latin script
_OTHER = 0.2  # and in another one: names and terms in Latin letters stand within texts in any, and hardly the reverse


@dataclass(frozen=True, slots=True)
class PassageLanguages:
    """Tells the language of passages from that of a query; None of a library that has one script.

    Args:
        is_uneven: whether a space's cosines are by chance what they are by the languages of query and passage.
    """

    snapshot: Snapshot
    text: str
    is_uneven: bool = False

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

    def shared(self, ids: Ids, others: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return (n,), what of the cosines is language alone; `others` are (n,), what `are_others` says."""
        script, told = next(iter(scripts_in(self.text)), ""), languages_of(self.text)
        own = "" if told and script == "Latin" and ENGLISH not in told else _OF_SCRIPTS.get(script, script)
        found = np.zeros(len(ids))
        if not self.is_uneven or own in _EVEN or not script or others.all():
            return found
        written = hit_rows.written(self.snapshot.connection, ids[~others].tolist())
        for place in np.flatnonzero(~others).tolist():
            begins, language = written.get(int(ids[place]), ("", None))
            if not language:
                written_in = next(iter(scripts_in(begins)), "")
                language = _OF_SCRIPTS.get(written_in, written_in)
            if language not in _EVEN:
                found[place] = shared(language)
        return found


def languages(snapshot: Snapshot, text: str, spaces: Sequence[SpaceView]) -> PassageLanguages | None:
    """Return what tells languages, where the models of some spaces know several scripts."""
    if all(len(space.scripts) == 1 for space in spaces):
        return None
    return PassageLanguages(snapshot, text, any(space.model in MULTILINGUAL for space in spaces))
