"""Which vector engine keeps a library's vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarry.api.opened import OpenLibrary
from quarry.search.queries import arguments

if TYPE_CHECKING:
    from quarry.indexer.moving import Moved
    from quarry.indexer.report import Progress


def move(library: OpenLibrary, name: str, uri: str = "", *, progress: Progress | None = None) -> Moved:
    """Have the library's vectors kept by another engine from now on, by whoever opens it; a new library is made.

    Those that are stored are copied, and none is embedded anew; searches go on by the old engine until all are there,
    and then it lets go of what it keeps.

    Args:
        name: `faiss`, `exact`, `milvus` or `qdrant`.
        uri: where it is: of Milvus `http(s)://HOST:PORT[/DATABASE]`, or a file that ends in .db for milvus-lite; of
            Qdrant a folder. The default is a place in the library's own folder. A Milvus that asks who one is finds its
            token in QUARRY_MILVUS_TOKEN, which is not stored.

    Raises:
        EngineUnavailable: it does not answer, or not to that token; what is there is of another state of the library.
        InvalidRequest: there is no such engine, or it can't be at that place.
        MissingExtra: its package is not installed; the message has the command.
        ModelMismatch: what is there is of another model.
    """
    from quarry.indexer import moving
    from quarry.indexer.report import NoProgress
    from quarry.search.engines.table import placed

    engine = placed(arguments.text(name, "name"), arguments.text(uri, "uri"))
    catalog = library.catalog(create=True)
    catalog.lock.require()  # before anything is copied to the other engine
    return moving.move(catalog, engine, progress or NoProgress())
