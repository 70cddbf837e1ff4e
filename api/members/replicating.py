"""Read-only copies of a library: made, and kept up to date."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from quarry.search.config import read_settings
from quarry.search.errors import MissingExtra
from quarry.search.queries import arguments

if TYPE_CHECKING:
    from quarry.indexer.exchange.replicating import Replicated
    from quarry.indexer.exchange.sources import LibrarySource
    from quarry.indexer.report import Progress


def replicate(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    key: str | None = None,
    wait_s: float = 30.0,
    progress: Progress | None = None,
) -> Replicated:
    """Bring the newest generation of a library to a read-only copy, which is made where there is none.

    Only what is new is copied, all of it is verified, and it becomes visible at once: whoever has the copy open goes
    on with the generation before, and takes the new one for what begins after that. Killed at any moment, the copy is
    what it was, and another call goes on.

    Args:
        source: the library's folder, or the address of a server: `https://host`, `https://host/v1/libraries/NAME`.
        target: the folder of the copy.
        key: of the server, made by `quarry keys add NAME --replicate`.
        wait_s: how long to wait for another process that replicates to the same folder.

    Raises:
        InvalidRequest: there is something else at that place, or the replica of another library.
        MissingExtra: an address needs httpx.
        LibraryFormat: a newer version made the library.
        LibraryError: the source can't be reached, or the copy can't be written.
    """
    from quarry.indexer.exchange import replicating
    from quarry.indexer.report import NoProgress

    wait_s = arguments.seconds(wait_s, "wait_s")
    return replicating.replicate(_source(source, key), _place(target), progress or NoProgress(), wait_s)


def follow(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    stop: threading.Event,
    done: Callable[[Replicated], None],
    *,
    key: str | None = None,
    wait_s: float = 30.0,
    tell: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> None:
    """Do as `replicate` for each generation as it comes, until `stop` is set; a source that is away is waited for.

    Args:
        done: is told of each generation.
        tell: is told in words what is wrong, and when it is well again.
    """
    from quarry.indexer.exchange import following
    from quarry.indexer.report import NoProgress

    wait_s = arguments.seconds(wait_s, "wait_s")
    show, say = progress or NoProgress(), tell or (lambda text: None)
    following.follow(_source(source, key), _place(target), stop, done, say, show, wait_s)


def _source(source: str | os.PathLike[str], key: str | None) -> LibrarySource:
    name = arguments.path(source, "source")
    if not name.lower().startswith(("http://", "https://")):
        from quarry.indexer.exchange.sources import FolderSource

        return FolderSource(read_settings(source).library)
    try:
        from quarry.api.client.source import ServerSource
    except ModuleNotFoundError as error:
        raise MissingExtra("Replicating from a server needs httpx: `pip install 'quarry-search[client]'`.") from error
    return ServerSource(name, key)


def _place(target: str | os.PathLike[str]) -> Path:
    return read_settings(arguments.path(target, "target")).library
