"""The bytes of a file within another: a member of an archive, an attachment, a message of a mailbox.

The way to it is that of loading: each file's own loader goes over what it holds, and what is not wanted is passed by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from quarry.indexer.loaders.archives.members import Found
from quarry.indexer.loaders.base import MEBIBYTE, UNWATCHED, Listener, LoadOptions, Source, open_regular
from quarry.indexer.loaders.dividing import divided
from quarry.indexer.loaders.loading import loader, opened, spooled
from quarry.indexer.loaders.sandbox.wire import FilePart
from quarry.search.errors import FileMalformed, FileUnreadable
from quarry.search.types import Parsed


def extract(
    path: Path, key: str, options: LoadOptions, name: str = "", watch: Listener = UNWATCHED
) -> Iterator[FilePart]:
    """Yield the innermost file that holds an item, piece by piece; nothing where that is the outermost.

    Args:
        key: of the item, as `Parsed.key` has it.
        name, watch: as of `load`.

    Raises:
        UnsupportedType, FileUnreadable, FileMalformed: as `load`.
    """
    within = partial(_within, path, options, watch)
    try:
        with open_regular(path) as stream:
            source = opened(stream, path, name or path.name, options, within, watch, key)
            if source is not None and _holds(source, key):
                return
    except Found as found:
        with found.stream as stream:
            yield FilePart(found.name, b"")
            while data := stream.read(MEBIBYTE):
                yield FilePart("", data)
    except OSError as error:
        raise FileUnreadable(f"it can't be read: {error.strerror or error}") from error
    except RecursionError as error:
        raise FileMalformed("it is nested too deeply to parse") from error


def _within(
    path: Path, options: LoadOptions, watch: Listener, name: str, pieces: Iterable[bytes], wanted: str = ""
) -> Iterator[Parsed]:
    """Raise `Found` where a file is the one, or holds it, or holds what is wanted among its own documents."""
    yield from ()  # so that what is wrong with a file is told when it is gone over, as of one that is loaded
    stream = spooled(pieces, options)
    if wanted:
        source = opened(stream, path, name, options, partial(_within, path, options, watch), watch, wanted)
        if source is None or not _holds(source, wanted):
            stream.close()
            return
        stream.seek(0)
    raise Found(name, stream)


def _holds(source: Source, key: str) -> bool:
    """Whether a document of a file's own has a key; raise `Found` where one of its members has."""
    for parsed in loader(source.format)(source):
        source.watch.reached(0.0)
        if any(one.key == key for one in divided(parsed)):
            return True
    return False
