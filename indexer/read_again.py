"""What stands for stored chunks, once more: the text of a passage from the catalog, a picture from its file.

What is read goes by the chunks' own keys, whatever another model makes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from quarry.indexer.changes import content_hash
from quarry.indexer.embedding import stood_for
from quarry.indexer.parsers import PARSERS
from quarry.indexer.query_pictures import QueryPictures
from quarry.search.errors import LibraryDamaged, LoadError
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.lacking import Lacking
from quarry.search.stores.thumbnails import Thumbnails
from quarry.search.types import Medium, Pixels, Preprocessing
from quarry.search.uris import path_of

_LOST = "Its file is gone or has changed, and there is no thumbnail of it: it is found by words only."


class Again(Protocol):
    """Reads what chunks of one medium are.

    Attributes:
        small: the paths of the files whose pictures were read from thumbnails, by key.
        lost: why there is nothing of a chunk any more, and the path of its file, by key.
    """

    small: dict[bytes, str | None]
    lost: dict[bytes, tuple[str, str | None]]

    def read(self, chunks: Iterable[Lacking]) -> dict[bytes, Any]:
        """Return what is embedded for chunks, by key; what is lost is left out."""
        ...

    def close(self) -> None:
        """Stop reading; it may be begun again."""
        ...


class TextsAgain:
    """Passages, with as much of their title as was embedded before them."""

    def __init__(self) -> None:
        self.small: dict[bytes, str | None] = {}
        self.lost: dict[bytes, tuple[str, str | None]] = {}

    def read(self, chunks: Iterable[Lacking]) -> dict[bytes, str]:
        """Return the texts; none is ever lost."""
        return {one.key: stood_for(one.title, one.text, one.key) for one in chunks}

    def close(self) -> None:
        """Do nothing: nothing is kept open."""


class PicturesAgain:
    """Pictures, from their files, or else from their thumbnails; `preprocessing` is asked when there is one to read."""

    def __init__(self, catalog: Catalog, preprocessing: Callable[[], Preprocessing]) -> None:
        self._preprocessing = preprocessing
        self._thumbnails = Thumbnails(catalog.directory)
        self._reader = QueryPictures(PARSERS)
        self.small: dict[bytes, str | None] = {}
        self.lost: dict[bytes, tuple[str, str | None]] = {}

    def read(self, chunks: Iterable[Lacking]) -> dict[bytes, Pixels]:
        """Return the pixels of pictures."""
        found: dict[bytes, Pixels] = {}
        for one in chunks:
            if one.key in found and one.key not in self.small:
                continue
            if (pixels := self._from_file(one)) is not None:
                self.small.pop(one.key, None)
                self.lost.pop(one.key, None)
            elif one.key in found:
                continue
            elif (pixels := self._from_thumbnail(one)) is not None:
                self.small[one.key] = one.path
            else:
                self.lost[one.key] = (_LOST, one.path)
                continue
            found[one.key] = pixels
        return found

    def close(self) -> None:
        """Stop the children that read."""
        PARSERS.close()

    def _from_file(self, one: Lacking) -> Pixels | None:
        """Return the pixels of the file, None where it is gone or not the one that was indexed."""
        if one.path is None:
            return None
        path = path_of(one.path)
        try:
            pixels = self._reader.read(path, self._preprocessing())
            return pixels if content_hash(path) == one.hash else None
        except LoadError:
            return None

    def _from_thumbnail(self, one: Lacking) -> Pixels | None:
        try:
            jpeg = self._thumbnails.get(one.key)
            return self._reader.read(jpeg, self._preprocessing()) if jpeg else None
        except (LibraryDamaged, LoadError):
            return None


AGAIN: Mapping[Medium, Callable[[Catalog, Callable[[], Preprocessing]], Again]] = {
    "text": lambda catalog, preprocessing: TextsAgain(),
    "image": PicturesAgain,
}
