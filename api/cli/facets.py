"""Facets for people: a line or more for each field."""

from __future__ import annotations

from collections.abc import Mapping
from gettext import gettext as _

import click

from quarry.api.cli.places import from_here
from quarry.api.cli.snippets import columns
from quarry.api.cli.terminal import printable
from quarry.search.types import Facet


def print_facets(facets: Mapping[str, Facet], width: int, *, opened: bool = False) -> None:
    """Print a line or more for each field: its values, how many hits have them, and how many have none.

    Args:
        opened: whether what lies below values is printed, too, a line or more for each that has something.
    """
    indent = max((columns(printable(name)) for name in facets), default=0) + 2
    for name, facet in facets.items():
        title = printable(name)
        head = click.style(title, bold=True) + " " * (indent - columns(title))
        click.echo(head + f"\n{' ' * indent}".join(_lines(facet, name, width - indent)))
        if opened:
            _print_below(facet, name, indent, width)


def _print_below(facet: Facet, name: str, indent: int, width: int) -> None:
    for value, below in facet.below.items():
        click.echo(f"{' ' * indent}{printable(_value(value, name))}")
        inner = " " * (indent + 2)
        click.echo(inner + f"\n{inner}".join(_lines(below, name, width - len(inner))))
        _print_below(below, name, indent + 2, width)


def _lines(facet: Facet, name: str, width: int) -> list[str]:
    shown = [(printable(_value(value, name)), f"{count:,}") for value, count in facet.values]
    rest = ((_("other"), facet.other), (_("none"), facet.missing))
    shown += [(said, f"{count:,}") for said, count in rest if count]
    lines, used = [""], 0
    for value, count in shown:
        room = columns(value) + 1 + len(count)
        if used and used + 3 + room > width:
            lines, used = [*lines, ""], 0
        lines[-1] += click.style(" · ", dim=True) if used else ""
        lines[-1] += f"{value} {click.style(count, dim=True)}"
        used += 3 * bool(used) + room
    return lines


def _value(value: str | float | bool, field: str) -> str:
    """Return a facet's value as a filter on the command line takes it, paths from here where they lie below."""
    if isinstance(value, bool):
        return str(value).lower()
    return from_here(value) if field == "path" and isinstance(value, str) else str(value)
