"""What a library tells of itself and of its documents."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quarry.search import arguments
from quarry.search.config import Settings
from quarry.search.errors import InvalidRequest, NotFound
from quarry.search.fields import Field
from quarry.search.stores import documents, items, picture_rows
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.thumbnails import Thumbnails
from quarry.search.types import Document
from quarry.search.uris import spellings
from quarry.search.uses import Uses, used, used_for_any_time
from quarry.search.wiring import Searcher

if TYPE_CHECKING:
    from quarry.indexer.doctor.findings import Finding
    from quarry.indexer.roots import Root


class Reading(ABC):
    """The part of `api.library.Library` that reads."""

    settings: Settings
    uses: Uses

    @property
    @abstractmethod
    def deadline_s(self) -> float | None:
        """How long a call may take."""

    @property
    @abstractmethod
    def searcher(self) -> Searcher:
        """The live objects of the query side."""

    @abstractmethod
    def catalog(self, *, create: bool = False) -> Catalog:
        """Return the open catalog."""

    @used
    def get(self, reference: str | os.PathLike[str]) -> Document:
        """Return the document with that id or URI; raise `NotFound` where there is none.

        The path of a file that holds many, such as a table, gives one that stands for all of them.
        """
        return self._find_all(reference)[1]

    @used
    def text(self, reference: str | os.PathLike[str]) -> str:
        """Return the whole text of a document, as its loader read it, or of all documents of a file."""
        with self.catalog().snapshot() as snapshot:
            rows, _ = self._find_all(reference)
            return "\n\n".join(documents.text_of(snapshot.connection, row_id) for row_id in rows)

    @used
    def page_starts(self, reference: str | os.PathLike[str]) -> tuple[int, ...]:
        """Return the offset at which each page of a document's text begins, () where it has none."""
        with self.catalog().snapshot() as snapshot:
            rows, _ = self._find_all(reference)
            structure = documents.structure_of(snapshot.connection, rows[0])
        return tuple(structure["pages"]) if len(rows) == 1 else ()

    @used
    def thumbnail(self, reference: str | os.PathLike[str]) -> bytes:
        """Return a small JPEG of a picture; raise `NotFound` where there is none."""
        with self.catalog().snapshot() as snapshot:
            row_id, document = self._find(reference)
            key = picture_rows.picture_key(snapshot.connection, row_id)
        found = Thumbnails(self.settings.library).get(key) if key is not None else None
        if found is None:
            raise NotFound(f"There is no thumbnail of {document.title!r}.")
        return found

    @used
    def original(self, reference: str | os.PathLike[str]) -> bytes:
        """Return the content of a picture's file; raise `NotFound` where it is not there any more, or never was."""
        from quarry.indexer.originals import read_original

        with self.catalog().snapshot() as snapshot:
            row_id, document = self._find(reference)
            return read_original(snapshot.connection, row_id, document)

    @used
    def documents(
        self, *, filter: Mapping[str, Any] | None = None, limit: int = 100, offset: int = 0
    ) -> tuple[list[Document], int]:
        """Return documents in the order they were added, and how many there are in all."""
        from quarry.search.filters import compile_filter

        limit, offset = arguments.whole(limit, "limit"), arguments.whole(offset, "offset")
        if not 0 <= limit <= 1_000 or offset < 0:
            raise InvalidRequest("limit must be 0 to 1,000 and offset 0 or more.")
        where, params = compile_filter(filter) if filter is not None else ("1", [])
        with self.catalog().snapshot() as snapshot:
            total = snapshot.connection.execute(f"SELECT count(*) FROM documents d WHERE {where}", params).fetchone()[0]
            return documents.listing(snapshot.connection, where, params, limit, min(offset, 2**62)), int(total)

    @used
    def fields(self) -> list[Field]:
        """Return what a filter can name: what every document has, then its own metadata, the most frequent first."""
        with self.catalog().snapshot() as snapshot:
            return self.searcher.filters.fields(snapshot)

    @used
    def filter_notes(self, filter: Mapping[str, Any] | None) -> tuple[str, ...]:
        """Say what a filter may have been meant as: which fields no document has, and why it lets nothing through.

        `Response.degraded` has these notes, too.
        """
        with self.catalog().snapshot() as snapshot:
            return self.searcher.filters.notes(snapshot, filter)

    @used
    def roots(self) -> list[Root]:
        """Return the folders and files that are kept in sync."""
        from quarry.indexer import roots

        with self.catalog().snapshot() as snapshot:
            return roots.listed(snapshot.connection)

    @used
    def status(self) -> dict[str, Any]:
        """Return counts, models, roots and sizes, as `quarry status --json` prints them."""
        from quarry.indexer.status import status

        return status(self.catalog(), self.settings)

    @used
    def skipped(self) -> dict[str, str]:
        """Return why files and folders under the roots are passed by, by path."""
        from quarry.indexer.skipped import skipped

        return skipped(self.catalog())

    @used_for_any_time
    def doctor(self, *, repair: bool = False) -> list[Finding]:
        """Check every row and file of the library; with `repair`, take the good copy of what is damaged."""
        from quarry.indexer.doctor.examination import examine

        return examine(self.settings, repair=arguments.flag(repair, "repair"))

    def _find(self, reference: str | os.PathLike[str]) -> tuple[int, Document]:
        named = arguments.reference(reference)
        with self.catalog().snapshot() as snapshot:
            tried = (documents.find(snapshot.connection, spelling) for spelling in spellings(named))
            found = next((one for one in tried if one is not None), None)
        if found is None:
            raise NotFound(f"This library has no document with the id or path {named!r}.")
        return found

    def _find_all(self, reference: str | os.PathLike[str]) -> tuple[list[int], Document]:
        """Return the documents that are meant by row id, and the one that there is, or that stands for all."""
        named = arguments.reference(reference)
        with self.catalog().snapshot() as snapshot:
            for spelling in spellings(named):
                found = items.of_file(snapshot.connection, spelling)
                if found is not None and documents.find(snapshot.connection, spelling) is None:
                    return found
        row_id, document = self._find(named)
        return [row_id], document
