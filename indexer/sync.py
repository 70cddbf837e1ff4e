"""Bring roots in sync with the disk: what is new is added, changed re-indexed, moved followed, gone dropped."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from quarry.indexer import pipeline
from quarry.indexer.embedding.nulls import fit_nulls
from quarry.indexer.enrichments.base import Enrichment
from quarry.indexer.enrichments.reenriching import reenrich
from quarry.indexer.enrichments.table import chosen
from quarry.indexer.files import changes
from quarry.indexer.files.mounts import is_made_up
from quarry.indexer.files.walking import UNSUPPORTED, Walk, walk
from quarry.indexer.formats import may_hold_pictures, supported, version_of
from quarry.indexer.loaders.base import LoadOptions
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.indexer.prepared import CUTTING, checked_metadata, timestamp
from quarry.indexer.reading import FileToRead
from quarry.indexer.report import Progress, Report
from quarry.indexer.writer import Writer, catch_up, commit, flush, tell_boilerplate
from quarry.search.engines.opened import OpenedVectors
from quarry.search.errors import InvalidRequest, NotFound
from quarry.search.files.uris import absolute, path_of, uri_of
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows import files, roots
from quarry.search.types import Preprocessing

_NAMED = 5  # suffixes, where nothing could be read


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a run may do.

    Args:
        prune: drop documents even where a root is missing or lost more than half of them.
        watched: it was seen how what is gone went: only what is more than half of the whole root is held back.
    """

    prune: bool = False
    watched: bool = False
    verify: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class _Target:
    """A root, or the part of one (`scope`) that is to be synced; `has_changed` where the root itself is new or read
    in another way.
    """

    root: roots.Root
    scope: str
    has_changed: bool


@dataclass(slots=True)
class _Survey:
    """What there is under a target, on disk and in the catalog, and what is to be done about it.

    `unsupported` are the files whose names say that no loader reads them, or none that is installed.
    """

    target: _Target
    seen_ns: int
    known: list[files.KnownFile]
    plan: changes.Plan
    is_missing: bool
    unsupported: list[str]


def sync(
    vectors: OpenedVectors,
    open_writer: Callable[[], Writer],
    paths: Sequence[Path],
    options: roots.RootOptions | None,
    run: RunOptions,
    progress: Progress,
    enrichments: Sequence[Enrichment] | None = None,
) -> Report:
    """Sync `paths`, or every root of the library where there are none.

    Args:
        vectors: of the library, as its searches use them.
        open_writer: called only when there are files to read: a run without any loads no model.
        enrichments: that documents which are here already lack, or have of another identity, run over these alone;
            None for those that the library is to have.
        options: for the roots named by `paths`; None keeps what a root has.

    Raises:
        NotFound: a path that is neither on disk nor a root, or no path and no roots.
        InvalidRequest: options that can't be stored, or are those of an outer root.
    """
    started = time.monotonic()
    catalog = vectors.catalog
    report = Report(dry_run=run.dry_run)
    if options is not None:
        checked_metadata(options.metadata, "--meta")
    surveys = [_survey(catalog, target, run, progress, report) for target in _targets(catalog, paths, options)]
    changes.follow_moves([survey.plan for survey in surveys])
    for survey in surveys:
        _hold_back(survey, run, report)
        if run.dry_run:
            _foretell(survey.plan, report)
        else:
            _carry_out(vectors, open_writer, survey, progress, report)
        if paths and not run.watched:
            _check_named(catalog, survey, report)
    if not run.dry_run:
        if enrichments is None:
            enrichments = chosen(catalog, lambda name: open_writer().embedders[name].encoder)
        if reenrich(catalog, enrichments, open_writer, progress, report.unable):
            flush(vectors)
        catch_up(catalog)  # with a run that died between two steps
        tell_boilerplate(catalog)
    report.seconds = time.monotonic() - started
    return report


