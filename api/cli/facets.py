"""Facets for people: a line or more for each field."""

from __future__ import annotations

from collections.abc import Mapping
from gettext import gettext as _

import click

from quarry.api.cli.places import from_here
from quarry.api.cli.snippets import columns
from quarry.api.cli.terminal import printable
from quarry.search.types import Facet


def print_facets(facets: Mapping[str, Facet], width: int) -> None:
    """Print a line or more for each field: its values, how many hits have them, and how many have none."""
    indent = max((columns(printable(name)) for name in facets), default=0) + 2
    for name, facet in facets.items():
        shown = [(printable(_value(value, name)), f"{count:,}") for value, count in facet.values]
        rest = ((_("other"), facet.other), (_("none"), facet.missing))
        shown += [(said, f"{count:,}") for said, count in rest if count]
        lines, used = [""], 0
        for value, count in shown:
            room = columns(value) + 1 + len(count)
            if used and used + 3 + room > width - indent:
                lines, used = [*lines, ""], 0
            lines[-1] += click.style(" · ", dim=True) if used else ""
            lines[-1] += f"{value} {click.style(count, dim=True)}"
            used += 3 * bool(used) + room
        title = printable(name)
        head = click.style(title, bold=True) + " " * (indent - columns(title))
        click.echo(head + f"\n{' ' * indent}".join(lines))


def _value(value: str | float | bool, field: str) -> str:
    """Return a facet's value as a filter on the command line takes it, paths from here where they lie below."""
    if isinstance(value, bool):
        return str(value).lower()
    return from_here(value) if field == "path" and isinstance(value, str) else str(value)
