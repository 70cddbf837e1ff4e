"""The files of the lexical index: which folder is in use, opening it, checking it, taking it away.

A directory holds folders of tantivy files, of which `state.json` names the one in use together with the commit that
it covers. The state is replaced after tantivy's own commit, so that a crash between the two leaves an index that
holds more than it says; as adding is idempotent (an id is deleted before it is added), replaying from the recorded
generation mends that. A rebuild goes to a new folder and takes over by the same replacement: readers never see a part.

tantivy believes what it reads: a flipped bit is a wrong answer, a panic or the end of the process. So the state has a
checksum of its own and of every file (`search.lexical.sums`), and no file is opened before it was compared.
"""

from __future__ import annotations

import errno
import json
import os
import re
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import tantivy

from quarry.search.errors import IndexDamaged, LibraryDamaged, LibraryLocked, LibraryReadOnly, StorageFull
from quarry.search.files import disks
from quarry.search.files.access import access_of, check_kept, make_file_anew, read_kept
from quarry.search.language import analysis
from quarry.search.stores.lineage import Commit

FORMAT = 4
MEND = "the next `quarry index` or `quarry doctor --repair` rebuilds it"

_STATE = "state.json"
_FOLDER = re.compile(r"index-\d+", re.ASCII)
_TOKENIZER = "terms"
# Formats before, which are read: without `uri` and checksums, built anew by who writes; and with all words of the text
# in `terms`, written on, as what is found to be boilerplate is replayed.
_WITHOUT_SUMS, _WITH_BOILERPLATE = 2, 3
_LARGEST_STATE = 1 << 20  # bytes
_PATIENCE, _PAUSE_S = 50, 0.02
LOCK = ".tantivy-meta.lock"  # made by whoever opens the files, where it is not there


@dataclass(frozen=True, slots=True)
class State:
    """What `state.json` says: the folder in use, the commit it covers, what it was made by, and what its files are.

    Args:
        files: size and CRC-32 by name; None while a writer is at work, or was killed there: then the files' own
            checksums have to do.
        shape: CRC-32 of tantivy's description of the fields.
    """

    folder: str
    generation: int
    format: int = FORMAT
    analysis: int = analysis.VERSION
    library: str = ""
    commit: str = ""
    shape: int = 0
    files: Mapping[str, tuple[int, int]] | None = field(default=None, hash=False)

    @property
    def has_sums(self) -> bool:
        """Whether its files have checksums, and the first chunk of each document bears its URI."""
        return self.format > _WITHOUT_SUMS

    @property
    def covers(self) -> Commit:
        """The commit up to which everything is in the index."""
        return Commit(self.library, self.generation, self.commit)

    @classmethod
    def read(cls, directory: Path) -> State | None:
        """Read the state, None where there is no index; raise `IndexDamaged` where it can't be used."""
        try:
            raw = json.loads(read_kept(directory / _STATE, directory.parent, _LARGEST_STATE))
            check = raw.pop("check", None)
            state = cls(**{**raw, "folder": str(raw["folder"]), "generation": int(raw["generation"])})
            if state.files is not None:
                files = {str(name): (int(size), int(crc)) for name, (size, crc) in state.files.items()}
                state = replace(state, files=files)
            version = (int(raw["format"]), int(raw["analysis"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise IndexDamaged(f"{directory / _STATE} is damaged; {MEND}") from error
        except LibraryDamaged as error:
            raise IndexDamaged(str(error)) from error
        if not _FOLDER.fullmatch(state.folder):
            raise IndexDamaged(f"{directory / _STATE} leads elsewhere; {MEND}")
        if version not in [(each, analysis.VERSION) for each in (FORMAT, _WITH_BOILERPLATE, _WITHOUT_SUMS)]:
            raise IndexDamaged(f"the lexical index in {directory} was made by another version; {MEND}")
        if (state.has_sums or check is not None) and check != _digest(raw):
            raise IndexDamaged(f"{directory / _STATE} is damaged; {MEND}")
        return state

    def write(self, directory: Path, *, durable: bool = True) -> None:
        """Replace the state, safely on the disk where it is `durable`."""
        raw = json.loads(json.dumps(asdict(self)))
        temporary = directory / f"{_STATE}.tmp"
        with make_file_anew(temporary, access_of(directory.parent)) as file:
            file.write(json.dumps({**raw, "check": _digest(raw)}).encode())
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(directory / _STATE)
        if durable:
            disks.sync_folder(directory)


def _digest(raw: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(raw, sort_keys=True).encode())


def state_stamp(directory: Path) -> tuple[int, int] | None:
    """Tell one state from the next without reading it; None where there is none."""
    try:
        status = (directory / _STATE).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def schema() -> Any:
    """Name the fields: analysed terms are taken apart by spaces.

    `terms` are those of the text, with frequencies and without positions; `fields` those of a document's fields, in
    its first chunk, and `inherited` the same in those that follow; what is boilerplate in a text is in either, marked.
    `uri` is that of a document, kept in its first chunk to tell what was lost where the catalog can't.
    """
    builder = tantivy.SchemaBuilder()
    # Signed: deleting by a term of an unsigned field deletes nothing, as tantivy-py makes a signed term of any int.
    builder.add_integer_field("id", fast=True, indexed=True)
    builder.add_text_field("terms", tokenizer_name=_TOKENIZER, index_option="freq")
    for name in ("fields", "inherited"):
        builder.add_text_field(name, tokenizer_name=_TOKENIZER, index_option="basic")
    builder.add_bytes_field("uri", stored=True, indexed=False)
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
    """Give a path that tantivy can open: it makes its lock file even to read, which not every place allows.

    Raises:
        IndexDamaged: something in the folder is no file of its own, which tantivy would open whatever it is.
    """
    require_plain(folder)
    if os.access(folder, os.W_OK) and ((folder / LOCK).exists() or disks.why_not(folder) is None):
        yield folder
        return
    with disks.temporary_folder("quarry-lexical-") as links:
        for file in folder.iterdir():
            if not file.name.endswith(".lock"):
                try:
                    (links / file.name).symlink_to(file.resolve())
                except OSError as error:
                    raise disks.translated(error, links.parent) from error
        yield links


def require_plain(folder: Path) -> None:
    """Refuse a folder of tantivy's files that is a link, or holds anything but files: tantivy opens them by path.

    Raises:
        IndexDamaged: names it.
    """
    library = folder.parent.parent
    try:
        check_kept(folder, library, "folder")
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_file(follow_symlinks=False):
                    check_kept(Path(entry.path), library)
    except LibraryDamaged as error:
        raise IndexDamaged(f"{str(error).removesuffix('.')}; {MEND}") from error
    except FileNotFoundError:
        return
    except OSError as error:
        raise IndexDamaged(f"the lexical index in {folder} can't be read ({error.strerror}); {MEND}") from error
    for _ in range(_PATIENCE):  # tantivy makes it for its owner alone; a moment later the writer gives it its mode
        if os.access(folder / "meta.json", os.R_OK) or not (folder / "meta.json").exists():
            break
        time.sleep(_PAUSE_S)


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
