"""A file that appears when it is whole, safely on the disk, in place of one of that name."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from quarry.search.files import disks


@contextmanager
def whole_file(file: Path) -> Iterator[BinaryIO]:
    """Give a stream to write; where the block ends without an error, what was written is the file, for its owner.

    Raises:
        StorageFull, LibraryReadOnly, LibraryError: it can't be written; there is no part of it.
    """
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}.tmp")
    with disks.writing(file.parent):
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(file)
            sync(file.parent)
        finally:
            temporary.unlink(missing_ok=True)


def sync(directory: Path) -> None:
    """Make renames in a folder last."""
    with contextlib.suppress(OSError):
        disks.sync_folder(directory)
