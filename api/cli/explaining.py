"""How a hit was found, for people: each retriever's part, and what its scores add up from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from quarry.api.cli.snippets import wrapped
from quarry.api.cli.terminal import printable
from quarry.search.types import Hit

_MOST, _LEAST = 8, 3  # words that speak most for a hit, and against it
_SHADES = " ░▒▓█"
_INDENT = 13  # columns of what a line is about
_TOLD_APART = {"meaning", "meaning_beyond", "words", "patches", "patches_beyond", "cosine", "boilerplate"}
_BEYOND = {
    "marks": "begin and end",
    "stored": "rounding",
    "seen": "seen as a whole",
    "classes": "what it is called",
    "hub": "likeness to all",
}


def print_explanation(hit: Hit, margin: str, width: int) -> None:
    """Print what is known of how a hit was found."""
    explanation = hit.explanation or {}
    for name, value in explanation.items():
        if name not in _TOLD_APART:
            _print(name, _told(value), margin, width)
    if "meaning" in explanation:
        shares = list(_strongest(hit, explanation["meaning"]))
        _print_sum("meaning", explanation["cosine"], shares, explanation["meaning_beyond"], margin, width)
    if found := explanation.get("boilerplate"):
        said = f"{found['share']:.0%} of it stands in {found['documents']:,} documents, so it counts for"
        _print("boilerplate", f"{said} {found['counts']:.0%}", margin, width)
    if "patches" in explanation:
        own = f"patches {sum(explanation['patches']['shares']):+.3f}"
        _print_sum("picture", explanation["cosine"], [own], explanation["patches_beyond"], margin, width)
        for line in _grid(**explanation["patches"]):
            click.secho(margin + " " * _INDENT + line, dim=True)
    if words := explanation.get("words"):
        said = " + ".join(f"{one['word']} {one['share']:.2f}" for one in words)
        _print("words", f"{sum(one['share'] for one in words):.2f} = {said}", margin, width)


def _print_sum(
    name: str, cosine: float, shares: Sequence[str], beyond: Mapping[str, float], margin: str, width: int
) -> None:
    others = [f"{_BEYOND.get(what, what)} {share:+.3f}" for what, share in beyond.items() if abs(share) >= 0.0005]
    _print(name, f"cosine {cosine:.3f}: {', '.join([*shares, *others])}", margin, width)


def _strongest(hit: Hit, meaning: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the words that speak most for a hit and against it, each once, and what all others do together."""
    sums: dict[str, tuple[str, float]] = {}
    for one in meaning:
        word = hit.text[one["start"] : one["end"]].strip(".,;:!?()\"'")
        said, share = sums.get(word.casefold(), (word, 0.0))
        sums[word.casefold()] = said, share + one["share"]
    ranked = sorted(sums.values(), key=lambda one: -one[1])
    against = [one for one in ranked[_MOST:][-_LEAST:] if one[1] < 0]
    shown = [*ranked[:_MOST], *against]
    for word, share in shown:
        yield f"{word} {share:+.3f}"
    if others := len(ranked) - len(shown):
        yield f"{others} other words {sum(share for _, share in ranked) - sum(share for _, share in shown):+.3f}"


def _grid(rows: int, columns: int, shares: Sequence[float]) -> Iterator[str]:
    """Yield the rows of a picture's patches, the darker the more a patch speaks for the hit."""
    most = max(max(shares), 1e-9)
    for row in range(rows):
        own = shares[row * columns : (row + 1) * columns]
        yield "".join(_SHADES[max(0, round(share / most * (len(_SHADES) - 1)))] * 2 for share in own)


def _print(name: str, said: str, margin: str, width: int) -> None:
    head = f"{name.replace('_', ' ')}  ".ljust(_INDENT)
    first, *rest = wrapped(printable(said), [], width - _INDENT) or [""]
    click.secho(margin + head + first, dim=True)
    for line in rest:
        click.secho(margin + " " * _INDENT + line, dim=True)


def _told(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{name.replace('_', ' ')} {_plain(one)}" for name, one in value.items())


def _plain(value: Any) -> str:
    return "none" if value is None else str(value) if not isinstance(value, bool) else "yes" if value else "no"
