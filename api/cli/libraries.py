"""Which libraries are searched or served, and below which folders a server's clients may have others indexed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import click

from quarry.api.cli.options import handed_in, tell
from quarry.search.files.uris import absolute, uri_of

if TYPE_CHECKING:
    from quarry.api.federation.federation import Federation
    from quarry.api.library import Library
    from quarry.search.config import ModelOptions

searched_option = click.option(
    "--library",
    "libraries",
    metavar="[NAME=]DIR|URL",
    multiple=True,
    help="The library's directory [default: QUARRY_LIBRARY, or the user's data folder], or its address on another "
    "server. Given again, several are searched as one.",
)
libraries_option = click.option(
    "--library",
    "libraries",
    metavar="[NAME=]DIR",
    multiple=True,
    help="The library's directory [default: QUARRY_LIBRARY, or the user's data folder]. Given again with a NAME, "
    "others, which are served below /v1/libraries/NAME/. With --together, also the address of one on another server.",
)
together_option = click.option(
    "--together", is_flag=True, help="Search the libraries as one at /v1, in one list by relevance."
)
folders_option = click.option(
    "--roots",
    "folders",
    metavar="DIR",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    help="A folder below which clients may add roots; can be given again. Without it they add none.",
)


def named(given: Sequence[str]) -> Mapping[str, str | None]:
    """Return the directories by name, the first of which is the default; None for the user's own."""
    from quarry.api.federation.places import NAME, is_address
    from quarry.api.server.libraries import DEFAULT

    found: dict[str, str | None] = {}
    for one in given:
        name, equals, directory = one.partition("=")
        if not equals or not NAME.fullmatch(name):
            name, directory = DEFAULT, one
        if name in found:
            raise click.UsageError(f"--library: there are two called {name!r}; name one of them, as NAME=DIR.")
        if not directory:
            raise click.UsageError(f"--library {one}: name a directory.")
        if is_address(directory):
            raise click.UsageError(f"--library {one}: a library of another server is served with --together alone.")
        found[name] = directory
    return found or {DEFAULT: None}


def folder_uris(folders: Sequence[str]) -> list[str]:
    """Return folders as roots are named."""
    return [uri_of(absolute(folder)) for folder in folders]


@contextmanager
def all_opened(libraries: Mapping[str, Library]) -> Iterator[Mapping[str, Library]]:
    """Close them all at the end."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(library) for name, library in libraries.items()}


@contextmanager
def searched(given: Sequence[str], models: ModelOptions) -> Iterator[Library | Federation]:
    """Open the library that a command searches, or several as one, for the block."""
    from quarry.api.library import Library

    live = handed_in()
    if len(given) < 2 and not any("://" in one for one in given):
        with Library(*given, models=live, tell=tell, **models) as library:
            yield library
        return
    from quarry.api.federation.places import federated, places  # which a search of one library need not import
    from quarry.search.models.live import SharedModels

    opening = partial(Library, models=live or SharedModels(), tell=tell, **models)
    with federated(places(given), opening) as federation:
        yield federation
