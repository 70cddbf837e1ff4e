"""Hyphens at the end of a line: one that divides a word goes, one that joins two stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Set
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from quarry.search.models.text.embedded import PACKAGE

_PART = r"[^\W_]++(?:-[^\W_]++)*+"
_BROKEN = re.compile(rf"((?<![^\W_])(?<![^\W_]-){_PART})?(?:(-?)[\x02\ufffe\u00ad]\r?\n?|-\r?\n(?=\w))[ ]?({_PART})?")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_BOTH = frozenset(["and", "or", "to", "und", "oder", "bis", "et", "ou", "y", "o", "e"])  # "pre- and post-war"
_ENDINGS = re.compile(
    r"(?:ing|ings|ed|er|ers|est|ly|ness|ments?|tions?|sions?|ions?|able|ible|ably|ibly|als?|ally|ic|ical|ity|ities|isms?"
    r"|ists?|ous|ously|ives?|ful|fully|less|ships?|hood|wards?|wise|e?s|en|ries|ry|ary|ies|izes?|ized|izing|ance|ence"
    r"|ant|ent|tive|ture|tures|ology|graphy|ters?|ders?|gers?|sen|ner|lich|keit|heit|ung|ungen|schaft)"
)
_SHORTEST = 3  # letters of a part that is a word of its own


def joiner(text: str) -> Callable[[str], str]:
    """Return what joins lines as PDFium marks their hyphens; `text` is all of the document, which tells its words."""
    own = {word.lower() for word in _WORD.findall(text)}
    return lambda page: _BROKEN.sub(lambda match: _joined(match, own), page)


def _joined(match: re.Match[str], own: Set[str]) -> str:
    left, hyphen, right = match[1] or "", match[2] or "", match[3] or ""
    if not left or not right:
        return f"{left}-{right}" if left or hyphen else right
    last = left.rsplit("-", 1)[-1]
    together, apart = f"{last}{right}".lower(), f"{left}-{right}".lower()
    if right in _BOTH and together not in own:
        return f"{left}- {right}"
    if hyphen or not (last[-1].isalpha() and right[0].isalpha()) or (right[0].isupper() and not left.isupper()):
        return f"{left}-{right}"
    if together in own or apart in own:
        return f"{left}{right}" if together in own else f"{left}-{right}"
    return f"{left}-{right}" if "-" in left + right or _is_compound(last.lower(), right.lower()) else f"{left}{right}"


def _is_compound(left: str, right: str) -> bool:
    """Whether two parts are words by themselves, and no word together, as far as is known of English."""
    known = _vocabulary()
    if min(len(left), len(right)) < _SHORTEST or f"{left}{right}" in known or _ENDINGS.fullmatch(right):
        return False
    return left in known and right in known


@cache
def _vocabulary() -> Set[str]:
    """Return the 20,000 usual English words that the default text model knows whole; none where it is missing."""
    spec = find_spec(PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    try:
        lines = Path(folders[0], "model", "vocab.txt").read_text("utf-8").split("\n")
    except (IndexError, OSError):
        return frozenset()
    return frozenset(line for line in lines if len(line) >= _SHORTEST and line.isalpha())
