"""Which libraries are searched together: folders and addresses by name, their keys, and all of them opened."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from quarry.api.federation.federation import Federation
from quarry.api.library import Library
from quarry.search.errors import InvalidRequest
from quarry.search.models.live import SharedModels

if TYPE_CHECKING:
    from quarry.api.federation.fan_out import Searched

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")  # of a library
KEYS = "QUARRY_LIBRARY_KEYS"  # a file
KEY = "QUARRY_KEY_"  # and the name of a library
_LONGEST = 1 << 16  # bytes of the file
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


def is_address(place: str) -> bool:
    """Whether a library is another server's."""
    return place.startswith(("http://", "https://"))


def places(given: Sequence[str]) -> dict[str, str]:
    """Return folders and addresses by name: as in `NAME=PLACE`, else the last part of the folder or the address.

    Raises:
        InvalidRequest: two have the same name, or one has none.
    """
    found: dict[str, str] = {}
    for one in given:
        name, equals, place = one.partition("=")
        if not equals or not NAME.fullmatch(name):
            name, place = "", one
        name = name or _name_of(place)
        if not place or not NAME.fullmatch(name):
            raise InvalidRequest(f"--library {one}: say what it is called, as NAME=DIR or NAME=URL.")
        if name in found:
            raise InvalidRequest(f"--library: there are two called {name!r}; name one of them, as NAME=DIR.")
        found[name] = place
    return found


def _name_of(place: str) -> str:
    if is_address(place):
        address = urlsplit(place)
        _, among, name = address.path.rstrip("/").rpartition("/libraries/")
        return name if among else address.netloc.partition(":")[0]
    return _ODD.sub("-", Path(place).absolute().name.removesuffix(".quarry")).strip("-._")


def keys(names: Sequence[str], environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the keys of libraries of other servers, by their names: from `QUARRY_KEY_NAME`, else from a file.

    `QUARRY_LIBRARY_KEYS` names the file, which has lines `NAME=KEY` and is its owner's alone.

    Raises:
        InvalidRequest: the file can't be read, or others can read it. No message tells a key.
    """
    found = _kept(environment[KEYS]) if environment.get(KEYS) else {}
    for name in names:
        if own := environment.get(KEY + re.sub(r"[^A-Z0-9]", "_", name.upper())):
            found[name] = own
    for name, key in found.items():
        if not (key.isascii() and key.isprintable()):
            raise InvalidRequest(f"The key of {name} is none: it has a letter that no key has.")
    return {name: key for name, key in found.items() if name in names}


def _kept(path: str) -> dict[str, str]:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_LONGEST + 1).decode()
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{KEYS} names {path}, which can't be read as a file of keys.") from error
    if not stat.S_ISREG(mode) or mode & 0o077 or len(text) > _LONGEST:
        raise InvalidRequest(f"{path} holds keys and is open to others: `chmod 600` makes it yours alone.")
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            name, equals, key = (part.strip() for part in line.partition("="))
            if not (equals and key and NAME.fullmatch(name)):
                raise InvalidRequest(f"{path}, line {number}: write NAME=KEY.")
            found[name] = key
    return found


def here(places: Mapping[str, str]) -> dict[str, str | None]:
    """Return those of this machine.

    Raises:
        InvalidRequest: there is none, which a server needs one of.
    """
    found: dict[str, str | None] = {name: place for name, place in places.items() if not is_address(place)}
    if not found:
        raise InvalidRequest("Give one --library of this machine as well: the server's keys are kept there.")
    return found


def elsewhere(places: Mapping[str, str]) -> dict[str, str]:
    """Return those of other servers."""
    return {name: place for name, place in places.items() if is_address(place)}


@contextmanager
def joined(opened: Mapping[str, Library], places: Mapping[str, str]) -> Iterator[Federation]:
    """Join libraries that are open and those of other servers, which are asked with their keys, in the order of names.

    Raises:
        InvalidRequest: an address or a key is none.
        MissingExtra: some are other servers', and the client is not installed.
    """
    addresses = elsewhere(places)
    with ExitStack() as stack:
        found: dict[str, Searched] = dict(opened)
        if addresses:
            from quarry.api.federation.remote import Remote

            known = keys(list(addresses))
            for name, address in addresses.items():
                found[name] = stack.enter_context(closing(Remote(address, key=known.get(name))))
        yield stack.enter_context(Federation({name: found[name] for name in places}))


@contextmanager
def federated(places: Mapping[str, str], opening: Callable[[str], Library] | None = None) -> Iterator[Federation]:
    """Open libraries to be searched as one, and close them at the end: `federated({"notes": "~/notes.quarry"})`.

    Args:
        places: by their names, folders, or addresses of libraries of other servers.
        opening: opens a folder; by default as `Library` does, with models that all share.
    """
    if opening is None:
        opening = partial(Library, models=SharedModels())
    with ExitStack() as stack:
        own = {name: stack.enter_context(opening(one)) for name, one in places.items() if not is_address(one)}
        yield stack.enter_context(joined(own, places))
