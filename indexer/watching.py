"""Watching roots: what changes on disk is told once it has settled, as paths to bring in sync."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from quarry.indexer.files.walking import IGNORE_FILES
from quarry.indexer.formats import supported
from quarry.indexer.loaders.pictures.sidecars import sidecar_of
from quarry.search.errors import QuarryError

SETTLED_S = 2.0  # without a change, after which a file counts as written
LONGEST_S = 60.0  # that one is waited for which goes on changing, such as a log
AGAIN_S = 30.0  # after which what could not be brought in sync is tried again
_LOOK_S = 1.0  # between two looks for roots that come and go, and for the end
_POLL_MS = 30_000  # between two looks at every file, where the system does not tell of changes
_MOST = 200  # paths of one root; where there are more, all of it is looked at

_Paths = tuple[Path, ...]


class Watcher:
    """Watches the roots of one library.

    Args:
        roots: returns the roots, absolute and without links; asked again and again, since they come and go.
        told: is told in words why changes will be seen later than they could be.
        settled_s: seconds without a change, after which a file counts as written.
    """

    def __init__(
        self,
        roots: Callable[[], Sequence[Path]],
        told: Callable[[str], None] = lambda _: None,
        settled_s: float = SETTLED_S,
    ) -> None:
        self._roots = roots
        self._told = told
        self._settled_s = settled_s
        self._known: set[Path] = set()  # roots that were told of
        self._changing: dict[Path, tuple[float, float]] = {}  # since when, and when last
        self._polls = False

    def changes(self, stop: threading.Event) -> Iterator[_Paths]:
        """Yield paths to bring in sync, none within another, again and again until `stop` is set.

        All roots come first, for what changed when nobody watched, and so does a root that is back. One that is gone is
        not told of: what it held is kept, as by any run.
        """
        while not stop.is_set():
            there = self._there()
            self._known &= set(there)
            if there:
                yield from self._while_they_are(there, stop)
            else:
                stop.wait(_LOOK_S)

    def again(self, paths: Sequence[Path]) -> None:
        """Have paths told once more after a while: they could not be brought in sync now."""
        later = time.monotonic() + AGAIN_S - self._settled_s
        for path in paths:
            self._changing.setdefault(path, (later, later))

    def _there(self) -> list[Path]:
        with suppress(QuarryError, OSError):  # such as of a library that is just being migrated
            return [root for root in self._roots() if root.exists()]
        return []

    def _while_they_are(self, there: list[Path], stop: threading.Event) -> Iterator[_Paths]:
        """Yield what changes in roots, until others are there."""
        from watchfiles import watch

        try:
            for seen in watch(
                *there,
                watch_filter=None,
                stop_event=stop,
                rust_timeout=int(_LOOK_S * 1000),
                yield_on_timeout=True,
                ignore_permission_denied=True,
                force_polling=self._polls or None,
                poll_delay_ms=_POLL_MS,
            ):
                now = time.monotonic()
                for _, name in seen:
                    since, _ = self._changing.get(Path(name), (now, now))
                    self._changing[Path(name)] = (since, now)
                fresh = set(there) - self._known  # only now: nothing that changes from here on is missed
                if settled := _outermost([*fresh, *self._settled(there)]):
                    self._known |= fresh
                    yield settled
                if self._there() != there:
                    return
        except (OSError, RuntimeError) as error:  # mostly: more folders than may be watched
            if self._polls:
                raise
            self._polls = True
            self._told(
                f"Changes are looked for every {_POLL_MS // 1000} s only, since the system does not tell of them "
                f"({error}). On Linux, `sysctl fs.inotify.max_user_watches=1048576` mostly helps."
            )

    def _settled(self, there: Sequence[Path]) -> list[Path]:
        now = time.monotonic()
        settled = [
            path
            for path, (since, last) in self._changing.items()
            if now - last >= self._settled_s or now - since >= LONGEST_S
        ]
        found: list[Path] = []
        for path in settled:
            del self._changing[path]
        for root in there:
            within = [path for path in settled if path.is_relative_to(root)]
            found += [root] if len(within) > _MOST else filter(None, (_scope(path, root) for path in within))
        return found


def _scope(path: Path, root: Path) -> Path | None:
    """Return what to bring in sync when a path has changed: itself, or the folder it was in; None for nothing."""
    if path.name in IGNORE_FILES:  # they say something about what lies beside them
        path = path.parent
    within = path.relative_to(root).parts
    if any(part.startswith(".") for part in within):
        return None
    at = root
    for part in (*within, ""):
        if (at / "catalog.db").exists() and (at / "writer.lock").exists():
            return None  # a library, which changes whenever something is brought in sync
        at = at / part
    path = sidecar_of(path) or path
    if path.is_file() and not supported(path):
        return None
    while path != root and not path.exists():
        path = path.parent
    return path


def _outermost(paths: Sequence[Path]) -> _Paths:
    found: list[Path] = []
    for path in sorted(set(paths)):
        if not (found and path.is_relative_to(found[-1])):
            found.append(path)
    return tuple(found)
