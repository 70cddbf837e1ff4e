"""Which files an index run passes by: found by walking the roots again, so that it is true of this moment."""

from __future__ import annotations

import os

from quarry.indexer.files.walking import HOLDS_NOTHING, walk
from quarry.indexer.formats import supported
from quarry.search.files.uris import path_of
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.rows import files, roots


def skipped(catalog: Catalog) -> dict[str, str]:
    """Return why files and folders under the roots are no documents, by path; those that failed are not among them."""
    with catalog.snapshot() as snapshot:
        tops = [root.path for root in roots.listed(snapshot.connection)]
        found = dict.fromkeys(files.without_documents(snapshot.connection), HOLDS_NOTHING)
    for top in map(path_of, tops):
        if os.path.lexists(top):
            found |= walk(top, top, supported, catalog.directory.resolve()).skipped_files
    return dict(sorted(found.items()))
