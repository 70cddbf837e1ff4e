"""The bytes of files within another: members of an archive, attachments, messages of a mailbox.

The way to them is that of loading: each file's own loader goes over what it holds, and what is not wanted is passed by.
All that is wanted of a file comes in one pass over it, which ends with the last of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

from quarry.indexer.loaders.base import (
    ALL,
    ITSELF,
    MEBIBYTE,
    UNWATCHED,
    Listener,
    LoadOptions,
    Source,
    WantedPiece,
    open_regular,
)
from quarry.indexer.loaders.dividing import divided
from quarry.indexer.loaders.loading import loader, opened, spooled
from quarry.indexer.loaders.sandbox.wire import FilePart
from quarry.search.errors import FileMalformed, FileUnreadable
from quarry.search.types import Parsed


def extract(
    path: Path, wanted: Collection[str], options: LoadOptions, name: str = "", watch: Listener = UNWATCHED
) -> Iterator[FilePart]:
    """Yield the innermost files that hold items, in the order in which they stand there, each piece by piece.

    Args:
        wanted: the keys of the items, as `Parsed.key` has them.
        name, watch: as of `load`.

    Raises:
        UnsupportedType, FileUnreadable, FileMalformed: as `load`.
    """
    within = partial(_within, path, options, watch.within)
    try:
        with open_regular(path) as stream:
            source = opened(stream, path, name or path.name, options, within, watch, frozenset(wanted))
            own: list[str] = []
            for piece in _wanted(source, own) if source is not None else ():
                yield FilePart(piece.title, piece.data, piece.key, piece.is_last)
            for key in own:
                yield FilePart("", b"", key, is_last=True)
    except OSError as error:
        raise FileUnreadable(f"it can't be read: {error.strerror or error}") from error
    except RecursionError as error:
        raise FileMalformed("it is nested too deeply to parse") from error


def _within(
    path: Path,
    options: LoadOptions,
    watch: Listener,
    name: str,
    pieces: Iterable[bytes],
    wanted: frozenset[str] = ALL,
) -> Iterator[Parsed]:
    """Yield what is wanted of a file that another holds, itself included."""
    with spooled(pieces, options) as stream:
        if "" in wanted:
            yield from _whole(name, stream)
        if inner := wanted - ITSELF:
            stream.seek(0)
            source = opened(stream, path, name, options, partial(_within, path, options, watch), watch, inner)
            own: list[str] = []
            yield from _wanted(source, own) if source is not None else ()
            for key in own:
                yield from _whole(name, stream, key)


def _wanted(source: Source, own: list[str]) -> Iterator[WantedPiece]:
    """Yield what is wanted of the files in a file; `own` is told what proves to be a document of that file itself."""
    left = set(source.wanted)
    for parsed in loader(source.format)(source):
        source.watch.reached(0.0)
        if isinstance(parsed, WantedPiece):
            yield parsed
            if parsed.is_last:
                left.discard(parsed.key)
        else:
            found = [one.key for one in divided(parsed) if one.key in left]
            own += found
            left.difference_update(found)
        if not left:
            return


def _whole(name: str, stream: IO[bytes], key: str = "") -> Iterator[WantedPiece]:
    stream.seek(0)
    yield WantedPiece(title=name, key=key)
    while data := stream.read(MEBIBYTE):
        yield WantedPiece(key=key, data=data)
    yield WantedPiece(key=key, is_last=True)
