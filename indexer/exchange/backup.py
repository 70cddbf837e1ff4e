"""A library -> one file, while others go on reading and writing (`indexer.exchange.archive` has the format).

What is copied is one commit (`indexer.exchange.commit_files`). What is derived goes along, so that a restored library
ranks as this one does, to the last digit; where it is damaged it is left out, and made anew by whoever restores.
"""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from quarry.indexer.exchange.archive import ArchiveWriter
from quarry.indexer.exchange.commit_files import opened_commit
from quarry.indexer.report import Progress
from quarry.search.engines.opened import OpenedVectors
from quarry.search.errors import InvalidRequest
from quarry.search.files import disks
from quarry.search.files.whole import whole_file


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds.

    Args:
        documents, generation: of the commit that it is.
        bytes: how long it is.
        left_out: derived files that were damaged, and why; a restore makes them anew.
    """

    documents: int
    generation: int
    bytes: int
    left_out: tuple[str, ...] = ()


def back_up(vectors: OpenedVectors, file: Path, progress: Progress) -> Backup:
    """Write a backup to a file, which appears when it is whole and takes the place of one of that name.

    Raises:
        InvalidRequest: it would lie within the library.
        LibraryDamaged: a row of the catalog is not what was written; nothing was made that would keep that.
        StorageFull, LibraryError: it can't be written there.
    """
    if file.is_dir() or file.resolve().is_relative_to(vectors.catalog.library.resolve()):
        raise InvalidRequest(f"{file} is a folder, or within the library; name a file elsewhere.")
    scratch = file.with_name(f".{file.name}.{secrets.token_hex(4)}.databases")
    with whole_file(file) as stream, disks.writing(file.parent):
        scratch.mkdir(0o700)
        try:
            return stream_backup(vectors, stream, scratch, progress)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def stream_backup(vectors: OpenedVectors, stream: BinaryIO, scratch: Path, progress: Progress) -> Backup:
    """Write a backup to a stream; the databases are copied to the folder `scratch` first."""
    with opened_commit(vectors, scratch, progress) as opened:
        writer = ArchiveWriter(stream, lambda size: progress.advance(0, size, 0))
        for file in opened.files:
            writer.add(file.name, file.stream, file.size)
        commit = opened.state.commit
        writer.close(
            {
                "library": commit.library,
                "generation": commit.generation,
                "commit": commit.id,
                "documents": opened.documents,
                "made": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )
    return Backup(opened.documents, commit.generation, writer.size, opened.left_out)
