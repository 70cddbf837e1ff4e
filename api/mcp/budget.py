"""How many tokens a reply takes of a model's context: counted by a rule of our own, rather too high than too low.

Whose tokens they are can't be known, and no vocabulary is small enough to carry. Held against the tokenizers of GPT-4
(cl100k), Claude and DeepSeek over the sample library (prose, Markdown, HTML, Python, CSV, JSON, Korean), the rule was
too low for no file; it was 10 to 30% too high.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate

LEAST, USUAL, MOST = 1_000, 4_000, 20_000  # tokens that a reply may be limited to; hosts cut at about 25,000
PICTURE_AREA = 750  # pixels of a picture that count as one token

_PIECE = re.compile(r"[A-Za-z]+|[0-9]+|[ ]|\s+|[^\x00-\x7f]+|.")


def tokens(text: str) -> int:
    """Return how many tokens a text takes."""
    return sum(map(_cost, _PIECE.findall(text)))


def as_json(value: object) -> str:
    """Write a value as a reply carries it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_tokens(value: object) -> int:
    """Return how many tokens a value takes as JSON."""
    return tokens(as_json(value))


def fitting(text: str, room: int) -> int:
    """Return how many characters from the start of a text take at most `room` tokens as JSON; words stay whole."""
    pieces = _PIECE.findall(text)
    taken = 0
    for piece, total in zip(pieces, accumulate(map(_json_cost, pieces)), strict=True):
        if total > room:
            break
        taken += len(piece)
    return taken


def _json_cost(piece: str) -> int:
    written = json.dumps(piece, ensure_ascii=False)[1:-1]
    return _cost(piece) if written == piece else tokens(written)


def _cost(piece: str) -> int:
    first = piece[0]
    if first == " " and len(piece) == 1:
        return 0  # it goes with the word after it
    if first.isascii() and first.isalpha():
        return 1 + (len(piece) - 1) // 5
    if first.isascii() and first.isdigit():
        return 1 + (len(piece) - 1) // 3
    if first.isascii():
        return 1
    return -(-len(piece.encode("utf-8", "replace")) // 2)
