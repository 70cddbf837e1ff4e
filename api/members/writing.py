"""What puts documents into a library and takes them out: indexing, adding, deleting, bringing back, embedding anew."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from quarry.api.members.enriching import choices
from quarry.api.members.reading import find_all
from quarry.api.opened import OpenLibrary
from quarry.indexer.texts import Text
from quarry.search.beside import is_given
from quarry.search.errors import InvalidRequest, LibraryLocked, NoLibrary, NotFound, StorageFull
from quarry.search.files.disks import temporary_folder
from quarry.search.files.uris import absolute, expanded, path_of, uri_of
from quarry.search.queries import arguments
from quarry.search.stores.catalog import Catalog
from quarry.search.wiring import open_vectors

if TYPE_CHECKING:
    from quarry.indexer.report import Progress, Report
    from quarry.search.engines.opened import OpenedVectors


def index(
    library: OpenLibrary,
    *paths: str | os.PathLike[str],
    text_fields: Sequence[str] = (),
    title_field: str = "",
    id_field: str = "",
    metadata: Mapping[str, Any] | None = None,
    prune: bool = False,
    verify: bool = False,
    dry_run: bool = False,
    cross_lingual: bool = False,
    ocr: str | None = None,
    transcribe: str | None = None,
    enrich: Mapping[str, str] | None = None,
    labels: Sequence[str] = (),
    label_field: str = "label",
    watched: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Bring folders and files in sync, or every root there is where none is named.

    Args:
        text_fields, title_field, id_field: which fields of tables and records are the text, title and id.
        metadata: added to every document of these roots.
        prune: drop documents even where a root is missing or lost more than half of them.
        verify: hash every file instead of trusting size and times; try those again that failed.
        dry_run: only say what would be done.
        cross_lingual: embed all texts by the multilingual model as well, now and from now on, so that a question in
            another script than theirs finds them by meaning.
        ocr: how pages and pictures are read from now on that hold no text, but show some: by the engine of this name,
            by the best that there is (`auto`), or not at all (`off`). None: as before, at first `auto`.
        transcribe: how recordings and films are heard from now on: by the Whisper of this name, hub name or folder, by
            the embedded one, tiny.en (`auto`), or not at all (`off`). None: as before, at first `auto`.
        enrich: models that do tasks for every document, now and from now on, as of `enrich`.
        labels, label_field: labels that documents get from now on where they are apt, and where they are found, as of
            `label`.
        watched: the paths were seen to change: what is gone of them is dropped, unless it is more than half of a root.

    Returns:
        What was done; a file that can't be read is in `failed`, and stops nothing.
    """
    from quarry.indexer.enrichments.labelling import choose_labels, label_set
    from quarry.indexer.enrichments.table import choose_hearing, choose_ocr, hearing_choice, ocr_choice
    from quarry.indexer.enrichments.tasks.choosing import choose
    from quarry.indexer.multilingual import bring_up, take_everything
    from quarry.indexer.prepared import checked_metadata
    from quarry.indexer.report import NoProgress
    from quarry.indexer.sync import RunOptions, sync
    from quarry.search.stores.rows.roots import RootOptions

    options = RootOptions(
        arguments.texts(text_fields, "text_fields"),
        arguments.text(title_field, "title_field"),
        arguments.text(id_field, "id_field"),
        checked_metadata({} if metadata is None else metadata, "index"),
    )
    run = RunOptions(
        prune=arguments.flag(prune, "prune"),
        watched=arguments.flag(watched, "watched"),
        verify=arguments.flag(verify, "verify"),
        dry_run=arguments.flag(dry_run, "dry_run"),
    )
    choice = None if ocr is None else ocr_choice(ocr)
    hearing = None if transcribe is None else hearing_choice(arguments.text(transcribe, "transcribe"))
    models = choices(library, enrich or {})
    written = arguments.texts(labels, "labels")
    sets = [label_set(written, "", arguments.text(label_field, "label_field"))] if written else []
    with _vectors_to_index(library, dry_run) as vectors:
        if choice is not None and not run.dry_run:
            choose_ocr(library.catalog(), choice)
        if hearing is not None and not run.dry_run:
            choose_hearing(library.catalog(), hearing)
        if models and not run.dry_run:
            choose(library.catalog(), models)
        if sets and not run.dry_run:
            choose_labels(library.catalog(), sets)
        if arguments.flag(cross_lingual, "cross_lingual") and not run.dry_run:
            take_everything(library.catalog(), library.writer)
        report = sync(
            vectors,
            library.writer,
            [expanded(arguments.path(path, "path")) for path in paths],
            options if options != RootOptions() else None,
            run,
            progress or NoProgress(),
        )
        if is_given(library.settings.live) and not run.dry_run:
            done = bring_up(vectors, library.writer, progress or NoProgress())
            report.embedded += done.embedded
            report.failed |= done.failed
            report.seconds += done.seconds
        return report


