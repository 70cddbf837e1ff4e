"""The way from a file to what is in it.

A file goes to the loader that its suffix names, after a look at its first bytes: a PDF or HTML page under another name
is read as what it is, a picture under another picture's name, too; a binary under a text's name is refused. A name
without a suffix (README, Makefile) is read as text where it holds text.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from quarry.indexer.formats import FOREIGN, Format, format_of, recognized
from quarry.indexer.loaders.base import (
    DEFAULTS,
    TOO_GREEDY,
    Loader,
    LoadOptions,
    Source,
    check_size,
    largest,
    open_regular,
)
from quarry.indexer.loaders.decoding import is_text
from quarry.search.errors import FileMalformed, FileUnreadable, UnsupportedType
from quarry.search.media.base import medium
from quarry.search.types import WORDS, Parsed

_HEAD = 4096
_OTHER = "give it the suffix of its own type"


def load(path: Path, options: LoadOptions | None = None, name: str = "") -> Iterator[Parsed]:
    """Read a file, a document at a time; an empty file has none.

    What a file that fails midway gave before is good, except where it "changed while it was read".

    Args:
        path: a regular file; links are not followed.
        name: what to go by instead of the path's own name, for content that was stored under another.

    Raises:
        UnsupportedType: no parser reads files of this name.
        FileUnreadable: it can't be opened, is no regular file, or changed while it was read.
        FileMalformed: it is damaged, encrypted or binary, or too large, which its size alone tells.
    """
    name, options = name or path.name, options or DEFAULTS
    suffix = Path(name).suffix.lower()
    form = format_of(Path(name))
    if form is None:
        raise UnsupportedType(f"no parser reads {suffix} files")
    try:
        with open_regular(path) as stream:
            before = os.fstat(stream.fileno())
            if suffix:  # without one it may be anything, which is passed by whatever its size
                check_size(stream, largest(Path(name), options))
            head = stream.read(_HEAD)
            if not head and form.kind == WORDS:
                return
            form = _look(head, form, suffix)
            check_size(stream, options.max_streamed if form.is_streamed else options.max_bytes)
            yield from _loader(form)(Source(stream, form, options, path))
            after = os.fstat(stream.fileno())
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise FileUnreadable("it changed while it was read; index it again")
    except OSError as error:
        raise FileUnreadable(f"it can't be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise FileMalformed(TOO_GREEDY) from error
    except RecursionError as error:
        raise FileMalformed("it is nested too deeply to parse") from error


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
        raise UnsupportedType("it holds binary data and its name has no suffix")
    return form


def _loader(form: Format) -> Loader:
    """Import a loader with the libraries it needs when it is first used."""
    name = form.loader if "." in form.loader else f"quarry.indexer.loaders.{form.loader}"
    loader: Loader = import_module(name).parse
    return loader
