"""What keeps a library well: its state, checks and repairs, backups, documents that go from one library to another."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from quarry.api.opened import OpenLibrary
from quarry.search.config import read_settings
from quarry.search.errors import FileUnreadable, InvalidRequest, NotFound
from quarry.search.queries import arguments

if TYPE_CHECKING:
    from quarry.indexer.doctor.findings import Finding
    from quarry.indexer.exchange.backup import Backup
    from quarry.indexer.exchange.exporting import Format
    from quarry.indexer.exchange.importing import Imported
    from quarry.indexer.exchange.restoring import Restored
    from quarry.indexer.report import Progress
    from quarry.search.stores.rows.roots import Root


def backup(
    library: OpenLibrary, file: str | os.PathLike[str] | BinaryIO, *, progress: Progress | None = None
) -> Backup:
    """Write the whole library into one file, or a stream, while others go on reading and writing.

    It holds one commit: documents, vectors, thumbnails, indexes, roots, what was deleted and can be undeleted. A
    file appears when it is whole, readable by its owner alone, and takes the place of one of that name.

    Raises:
        LibraryDamaged: the catalog is damaged, and a backup would keep the damage.
        StorageFull: there is no room for it, and for a second copy of the databases while it is made.
    """
    from quarry.indexer.exchange.backup import back_up, stream_backup
    from quarry.indexer.report import NoProgress
    from quarry.search.files.disks import temporary_folder
    from quarry.search.wiring import open_vectors

    show, vectors = progress or NoProgress(), open_vectors(library.catalog(), library.settings.engines)
    if isinstance(file, str | os.PathLike):
        path = Path(arguments.path(file, "file")).expanduser().absolute()
        return back_up(vectors, path, show)
    with temporary_folder("quarry-backup-") as scratch:
        return stream_backup(vectors, file, scratch, show)


def export(
    library: OpenLibrary,
    file: str | os.PathLike[str] | BinaryIO,
    *,
    format: Format | None = None,
    vectors: bool = False,
    filter: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> int:
    """Write documents as rows that any program reads, as of one commit; return how many there are.

    A file appears when it is whole, readable by its owner alone, and takes the place of one of that name. What the
    columns are is told in `indexer/exchange/dump.py` and in docs/tour.md.

    Args:
        format: `jsonl` or `parquet`; the default is what the file's name says, else `jsonl`.
        vectors: with the passages, their vectors, and those of pictures, so that who imports need not embed.
        filter: only documents that match, as in `search`.

    Raises:
        MissingExtra: Parquet needs pyarrow.
    """
    from quarry.indexer.exchange import exporting
    from quarry.indexer.report import NoProgress
    from quarry.search.fields.filters import compile_filter
    from quarry.search.files.whole import whole_file

    name = "" if hasattr(file, "write") else arguments.path(file, "file")
    chosen = format or ("parquet" if name.endswith(".parquet") else "jsonl")
    if chosen not in exporting.FORMATS:
        raise InvalidRequest(f"format is {format!r}; it can be {' or '.join(exporting.FORMATS)}.")
    where, params = compile_filter(filter) if filter is not None else ("1", [])
    options: dict[str, Any] = {
        "vectors": arguments.flag(vectors, "vectors"),
        "progress": progress or NoProgress(),
    }
    catalog = library.catalog()
    if not isinstance(file, str | os.PathLike):
        return exporting.export(catalog, file, chosen, where, params, **options)
    with whole_file(Path(name).expanduser().absolute()) as stream:
        return exporting.export(catalog, stream, chosen, where, params, **options)


def import_file(
    library: OpenLibrary, file: str | os.PathLike[str] | BinaryIO, *, progress: Progress | None = None
) -> Imported:
    """Take documents from rows that `export` wrote, or any other program: JSON Lines, or Parquet.

    Each takes the place of the one with its id, so that importing again changes nothing. Vectors are taken where
    this library's own model made them, else made. What was a file's elsewhere is a document of its own here; where
    a synced file of this library has its path, that one stays (`kept`). A row that is wrong stops none of the rest.

    Raises:
        NotFound, LoadError: the file is not there, or can't be read.
    """
    from quarry.indexer.exchange.importing import import_rows
    from quarry.indexer.report import NoProgress

    show, writer = progress or NoProgress(), library.writer(create=True)
    if not isinstance(file, str | os.PathLike):
        return import_rows(writer, file, str(getattr(file, "name", "stream")), 0, show)
    with _opened(file) as (stream, path, size):
        return import_rows(writer, stream, path, size, show)


def compact(library: OpenLibrary) -> int:
    """Merge all segments into one, drop what nothing refers to, and give space back.

    Returns how many bytes are kept for searches that run now; the next one gives them back.
    """
    from quarry.indexer import writer

    library.catalog()
    return writer.compact(library.searcher.vectors)


def doctor(library: OpenLibrary, *, repair: bool = False) -> list[Finding]:
    """Check every row and file of the library; with `repair`, take the good copy of what is damaged."""
    from quarry.indexer.doctor.examination import examine

    return examine(library.settings, repair=arguments.flag(repair, "repair"))


def status(library: OpenLibrary) -> dict[str, Any]:
    """Return counts, models, roots and sizes, as `quarry status --json` prints them."""
    from quarry.indexer import status as state

    return state.status(library.searcher.vectors)


def skipped(library: OpenLibrary) -> dict[str, str]:
    """Return why files and folders under the roots are passed by, by path."""
    from quarry.indexer.files import skipped as passed_by

    return passed_by.skipped(library.catalog())


def roots(library: OpenLibrary) -> list[Root]:
    """Return the folders and files that are kept in sync."""
    from quarry.search.stores.rows import roots as root_rows

    with library.catalog().snapshot() as snapshot:
        return root_rows.listed(snapshot.connection)


@contextmanager
def _opened(file: str | os.PathLike[str]) -> Iterator[tuple[BinaryIO, str, int]]:
    """Open a file to read; give its stream, its path, and how long it is."""
    path = Path(arguments.path(file, "file")).expanduser()
    try:
        stream = path.open("rb")
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.") from error
    except OSError as error:
        raise FileUnreadable(f"{path} can't be read: {error.strerror}.") from error
    with stream:
        yield stream, str(path), os.fstat(stream.fileno()).st_size


def restore(
    file: str | os.PathLike[str] | BinaryIO,
    directory: str | os.PathLike[str] | None = None,
    *,
    replace: bool = False,
    wait_s: float = 30.0,
    progress: Progress | None = None,
) -> Restored:
    """Make a library of a backup: in a folder that is not there yet, or with `replace` instead of a library.

    Every byte is checked before anything is put in place. Its roots are those of the backup: where their folders are
    not there, nothing of them is dropped by the next run.

    Args:
        file: the backup, or a stream of it.
        directory: where the library will be; the default is that of `Library`.
        wait_s: how long to wait for another process that is writing to the library which is replaced.

    Raises:
        InvalidRequest: there is something at that place.
        FileMalformed: the backup is damaged; the member is named.
        LibraryFormat: a newer version made it.
        NotFound: there is no such file.
    """
    from quarry.indexer.exchange.restoring import restore_from
    from quarry.indexer.report import NoProgress

    library = read_settings(directory).library
    show, wait_s = progress or NoProgress(), arguments.seconds(wait_s, "wait_s")
    replace = arguments.flag(replace, "replace")
    if not isinstance(file, str | os.PathLike):
        name = str(getattr(file, "name", "stream"))
        return restore_from(file, name, 0, library, replace=replace, wait_s=wait_s, progress=show)
    with _opened(file) as (stream, name, size):
        return restore_from(stream, name, size, library, replace=replace, wait_s=wait_s, progress=show)
