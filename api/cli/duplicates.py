"""`quarry duplicates`."""

from __future__ import annotations

from gettext import gettext as _
from typing import Any

import click

from quarry.api.bodies.hits import notes_body
from quarry.api.bodies.holdings import duplicates_body
from quarry.api.cli.options import end_with_filter, handed_in, json_option, library_option, print_json, print_notes
from quarry.api.cli.places import place
from quarry.api.cli.queries import filter_option
from quarry.api.cli.reports import count, size_of
from quarry.api.cli.terminal import say
from quarry.api.library import Library
from quarry.api.members.duplicates import ALIKE, By, Copy, Duplicates, Group

_SHOWN = 10  # copies of a group


@click.command("duplicates")
@library_option
@click.option(
    "--by",
    type=click.Choice(["copies", "meaning"]),
    default="copies",
    show_default=True,
    help="What they have in common: `meaning` for texts that say the same in other words.",
)
@click.option("--alike", type=float, default=ALIKE, show_default=True, metavar="0.5..1",
              help="How alike documents are at least; 1 for the very same.")  # fmt: skip
@click.option("--limit", "-n", type=int, default=100, show_default=True, help="How many groups, at most 1,000.")
@click.option("--offset", type=int, default=0, help="How many groups to pass by: the next page.")
@filter_option
@json_option
def duplicates_command(
    library: str | None, by: By, alike: float, limit: int, offset: int, filter: dict[str, Any] | None, as_json: bool
) -> None:
    """List documents that are the same or nearly the same, in groups: first the one to keep, then its copies.

    The one to keep is the longest text or the largest picture, and of those about as long the oldest.
    """
    with Library(library, models=handed_in()) as opened:
        found = opened.duplicates(filter=filter, by=by, alike=alike, limit=limit, offset=offset)
        notes = opened.filter_notes(filter)
        if as_json:
            print_json(duplicates_body(found, limit, offset) | notes_body(notes))
        else:
            _print(found, offset)
            print_notes(notes)
        end_with_filter(opened, filter, found.groups)


def _print(found: Duplicates, offset: int) -> None:
    for group in found.groups:
        _print_group(group)
    if found.total:
        said = _("Groups: {groups:,}, with {copies} beside those to keep.")
        click.echo(said.format(groups=found.total, copies=count(found.copies, "document")), err=True)
        if len(found.groups) < found.total:
            shown = _("Shown are {first:,} to {last:,}; --offset and --limit show others.")
            click.echo(shown.format(first=offset + 1, last=offset + len(found.groups)), err=True)
    else:
        click.echo(_("No duplicates."), err=True)
    if found.unseen:
        said = _("{documents} were indexed by an older version and not looked at; `quarry index` does that.")
        say("! " + said.format(documents=count(found.unseen, "document")), fg="yellow", err=True)


def _print_group(group: Group) -> None:
    click.echo(_line(_("keep"), group.keep))
    for copy in group.copies[:_SHOWN]:
        click.echo(_line(_("same") if copy.same else f"{min(copy.alike, 0.99):.0%}", copy))
    if group.total > _SHOWN:
        click.echo("      " + _("and {n} more").format(n=f"{group.total - _SHOWN:,}"))
    click.echo()


def _line(told: str, copy: Copy) -> str:
    document = copy.document
    size = size_of(copy.bytes) if copy.bytes is not None else ""
    dated = (document.modified or "")[: len("2024-12-31")]
    details = click.style(f"{size:>9}  {dated:10}", dim=True)
    return f"{told:>5} {details}  {click.style(place(document, None, None), fg='cyan')}"
