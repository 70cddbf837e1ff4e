"""Which libraries `quarry serve` serves, and below which folders its clients may have others indexed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click

from quarry.search.files.uris import absolute, uri_of

if TYPE_CHECKING:
    from quarry.api.library import Library

libraries_option = click.option(
    "--library",
    "libraries",
    metavar="[NAME=]DIR",
    multiple=True,
    help="The library's directory [default: QUARRY_LIBRARY, or the user's data folder]. Given again with a NAME, "
    "others, which are served below /v1/libraries/NAME/.",
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
    from quarry.api.server.libraries import DEFAULT, NAME

    found: dict[str, str | None] = {}
    for one in given:
        name, equals, directory = one.partition("=")
        if not equals or not NAME.fullmatch(name):
            name, directory = DEFAULT, one
        if name in found:
            raise click.UsageError(f"--library: there are two called {name!r}; name one of them, as NAME=DIR.")
        if not directory:
            raise click.UsageError(f"--library {one}: name a directory.")
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
