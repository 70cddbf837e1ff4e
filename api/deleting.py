"""What takes documents out of a library: deleting, bringing back, forgetting roots, giving space back."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from quarry.api.keeping import Keeping
from quarry.search import arguments
from quarry.search.uris import absolute, uri_of
from quarry.search.uses import used_for_any_time, used_to_write

if TYPE_CHECKING:
    from quarry.indexer.writer import Writer


class Deleting(Keeping):
    """The part of `api.library.Library` that takes documents out."""

    @abstractmethod
    def _open_writer(self, *, create: bool = False) -> Writer:
        """Return what writes to the library."""

    @used_to_write
    def delete(self, references: Sequence[str] | str) -> int:
        """Delete documents by id or URI, all or none; return how many there were.

        The path of a file that holds many, such as a table, stands for all of them. `undelete` brings them back,
        until `compact`. A document of a file that is still there comes back when that file changes.
        """
        rows = [row_id for one in arguments.references(references) for row_id in self._find_all(one)[0]]
        from quarry.indexer.deleting import delete

        return delete(self.catalog(), rows)

    @used_to_write
    def undelete(self, references: Sequence[str] | str = ()) -> list[str]:
        """Bring deleted documents back by id or URI, all or none, or what was deleted last; return their ids.

        Raises:
            NotFound: nothing of the kind was deleted, or it was compacted away since.
            InvalidRequest: there is another document under such an id or URI now.
        """
        from quarry.indexer.deleting import undelete

        return undelete(self._open_writer(), arguments.references(references))

    @used_to_write
    def forget(self, root: str | os.PathLike[str]) -> int:
        """Stop syncing a root and drop its documents; return how many there were."""
        from quarry.indexer import roots
        from quarry.indexer.writer import commit

        path = uri_of(absolute(arguments.path(root, "root")))
        return commit(self.catalog(), lambda connection: roots.forget(connection, path))

    @used_for_any_time
    def compact(self) -> int:
        """Merge all segments into one, drop what nothing refers to, and give space back.

        Returns how many bytes are kept for searches that run now; the next one gives them back.
        """
        from quarry.indexer.writer import compact

        return compact(self.catalog())