def watch(
    library: OpenLibrary,
    stop: threading.Event,
    done: Callable[[Report], None],
    *,
    tell: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> None:
    """Keep every root in sync with the disk until `stop` is set: at once, and whenever something has changed.

    A file is read when it was not changed for two seconds, or a minute long did nothing but change. What can't be done
    now, since another process writes or the disk is full, is tried again.

    Args:
        done: is told what each run did.
        tell: is told in words what holds it up.
    """
    from quarry.indexer.watching import Watcher

    say = tell or (lambda _: None)
    watcher = Watcher(lambda: root_paths(library), say)
    for paths in watcher.changes(stop):
        try:
            report = index(library, *paths, watched=True, progress=progress)
        except (LibraryLocked, StorageFull, NotFound) as error:  # the last of a root that was just forgotten
            say(str(error))
            watcher.again(paths)
        else:
            done(report)


def root_paths(library: OpenLibrary) -> list[Path]:
    """Return where the roots are, by path, without counting what they hold."""
    from quarry.search.stores.rows import roots

    with library.catalog().snapshot() as snapshot:
        return [path_of(uri) for uri in roots.paths(snapshot.connection)]


def add(library: OpenLibrary, texts: Sequence[Text] | Text) -> list[str]:
    """Add documents that are not files; return their ids. All become visible at once."""
    from quarry.indexer import uploads

    texts = (texts,) if isinstance(texts, Text) else texts
    return uploads.add(library.writer(create=True), texts)


def add_file(
    library: OpenLibrary,
    data: bytes | IO[bytes],
    name: str,
    metadata: Mapping[str, Any] | None = None,
    *,
    id: str | None = None,
    hear: bool = True,
) -> list[str]:
    """Add the documents of a file's content, read as its `name` says (`notes.md`); return their ids.

    A stream is read to its end; one that goes on beyond 256 MiB is refused. With an `id`, the file holds one document,
    which takes the place of the one with that id.

    Args:
        hear: whether what is said in recordings is heard, too, which takes a tenth of their time and more; `hear` does
            that later.
    """
    return _add_file(library, data, name, metadata, id, hear=arguments.flag(hear, "hear"))


def hear(
    library: OpenLibrary,
    data: bytes | IO[bytes],
    name: str,
    metadata: Mapping[str, Any] | None = None,
    *,
    id: str | None = None,
) -> list[str]:
    """Hear what is said in a file that was added without being heard; return the ids of its documents.

    Args:
        data, name, metadata, id: as it was added by `add_file`.

    Raises:
        Conflict: it is gone by now, or another one is in its place: nothing is changed.
    """
    return _add_file(library, data, name, metadata, id, again=True)


def _add_file(
    library: OpenLibrary,
    data: bytes | IO[bytes],
    name: str,
    metadata: Mapping[str, Any] | None,
    id: str | None,
    **how: bool,
) -> list[str]:
    from quarry.indexer import uploads

    writer = library.writer(create=True)
    id = None if id is None else arguments.text(id, "id")
    return uploads.add_file(writer, library.parsers(), data, name, {} if metadata is None else metadata, id, **how)


def unheard(library: OpenLibrary, ids: Sequence[str]) -> list[str]:
    """Return those of some documents that can be heard here, and were not."""
    from quarry.indexer.enrichments.speech import Speech
    from quarry.search.stores.rows import enrichments

    hearing = next((one for one in library.writer().enrichments if isinstance(one, Speech)), None)
    if hearing is None:
        return []
    with library.catalog().snapshot() as snapshot:
        return enrichments.unheard(snapshot.connection, hearing.identity, ids)


def reembed(
    library: OpenLibrary,
    text_model: str | None = None,
    image_model: str | None = None,
    *,
    models: Mapping[str, str] | None = None,
    space: str | None = None,
    takes: Mapping[str, Any] | None = None,
    undo: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Embed all stored text, or all pictures, anew by another model; searches change over at the end.

    With both models, the texts come first. A picture whose file is gone or has changed is read from its thumbnail. The
    vectors that were searched before are kept until the next compaction.

    Args:
        models: those of other media, by their names.
        space: a name for the vectors, where they shall not take the place of the library's own but stand beside them,
            such as those of a second text model.
        takes: of which texts there shall be such vectors: `{"scripts": ["Hangul"], "languages": ["ko"]}`. Which queries
            are asked of them goes by script alone: of a few words nobody can tell the language.
        undo: go back to the vectors that were searched before, of `space` or of all; no model is named then.

    Returns:
        How many passages and pictures there are, how many were embedded, in `failed`, by URI, those that have no
        vector, and which were read `from_thumbnails`.

    Raises:
        InvalidRequest: no model is named, or one to undo by.
        NotFound: there is nothing to undo.
        ModelMissing, ModelDamaged: one can't be used; nothing was changed.
        ModelError: it gives nothing of this library a usable vector; that of the texts may have taken over.
    """
    from quarry.indexer.wiring import reembed_by, undo_reembedding

    for name, value in (("text_model", text_model), ("image_model", image_model)):
        if value is not None:
            arguments.path(value, name)
    try:
        if undo:
            if text_model or image_model or models:
                raise InvalidRequest("Name a model to embed by, or undo what was embedded; not both.")
            return undo_reembedding(library.catalog(), library.settings, space, progress)
        named = {"text": text_model, "image": image_model, **(models or {})}
        by = {kind: model for kind, model in named.items() if model}
        return reembed_by(library.catalog(), by, space, takes, progress, library.settings)
    finally:  # the library's own models, from now on
        names = library.settings.models
        own = replace(
            names,
            text_model=None if undo or (text_model and space is None) else names.text_model,
            image_model=None if undo or (image_model and space is None) else names.image_model,
        )
        library.change(replace(library.settings, models=own))


@contextmanager
def _vectors_to_index(library: OpenLibrary, dry_run: bool) -> Iterator[OpenedVectors]:
    try:
        catalog = library.catalog(create=not dry_run)
    except NoLibrary:  # a dry run makes none: what would be done to an empty one?
        with (
            temporary_folder("quarry-") as directory,
            closing(Catalog(directory, writable=True)) as empty,
        ):
            yield open_vectors(empty)
    else:
        if not dry_run:
            catalog.lock.require()
        yield library.searcher.vectors


def delete(
    library: OpenLibrary,
    references: Sequence[str | os.PathLike[str]] | str | os.PathLike[str] = (),
    *,
    filter: Mapping[str, Any] | None = None,
    dry_run: bool = False,
) -> int:
    """Delete documents by id or URI, and all that a filter matches, all or none; return how many there were.

    The path of a file that holds many, such as a table, stands for all of them; a document's pictures and attachments
    go with it. `undelete` brings them back, until `compact`. A document of a file that is still there comes back when
    that file changes.

    Args:
        filter: as of a search; an empty one would be all documents, and is refused.
        dry_run: only say how many there are.

    Raises:
        NotFound: there is no document of such an id or URI; that a filter matches none is no error.
    """
    from quarry.indexer import deleting
    from quarry.search.fields.filters import compile_filter
    from quarry.search.stores.lookups import filtered
    from quarry.search.stores.rows import items

    if filter is not None and not arguments.mapping(filter, "filter"):
        raise InvalidRequest('filter is empty, which would be all documents; say {"id": {"$exists": true}} for them.')
    matching = None if filter is None else compile_filter(filter)
    with library.catalog().snapshot() as snapshot:
        rows = [row_id for one in arguments.references(references) for row_id in find_all(library, one)[0]]
        if matching is not None:
            rows += filtered.ids(snapshot.connection, *matching)
        rows += [part for row_id in rows for part in items.parts_of(snapshot.connection, row_id)]
    rows = list(dict.fromkeys(rows))
    if arguments.flag(dry_run, "dry_run") or not rows:
        return len(rows)
    return deleting.delete(library.catalog(), rows)


def undelete(
    library: OpenLibrary, references: Sequence[str | os.PathLike[str]] | str | os.PathLike[str] = ()
) -> list[str]:
    """Bring deleted documents back by id or URI, all or none, or what was deleted last; return their ids.

    Raises:
        NotFound: nothing of the kind was deleted, or it was compacted away since.
        InvalidRequest: there is another document under such an id or URI now.
    """
    from quarry.indexer import deleting

    return deleting.undelete(library.writer(), arguments.references(references))


def forget(library: OpenLibrary, root: str | os.PathLike[str]) -> int:
    """Stop syncing a root and drop its documents; return how many there were."""
    from quarry.indexer.writer import commit
    from quarry.search.stores.rows import roots

    path = uri_of(absolute(arguments.path(root, "root")))
    return commit(library.catalog(), lambda connection: roots.forget(connection, path))
