"""Words that hits may not hold: `-word` and `-"a phrase"` in the text of a query.

A minus sign is one where it stands before a word of letters and after white space or nothing: so `C-3PO`, `--option`,
`-5 degrees` and a lone `-` are words like all others. What holds such a word, in whatever form and wherever it would be
found by it (in its text, its title and path, in a field of its document), is found in no mode.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from quarry.search.language import analysis
from quarry.search.language.letters import normal
from quarry.search.language.tokens import UNSPACED
from quarry.search.stores.lookups import negated_rows
from quarry.search.types import Ids, distinct

if TYPE_CHECKING:
    from quarry.search.lexical.index import LexicalView
    from quarry.search.lexical.rows import LexicalTail
    from quarry.search.stores.catalog import Snapshot

_MINUS = r"(?<!\S)[-\u2212]"
_PIECES = re.compile(rf"[{UNSPACED}]|(?:(?![{UNSPACED}])[^\W_])+")
_NEGATED = re.compile(rf'{_MINUS}(?:"(?P<straight>[^"]+)"|“(?P<curly>[^”]+)”|(?P<word>[^\W\d_]\S*))')


def parted(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the text of a query without the words that hits may not hold, and these."""
    if "-" not in text and "\u2212" not in text:
        return text, ()
    found: list[str] = []

    def part(match: re.Match[str]) -> str:
        term = (match["straight"] or match["curly"] or match["word"]).strip()
        if not analysis.query_words(term):
            return match[0]
        found.append(term)
        return ""

    rest = _NEGATED.sub(part, text)
    return (" ".join(rest.split()) if found else text), tuple(dict.fromkeys(found))


def holding(snapshot: Snapshot, index: LexicalView, tail: LexicalTail | None, terms: tuple[str, ...]) -> Ids:
    """Return the ids of all chunks that hold one of some words or phrases, ascending.

    What is said about a picture, or its path, tells of the picture itself.
    """
    found = [_holding(snapshot, index, tail, term) for term in terms]
    ids = distinct(np.concatenate(found))
    return distinct(np.concatenate([ids, negated_rows.whole(snapshot.connection, ids)]))


def _holding(snapshot: Snapshot, index: LexicalView, tail: LexicalTail | None, term: str) -> Ids:
    words = analysis.query_words(term)
    ids = index.holding(words, tail)
    if len(words) == 1 and " " not in term:
        return ids
    phrase = _in_order(term)
    rows = negated_rows.texts(snapshot.connection, ids)
    return np.fromiter((id for id, text in rows if phrase in _in_order(text)), np.int64)


def _in_order(text: str) -> str:
    """Return the words of a text in their order, as a text in which a phrase is found where it stands."""
    return f" {' '.join(analysis.stem(piece) for piece in _PIECES.findall(normal(text).casefold()))} "
