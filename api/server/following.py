"""Following roots: what changes on disk while a library is served becomes a job of it, as if a client had asked."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from quarry.api.server.jobs import Job
from quarry.api.server.libraries import NamedLibrary
from quarry.indexer.report import Report
from quarry.indexer.watching import Watcher
from quarry.search.errors import QuarryError
from quarry.search.files.uris import uri_of

_LOOK_S = 0.2  # for whether a job is over
_LOG = logging.getLogger("uvicorn.error")


def follow(named: NamedLibrary, stop: threading.Event) -> None:
    """Follow the roots of a library until `stop` is set, in a thread of its own."""
    threading.Thread(target=_follow, args=(named, stop), name=f"quarry-following-{named.name}", daemon=True).start()


def _follow(named: NamedLibrary, stop: threading.Event) -> None:
    watcher = Watcher(named.library.root_paths, _LOG.warning)
    try:
        for paths in watcher.changes(stop):
            if not _has_synced(named, paths, stop):
                watcher.again(paths)
    except Exception:  # a server goes on without
        _LOG.exception("The folders of the library %s are not followed any more.", named.name)


def _has_synced(named: NamedLibrary, paths: tuple[Path, ...], stop: threading.Event) -> bool:
    """Have paths brought in sync by a job, and wait until it is over."""

    def work(job: Job) -> Report:
        return named.library.index(*paths, watched=True, progress=job)

    try:
        job = named.jobs.begin(Job("sync", work, tuple(map(uri_of, paths))))
    except QuarryError:  # too many wait
        return False
    while not job.is_over and not stop.wait(_LOOK_S):
        pass
    return job.state != "failed"
