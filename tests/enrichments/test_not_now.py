"""What can't be read now, as turns or memory are short, is asked for again: nothing is stored of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from quarry.indexer.enrichments import enriching, renditions
from quarry.indexer.enrichments.base import Enrichment, Look, Result
from quarry.indexer.enrichments.renditions import Content
from quarry.indexer.query_pictures import QueryPictures
from quarry.search.errors import Busy, FileMalformed, FileUnreadable, QuarryError, StorageFull
from quarry.search.stores.catalog import Catalog


class Looking(Enrichment):
    """Looks at pictures that nobody can read."""

    name = identity = "looking"
    rendition = Look()

    def enrich(self, items: object) -> list[Result]:
        """Look at none."""
        raise AssertionError(items)


@pytest.mark.parametrize(("error", "is_stored"), [(Busy("full"), False), (FileUnreadable("away"), False),
                                                  (FileMalformed("damaged"), True)])  # fmt: skip
def test_of_what_is_read_later_nothing_is_stored(
    error: Exception, is_stored: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object) -> None:
        raise error

    monkeypatch.setattr(QueryPictures, "read", read)
    content = Content("", {}, "image", "quarry:1", lambda: b"a thumbnail")
    catalog = Catalog(tmp_path / "library", writable=True)
    found = enriching.find(catalog, [Looking()], {b"1": content}, slow=())
    catalog.close()
    assert found == {b"1": {"looking": Result()} if is_stored else {}}
    assert renditions.may_have(content, Look())


@pytest.mark.parametrize("error", [StorageFull("the disk is full"), QuarryError("no process can be started")])
def test_what_is_no_fault_of_a_document_ends_the_run(error: Exception, tmp_path: Path) -> None:
    class Short(Looking):
        def enrich(self, items: object) -> list[Result]:
            raise error

    content = Content("", {}, "image", "quarry:1", lambda: b"", look=b"a look")
    with closing(Catalog(tmp_path / "library", writable=True)) as catalog, pytest.raises(type(error), match=str(error)):
        enriching.find(catalog, [Short()], {b"1": content}, slow=())
