"""What keeps a library safe: backups, and documents that go from one library to another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from quarry.api.asking import Asking
from quarry.search import arguments
from quarry.search.config import read_settings
from quarry.search.uses import used_for_any_time

if TYPE_CHECKING:
    from quarry.indexer.backup import Backup
    from quarry.indexer.report import Progress
    from quarry.indexer.restoring import Restored


class Keeping(Asking):
    """The part of `api.library.Library` that keeps what it holds elsewhere."""

    @used_for_any_time
    def backup(self, file: str | os.PathLike[str] | BinaryIO, *, progress: Progress | None = None) -> Backup:
        """Write the whole library into one file, or a stream, while others go on reading and writing.

        It holds one commit: documents, vectors, thumbnails, indexes, roots, what was deleted and can be undeleted. A
        file appears when it is whole, readable by its owner alone, and takes the place of one of that name.

        Raises:
            LibraryDamaged: the catalog is damaged, and a backup would keep the damage.
            StorageFull: there is no room for it, and for a second copy of the catalog while it is made.
        """
        from quarry.indexer.backup import back_up, stream_backup
        from quarry.indexer.report import NoProgress
        from quarry.search.stores.disks import temporary_folder

        show = progress or NoProgress()
        if isinstance(file, str | os.PathLike):
            path = Path(arguments.path(file, "file")).expanduser().absolute()
            return back_up(self.catalog(), path, show)
        with temporary_folder("quarry-backup-") as scratch:
            return stream_backup(self.catalog(), file, scratch / "catalog", show)


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
    from quarry.indexer.report import NoProgress
    from quarry.indexer.restoring import restore_from
    from quarry.search.errors import FileUnreadable, NotFound

    named = None if directory is None else arguments.path(directory, "directory")
    library = read_settings(named).library
    show, wait_s = progress or NoProgress(), arguments.seconds(wait_s, "wait_s")
    replace = arguments.flag(replace, "replace")
    if not isinstance(file, str | os.PathLike):
        name = str(getattr(file, "name", "stream"))
        return restore_from(file, name, 0, library, replace=replace, wait_s=wait_s, progress=show)
    path = Path(arguments.path(file, "file")).expanduser()
    try:
        stream = path.open("rb")
    except FileNotFoundError as error:
        raise NotFound(f"There is no backup at {path}.") from error
    except OSError as error:
        raise FileUnreadable(f"{path} can't be read: {error.strerror}.") from error
    with stream:
        size = os.fstat(stream.fileno()).st_size
        return restore_from(stream, str(path), size, library, replace=replace, wait_s=wait_s, progress=show)
