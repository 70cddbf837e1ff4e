"""Every error that Quarry raises on purpose, one tree.

    QuarryError
    ├── InvalidRequest            what was asked can't be answered as it stands        HTTP 422
    │   ├── InvalidFilter         the filter is wrong; names the field                 HTTP 422
    │   └── Conflict              the name belongs to another document, or to a file   HTTP 409
    ├── NotFound                  no such document, root or dataset                    HTTP 404
    ├── LibraryError              the library can't be used as it is                   HTTP 503
    │   ├── NoLibrary             there is none at this place
    │   ├── LibraryLocked         another process is writing; names its PID
    │   ├── LibraryReadOnly       it can be searched, not written
    │   ├── LibraryDamaged        the catalog itself is damaged
    │   │   └── CatalogLost       it is gone, beside files that were derived from it
    │   ├── LibraryReplaced       another has taken its place since it was opened
    │   ├── IndexDamaged          a derived index is missing or damaged; the catalog rebuilds it
    │   ├── EngineUnavailable     a vector engine can't be reached, or not be used as it is
    │   ├── LibraryFormat         it was made by a newer version
    │   ├── LibraryUnreachable    another server has it, which does not answer as it should
    │   ├── LibraryClosed         it was closed, or belongs to the process that this one was forked from
    │   └── StorageFull           the disk is full; what was committed stays
    ├── ModelError                                                                     HTTP 503
    │   ├── ModelMissing          not installed, not in the cache, not a folder
    │   ├── ModelDamaged          hash or parity check failed
    │   └── ModelMismatch         the library was embedded by another model; names both
    ├── LoadError                 one file could not be read (a run goes on)           HTTP 415/422
    │   ├── UnsupportedType       no loader for this type
    │   ├── FileUnreadable        permissions, vanished, changed while read
    │   └── FileMalformed         damaged, encrypted, too large, too slow
    ├── ClusterUnavailable        machines that were to index can't, or are gone
    ├── Busy                      too much is asked for at once; later it may be done      HTTP 503
    ├── DeadlineExceeded          it took longer than it may, and was stopped          HTTP 503
    └── MissingExtra              an optional package is needed; gives the command

A message says what was wrong and what to do, in one or two sentences, without the class name.
"""

from __future__ import annotations


class QuarryError(Exception):
    """Base of all."""


class InvalidRequest(QuarryError):
    """What was asked can't be answered as it stands."""


class InvalidFilter(InvalidRequest):
    """The filter is wrong.

    Args:
        field: the path of the part that is wrong, such as `$and[1].year.$gt`.
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(f"filter {field}: {message}" if field else f"filter: {message}")
        self.field = field


class Conflict(InvalidRequest):
    """What was to be written has a name that belongs to another document, or to a file that is kept in sync."""


class NotFound(QuarryError):
    """No such document, root or dataset."""


class LibraryError(QuarryError):
    """The library can't be used as it is."""


class NoLibrary(LibraryError):
    """There is no library at this place."""


class LibraryLocked(LibraryError):
    """Another process is writing."""


class LibraryReadOnly(LibraryError):
    """The library can be searched but not written."""


class LibraryDamaged(LibraryError):
    """The catalog itself is damaged."""


class CatalogLost(LibraryDamaged):
    """The catalog is gone, beside files that were derived from it."""


class LibraryReplaced(LibraryError):
    """Another library, another state of it, or none has taken its place since it was opened."""


class IndexDamaged(LibraryError):
    """A derived index is missing, damaged or made by another version; it is rebuilt from the catalog."""


class EngineUnavailable(LibraryError):
    """A vector engine that keeps its vectors elsewhere can't be reached, or not be used as it is."""


class LibraryFormat(LibraryError):
    """The library was made by a newer version of Quarry."""


class LibraryUnreachable(LibraryError):
    """Another server has the library, and does not answer, or not as it should."""


class LibraryClosed(LibraryError):
    """The library was closed, or belongs to another process."""


class StorageFull(LibraryError):
    """The disk is full."""


class ModelError(QuarryError):
    """A model can't be used."""


class ModelMissing(ModelError):
    """The model is not here."""


class ModelDamaged(ModelError):
    """The model's files are not what they should be, or its export is not equal to it."""


class ModelMismatch(ModelError):
    """The library was embedded by another model."""


class LoadError(QuarryError):
    """One file could not be read."""


class UnsupportedType(LoadError):
    """No loader reads this type."""


class FileUnreadable(LoadError):
    """The file can't be opened, vanished, or changed while it was read."""


class FileMalformed(LoadError):
    """The file is damaged, encrypted, too large or too slow to parse."""


class ClusterUnavailable(QuarryError):
    """A cluster that was to index can't be reached, is gone, or has a worker that is not as it must be."""


class Busy(QuarryError):
    """Too much is asked for at once."""


class DeadlineExceeded(QuarryError):
    """It took longer than it may, and was stopped; nothing was changed by it."""


class MissingExtra(QuarryError):
    """An optional package is needed."""
