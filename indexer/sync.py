"""Bring roots in sync with the disk: what is new is added, changed re-indexed, moved followed, gone dropped."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer import changes, pipeline, roots
from indexer.loaders.base import LoadOptions, supported
from indexer.loaders.sandbox import Sandbox
from indexer.prepared import CUTTING, timestamp
from indexer.report import Progress, Report
from indexer.writer import Writer
from search.errors import InvalidRequest, NotFound
from search.stores.catalog import Catalog
from search.stores.sqlite import Connection
from search.uris import path_of, uri_of


@dataclass(frozen=True, slots=True)
class Choice:
    """What a run may do. `prune` drops documents even where a root is missing or lost more than half of them."""

    prune: bool = False
    verify: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class _Target:
    root: roots.Root
    scope: str
    is_new: bool


def sync(
    catalog: Catalog,
    open_writer: Callable[[], Writer],
    paths: Sequence[Path],
    options: roots.RootOptions | None,
    choice: Choice,
    progress: Progress,
) -> Report:
    """Sync `paths`, or every root of the library where there are none.

    Args:
        open_writer: called only when there is something to write: a run without changes loads no model.
        options: for the roots named by `paths`; None keeps what a root has.

    Raises:
        NotFound: a path that is neither on disk nor a root, or no path and no roots.
    """
    started = time.monotonic()
    report = Report(dry_run=choice.dry_run)
    for target in _targets(catalog, paths, options):
        _sync_one(catalog, open_writer, target, options is not None, choice, progress, report)
    report.seconds = time.monotonic() - started
    return report


def _targets(catalog: Catalog, paths: Sequence[Path], options: roots.RootOptions | None) -> list[_Target]:
    with catalog.snapshot() as snapshot:
        known = roots.listed(snapshot.connection)
    if not paths:
        if not known:
            raise NotFound("This library has no roots yet. Name a folder or file: `quarry index PATH`.")
        return [_Target(root, root.path, is_new=False) for root in known]
    targets: list[_Target] = []
    for path in paths:
        uri = uri_of(os.path.realpath(path))
        root = roots.owner(known, uri)
        if root is None and not os.path.lexists(path):
            raise NotFound(f"{path} does not exist, and is no root of this library.")
        if root is not None and options is not None and root.path != uri:
            raise InvalidRequest(
                f"{path} lies within the root {root.path}, which decides how its files are read. "
                f"Give the options with that root: `quarry index {root.path} ...`."
            )
        if root is None:
            targets.append(_Target(roots.Root(0, uri, options or roots.RootOptions(), None), uri, is_new=True))
        else:
            kept = roots.Root(root.id, root.path, options or root.options, root.synced)
            targets.append(_Target(kept, uri, is_new=False))
    return targets


def _sync_one(
    catalog: Catalog,
    open_writer: Callable[[], Writer],
    target: _Target,
    has_options: bool,
    choice: Choice,
    progress: Progress,
    report: Report,
) -> None:
    root, seen_ns = target.root, time.time_ns()
    options = LoadOptions(
        text_fields=root.options.text_fields, title_field=root.options.title_field, id_field=root.options.id_field
    )
    options_hash = root.options.digest(CUTTING)
    path = path_of(target.scope)
    progress.note(f"looking at {target.scope}")
    walk = changes.walk(path, supported) if path.exists() else changes.Walk()
    with catalog.snapshot() as snapshot:
        known = roots.files(snapshot.connection, root.id, target.scope)
        if target.is_new:  # files of roots below it are taken over, not read again
            for inner in roots.listed(snapshot.connection):
                if roots.is_within(inner.path, root.path):
                    known += roots.files(snapshot.connection, inner.id, inner.path)
    plan = changes.plan(walk.files, known, options_hash, verify=choice.verify)
    # A file that can't be looked at, or lies in a folder that can't, is not gone.
    plan.gone = [old for old in plan.gone if not any(roots.is_within(old.path, bad) for bad in walk.unreadable)]
    report.skipped += walk.skipped
    report.failed.update(walk.unreadable)
    report.failed.update({old.path: f"{old.error} (unchanged since)" for old in plan.failing})
    report.unchanged_files += plan.unchanged + len(plan.touch)
    lost, held = sum(old.documents for old in plan.gone), sum(old.documents for old in known)
    if not choice.prune and (not path.exists() or 2 * lost > held):
        if lost or not path.exists():
            what = "is missing" if not path.exists() else f"lost {lost} of its {held} documents"
            report.held_back[target.scope] = (
                f"{target.scope} {what}; nothing was dropped. If that is meant, run again with --prune."
            )
        plan.gone = []
    if choice.dry_run:
        report.added += sum(old is None for _, old in plan.read)
        report.changed += sum(old is not None for _, old in plan.read)
        report.moved += sum(old.documents for _, old in plan.moved)
        report.dropped += sum(old.documents for old in plan.gone)
        return
    if not (plan.read or plan.touch or plan.moved or plan.gone or target.is_new or has_options):
        return
    writer = open_writer()
    root = _record(writer, target, plan, seen_ns, report)
    readings = [pipeline.Reading(root, found, old, options_hash, seen_ns) for found, old in plan.read]
    if readings:
        with Sandbox(options) as sandbox:
            pipeline.index(readings, sandbox, writer, progress, report)
    writer.commit(lambda connection: roots.mark_synced(connection, root.id, timestamp(time.time())))
    progress.note("building the vector index")
    writer.flush()


def _record(writer: Writer, target: _Target, plan: changes.Plan, seen_ns: int, report: Report) -> roots.Root:
    """Commit the root itself and everything that needs no reading."""

    def change(connection: Connection) -> roots.Root:
        root = target.root
        if target.scope == root.path:
            roots.add(connection, root.path, root.options, timestamp(time.time()))
        root = next(one for one in roots.listed(connection) if one.path == root.path)
        for found, old in plan.touch:
            roots.touch_file(connection, old, found, seen_ns)
        for found, old in plan.moved:
            roots.move_file(connection, old, found, root.id, seen_ns)
            report.moved += old.documents
        for old in plan.gone:
            report.dropped += roots.remove_file(connection, old.id)
        return root

    return writer.commit(change)
