"""What stands for stored chunks, once more: the text of a passage from the catalog, any other thing from its file.

What is read goes by the chunks' own keys, whatever another model makes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from quarry.indexer.files.changes import content_hash
from quarry.indexer.loaders.base import DEFAULTS
from quarry.indexer.parsers import PARSERS
from quarry.indexer.prepared import item_uri
from quarry.indexer.query_pictures import QueryPictures
from quarry.search.errors import LibraryDamaged, LoadError
from quarry.search.files.uris import path_of
from quarry.search.models.embedded_texts import stood_for
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.lookups.lacking import Lacking
from quarry.search.stores.thumbnails import Thumbnails
from quarry.search.types import WORDS, Kind, Picture, Preprocessing


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


class PartsAgain:
    """What documents of any other medium consist of, from their files, as long as these are what was indexed."""

    lost_as = "Its file is gone or has changed: it is found by words only."

    def __init__(self) -> None:
        self.small: dict[bytes, str | None] = {}
        self.lost: dict[bytes, tuple[str, str | None]] = {}

    def read(self, chunks: Iterable[Lacking]) -> dict[bytes, Any]:
        """Return the things, each as its loader reads it."""
        found: dict[bytes, Any] = {}
        for one in chunks:
            if one.key in found and one.key not in self.small:
                continue
            if (thing := self._from_file(one)) is not None:
                self.small.pop(one.key, None)
                self.lost.pop(one.key, None)
            elif one.key in found:
                continue
            elif (thing := self._instead(one)) is not None:
                self.small[one.key] = one.path
            else:
                self.lost[one.key] = (self.lost_as, one.path)
                continue
            found[one.key] = thing
        return found

    def close(self) -> None:
        """Stop the children that read."""
        PARSERS.close()

    def _from_file(self, one: Lacking) -> Any:
        """Return the thing as it is in the file, None where that is gone or not the one that was indexed."""
        if one.path is None:
            return None
        path = path_of(one.path)
        try:
            thing = self._read(path, one)
            return thing if content_hash(path) == one.hash else None
        except LoadError:
            return None

    def _read(self, path: Path, one: Lacking) -> Any:
        uris = set[str]()
        with closing(PARSERS.load(path, path.name, DEFAULTS)) as items:
            for parsed in items:
                if item_uri(one.path or "", parsed.key, uris) == one.uri:
                    return parsed.parts[one.ordinal].thing if one.ordinal < len(parsed.parts) else None
        return None

    def _instead(self, one: Lacking) -> Any:
        return None


class PicturesAgain(PartsAgain):
    """Pictures, from their files, or else from their thumbnails; `preprocessing` is asked when there is one to read."""

    lost_as = "Its file is gone or has changed, and there is no thumbnail of it: it is found by words only."

    def __init__(self, catalog: Catalog, preprocessing: Callable[[], Preprocessing]) -> None:
        super().__init__()
        self._preprocessing = preprocessing
        self._thumbnails = Thumbnails(catalog.directory)
        self._reader = QueryPictures(PARSERS)

    def _read(self, path: Path, one: Lacking) -> Picture:
        return self._reader.read(path, self._preprocessing())

    def _instead(self, one: Lacking) -> Picture | None:
        try:
            jpeg = self._thumbnails.get(one.key)
            return self._reader.read(jpeg, self._preprocessing()) if jpeg else None
        except (LibraryDamaged, LoadError):
            return None


# What is read otherwise than from a file by its loader.
_OTHERWISE: Mapping[Kind, Callable[[Catalog, Callable[[], Preprocessing]], Again]] = {
    WORDS: lambda catalog, preprocessing: TextsAgain(),
    "image": PicturesAgain,
}


def again(catalog: Catalog, medium: Kind, preprocessing: Callable[[], Preprocessing]) -> Again:
    """Return what reads chunks of a medium; pictures of the size and cut that a model asks for."""
    return _OTHERWISE[medium](catalog, preprocessing) if medium in _OTHERWISE else PartsAgain()
