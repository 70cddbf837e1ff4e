"""The files of the lexical index: which folder is in use, opening it, checking it, taking it away.

A directory holds folders of tantivy files, of which `state.json` names the one in use together with the generation
that it covers. The state is replaced after tantivy's own commit, so that a crash between the two leaves an index that
holds more than it says; as adding is idempotent (an id is deleted before it is added), replaying from the recorded
generation mends that. A rebuild goes to a new folder and takes over by the same replacement: readers never see a part.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tantivy

from quarry.search import analysis
from quarry.search.errors import IndexDamaged, LibraryLocked, LibraryReadOnly, StorageFull

FORMAT = 2
MEND = "the next `quarry index` or `quarry doctor --repair` rebuilds it"

_STATE = "state.json"
_TOKENIZER = "terms"
_FOOTER_MAGIC = 1337


@dataclass(frozen=True, slots=True)
class State:
    """What `state.json` says: the folder in use, the generation it covers, and what it was made by."""

    folder: str
    generation: int
    format: int = FORMAT
    analysis: int = analysis.VERSION

    @classmethod
    def read(cls, directory: Path) -> State | None:
        """Read the state, None where there is no index; raise `IndexDamaged` where it can't be used."""
        try:
            raw = json.loads((directory / _STATE).read_bytes())
            state = cls(str(raw["folder"]), int(raw["generation"]), int(raw["format"]), int(raw["analysis"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise IndexDamaged(f"{directory / _STATE} is damaged; {MEND}") from error
        if (state.format, state.analysis) != (FORMAT, analysis.VERSION):
            raise IndexDamaged(f"the lexical index in {directory} was made by another version; {MEND}")
        return state

    def write(self, directory: Path) -> None:
        """Replace the state durably."""
        temporary = directory / f"{_STATE}.tmp"
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(directory / _STATE)
        _sync(directory)


def state_stamp(directory: Path) -> tuple[int, int] | None:
    """Tell one state from the next without reading it; None where there is none."""
    try:
        status = (directory / _STATE).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def destroy(directory: Path) -> None:
    """Remove the index, the state first, so that no half of it is ever opened."""
    (directory / _STATE).unlink(missing_ok=True)
    shutil.rmtree(directory, ignore_errors=True)


def verify(directory: Path) -> list[str]:
    """Check every file of the index against the checksum in its footer; list what is wrong in words."""
    try:
        state = State.read(directory)
    except IndexDamaged as error:
        return [str(error)]
    if state is None:
        return [f"there is no lexical index in {directory}; {MEND}"]
    folder = directory / state.folder
    problems = []
    try:
        listed = json.loads((folder / "meta.json").read_bytes())["segments"]
        names = {segment["segment_id"].replace("-", "") for segment in listed}
        with translated(folder), openable(folder) as path:
            configure(tantivy.Index.open(str(path)))
    except (OSError, ValueError, KeyError, TypeError, IndexDamaged) as error:
        return [f"the lexical index in {folder} can't be opened ({error}); {MEND}"]
    for file in sorted(folder.iterdir()):
        if file.name.split(".")[0] in names and not _intact(file):
            problems.append(f"{file} is damaged; {MEND}")
    return problems


def _intact(file: Path) -> bool:
    # tantivy ends a file with a JSON footer that has the CRC-32 of what stands before it, its length, and a magic.
    size = file.stat().st_size
    with file.open("rb") as stream:
        stream.seek(max(0, size - 8))
        ending = stream.read(8)
        length, magic = int.from_bytes(ending[:4], "little"), int.from_bytes(ending[4:], "little")
        if magic != _FOOTER_MAGIC or not 0 < length <= size - 8:
            return False
        stream.seek(size - 8 - length)
        try:
            expected = json.loads(stream.read(length))["crc"]
        except (ValueError, KeyError, TypeError):
            return False
        stream.seek(0)
        left, crc = size - 8 - length, 0
        while left > 0:
            block = stream.read(min(left, 1 << 20))
            crc, left = zlib.crc32(block, crc), left - len(block)
    return bool(crc == expected)


def schema() -> Any:
    """Name the fields: analysed terms are taken apart by spaces.

    `terms` are those of the text, with frequencies and without positions; `fields` those of a document's fields, in
    its first chunk, and `inherited` the same in those that follow.
    """
    builder = tantivy.SchemaBuilder()
    # Signed: deleting by a term of an unsigned field deletes nothing, as tantivy-py makes a signed term of any int.
    builder.add_integer_field("id", fast=True, indexed=True)
    builder.add_text_field("terms", tokenizer_name=_TOKENIZER, index_option="freq")
    for name in ("fields", "inherited"):
        builder.add_text_field(name, tokenizer_name=_TOKENIZER, index_option="basic")
    return builder.build()


def configure(index: Any) -> None:
    """Give an opened index its tokenizer, and let it see what is committed."""
    whitespace = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    index.register_tokenizer(_TOKENIZER, whitespace)
    # The default policy polls the files from a thread of its own.
    index.config_reader("manual")
    index.reload()


@contextmanager
def openable(folder: Path) -> Iterator[Path]:
    """Give a path that tantivy can open: it makes its lock file even to read, which an unwritable folder refuses."""
    if os.access(folder, os.W_OK):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="quarry-lexical-") as links:
        for file in folder.iterdir():
            if not file.name.endswith(".lock"):
                (Path(links) / file.name).symlink_to(file.resolve())
        yield Path(links)


@contextmanager
def translated(place: Path) -> Iterator[None]:
    """Turn what tantivy raises, panics included, into errors of ours."""
    try:
        yield
    except BaseException as error:
        foreign = isinstance(error, ValueError | OSError) or type(error).__name__ == "PanicException"
        if not foreign:
            raise
        words, number = str(error), getattr(error, "errno", None)
        if number == errno.ENOSPC or "StorageFull" in words or "No space left" in words:
            raise StorageFull(f"the disk is full while writing {place}; free some space and run it again") from error
        if number in (errno.EACCES, errno.EPERM, errno.EROFS) or "PermissionDenied" in words or "ReadOnly" in words:
            raise LibraryReadOnly(f"{place} can't be written; change its permissions or copy the library") from error
        if "LockBusy" in words:
            raise LibraryLocked(f"another writer has {place} open; try again when it is done") from error
        raise IndexDamaged(f"the lexical index in {place} can't be used ({words[:200]}); {MEND}") from error


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
