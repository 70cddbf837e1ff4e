"""What boilerplate is known by: the fingerprints of each text (`search.alike.fingerprints`)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from quarry.indexer.enrichments.base import Enrichment, Result
from quarry.search.alike.fingerprints import IDENTITY, fingerprints
from quarry.search.alike.sketches import written

_PORTION = 1 << 20  # characters of a document, beyond which it is not looked for what others hold, too
_QUOTED = re.compile(r"^[ \t]*>.*\n?", re.MULTILINE)


class Fingerprints(Enrichment):
    """Keeps the fingerprints of each text, but for what it quotes: answers repeat a mail, which is no boilerplate."""

    name = "fingerprints"

    identity = IDENTITY

    def enrich(self, items: Sequence[str]) -> list[Result]:
        """Take those of each text."""
        return [Result(sketch=_sketch(text[:_PORTION])) for text in items]


def _sketch(text: str) -> str:
    own = np.unique(fingerprints(_QUOTED.sub("", text)))
    return written(own.astype("<u4").tobytes()) if len(own) else ""
