"""The way from a file to what is in it.

A file goes to the loader that its suffix names, after a look at its first bytes: a PDF or HTML page under another name
is read as what it is, a picture under another picture's name, too; a binary under a text's name is refused. What
has a vague name (README, Makefile, syslog.1) is read as text where it holds text. A file within another (an attachment,
a member of an archive) takes the same way, from a temporary file that has no name.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import IO

from quarry.indexer.formats import FOREIGN, Format, format_of, is_vague, recognized
from quarry.indexer.loaders.base import (
    ALL,
    DEEPEST,
    DEFAULTS,
    TOO_GREEDY,
    UNWATCHED,
    Listener,
    Loader,
    LoadOptions,
    Source,
    Within,
    check_size,
    largest,
    open_regular,
    too_large,
)
from quarry.indexer.loaders.decoding import is_text
from quarry.indexer.loaders.dividing import divided
from quarry.search.errors import FileMalformed, FileUnreadable, UnsupportedType
from quarry.search.media.base import medium
from quarry.search.types import WORDS, Parsed

_HEAD = 4096
_OFTEN = 0.05  # seconds between two words on how far a file was read
_SCANNED = ("pdf/pdf", "pictures/picture")  # the loaders of what may be a picture of text
_OTHER = "give it the suffix of its own type"


def load(
    path: Path, options: LoadOptions | None = None, name: str = "", watch: Listener = UNWATCHED
) -> Iterator[Parsed]:
    """Read a file, a document at a time; an empty file has none.

    What a file that fails midway gave before is good, except where it "changed while it was read".

    Args:
        path: a regular file; links are not followed.
        name: what to go by instead of the path's own name, for content that was stored under another.
        watch: is told how far it was read.

    Raises:
        UnsupportedType: no parser reads files of this name.
        FileUnreadable: it can't be opened, is no regular file, or changed while it was read.
        FileMalformed: it is damaged, encrypted or binary, or too large, which its size alone tells.
    """
    name, options = name or path.name, options or DEFAULTS
    if format_of(Path(name)) is None:
        raise UnsupportedType(f"no parser reads {Path(name).suffix.lower()} files")
    try:
        with open_regular(path) as stream:
            before = os.fstat(stream.fileno())
            yield from _documents(stream, path, name, options, watch, 0)
            after = os.fstat(stream.fileno())
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise FileUnreadable("it changed while it was read; index it again")
    except OSError as error:
        raise FileUnreadable(f"it can't be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise FileMalformed(TOO_GREEDY) from error
    except RecursionError as error:
        raise FileMalformed("it is nested too deeply to parse") from error


def _documents(
    stream: IO[bytes], path: Path, name: str, options: LoadOptions, watch: Listener, depth: int
) -> Iterator[Parsed]:
    """Read an open file, `depth` files deep within others."""
    path = path.with_name(Path(name).name)
    source = opened(stream, path, name, options, partial(_within, path, options, watch.within, depth + 1), watch)
    if source is None:
        return
    told = -math.inf
    for parsed in loader(source.format, options)(source):
        yield from divided(parsed)
        if source.format.is_streamed and (now := time.monotonic()) - told > _OFTEN:
            told = now
            watch.reached(stream.tell() / max(1, os.fstat(stream.fileno()).st_size))


def opened(
    stream: IO[bytes],
    path: Path,
    name: str,
    options: LoadOptions,
    within: Within,
    watch: Listener = UNWATCHED,
    wanted: frozenset[str] = ALL,
) -> Source | None:
    """Tell what an open file is, by its name and how it begins; None of a text that is empty."""
    suffix, form = Path(name).suffix.lower(), format_of(Path(name))
    if form is None:
        raise UnsupportedType(f"no parser reads {suffix} files")
    if is_vague(Path(name)):  # it may be anything, which is passed by whatever its size
        suffix = ""
    else:
        check_size(stream, largest(Path(name), options))
    head = stream.read(_HEAD)
    if not head and form.kind == WORDS:
        return None
    form = _look(head, form, suffix)
    check_size(stream, form.largest(options.max_bytes, options.max_streamed))
    form = form.of_size(os.fstat(stream.fileno()).st_size)
    return Source(stream, form, options, path.with_name(Path(name).name), within, watch, wanted)


def _within(
    path: Path,
    options: LoadOptions,
    watch: Listener,
    depth: int,
    name: str,
    pieces: Iterable[bytes],
    wanted: frozenset[str] = ALL,
) -> Iterator[Parsed]:
    """Read a file that the one at `path` holds."""
    if format_of(Path(name)) is None:
        raise UnsupportedType(f"no parser reads {Path(name).suffix.lower()} files")
    if depth > DEEPEST:
        raise FileMalformed(f"it lies more than {DEEPEST} files deep in others; unpack it")
    with spooled(pieces, options) as stream:
        yield from _documents(stream, path / Path(name).name, name, options, watch, depth)


def spooled(pieces: Iterable[bytes], options: LoadOptions) -> IO[bytes]:
    """Write what a file holds into one that has no name, and open that at its beginning.

    Raises:
        FileMalformed: it is larger than what is read whole.
    """
    stream = tempfile.TemporaryFile()  # noqa: SIM115  # closed by whom it is given to
    try:
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > options.max_bytes:
                raise FileMalformed(too_large(options.max_bytes))
            stream.write(piece)
        stream.seek(0)
    except BaseException:
        stream.close()
        raise
    return stream


def _look(head: bytes, form: Format, suffix: str) -> Format:
    """Correct what the suffix says by what the first bytes say."""
    if found := recognized(head, form):
        return found
    is_other = form.header is not None and head != b"" and not form.header.match(head)
    if is_other and form.kind != WORDS:
        raise FileMalformed(f"it is no {medium(form.kind).one}, whatever {suffix} says; {_OTHER}")
    for magic, what in FOREIGN:
        if head.startswith(magic) and (form.header is None or is_other):
            if not suffix:
                raise UnsupportedType(f"it is {what}")
            raise FileMalformed(f"it is {what}, not what {suffix} says; {_OTHER}")
    if is_other:
        raise FileMalformed(f"it is no {form.suffixes[0].upper()}, its header is missing; {_OTHER}")
    if not suffix and not is_text(head):
        raise UnsupportedType("it holds binary data, and its name does not say which")
    return form


def loader(form: Format, options: LoadOptions = DEFAULTS) -> Loader:
    """Import a loader with the libraries it needs when it is first used."""
    named = "scans/reading" if options.scans and form.loader in _SCANNED else form.loader
    named = "sound/hearing" if options.listening and form.loader == "sound/recording" else named
    name = named if "." in named else f"quarry.indexer.loaders.{named}".replace("/", ".")
    parse: Loader = import_module(name).parse
    return parse
