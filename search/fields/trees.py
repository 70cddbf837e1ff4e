"""Values that are paths, the broadest level first: `Places|Korea|Seoul`, `trade/fish/salmon`.

A name that ends in `/` reads what a field holds so. What stands between the levels is `|` in a value that has one, as
Lightroom writes keywords, and else `/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from quarry.search.fields.conditions import Sql, any_of
from quarry.search.language.texts import nfc

MARK = "/"  # at the end of a name: its values are paths


def levels(value: str) -> Iterator[str]:
    """Yield the paths that a value lies at or below, the broadest first, itself last."""
    between = "|" if "|" in value else "/"
    at = value.find(between)
    while at >= 0:
        if at and value[at - 1] != between:
            yield value[:at]
        at = value.find(between, at + 1)
    if value and value[-1] != between:
        yield value


def below(value: str, path: str, text: Callable[[str, str], str]) -> Sql:
    """Return the condition that a value lies below a path, and is not the path itself.

    Args:
        value: the SQL of a text.
        text: gives the SQL of a function of it, which is computed once.
    """
    composed = value if path.isascii() else text("nfc", value)
    path = nfc(path)
    parts = [_begins(composed, f"{path}|")]
    if "|" not in path:
        found = _begins(composed, f"{path}/")
        parts.append(Sql(f"({found.text} AND instr({value}, '|') = 0)", found.params))
    return any_of(parts)


def _begins(value: str, with_: str) -> Sql:
    return Sql(f"substr({value}, 1, ?) = ?", (len(with_), with_))
