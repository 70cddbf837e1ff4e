"""The options of a search, for every command that searches, and how their values are read."""

from __future__ import annotations

from typing import Any

import click

from quarry.api.cli.filtering import read_filter
from quarry.api.cli.options import Option, gathered, named
from quarry.search.types import FOLDS, KINDS, MODES, RELEVANCE, RERANKS, Kind


def _read_filter(ctx: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> dict[str, Any] | None:
    return read_filter(texts)


def _read_liked(ctx: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(map(_liked, texts))


def _liked(text: str) -> Any:
    reference, sign, strength = text.rpartition("@")
    if not sign or not reference:
        return named(text)
    try:
        return {"id": named(reference), "strength": float(strength)}
    except ValueError:  # a sign of the name itself
        return named(text)


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
    "like": (
        click.option("--like", metavar="ID|PATH", multiple=True, callback=_read_liked,
                     help="What hits are to be like: a document or a hit, ID@0.5 for half as much; or any picture. May "
                     "be repeated."),
    ),
    "unlike": (
        click.option("--unlike", metavar="ID|PATH", multiple=True, callback=_read_liked,
                     help="What hits are not to be like, in the same form."),
    ),
    "exclude": (
        click.option("--exclude", metavar="WORDS", multiple=True,
                     help="Leave out what is rather about something else; for single words, -word is quicker."),
    ),
    "translate_to": (
        click.option("--translate-to", metavar="CODE", default="",
                     help="Put the query into a language first, such as en or ko, by --translator."),
    ),
    "ground": (
        click.option("--boxes", "ground", is_flag=True, help="Tell of each picture where in it the words are seen."),
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
    "fold": (
        click.option("--fold", type=click.Choice(FOLDS),
                     help="What is one hit: the same text in several places, or nearly the same, too [default: near, "
                     "with --json same]."),
    ),
    "sort": (
        click.option("--sort", metavar="FIELD", default=RELEVANCE, show_default=True,
                     help="Order by a field: date for the oldest first, -date for the newest."),
    ),
    "facets": (
        click.option("--facet", "facets", metavar="FIELD", multiple=True,
                     help="Count the values of a field over all hits that are shown or follow; may be repeated."),
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
        # For people a list ends where nothing is meant, and copies are one hit, unless they say otherwise.
        if given.get("min_relevance", 0.0) is None:
            given["min_relevance"] = 0.0 if as_json else "meant"
        if "fold" in given:
            given["fold"] = given["fold"] or ("same" if as_json else "near")
        return given

    return gathered("options", ("limit", *names), options, shown)
