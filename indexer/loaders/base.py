"""What every loader has: an open file, how it is to be read, and what is said of one that is too large.

A loader is a module with a function `parse(source) -> Iterator[Parsed]`, named by a row of `indexer/formats.py`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from quarry.indexer.formats import Format, format_of
from quarry.search.errors import FileMalformed, FileUnreadable
from quarry.search.files import openings
from quarry.search.types import Parsed, Preprocessing

MEBIBYTE = 1024 * 1024
GIBIBYTE = 1024 * MEBIBYTE
DEEPEST = 4  # files within files
TOO_GREEDY = "it needs more memory than a parser may have; split it"


@dataclass(frozen=True, slots=True)
class Scanning:
    """That the text in pictures is wanted.

    Args:
        engine: the name of what reads it; "" where none is wanted.
        pages: which, from 1.
        shown: whether the pictures themselves are wanted, too.
    """

    engine: str
    pages: tuple[int, ...] = ()
    shown: bool = False


@dataclass(frozen=True, slots=True)
class Listening:
    """That what is said in recordings is wanted: the folder of the model that hears it, "" for its sound itself, and
    which minutes, from 1.
    """

    model: str
    parts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How files are read.

    Args:
        max_bytes: the largest file that is read whole.
        max_streamed: the largest file of rows (CSV, TSV, JSON Lines), which are read one after the other.
        text_fields: fields of a row that make up its text, where the row has any of them; else they are guessed.
        title_field: field of a row that is its title; else guessed.
        id_field: field of a row that names it; else `id` or `_id`, else its number does.
        preprocessing: the size and cut of a picture's pixels; None where no model asks for any: 224 x 224, squashed.
        thumbnails: whether pictures get one.
        scans: instead of what files hold, what is read in their pictures of text.
        listening: instead of what files hold, what is said in them.
    """

    max_bytes: int = 256 * MEBIBYTE
    max_streamed: int = 16 * GIBIBYTE
    text_fields: tuple[str, ...] = ()
    title_field: str = ""
    id_field: str = ""
    preprocessing: Preprocessing | None = None
    thumbnails: bool = True
    scans: Scanning | None = None
    listening: Listening | None = None


ALL = frozenset[str]()  # nothing alone is wanted of a file
ITSELF = frozenset({""})


@dataclass(frozen=True, slots=True)
class WantedPiece(Parsed):
    """A piece of a file that is wanted as it is (`indexer.loaders.extracting`), instead of what it holds.

    Args:
        text, type: nothing.
        title: in the first piece of a file, its name.
        key: of what it was wanted for.
    """

    text: str = ""
    type: str = ""
    data: bytes = b""
    is_last: bool = False


class Within(Protocol):
    """As `Source.within`."""

    def __call__(self, name: str, pieces: Iterable[bytes], wanted: frozenset[str] = ALL) -> Iterator[Parsed]:
        """Read a file; `wanted` are the keys, within it, of what alone is wanted of it, "" of the file itself."""
        ...


@dataclass(frozen=True, slots=True)
class Resumed:
    """Where reading a file of members goes on, after some ended the parser.

    Args:
        after: the number of the last one of them, from 1: it and those before it are passed by.
        noted: which they were, by their names, and why they could not be read.
    """

    after: int = 0
    noted: tuple[tuple[str, str], ...] = ()


FROM_START = Resumed()


@dataclass(frozen=True, slots=True)
class Listener:
    """What whoever waits for a file is told while it is read.

    Args:
        reached: is told what share (0..1) of it was read, as often as the loader likes; 0 where it only goes on. One
            that is silent for too long is ended.
        entered: is told of each of its members, before it is read, the number and the name; 0 after the last one.
        resumed: where it goes on.
    """

    reached: Callable[[float], None] = lambda share: None
    entered: Callable[[int, str], None] = lambda number, name: None
    resumed: Resumed = FROM_START

    @property
    def within(self) -> Listener:
        """What is told of a file within this one: that it goes on."""
        return Listener(lambda share: self.reached(0.0))


@dataclass(frozen=True, slots=True)
class Source:
    """An open regular file. Parsers either `read` it whole or take the seekable `stream` a piece at a time.

    Args:
        path: of the file; of one within another, a path that leads nowhere, with its name.
        within: reads a file that this one holds, by its name and the pieces of its content, with the loader that is
            its own; it raises what loading a file does. `indexer.loaders.archives.members` is what calls it.
        watch: is to be told by a loader that takes long for one document.
        wanted: the keys of what alone is wanted, as the files that it is in (`indexer.loaders.extracting`); none for
            all.
    """

    stream: IO[bytes]
    format: Format
    options: LoadOptions
    path: Path
    within: Within
    watch: Listener = Listener()
    wanted: frozenset[str] = ALL

    def read(self) -> bytes:
        """Read it whole.

        Raises:
            FileMalformed: it is larger than `options.max_bytes`.
        """
        limit = self.options.max_bytes
        self.stream.seek(0)
        check_size(self.stream, limit)
        size = os.fstat(self.stream.fileno()).st_size  # as much is taken beforehand as is asked for
        if len(data := self.stream.read(min(limit, size) + 1)) <= limit:
            return data
        raise FileMalformed(too_large(limit))


Loader = Callable[[Source], Iterator[Parsed]]
DEFAULTS = LoadOptions()
UNWATCHED = Listener()


def largest(path: Path, options: LoadOptions = DEFAULTS) -> int:
    """Return how many bytes a file of this name may have; a larger one is refused by its size, and never read."""
    form = format_of(path)
    return form.largest(options.max_bytes, options.max_streamed) if form is not None else options.max_bytes


def check_size(stream: IO[bytes], limit: int) -> None:
    """Raise FileMalformed where an open file is larger than `limit` bytes."""
    if os.fstat(stream.fileno()).st_size > limit:
        raise FileMalformed(too_large(limit))


def too_large(limit: int) -> str:
    """Say that a file is larger than `limit` bytes."""
    gibibytes, mebibytes = limit / GIBIBYTE, limit / MEBIBYTE
    return f"it is larger than {f'{gibibytes:.4g} GiB' if gibibytes >= 1 else f'{mebibytes:.4g} MiB'}; split it"


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file for reading, and nothing else: no pipe is waited for, no device read, no link followed.

    No folder on the way to it may be a link either: it could have been put there since the folder was looked at.

    Raises:
        FileUnreadable: it is something else, or lies behind a link.
        OSError: it can't be opened.
    """
    try:
        return os.fdopen(openings.open_file(path), "rb")
    except openings.Elsewhere as error:
        if error.errno == errno.EINVAL:
            raise FileUnreadable("it is a folder, pipe, socket or device, not a file") from error
        if error.filename == os.fspath(path):
            raise FileUnreadable("it is a symbolic link; name the file that it leads to") from error
        raise FileUnreadable(f"it lies behind {error.filename}, where there is a link now, or no folder") from error