def _targets(catalog: Catalog, paths: Sequence[Path], options: roots.RootOptions | None) -> list[_Target]:
    """Find the roots that the paths are or lie in; of paths that lie in each other the outermost stands for all."""
    with catalog.snapshot() as snapshot:
        known = roots.listed(snapshot.connection)
    if not paths:
        if not known:
            raise NotFound("This library has no roots yet. Name a folder or file: `quarry index PATH`.")
        return [_Target(root, root.path, has_changed=False) for root in known]
    targets: list[_Target] = []
    for uri, path in sorted((uri_of(absolute(path)), path) for path in paths):
        if any(roots.is_within(uri, target.scope) for target in targets):
            continue
        root = roots.owner(known, uri)
        if root is None:
            if not os.path.lexists(path):
                raise NotFound(f"{path} does not exist, and is no root of this library.")
            _check_kind(path, path_of(uri))
            root = roots.Root(0, uri, options or roots.RootOptions(), None)
            targets.append(_Target(root, uri, has_changed=True))
        elif options is None or options == root.options:
            targets.append(_Target(root, uri, has_changed=False))
        elif root.path == uri:
            targets.append(_Target(roots.Root(root.id, uri, options, root.synced), uri, has_changed=True))
        else:
            raise InvalidRequest(
                f"{path} lies within the root {root.path}, which decides how its files are read. "
                f"Give the options with that root: `quarry index {root.path} ...`."
            )
    return targets


def _check_kind(path: Path, real: Path) -> None:
    """Refuse as a root what no file can ever lie in, or be."""
    if is_made_up(os.fspath(real)):
        raise InvalidRequest(f"{path} is made up by the kernel, and holds no files to index.")
    with contextlib.suppress(OSError):  # which is told when it is looked at
        mode = real.stat().st_mode
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            raise InvalidRequest(f"{path} is a pipe, socket or device, not a folder or file.")


def _survey(catalog: Catalog, target: _Target, run: RunOptions, progress: Progress, report: Report) -> _Survey:
    root, seen_ns = target.root, time.time_ns()
    top, scope = path_of(root.path), path_of(target.scope)
    progress.note(f"looking at {target.scope}")
    is_missing = not os.path.lexists(scope)
    walked = Walk() if is_missing else walk(top, scope, supported, catalog.directory.resolve())
    with catalog.snapshot() as snapshot:
        if root.id:
            known = roots.files_of(snapshot.connection, root, target.scope)
        else:  # files of roots below it are taken over, not read again
            inner = [one for one in roots.listed(snapshot.connection) if roots.is_within(one.path, root.path)]
            known = [file for one in inner for file in roots.files_of(snapshot.connection, one)]
    # A file that can't be looked at, or not be read now, or lies in a folder that can't, is not gone.
    away = walked.unreadable
    seen = [file for file in known if not (file.path in walked.lacking or _lies_in(file.path, away))]
    plan = changes.plan(walked.files, seen, as_read(root.options), verify=run.verify)
    report.skipped_files |= walked.skipped_files
    report.failed |= walked.unreadable
    if not run.watched:  # a run that was asked for says it again, one after a change what is new
        report.failed |= {path: f"{error} (unchanged since)" for path, error in plan.failing.items()}
    report.unchanged_files += plan.unchanged + len(plan.touch)
    unsupported = [path for path, why in walked.skipped_files.items() if why == UNSUPPORTED or path in walked.lacking]
    return _Survey(target, seen_ns, known, plan, is_missing, unsupported)


def as_read(options: roots.RootOptions) -> Callable[[str], bytes]:
    """Return what gives the digest of how a file is read, by its path: by the root's options, and by which loader."""
    digests = {1: options.digest(CUTTING)}

    def of(path: str) -> bytes:
        version = version_of(path)
        if version not in digests:
            digests[version] = options.digest(CUTTING, str(version))
        return digests[version]

    return of


def _lies_in(path: str, folders: Iterable[str]) -> bool:
    return any(roots.is_within(path, folder) for folder in folders)


def _is_in(folder: str, path: str) -> bool:
    return roots.is_within(path, folder)


def _hold_back(survey: _Survey, run: RunOptions, report: Report) -> None:
    """Keep what a root lost, where it is missing or lost more than half of its documents."""
    plan, scope = survey.plan, survey.target.scope
    lost, held = sum(old.documents for old in plan.gone), sum(old.documents for old in survey.known)
    if run.watched and not survey.is_missing:
        scope, held = survey.target.root.path, max(held, survey.target.root.documents)
    if run.prune or not plan.gone or not (survey.is_missing or 2 * lost > held):
        return
    what = "is missing" if survey.is_missing else f"lost {lost:,} of its {held:,} documents"
    report.held_back[scope] = f"{scope} {what}; nothing was dropped. If that is meant, run again with --prune."
    plan.gone = []


