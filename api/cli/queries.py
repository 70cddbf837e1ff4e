"""The options of a search, for every command that searches, and how their values are read."""

from __future__ import annotations

from typing import Any

import click

from quarry.api.cli.filtering import read_filter
from quarry.api.cli.options import Option, gathered
from quarry.search.types import KINDS, MODES, RERANKS, Kind


def _read_filter(ctx: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> dict[str, Any] | None:
    return read_filter(texts)


def _or_all(ctx: click.Context, option: click.Parameter, kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    return kinds or KINDS


filter_option = click.option(
    "--filter",
    multiple=True,
    metavar="FILTER",
    callback=_read_filter,
    help="Only documents that match: path=notes, type=pdf, 'date>=2020', author=Eve,Ann, or JSON; several must all "
    "hold. `quarry fields` lists the fields.",
)
_SEARCH: dict[str, tuple[Option, ...]] = {
    "mode": (
        click.option("--mode", type=click.Choice(MODES), default="hybrid", show_default=True,
                     help="How passages are found."),
    ),
    "offset": (click.option("--offset", type=int, default=0, help="How many hits to pass by: the next page."),),
    "filter": (filter_option,),
    "kinds": (
        click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, callback=_or_all,
                     help="Only passages, or only pictures."),
    ),
    "min_relevance": (
        click.option("--all", "min_relevance", flag_value=0.0, type=float,
                     help="Show hits that are not likely to be meant, too; --json always has them."),
        click.option("--min-relevance", type=float, metavar="0..1", help="Leave out hits that are less relevant."),
    ),
    "explain": (click.option("--explain", is_flag=True, help="Tell for each hit how it was found."),),
    "rerank": (click.option("--rerank", type=click.Choice(RERANKS), help="Put the first 20 hits in order once more."),),
    "answer": (click.option("--answer", is_flag=True, help="Look for exact answers in the first 10 hits."),),
    "summarize": (
        click.option("--summarize", is_flag=True, help="Say in a few sentences what the first 10 hits hold."),
    ),
    "group": (
        click.option("--group", flag_value="document", help="One hit a document, its further passages below it."),
    ),
}  # fmt: skip


def search_options(*names: str, limit: int = 10, found: str = "hits, at most 1,000") -> Option:
    """Add options of a search, called as `Query` calls them; a command takes them as `options: SearchOptions`.

    Args:
        limit, found: how many are found if nothing is said, and of what.
    """
    how_many = click.option("--limit", "-n", type=int, default=limit, show_default=True, help=f"How many {found}.")
    options: list[Option] = [how_many, *(option for name in names for option in _SEARCH[name])]

    def shown(given: dict[str, Any], as_json: bool) -> dict[str, Any]:
        # For people a list ends where nothing is meant, unless they say otherwise.
        if given.get("min_relevance", 0.0) is None:
            given["min_relevance"] = 0.0 if as_json else "meant"
        return given

    return gathered("options", ("limit", *names), options, shown)
