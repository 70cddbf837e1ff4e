"""A replica: a read-only copy of a library in generations, of which a link names the one that is read.

    replica.json                      which library it is a copy of, and where that is
    current -> generations/17-4be1c0  the generation that is read; replaced by a rename
    generations/17-4be1c0/            the files of one commit: a library as any other, which nobody writes to any more
    seen.json                         what was last seen of the source
    incoming/                         what was fetched for the next generation, by its SHA-256

Who reads a generation holds a shared lock on a file of it, and who takes old ones away an exclusive one: the kernel
knows who is still there, on this machine, and no clock is asked.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from quarry.search.errors import InvalidRequest, LibraryDamaged, LibraryError, LibraryLocked, NoLibrary
from quarry.search.files.access import check_kept, open_kept, read_kept
from quarry.search.files.whole import whole_file

FILE, SEEN = "replica.json", "seen.json"
CURRENT, GENERATIONS, INCOMING = "current", "generations", "incoming"
LOCK = "replica.lock"
IN_USE = "in-use"  # of each generation: what readers lock

_FORMAT = 1
_LARGEST = 1 << 16  # bytes of a file that tells of a replica
_NAME = re.compile(rf"{GENERATIONS}/(\d{{1,18}}-[0-9a-f]{{1,64}})", re.ASCII)
_TRIES = 100  # of entering a generation that is taken away at that moment


@dataclass(frozen=True, slots=True)
class SourceSeen:
    """What was last seen of a source: its newest generation, when, and why it could not be looked at since.

    Args:
        at: by the clock of the machine that the replica is on; to be shown, and nothing is decided by it.
    """

    generation: int
    at: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Replica:
    """What a folder says of itself that is a replica.

    Args:
        source: where the library is: a path or an address.
        library: its id.
    """

    directory: Path
    source: str
    library: str

    @classmethod
    def find(cls, directory: Path) -> Replica | None:
        """Return the replica at a place, None where there is none.

        Raises:
            InvalidRequest: it is a generation of one, which would be written to, and not followed.
            LibraryDamaged: what it says of itself can't be read.
        """
        try:
            told = _read(directory, FILE)
            if told is None:
                _require_no_generation(directory)
                return None
            if int(told["format"]) > _FORMAT:
                raise LibraryDamaged(f"The replica at {directory} was made by a newer version of Quarry. Update it.")
            return cls(directory, str(told["source"]), str(told["library"]))
        except (ValueError, KeyError, TypeError) as error:
            raise LibraryDamaged(f"{directory / FILE} is damaged; replicate to a new folder.") from error

    def write(self) -> None:
        """Say it in its folder."""
        _write(self.directory, FILE, {"format": _FORMAT, "source": self.source, "library": self.library})

    @property
    def refusal(self) -> str:
        """Say why nothing can be written to it."""
        return (
            f"The library at {self.directory} is a replica of {self.source} and can only be read. Write to that "
            "library: `quarry replicate` brings it here."
        )

    def current(self) -> Path | None:
        """Return the folder of the generation that is read, None before the first one is whole.

        Raises:
            LibraryDamaged: the link leads elsewhere.
        """
        link = self.directory / CURRENT
        try:
            found = _NAME.fullmatch(str(link.readlink()))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LibraryDamaged(f"{link} is no link to a generation ({error.strerror}).") from error
        if found is None:
            raise LibraryDamaged(f"{link} leads elsewhere than to a generation of this replica.")
        return self.directory / GENERATIONS / found[1]

    def enter(self) -> EnteredGeneration:
        """Enter the newest generation, which stays until it is left.

        Raises:
            NoLibrary: there is none yet.
        """
        for _ in range(_TRIES):
            place = self.current()
            if place is None:
                raise NoLibrary(f"Nothing of {self.source} has come to {self.directory} yet; run `quarry replicate`.")
            if entered := enter(place):
                return entered
        raise LibraryLocked(f"The generations of {self.directory} change too quickly to be read. Try again.")

    def seen(self) -> SourceSeen | None:
        """Return what was last seen of the source, None where that is not known."""
        try:
            told = _read(self.directory, SEEN)
            return None if told is None else SourceSeen(int(told["generation"]), str(told["at"]), str(told["problem"]))
        except (ValueError, KeyError, TypeError, LibraryDamaged):
            return None

    def tell(self, seen: SourceSeen) -> None:
        """Keep what was seen of the source."""
        _write(self.directory, SEEN, asdict(seen))


class EnteredGeneration:
    """A generation that somebody reads: it is not taken away before it was left.

    Args:
        directory: its folder.
        descriptor: of the file that is locked.
    """

    def __init__(self, directory: Path, descriptor: int) -> None:
        self.directory = directory
        self._descriptor = descriptor

    def leave(self) -> None:
        """Need it no longer."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.leave()


def enter(place: Path) -> EnteredGeneration | None:
    """Enter a generation by its folder; None where it is not there any more."""
    check_kept(place, place.parent.parent, "folder")
    try:
        descriptor = open_kept(place / IN_USE, place)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LibraryError(f"{place} can't be read: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if os.path.samestat(os.fstat(descriptor), (place / IN_USE).lstat()):
            return EnteredGeneration(place, descriptor)
    except FileNotFoundError:  # it was taken away while the lock was waited for
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


@contextmanager
def unread(place: Path) -> Iterator[bool]:
    """Let nobody enter a generation in the block, and say whether that is so: not where somebody reads it."""
    try:
        descriptor = open_kept(place / IN_USE, place)
    except FileNotFoundError:  # a removal was broken off
        yield True
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


def _require_no_generation(directory: Path) -> None:
    if os.path.lexists(directory / IN_USE):  # False, too, for who may not look: that is said where it is opened
        generations = directory.resolve().parent
        if generations.name == GENERATIONS and (generations.parent / FILE).exists():
            raise InvalidRequest(f"{directory} is a generation of the replica at {generations.parent}; name that.")


def _read(directory: Path, name: str) -> dict[str, Any] | None:
    try:
        told = json.loads(read_kept(directory / name, directory, _LARGEST))
    except OSError:  # it is none, or can't be looked at, which is told where the library is opened
        return None
    if not isinstance(told, dict):
        raise ValueError(name)
    return told


def _write(directory: Path, name: str, told: dict[str, Any]) -> None:
    with whole_file(directory / name) as stream:
        stream.write(json.dumps(told).encode())