def _foretell(plan: changes.Plan, report: Report) -> None:
    report.added += sum(old is None for _, old in plan.read)
    report.changed += sum(old is not None for _, old in plan.read)
    report.moved += len(plan.moved)
    report.dropped += len(plan.gone)


def _carry_out(
    vectors: OpenedVectors, open_writer: Callable[[], Writer], survey: _Survey, progress: Progress, report: Report
) -> None:
    catalog, target, plan = vectors.catalog, survey.target, survey.plan
    if not (plan.read or plan.touch or plan.moved or plan.gone or target.has_changed):
        return
    if not (target.root.id or plan.read or plan.moved) and survey.unsupported:
        return  # nothing to keep in sync, which is told
    if plan.moved or plan.gone:
        root, moved, dropped = commit(catalog, partial(_record, survey))
    else:  # nothing that a search could see
        with catalog.transaction(bump=False) as connection:
            root, moved, dropped = _record(survey, connection)
    report.moved += moved
    report.dropped += dropped
    if plan.read:
        writer = open_writer()
        readings = [FileToRead(root, found, plan.options_hash(found.path)) for found, _ in plan.read]
        options = LoadOptions(
            text_fields=root.options.text_fields,
            title_field=root.options.title_field,
            id_field=root.options.id_field,
            preprocessing=_preprocessing(writer, readings),
        )
        with Sandbox(options) as sandbox:
            pipeline.index(readings, sandbox, writer, progress, report)
    with catalog.transaction(bump=False) as connection:
        roots.mark_synced(connection, root.id, timestamp(time.time()))
    progress.note("building the vector index")
    flush(vectors)
    if plan.read:
        fit_nulls(writer)


def _check_named(catalog: Catalog, survey: _Survey, report: Report) -> None:
    """Report a path that was named, and holds something, but nothing that can be read: that is no success."""
    scope, plan = survey.target.scope, survey.plan
    if plan.moved or any(old.documents for old in survey.known) or any(map(partial(_is_in, scope), report.failed)):
        return
    sizes = [found.size for found, _ in plan.read] + [old.size for old in survey.known]
    if not survey.unsupported and not any(sizes):  # empty files are read, and hold nothing
        return
    if bool(plan.read) if report.dry_run else _has_documents(catalog, scope):
        return
    types = sorted({path_of(path).suffix for path in survey.unsupported})
    named = ", ".join(types[:_NAMED]) + (", ..." if len(types) > _NAMED else "")
    report.failed[scope] = "nothing in it can be read" + (f": files of unsupported types ({named})" if types else "")


def _has_documents(catalog: Catalog, scope: str) -> bool:
    with catalog.snapshot() as snapshot:
        root = roots.owner(roots.listed(snapshot.connection), scope)
        return root is not None and any(file.documents for file in roots.files_of(snapshot.connection, root, scope))


def _preprocessing(writer: Writer, readings: Sequence[FileToRead]) -> Preprocessing | None:
    """Return what the image model asks of pixels where there are pictures; None where it can't be used."""
    if not any(may_hold_pictures(path_of(reading.found.path)) for reading in readings):
        return None
    return writer.pictures.preprocessing


def _record(survey: _Survey, connection: Connection) -> tuple[roots.Root, int, int]:
    """Write the root itself and all that needs no reading; return the root, and how many documents moved and went."""
    target, plan = survey.target, survey.plan
    root = target.root
    if target.scope == root.path:
        root = roots.add(connection, root.path, root.options, timestamp(time.time()))
    roots.require(connection, root)
    for found, old in plan.touch:
        files.touch(connection, old, found, survey.seen_ns)
    moved = sum(files.move(connection, old, found, root.id, survey.seen_ns) for found, old in plan.moved)
    dropped = sum(files.remove(connection, old) for old in plan.gone)
    return root, moved, dropped
